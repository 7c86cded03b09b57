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
import type { Queryable } from '../../../platform/database/database.ts';
import { longestCooldown } from '../../../platform/records/cooldowns.ts';
import { forgetFactsWithoutReport } from '../../../platform/records/report-facts.ts';
import type { Run } from '../run.ts';
import type { ServiceState } from '../run-once.ts';
import { microsOfMs, timestampText } from '../timestamps.ts';

/** Rows that one statement of the retention deletes, so that no lock and no WAL burst lasts. */
const retentionRowsMax = 5_000;

export interface RetentionBounds {
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

export type RetainedTable = keyof typeof statements;

/** Rows deleted by table. */
export async function deleteExpired(
  queryable: Queryable,
  bounds: RetentionBounds,
): Promise<Map<RetainedTable, number>> {
  const deleted = new Map<RetainedTable, number>();
  const until = async (table: RetainedTable, ...[before, other, ...rest]: readonly string[]) => {
    let total = 0;
    for (;;) {
      const { rowCount } = await queryable.query(statements[table], [before, other, retentionRowsMax, ...rest]);
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
    await forgetFactsWithoutReport(queryable);
    await until('reported', bounds.now, bounds.reportsMaxAge, bounds.cooldownSince);
  }
  return deleted;
}

/** When the retention runs: at the end of a run, but not of each. What it deletes is `store/retention.ts`'s. */
interface Retention {
  deleteExpired(run: Run): Promise<void>;
}

export function createRetention({ settings, clock, events }: ServiceState): Retention {
  let doneMs: number | undefined;
  return {
    async deleteExpired(run) {
      if (run.signal.aborted) return;
      if (doneMs !== undefined && clock.monotonicMs() - doneMs < settings.retention.everyMs) return;
      doneMs = clock.monotonicMs();
      events.expiredDeleted(await deleteExpired(run.database, await boundsOf(run)));
    },
  };
}

async function boundsOf(run: Run): Promise<RetentionBounds> {
  const nowMicros = run.time.nowMicros();
  const { outboxMs, ledgerMs, reportsMaxAge } = run.settings.retention;
  const cooldowns = run.targets.map(({ policy }) => policy.cooldownMicros ?? 0n);
  const longest = cooldowns.reduce((longer, cooldown) => (cooldown > longer ? cooldown : longer), 0n);
  // Another process may serve a target with a longer one.
  const stored = (await longestCooldown(run.database)) ?? '0';
  const { rows } = await run.database.query<{ since: string }>(
    'SELECT least($1::timestamp, $2::timestamp - $3::interval)::text AS since',
    [timestampText(nowMicros - longest), timestampText(nowMicros), stored],
  );
  return {
    outboxBefore: timestampText(nowMicros - microsOfMs(outboxMs)),
    ledgerBefore: timestampText(nowMicros - microsOfMs(ledgerMs)),
    cooldownSince: rows[0]!.since,
    reportsMaxAge,
    now: timestampText(nowMicros),
  };
}
