/**
 * Deletes what nobody needs any more, in bounded pieces: finished messages, resolved issues, what was considered of clusters that report no
 * longer, and, where the settings say so, old reports. Never what a cooldown still counts by. Called at the end of a run, now and then.
 * Source: architecture.md 5 (retention of whatever the embedded default stores).
 */
import {
  STATE_SENT,
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_REPORTED,
} from '../../../contracts/tables.ts';
import { longestCooldown } from '../../../platform/records/cooldowns.ts';
import { forgetFactsWithoutReport } from '../../../platform/records/report-facts.ts';
import { microsOfMs, timestampText } from '../timestamps.ts';
import type { StoreAccess } from './transact.ts';

/** Rows that one statement of the retention deletes, so that no lock and no WAL burst lasts. */
const retentionRowsMax = 5_000;

interface ToRetain {
  readonly settings: { readonly outboxMs: number; readonly ledgerMs: number; readonly reportsMaxAge: string };
  /** Of this process's targets, as they end now. */
  readonly cooldowns: readonly bigint[];
}

interface RetentionBounds {
  /** Timestamps of the notification database. */
  readonly outboxBefore: string;
  readonly ledgerBefore: string;
  /** Start of the longest cooldown that ends now, of whatever process; `sent` rows since then count and stay. */
  readonly cooldownSince: string;
  /** PostgreSQL interval; empty: reports are left to others. */
  readonly reportsMaxAge: string;
  readonly now: string;
}

/** Each deletes at most so many rows and answers with a row count; run until it deletes fewer. */
const statements = {
  notification_outbox: `
    DELETE FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE id IN (
      SELECT id FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE finished_at < least($1::timestamp, $2::timestamp) ORDER BY finished_at LIMIT $3)`,
  notification_ledger: `
    DELETE FROM ${TABLE_NOTIFICATION_LEDGER} WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM ${TABLE_NOTIFICATION_LEDGER}
       WHERE resolved_at IS NOT NULL AND state <> 'pending' AND last_seen_at < $1::timestamp
         AND coalesce(clock_at < $2::timestamp, true) LIMIT $3))`,
  notification_considered: `
    DELETE FROM ${TABLE_NOTIFICATION_CONSIDERED} WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c
       WHERE decided_at < least($1::timestamp, $2::timestamp)
         AND NOT EXISTS (SELECT FROM ${TABLE_NEW_REPORTS} AS n WHERE n.cluster = c.cluster) LIMIT $3))`,
  notification_sent_rows: `
    DELETE FROM ${TABLE_NOTIFICATION_SENT_ROWS} WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM ${TABLE_NOTIFICATION_SENT_ROWS} AS s
       WHERE notified_at < least($1::timestamp, $2::timestamp)
         AND NOT EXISTS (SELECT FROM ${TABLE_REPORTED} AS r
                          WHERE r.org_id = s.org_id AND r.cluster = s.cluster AND r.notified_at = s.notified_at) LIMIT $3))`,
  new_reports: `
    DELETE FROM ${TABLE_NEW_REPORTS} WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM ${TABLE_NEW_REPORTS} WHERE updated_at < $1::timestamp - $2::interval LIMIT $3))`,
  reported: `
    DELETE FROM ${TABLE_REPORTED} WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM ${TABLE_REPORTED}
       WHERE updated_at < $1::timestamp - $2::interval AND NOT (state = ${STATE_SENT} AND notified_at > $4::timestamp) LIMIT $3))`,
} as const;

type RetainedTable = keyof typeof statements;

/** Rows deleted by table. */
export async function deleteExpired(store: StoreAccess, what: ToRetain): Promise<Map<RetainedTable, number>> {
  const { database } = store;
  const bounds = await boundsOf(store, what);
  const deleted = new Map<RetainedTable, number>();
  const until = async (table: RetainedTable, ...[before, other, ...rest]: readonly string[]) => {
    let total = 0;
    for (;;) {
      const { rowCount } = await database.query(statements[table], [before, other, retentionRowsMax, ...rest]);
      total += rowCount;
      if (rowCount < retentionRowsMax) break;
    }
    deleted.set(table, total);
  };
  await until('notification_outbox', bounds.outboxBefore, bounds.cooldownSince);
  await until('notification_ledger', bounds.ledgerBefore, bounds.cooldownSince);
  await until('notification_considered', bounds.ledgerBefore, bounds.cooldownSince);
  await until('notification_sent_rows', bounds.ledgerBefore, bounds.cooldownSince);
  if (bounds.reportsMaxAge !== '') {
    await until('new_reports', bounds.now, bounds.reportsMaxAge);
    await forgetFactsWithoutReport(database);
    await until('reported', bounds.now, bounds.reportsMaxAge, bounds.cooldownSince);
  }
  return deleted;
}

async function boundsOf(
  { database, nowMicros }: StoreAccess,
  { settings, cooldowns }: ToRetain,
): Promise<RetentionBounds> {
  const now = nowMicros();
  const longest = cooldowns.reduce((longer, cooldown) => (cooldown > longer ? cooldown : longer), 0n);
  // Another process may serve a target with a longer one.
  const stored = (await longestCooldown(database)) ?? '0';
  const { rows } = await database.query<{ since: string }>(
    'SELECT least($1::timestamp, $2::timestamp - $3::interval)::text AS since',
    [timestampText(now - longest), timestampText(now), stored],
  );
  return {
    outboxBefore: timestampText(now - microsOfMs(settings.outboxMs)),
    ledgerBefore: timestampText(now - microsOfMs(settings.ledgerMs)),
    cooldownSince: rows[0]!.since,
    reportsMaxAge: settings.reportsMaxAge,
    now: timestampText(now),
  };
}
