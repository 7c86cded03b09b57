/** A fleet's active issues as the notification service keeps them, without the reports that they came in; for tests of what goes through all. */
import type { Database } from '../../src/platform/database/database.ts';

/** `count` issues of total risk 4, twenty of each cluster of organization 1, of rules that `contentOf` knows as `test_rule`. */
export async function fillWithIssues(database: Database, count: number): Promise<void> {
  await database.query(
    `INSERT INTO ccx.clusters (org_id, cluster, last_report_at, issues_report_at, state_since)
     SELECT 1, 'aaaaaaaa-0000-4000-8000-' || lpad(n::text, 12, '0'), now(), now(), now()
       FROM generate_series(1, $1::int / 20) AS n`,
    [count],
  );
  await database.query(
    `INSERT INTO ccx.issues (org_id, cluster, type, component, error_key, state, first_seen_at, appeared_at, changed_at)
     SELECT 1, k.cluster, 'rule', 'ccx_rules_ocp.external.r' || n || '.test_rule.report', 'CRITICAL', 'open', '2026-01-01', '2026-01-01', '2026-01-01'
       FROM ccx.clusters AS k CROSS JOIN generate_series(1, 20) AS n`,
  );
  // What autovacuum does within a minute of so many rows.
  await database.query('ANALYZE ccx.clusters, ccx.issues');
}
