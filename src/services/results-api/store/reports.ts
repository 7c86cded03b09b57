/** One cluster: whose it is, its newest report, since when its issues are there, and what is disabled of them. */
import {
  TABLE_ACKNOWLEDGEMENTS,
  TABLE_CLUSTER_OWNERS,
  TABLE_CLUSTERS,
  TABLE_ISSUES,
  TABLE_NEW_REPORTS,
  TABLE_REPORT_FACTS,
} from '../../../contracts/tables.ts';
import type { KnownOwner } from '../../../platform/auth/decide/access.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { acknowledgementColumns } from '../../../platform/records/acknowledgements.ts';
import type { DisabledHit, FirstSeen } from '../answers/cluster-report.ts';
import type { Kept } from '../decide/kept.ts';
import { inForce, isOverIn, rfc3339Of } from './sql.ts';

/** Text of one stored report that is read; the largest genuine ones are some hundred kB. */
const reportBytesMax = 8 * 1024 * 1024;

export interface OfCluster {
  readonly orgId: number;
  /** Lower case. */
  readonly cluster: string;
}

interface StoredReport {
  /** Undefined where it is too large to be shown. */
  readonly text: string | undefined;
  /** RFC 3339, as all that follow: of its row; it stands for what nobody kept. */
  readonly storedAt: string;
  readonly lastCheckedAt: string | null;
  readonly gatheredAt: string | null;
}

/** Of the row in `ccx.cluster_owners`. */
export async function readOwner(queryable: Queryable, cluster: string, kept: Kept): Promise<KnownOwner | undefined> {
  if (!kept.owners) return undefined;
  const { rows } = await queryable.query<KnownOwner>(
    `SELECT org_id AS "orgId", token_sha256 AS "tokenSha256" FROM ${TABLE_CLUSTER_OWNERS} WHERE cluster = $1`,
    [cluster],
  );
  return rows[0];
}

/** Whose report of a cluster is the newest, of those that count; undefined where there is none. */
export async function readReporter(
  queryable: Queryable,
  cluster: string,
  orgId: number | undefined,
): Promise<number | undefined> {
  const { rows } = await queryable.query<{ orgId: number }>(
    `SELECT org_id AS "orgId" FROM ${TABLE_NEW_REPORTS}
      WHERE cluster = $1 AND ($2::int IS NULL OR org_id = $2) AND updated_at < 'infinity' ORDER BY updated_at DESC LIMIT 1`,
    [cluster, orgId ?? null],
  );
  return rows[0]?.orgId;
}

const reportText = `CASE WHEN octet_length(r.report) <= ${reportBytesMax} THEN r.report END AS text`;

export async function readNewestReport(
  queryable: Queryable,
  { orgId, cluster }: OfCluster,
  kept: Kept,
): Promise<StoredReport | undefined> {
  const facts = kept.facts
    ? {
        columns: `${rfc3339Of('f.last_checked')} AS "lastCheckedAt", ${rfc3339Of('f.gathered_at')} AS "gatheredAt"`,
        join: `LEFT JOIN ${TABLE_REPORT_FACTS} AS f ON f.org_id = r.org_id AND f.cluster = r.cluster AND f.updated_at = r.updated_at`,
      }
    : { columns: 'NULL AS "lastCheckedAt", NULL AS "gatheredAt"', join: '' };
  const { rows } = await queryable.query<Omit<StoredReport, 'text'> & { readonly text: string | null }>(
    `SELECT ${reportText}, ${rfc3339Of('r.updated_at')} AS "storedAt", ${facts.columns}
       FROM (SELECT * FROM ${TABLE_NEW_REPORTS}
              WHERE org_id = $1 AND cluster = $2 AND updated_at > 'epoch' AND updated_at < 'infinity'
              ORDER BY updated_at DESC LIMIT 1) AS r ${facts.join}`,
    [orgId, cluster],
  );
  const row = rows[0];
  return row && { ...row, text: row.text ?? undefined };
}

/** By component and key; empty where nobody keeps it. */
export async function readFirstSeen(
  queryable: Queryable,
  { orgId, cluster }: OfCluster,
  kept: Kept,
): Promise<readonly FirstSeen[]> {
  if (!kept.issues) return [];
  const { rows } = await queryable.query<FirstSeen>(
    `SELECT component, error_key AS "errorKey", ${rfc3339Of('first_seen_at')} AS at
       FROM ${TABLE_ISSUES} WHERE org_id = $1 AND cluster = $2`,
    [orgId, cluster],
  );
  return rows;
}

/** In force for a cluster, its own before its organization's, one key before the whole rule. */
export async function readDisabled(
  queryable: Queryable,
  { orgId, cluster }: OfCluster,
  kept: Kept,
): Promise<readonly DisabledHit[]> {
  if (!kept.acknowledgements) return [];
  const { rows } = await queryable.query<DisabledHit>(
    `SELECT ${acknowledgementColumns}, ${rfc3339Of('a.made_at')} AS "madeAt" FROM ${TABLE_ACKNOWLEDGEMENTS} AS a
      WHERE a.org_id = $1 AND (a.cluster IS NULL OR a.cluster = $2) AND ${inForce}
        AND NOT (a.cluster IS NULL AND ${isOverIn('$2::character(36)')})
      ORDER BY a.cluster NULLS LAST, a.error_key NULLS LAST, a.id`,
    [orgId, cluster],
  );
  return rows;
}

interface StoredCluster {
  readonly name: string | null;
  readonly state: 'reporting' | 'stale' | 'retired';
}

export async function readCluster(
  queryable: Queryable,
  { orgId, cluster }: OfCluster,
): Promise<StoredCluster | undefined> {
  const { rows } = await queryable.query<StoredCluster>(
    `SELECT name, state FROM ${TABLE_CLUSTERS} WHERE org_id = $1 AND cluster = $2`,
    [orgId, cluster],
  );
  return rows[0];
}
