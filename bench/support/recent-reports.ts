/** Reports as the writer has stored them, one by one or many at once, for a notification service that follows. */
import { serializeReport } from '../../src/contracts/serialize-ocp-results.ts';
import {
  CHANNEL_REPORT_STORED,
  TABLE_CLUSTERS,
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_REPORTED,
} from '../../src/contracts/tables.ts';
import { migrateCcx } from '../../src/platform/database/ccx-migrations.ts';
import type { Database } from '../../src/platform/database/database.ts';
import type { BenchContext } from './benchmark.ts';
import { benchReport } from './report-messages.ts';

/** `storeReport` tells whoever follows; a report without a cluster goes to a table that nobody follows, and nobody is told. */
export async function recentReports({ clock }: Pick<BenchContext, 'clock'>, database: Database) {
  for (const set of ['notifier', 'records', 'trace']) await migrateCcx(database, set);
  await database.query(`CREATE TABLE bench_new_reports (LIKE ${TABLE_NEW_REPORTS} INCLUDING ALL)`);
  const report = serializeReport({ ...benchReport(clock), skips: [] });
  const insert = (table: string) => `
    INSERT INTO ${table} (org_id, account_number, cluster, report, updated_at, kafka_offset)
    VALUES (1, 0, $1, $2, clock_timestamp() AT TIME ZONE 'UTC', 0)`;
  const storeReport = async (store: Database, cluster: string): Promise<void> => {
    if (cluster === '') {
      await store.query(insert('bench_new_reports'), [clock.uuid(), report]);
      return;
    }
    await store.query(
      `WITH stored AS (${insert(TABLE_NEW_REPORTS)} RETURNING cluster, updated_at AS at),
       seen AS (
         INSERT INTO ${TABLE_CLUSTERS} (org_id, cluster, last_report_at, state_since) SELECT 1, cluster, at, at FROM stored)
       SELECT pg_notify($3, '')`,
      [cluster, report, CHANNEL_REPORT_STORED],
    );
  };
  return { report, storeReport };
}

/** Of the last ten minutes, each of a cluster that was notified of it; the service must have considered some report before. */
export async function addRecentReports(database: Database, count: number, report: string): Promise<void> {
  await database.query(
    `WITH added AS (
       SELECT gen_random_uuid()::text AS cluster,
              clock_timestamp() AT TIME ZONE 'UTC' - number * interval '590 seconds' / $1::int AS at
         FROM generate_series(1, $1::int) AS number),
     stored AS (
       INSERT INTO ${TABLE_NEW_REPORTS} (org_id, account_number, cluster, report, updated_at, kafka_offset)
       SELECT 1, 0, cluster, $2, at, 0 FROM added),
     seen AS (
       INSERT INTO ${TABLE_CLUSTERS} (org_id, cluster, last_report_at, state_since, issues_report_at)
       SELECT 1, cluster, at, at, at FROM added),
     sent AS (
       INSERT INTO ${TABLE_REPORTED}
              (org_id, account_number, cluster, notification_type, state, report, updated_at, notified_at, error_log, event_type_id)
       SELECT 1, 0, cluster, 1, 1, '{}', at, at, '', 1 FROM added),
     known AS (
       INSERT INTO ${TABLE_NOTIFICATION_SENT_ROWS} (org_id, cluster, notified_at, event_type_id, ours)
       SELECT 1, cluster, at, 1, true FROM added)
     INSERT INTO ${TABLE_NOTIFICATION_CONSIDERED}
            (event_type_id, cluster, org_id, report_updated_at, policy_hash, outcome, version, decided_at)
     SELECT one.event_type_id, added.cluster, 1, added.at, one.policy_hash, 'issues', 1, added.at
       FROM (SELECT event_type_id, policy_hash FROM ${TABLE_NOTIFICATION_CONSIDERED} LIMIT 1) AS one, added`,
    [count, report],
  );
  await database.query('ANALYZE');
}
