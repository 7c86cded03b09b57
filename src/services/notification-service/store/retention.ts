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
import { pruneAudit } from '../../../platform/records/audit.ts';
import { longestCooldown } from '../../../platform/records/cooldowns.ts';
import { forgetFactsWithoutReport } from '../../../platform/records/report-facts.ts';
import type { NotificationServiceSettings } from '../config.ts';
import { microsOfMs, timestampText } from '../timestamps.ts';
import type { StoreAccess } from './transact.ts';

/** Rows that one statement of the retention deletes, so that no lock and no WAL burst lasts. */
const retentionRowsMax = 5_000;

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

/** Rows deleted by table. `cooldownMicros` is the longest of this process's targets, as it ends now. */
export async function deleteExpired(
  { database, nowMicros }: StoreAccess,
  { outboxMs, ledgerMs, reportsMaxAge }: NotificationServiceSettings['retention'],
  cooldownMicros: bigint,
): Promise<Map<RetainedTable, number>> {
  const micros = nowMicros();
  const now = timestampText(micros);
  const outboxBefore = timestampText(micros - microsOfMs(outboxMs));
  const ledgerBefore = timestampText(micros - microsOfMs(ledgerMs));
  // Start of the longest cooldown that ends now: another process may serve a target with a longer one. `sent` rows since then count and stay.
  const { rows } = await database.query<{ since: string }>(
    'SELECT least($1::timestamp, $2::timestamp - $3::interval)::text AS since',
    [timestampText(micros - cooldownMicros), now, (await longestCooldown(database)) ?? '0'],
  );
  const cooldownSince = rows[0]!.since;
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
  await until('notification_outbox', outboxBefore, cooldownSince);
  await until('notification_ledger', ledgerBefore, cooldownSince);
  await until('notification_considered', ledgerBefore, cooldownSince);
  await until('notification_sent_rows', ledgerBefore, cooldownSince);
  if (reportsMaxAge !== '') {
    await until('new_reports', now, reportsMaxAge);
    await forgetFactsWithoutReport(database);
    await until('reported', now, reportsMaxAge, cooldownSince);
  }
  await pruneAudit(database);
  return deleted;
}
