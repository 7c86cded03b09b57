/**
 * Lists over an organization, or over what of it somebody may read: a page by key each, made by the server. From `ccx.clusters` and
 * `ccx.issues`, in which a cluster that went to another organization is closed.
 */
import {
  TABLE_ACKNOWLEDGEMENTS,
  TABLE_CLUSTER_OWNERS,
  TABLE_CLUSTERS,
  TABLE_ISSUES,
  TABLE_NEW_REPORTS,
} from '../../../contracts/tables.ts';
import type { Reach } from '../../../platform/auth/decide/access.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { inForce, isDisabledForCluster, isDisabledForOrganization, isOverIn, rfc3339Of } from './sql.ts';

/** What of one organization somebody may read. */
export interface Visible {
  readonly orgId: number;
  readonly reach: Exclude<Reach, { readonly kind: 'nothing' }>;
}

interface Page {
  /** Key of the last row of the page before. */
  readonly after: string | undefined;
  readonly rowsMax: number;
}

/** SQL over rows with `org_id` and `cluster`, and its values from `$1` on: `$1` the organization, `$2` whom else it goes by. */
export function visible(
  table: string,
  { orgId, reach }: Visible,
): { readonly sql: string; readonly values: unknown[] } {
  const sql = `${table}.org_id = $1`;
  switch (reach.kind) {
    case 'everything':
    case 'organization':
      return { sql: `${sql} AND $2::text IS NULL`, values: [orgId, null] };
    case 'cluster':
      return { sql: `${sql} AND ${table}.cluster = $2::character(36)`, values: [orgId, reach.cluster] };
    case 'first-uploads':
      return {
        sql: `${sql} AND ${table}.cluster IN (SELECT cluster FROM ${TABLE_CLUSTER_OWNERS} WHERE token_sha256 = $2 AND org_id = $1)`,
        values: [orgId, reach.tokenSha256],
      };
  }
}

/** The one organization that there is; undefined where there are several, `null` where there is none. */
export async function readOnlyOrganization(queryable: Queryable): Promise<number | null | undefined> {
  const { rows } = await queryable.query<{ least: number | null; most: number | null }>(
    `SELECT min(org_id) AS least, max(org_id) AS most FROM ${TABLE_NEW_REPORTS}`,
  );
  const { least, most } = rows[0]!;
  return least === most ? least : undefined;
}

interface ListedCluster {
  readonly cluster: string;
  readonly name: string | null;
  readonly version: string | null;
  readonly lastReportAt: string;
  /** Open issues that are not disabled, by total risk from 1 to 4. */
  readonly hits: readonly [number, number, number, number];
}

export async function listClusters(queryable: Queryable, who: Visible, page: Page): Promise<readonly ListedCluster[]> {
  const { sql, values } = visible('c', who);
  const { rows } = await queryable.query<ListedCluster>(
    `WITH page AS (
       SELECT c.* FROM ${TABLE_CLUSTERS} AS c
        WHERE ${sql} AND c.state <> 'retired' AND ($3::text IS NULL OR c.cluster > $3::character(36))
        ORDER BY c.org_id, c.cluster LIMIT $4)
     SELECT rtrim(page.cluster) AS cluster, page.name, page.version, ${rfc3339Of('page.last_report_at')} AS "lastReportAt", hits.hits
       FROM page
      CROSS JOIN LATERAL (
        SELECT ARRAY[${[1, 2, 3, 4].map((risk) => `count(*) FILTER (WHERE i.total_risk = ${risk})::int`).join(', ')}] AS hits
          FROM ${TABLE_ISSUES} AS i
         WHERE i.org_id = page.org_id AND i.cluster = page.cluster AND i.state = 'open'
           AND NOT ${isDisabledForCluster} AND NOT ${isDisabledForOrganization}) AS hits
      ORDER BY page.org_id, page.cluster`,
    [...values, page.after ?? null, page.rowsMax],
  );
  return rows;
}

export async function countClusters(queryable: Queryable, who: Visible): Promise<number> {
  const { sql, values } = visible('c', who);
  const { rows } = await queryable.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM ${TABLE_CLUSTERS} AS c WHERE ${sql} AND c.state <> 'retired'`,
    values,
  );
  return rows[0]!.count;
}

interface CountedRule {
  readonly component: string;
  readonly errorKey: string;
  /** Clusters with an open issue of it, without those that it is disabled for. */
  readonly clusters: number;
}

/** Of every rule that there is an open issue of. */
export async function countImpacted(queryable: Queryable, who: Visible): Promise<readonly CountedRule[]> {
  const { sql, values } = visible('i', who);
  // Those of single clusters are few: they are looked up, and taken away from what one pass over the index counts.
  const { rows } = await queryable.query<CountedRule>(
    `SELECT component, error_key AS "errorKey", sum(clusters)::int AS clusters
       FROM (SELECT i.component, i.error_key, count(*) AS clusters
               FROM ${TABLE_ISSUES} AS i WHERE ${sql} AND i.state = 'open' GROUP BY i.component, i.error_key
              UNION ALL
             SELECT i.component, i.error_key, -count(DISTINCT i.cluster)
               FROM ${TABLE_ACKNOWLEDGEMENTS} AS a
               JOIN ${TABLE_ISSUES} AS i ON i.org_id = a.org_id AND i.cluster = a.cluster AND i.state = 'open'
                AND i.component IN (a.component, left(a.component, -7)) AND (a.error_key IS NULL OR a.error_key = i.error_key)
              WHERE a.cluster IS NOT NULL AND ${inForce} AND ${sql} GROUP BY i.component, i.error_key) AS counted
      GROUP BY component, error_key`,
    values,
  );
  return rows;
}

interface DisabledRule {
  readonly component: string;
  /** Null: every key. */
  readonly errorKey: string | null;
}

/** In force for a whole organization. */
export async function listDisabledRules(queryable: Queryable, orgId: number): Promise<readonly DisabledRule[]> {
  const { rows } = await queryable.query<DisabledRule>(
    `SELECT a.component, a.error_key AS "errorKey" FROM ${TABLE_ACKNOWLEDGEMENTS} AS a
      WHERE a.org_id = $1 AND a.cluster IS NULL AND ${inForce}`,
    [orgId],
  );
  return rows;
}

interface ClusterOfRule {
  readonly cluster: string;
  readonly name: string | null;
  readonly version: string | null;
  readonly lastReportAt: string;
  readonly firstSeenAt: string;
  /** Null while it is not disabled there. */
  readonly disabledAt: string | null;
  readonly justification: string | null;
}

/** Clusters with an open issue of a rule, and whether it is disabled for them. */
export async function listClustersOfRule(
  queryable: Queryable,
  who: Visible,
  rule: { readonly component: string; readonly errorKey: string },
  page: Page,
): Promise<readonly ClusterOfRule[]> {
  const { sql, values } = visible('i', who);
  const { rows } = await queryable.query<ClusterOfRule>(
    `WITH page AS (
       SELECT i.* FROM ${TABLE_ISSUES} AS i
        WHERE ${sql} AND i.component = $3 AND i.error_key = $4 AND i.state = 'open' AND ($5::text IS NULL OR i.cluster > $5::character(36))
        ORDER BY i.cluster LIMIT $6)
     SELECT rtrim(i.cluster) AS cluster, c.name, c.version, ${rfc3339Of('c.last_report_at')} AS "lastReportAt",
            ${rfc3339Of('i.first_seen_at')} AS "firstSeenAt", ${rfc3339Of('disabled.made_at')} AS "disabledAt", disabled.justification
       FROM page AS i JOIN ${TABLE_CLUSTERS} AS c ON c.org_id = i.org_id AND c.cluster = i.cluster
       LEFT JOIN LATERAL (
         SELECT a.made_at, a.justification FROM ${TABLE_ACKNOWLEDGEMENTS} AS a
          WHERE a.org_id = i.org_id AND (a.cluster = i.cluster OR a.cluster IS NULL AND NOT ${isOverIn('i.cluster')})
            AND a.component IN (i.component, i.component || '.report') AND (a.error_key IS NULL OR a.error_key = i.error_key) AND ${inForce}
          ORDER BY a.cluster NULLS LAST, a.error_key NULLS LAST LIMIT 1) AS disabled ON true
      ORDER BY i.cluster`,
    [...values, rule.component, rule.errorKey, page.after ?? null, page.rowsMax],
  );
  return rows;
}
