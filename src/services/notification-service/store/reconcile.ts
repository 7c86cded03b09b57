/**
 * Brings our tables in line with what others changed: rows of `reported` that are gone, and rules that were disabled or enabled. Both make
 * the clusters concerned due again. Called at the start of each run. Source: architecture.md 7.
 */
import { createHash } from 'node:crypto';
import {
  STATE_SENT,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_DISABLED_SCOPES,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_REPORTED,
} from '../../../contracts/tables.ts';
import type { DisabledRules } from '../decide/disabled-rules.ts';
import type { Run } from '../run-context.ts';
import { timestampText } from '../timestamps.ts';
import { rowsJson } from './rows.ts';
import { transact } from './transact.ts';

/**
 * A notification counts only while the `sent` row that it was recorded with is there. Rows older than the longest cooldown do not matter
 * any more and are not looked for. Answers how many rows are gone.
 */
export async function forgetRemovedRows(run: Run): Promise<number> {
  const cooldowns = run.targets.flatMap(({ policy }) => policy.cooldownMicros ?? []);
  if (cooldowns.length === 0) return 0;
  const longest = cooldowns.reduce((longer, cooldown) => (cooldown > longer ? cooldown : longer));
  const nowMicros = run.time.nowMicros();
  return transact(run, async (tx) => {
    const { rows } = await tx.query<{ gone: number }>(
      `WITH gone AS (
         DELETE FROM ${TABLE_NOTIFICATION_SENT_ROWS} AS s
          WHERE s.notified_at > $1::timestamp
            AND NOT EXISTS (SELECT FROM ${TABLE_REPORTED} AS r
                             WHERE r.org_id = s.org_id AND r.cluster = s.cluster AND r.notified_at = s.notified_at
                               AND r.state = ${STATE_SENT} AND r.event_type_id = s.event_type_id)
         RETURNING s.org_id, s.cluster, s.notified_at, s.event_type_id),
       forgotten AS (
         UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l
            SET state = CASE WHEN l.state = 'notified' THEN 'removed' ELSE l.state END, reported_at = NULL, next_eligible_at = NULL
           FROM gone
          WHERE l.event_type_id = gone.event_type_id AND l.org_id = gone.org_id AND l.cluster = gone.cluster
            AND l.reported_at = gone.notified_at),
       due AS (
         UPDATE ${TABLE_NOTIFICATION_CONSIDERED} AS c
            SET next_due_at = $2::timestamp, version = c.version + 1
           FROM (SELECT DISTINCT event_type_id, cluster FROM gone) AS g
          WHERE c.event_type_id = g.event_type_id AND c.cluster = g.cluster)
       SELECT count(*)::int AS gone FROM gone`,
      [timestampText(nowMicros - longest), timestampText(nowMicros)],
    );
    return rows[0]!.gone;
  });
}

/** Makes the reports of every cluster and organization due whose disabled rules are not those of the run before. */
export async function followDisabledRules(run: Run, rules: DisabledRules): Promise<void> {
  const wanted = [
    ...[...rules.clusters].map(([scope, disabled]) => ({ kind: 'cluster', scope, rules_hash: hashOf(disabled) })),
    ...[...rules.organizations].map(([scope, disabled]) => ({
      kind: 'organization',
      scope,
      rules_hash: hashOf(disabled),
    })),
  ];
  await transact(run, (tx) =>
    tx.query(
      `WITH wanted AS (SELECT * FROM json_to_recordset($1) AS w(kind text, scope text, rules_hash text)),
       enabled AS (
         DELETE FROM ${TABLE_NOTIFICATION_DISABLED_SCOPES} AS d
          WHERE NOT EXISTS (SELECT FROM wanted AS w WHERE w.kind = d.kind AND w.scope = d.scope)
         RETURNING d.kind, d.scope),
       changed AS (
         INSERT INTO ${TABLE_NOTIFICATION_DISABLED_SCOPES} AS d (kind, scope, rules_hash)
         SELECT kind, scope, rules_hash FROM wanted
         ON CONFLICT (kind, scope) DO UPDATE SET rules_hash = excluded.rules_hash WHERE d.rules_hash <> excluded.rules_hash
         RETURNING d.kind, d.scope),
       moved AS (SELECT kind, scope FROM enabled UNION SELECT kind, scope FROM changed),
       due AS (
         SELECT c.event_type_id, c.cluster FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c
           JOIN moved ON moved.kind = 'cluster' AND moved.scope = lower(rtrim(c.cluster))
          UNION
         SELECT c.event_type_id, c.cluster FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c
           JOIN moved ON moved.kind = 'organization' AND moved.scope = c.org_id::text)
       UPDATE ${TABLE_NOTIFICATION_CONSIDERED} AS c
          SET next_due_at = $2::timestamp, version = c.version + 1
         FROM due
        WHERE c.event_type_id = due.event_type_id AND c.cluster = due.cluster`,
      [rowsJson(wanted), timestampText(run.time.nowMicros())],
    ),
  );
}

function hashOf(disabled: ReadonlySet<string>): string {
  return createHash('sha256')
    .update([...disabled].sort().join('\n'))
    .digest('hex')
    .slice(0, 16);
}
