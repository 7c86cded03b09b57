/**
 * `ccx.clusters` as people see and change it: the list of all clusters, a name for one, and that one is gone for good. Reports write the
 * rest: the notification writer when one came, the notification service what it says. Used by `ccx clusters`.
 */
import type { Issue } from '../../contracts/issue.ts';
import {
  TABLE_CLUSTER_OWNERS,
  TABLE_CLUSTERS,
  TABLE_ISSUES,
  TABLE_NOTIFICATION_CONSIDERED,
} from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Connection, Database, Queryable } from '../database/database.ts';
import { type ByWhom, recordAudit } from './audit.ts';
import { recordIssueEvents } from './issue-events.ts';
import { tableIsKept } from './report-facts.ts';

const nameCharsMax = 120;

/** A cluster that belongs to somebody, that has reported, or both. Moments are RFC 3339, UTC. */
export interface ListedCluster {
  readonly cluster: string;
  readonly orgId: number;
  /** Null where it belongs to nobody, or to another organization than the one that it reports for. */
  readonly since: string | null;
  readonly bound: boolean | null;
  readonly tokenSha256: string | null;
  readonly name: string | null;
  readonly version: string | null;
  /** Null, as what follows, where no report of it was stored. */
  readonly lastReportAt: string | null;
  readonly state: 'reporting' | 'stale' | 'retired' | null;
  readonly stateSince: string | null;
  /** Its open issues by total risk. */
  readonly open: OpenIssues | null;
}

type OpenIssues = Readonly<Record<'critical' | 'important' | 'moderate' | 'low', number>>;

/**
 * The newest first: by their last report, else by since when they belong to somebody. Changes nothing. Code `CLUSTERS_NO_TABLE` where
 * nothing of ours has run, or an earlier release only.
 */
export async function listClusters(
  queryable: Queryable,
  { orgId, rowsMax }: { readonly orgId?: number | undefined; readonly rowsMax: number },
): Promise<ListedCluster[]> {
  for (const table of [TABLE_CLUSTER_OWNERS, TABLE_CLUSTERS]) {
    if (await tableIsKept(queryable, table, 'SELECT')) continue;
    throw new CcxError(`there is no table ${table} in this database, or no right to read it`, {
      code: 'CLUSTERS_NO_TABLE',
      category: 'storage',
      hint: 'name the right database with --database or --data; ccx db init makes the table, ccx db grants prints the rights',
    });
  }
  const { rows } = await queryable.query<ListedCluster>(
    `SELECT rtrim(cluster) AS cluster, org_id AS "orgId", ${rfc3339('o.since')} AS since, o.bound, o.token_sha256 AS "tokenSha256", k.name, k.version,
            ${rfc3339('k.last_report_at')} AS "lastReportAt", k.state, ${rfc3339('k.state_since')} AS "stateSince",
            CASE WHEN k.state IS NOT NULL THEN json_build_object(
              'critical', k.critical, 'important', k.important, 'moderate', k.moderate, 'low', k.low) END AS open
       FROM ${TABLE_CLUSTER_OWNERS} AS o FULL JOIN ${TABLE_CLUSTERS} AS k USING (cluster, org_id)
      WHERE $1::int IS NULL OR org_id = $1
      ORDER BY coalesce(k.last_report_at, o.since) DESC, cluster, org_id LIMIT $2`,
    [orgId ?? null, rowsMax],
  );
  return rows;
}

/** Of a timestamp in UTC. */
function rfc3339(column: string): string {
  return `replace(${column}::text, ' ', 'T') || 'Z'`;
}

/**
 * Gives a cluster a name, for every organization that it reported for; none takes it away. Audited. Codes: `CLUSTER_NAME`,
 * `CLUSTER_UNKNOWN`.
 */
export async function nameCluster(
  database: Database,
  { cluster, name }: { readonly cluster: string; readonly name: string },
  byWhom: ByWhom,
): Promise<void> {
  const given = name.trim();
  if ([...given].length > nameCharsMax || /\p{C}/u.test(given)) {
    throw new CcxError(`a name has at most ${nameCharsMax} characters, all of them visible`, {
      code: 'CLUSTER_NAME',
      category: 'input',
      hint: 'give a shorter one, or "" to take it away',
    });
  }
  await database.transaction(async (tx) => {
    const rows = await lockRows(tx, cluster);
    await tx.query(`UPDATE ${TABLE_CLUSTERS} SET name = $2 WHERE cluster = $1`, [cluster, given === '' ? null : given]);
    const before = rows.find((row) => row.name !== null)?.name ?? null;
    const after = given === '' ? null : given;
    await recordAudit(tx, { ...byWhom, action: 'clusters name', subject: cluster, before, after });
  });
}

/**
 * A cluster that does not report any more: its issues are closed as `cluster-retired`, of which nobody is notified, and what waits to be
 * sent about it is withdrawn. Its next report brings it back. Audited. Resolves to how many issues were closed; undefined where it was
 * retired before. Code: `CLUSTER_UNKNOWN`.
 */
export async function retireCluster(
  database: Database,
  { cluster, nowMicros }: { readonly cluster: string; readonly nowMicros: bigint },
  byWhom: ByWhom,
): Promise<number | undefined> {
  return await database.transaction(async (tx) => {
    // In the order of the notification service, which decides the cluster anew.
    if (await tableIsKept(tx, TABLE_NOTIFICATION_CONSIDERED, 'DELETE')) {
      await tx.query(
        `UPDATE ${TABLE_NOTIFICATION_CONSIDERED}
            SET next_due_at = least(next_due_at, ${now}), version = version + 1 WHERE cluster = $1`,
        [cluster, nowMicros],
      );
    }
    const rows = await lockRows(tx, cluster);
    if (rows.every(({ state }) => state === 'retired')) return undefined;
    const issuesClosed = await closeCluster(tx, { cluster, nowMicros, exceptOf: undefined });
    const before = rows.map(({ orgId, state }) => ({ orgId, state }));
    const after = { state: 'retired', issuesClosed };
    await recordAudit(tx, { ...byWhom, action: 'clusters retire', subject: cluster, before, after });
    return issuesClosed;
  });
}

/**
 * For each organization that it reported for, but for the one that it belongs to from now on. Resolves to how many issues were closed.
 * Not before its newest report, which may be of a clock that is ahead.
 */
export async function closeCluster(
  tx: Connection,
  what: { readonly cluster: string; readonly nowMicros: bigint; readonly exceptOf: number | undefined },
): Promise<number> {
  const { cluster } = what;
  const { rows: retired } = await tx.query<{ orgId: number; at: string }>(
    `UPDATE ${TABLE_CLUSTERS} AS c
        SET state = 'retired', low = 0, moderate = 0, important = 0, critical = 0,
            state_since = greatest(${now}, c.last_report_at, c.issues_report_at)
       FROM (SELECT org_id, cluster FROM ${TABLE_CLUSTERS}
              WHERE cluster = $1 AND org_id IS DISTINCT FROM $3::int AND state <> 'retired' ORDER BY org_id FOR UPDATE) AS held
      WHERE c.org_id = held.org_id AND c.cluster = held.cluster
     RETURNING c.org_id AS "orgId", c.state_since::text AS at`,
    [cluster, what.nowMicros, what.exceptOf ?? null],
  );
  const { rows: closed } = await tx.query<Issue & { readonly orgId: number; readonly at: string }>(
    `UPDATE ${TABLE_ISSUES} AS i
        SET state = 'cluster-retired', last_seen_at = coalesce(i.last_seen_at, c.issues_report_at), changed_at = c.state_since
       FROM ${TABLE_CLUSTERS} AS c
      WHERE c.cluster = $1 AND c.state = 'retired' AND i.org_id = c.org_id AND i.cluster = c.cluster AND i.state IN ('open', 'gone')
     RETURNING i.org_id AS "orgId", i.type, i.component, i.error_key AS "errorKey", c.state_since::text AS at`,
    [cluster],
  );
  const common = { cluster, event: 'cluster-retired' } as const;
  await recordIssueEvents(tx, [
    ...retired.map((row) => ({ ...row, ...common })),
    ...closed.map(({ orgId, at, ...issue }) => ({ orgId, at, issue, ...common })),
  ]);
  return closed.length;
}

/** `$2` in microseconds. */
const now = `(timestamp 'epoch' + $2::bigint * interval '1 microsecond')`;

/** Of every organization; in the order in which everybody locks them. */
async function lockRows(tx: Connection, cluster: string) {
  const { rows } = await tx.query<{ orgId: number; name: string | null; state: string }>(
    `SELECT org_id AS "orgId", name, state FROM ${TABLE_CLUSTERS} WHERE cluster = $1 ORDER BY org_id FOR UPDATE`,
    [cluster],
  );
  if (rows.length > 0) return rows;
  throw new CcxError(`no report of cluster ${cluster} was ever stored`, {
    code: 'CLUSTER_UNKNOWN',
    category: 'input',
    hint: 'ccx clusters list shows those that are known',
  });
}
