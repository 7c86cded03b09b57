/**
 * The stored reports: which clusters are to be looked at, and what the newest report of each says. Due is the newest report of a cluster,
 * unless it was considered with the same settings, content and disabled rules and nothing in it has become due. The server compares; only
 * keys of what is due come over, in pages by cluster, so the run holds neither all clusters nor a long transaction nor a connection: a
 * pooler may give each page another one. The versions of what was considered come with the reports, before the ledger is read: whatever
 * changes after them is noticed when the decisions are written. Source: notification-service.md 5.2, 8.2, 19; architecture.md 7.
 */
import {
  TABLE_CATALOGUES,
  TABLE_CLUSTER_OWNERS,
  TABLE_CLUSTERS,
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_TARGETS,
  TABLE_REPORT_FACTS,
  TABLE_STORED_MESSAGE,
} from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { reportBytesMax } from '../decide/read-report.ts';
import { microsOrUndefined, timestampText } from '../timestamps.ts';
import { planOf, rowsJson } from './transact.ts';

/** Clusters read, decided and written together: large enough that round trips do not count, small enough for one short transaction. */
export const setClustersMax = 500;
/** Keys of due clusters read at once, about 1 MB: each page looks at all clusters behind the one before it. */
export const dueKeysPerRead = 10_000;
/** Report text read together; one report alone may be larger and then is a set of its own. Bounds the memory of a run. */
const setReportBytesMax = 16 * 1024 * 1024;

/** Which reports a run looks at. */
export interface ReportsOf {
  readonly database: Queryable;
  readonly targets: readonly { readonly eventTargetId: number; readonly policyHash: string }[];
  readonly nowMicros: () => bigint;
  /** Of a cluster that has an owner only the owner's reports count; false: the newest of all organizations is the cluster's. */
  readonly ownersCount: boolean;
  /** Whether the writer keeps request ids beside its rows (the reference's does not). */
  readonly requestIdsKept: boolean;
}

/** What most runs look at beside what became due. */
export interface RecentReports {
  /** Reports stored after this. */
  readonly sinceMicros: bigint;
  /** Clusters of which an older report is known to have been missed. */
  readonly clusters: readonly string[];
}

export interface DueKey {
  readonly orgId: number;
  readonly cluster: string;
  readonly updatedAt: string;
  readonly bytes: number;
}

export interface NewestReport extends DueKey {
  /** A person retired the cluster after it was stored. */
  readonly retired: boolean;
}

/** What one target last did with a cluster. */
interface Considered {
  readonly orgId: number;
  readonly reportUpdatedAt: string;
  readonly policyHash: string;
  readonly nextDueMicros: bigint | undefined;
  readonly version: bigint;
}

/** Primary key of `ccx.catalogues`; the digest in hexadecimal. */
interface CatalogueKey {
  readonly version: string;
  readonly rulesSha256: string;
}

export interface StoredReport {
  readonly orgId: number;
  readonly accountNumber: number;
  /** Without blank padding. */
  readonly cluster: string;
  /** PostgreSQL text with microseconds. */
  readonly updatedAt: string;
  readonly requestId: string | undefined;
  /** Undefined when it is larger than may be read. */
  readonly text: string | undefined;
  readonly bytes: number;
  /** Modules of the rules that did not run over it; empty also where nothing is known of that. */
  readonly didNotRun: ReadonlySet<string>;
  /** What made it; undefined where that is not known. */
  readonly catalogue: CatalogueKey | undefined;
  /** The report that the cluster's issues were compared with last; undefined: none. */
  readonly issuesReportAt: string | undefined;
  /** A person retired the cluster after it was stored. */
  readonly retired: boolean;
  /** By event target id; absent when the target never considered the cluster. */
  readonly considered: ReadonlyMap<number, Considered>;
}

/** Of a report `r` whose cluster is `k`, if that has a row. */
const isRetired = `coalesce(k.state = 'retired' AND k.state_since >= r.updated_at, false)`;

/** In place of the bound of a page. */
const everyCluster = 'true';

/** Whether a report counts: of a cluster that has an owner, only the owner's do. */
export function countsFor({ ownersCount }: Pick<ReportsOf, 'ownersCount'>, report: string): string {
  if (!ownersCount) return 'true';
  return `NOT EXISTS (SELECT FROM ${TABLE_CLUSTER_OWNERS} AS owner WHERE owner.cluster = ${report}.cluster AND owner.org_id <> ${report}.org_id)`;
}

/**
 * The newest report per cluster over all organizations whose reports of it count, from the primary key alone; a cluster that moved has one
 * newest report.
 */
function newestOfAll(of: ReportsOf, after: string): string {
  return `
  SELECT DISTINCT ON (cluster) cluster, org_id, updated_at
    FROM (SELECT org_id, cluster, max(updated_at) AS updated_at FROM ${TABLE_NEW_REPORTS}
           WHERE ${after} GROUP BY org_id, cluster) AS per_org
   WHERE ${countsFor(of, 'per_org')}
   ORDER BY cluster, updated_at DESC, org_id`;
}

/** Only clusters with a report that was stored since a moment, those that are named, and those with something that became due. */
function newestOfSome(of: ReportsOf, after: string): string {
  return `
  SELECT DISTINCT ON (r.cluster) r.cluster, r.org_id, r.updated_at
    FROM (SELECT cluster FROM ${TABLE_NEW_REPORTS} WHERE updated_at > $4::timestamp AND ${after}
           UNION
          SELECT cluster FROM unnest($5::bpchar[]) AS named(cluster) WHERE ${after}
           UNION
          SELECT cluster FROM ${TABLE_NOTIFICATION_CONSIDERED}
           WHERE event_type_id = ANY($1::int[]) AND next_due_at <= $3::timestamp AND ${after}) AS wanted
    JOIN ${TABLE_NEW_REPORTS} AS r USING (cluster)
   WHERE ${countsFor(of, 'r')}
   ORDER BY r.cluster, r.updated_at DESC, r.org_id`;
}

function dueStatement(newest: string): string {
  return `
  WITH newest AS (${newest}),
  wanted AS (SELECT * FROM unnest($1::int[], $2::text[]) AS w(event_type_id, policy_hash))
  SELECT DISTINCT n.cluster, n.org_id, n.updated_at
    FROM newest AS n
   CROSS JOIN wanted AS w
    LEFT JOIN ${TABLE_NOTIFICATION_CONSIDERED} AS c ON c.event_type_id = w.event_type_id AND c.cluster = n.cluster
   WHERE c.cluster IS NULL
      OR c.org_id <> n.org_id
      OR n.updated_at > c.report_updated_at
      OR c.policy_hash <> w.policy_hash
      OR c.next_due_at <= $3::timestamp`;
}

/**
 * Keys of what is due, among recent reports or over all clusters, in sets that may be read together: of at most so many clusters and so many
 * bytes of report text, by cluster. A report larger than both bounds is a set of its own.
 */
export function dueReports(of: ReportsOf, recent: RecentReports | undefined): AsyncGenerator<readonly DueKey[]> {
  return inPages((after) => readPage(of, { recent, after }));
}

/**
 * Clusters with a report of this span of time that a target has not considered, nor a later one of the cluster: it was stored by a clock that
 * is behind, or its transaction ended late. At most so many; `oldestMicros` is the time of the oldest of their reports.
 */
export async function missedClusters(
  of: ReportsOf,
  span: { readonly afterMicros: bigint; readonly untilMicros: bigint; readonly clustersMax: number },
): Promise<{ readonly clusters: readonly string[]; readonly oldestMicros: bigint | undefined }> {
  const notConsidered = of.targets.map(
    (_, index) => `
    SELECT r.cluster, r.updated_at FROM ${TABLE_NEW_REPORTS} AS r
      LEFT JOIN ${TABLE_NOTIFICATION_CONSIDERED} AS c
        ON c.event_type_id = $${4 + index}::int AND c.cluster = r.cluster
     WHERE r.updated_at > $1::timestamp AND r.updated_at <= $2::timestamp AND ${countsFor(of, 'r')}
       AND (c.cluster IS NULL OR c.report_updated_at < r.updated_at)`,
  );
  const { rows } = await of.database.query<{ cluster: string; oldest: string }>(
    // Apart, or the server would prefer what is quick where there are some to what is quick where there is none.
    `WITH missed AS MATERIALIZED (${notConsidered.join(' UNION ALL')})
     SELECT rtrim(cluster) AS cluster, min(updated_at)::text AS oldest FROM missed GROUP BY cluster LIMIT $3::int`,
    [
      ...[timestampText(span.afterMicros), timestampText(span.untilMicros), span.clustersMax],
      ...of.targets.map(({ eventTargetId }) => eventTargetId),
    ],
  );
  const oldest = rows.map((row) => row.oldest).sort()[0];
  return { clusters: rows.map(({ cluster }) => cluster), oldestMicros: microsOrUndefined(oldest) };
}

/** The newest report that counts of every cluster, due or not, in sets as above. */
export function everyReport(of: ReportsOf): AsyncGenerator<readonly DueKey[]> {
  return inPages(async (after) => {
    const newest = newestOfAll(of, after === undefined ? everyCluster : 'cluster > $1::bpchar');
    return await readKeys(of, newest, after === undefined ? [] : [after]);
  });
}

/** `read` answers the next keys in the order of their clusters; its parameter is the last cluster of the page before. */
async function* inPages(
  read: (after: string | undefined) => Promise<readonly DueKey[]>,
): AsyncGenerator<readonly DueKey[]> {
  let after: string | undefined;
  for (;;) {
    const keys = await read(after);
    yield* inSets(keys);
    if (keys.length < dueKeysPerRead) return;
    after = keys.at(-1)!.cluster;
  }
}

/** True when at least one cluster is due. */
export async function anyReportDue(of: ReportsOf): Promise<boolean> {
  const { rows } = await of.database.query<{ due: boolean }>(
    `SELECT EXISTS (${dueStatement(newestOfAll(of, everyCluster))}) AS due`,
    dueParameters(of),
  );
  return rows[0]!.due;
}

/** The newest report that counts of each of these clusters that has one, by cluster. */
export async function newestReports(
  of: ReportsOf,
  clusters: readonly string[],
): Promise<ReadonlyMap<string, NewestReport>> {
  if (clusters.length === 0) return new Map();
  const { rows } = await of.database.query<NewestReport>(
    `SELECT DISTINCT ON (r.cluster) r.org_id AS "orgId", rtrim(r.cluster) AS cluster, r.updated_at AS "updatedAt",
            octet_length(r.report) AS bytes, ${isRetired} AS retired
       FROM ${TABLE_NEW_REPORTS} AS r LEFT JOIN ${TABLE_CLUSTERS} AS k USING (org_id, cluster)
      WHERE r.cluster = ANY($1::bpchar[]) AND ${countsFor(of, 'r')}
      ORDER BY r.cluster, r.updated_at DESC, r.org_id`,
    [[...new Set(clusters)]],
  );
  return new Map(rows.map((key) => [key.cluster, key]));
}

function dueParameters(of: ReportsOf): unknown[] {
  return [
    of.targets.map(({ eventTargetId }) => eventTargetId),
    of.targets.map(({ policyHash }) => policyHash),
    timestampText(of.nowMicros()),
  ];
}

async function readPage(
  of: ReportsOf,
  { recent, after }: { readonly recent: RecentReports | undefined; readonly after: string | undefined },
): Promise<readonly DueKey[]> {
  const parameters = dueParameters(of);
  if (recent !== undefined) parameters.push(timestampText(recent.sinceMicros), recent.clusters);
  if (after !== undefined) parameters.push(after);
  const next = after === undefined ? everyCluster : `cluster > $${parameters.length}::bpchar`;
  const newest = recent === undefined ? newestOfAll(of, next) : newestOfSome(of, next);
  return await readKeys(of, dueStatement(newest), parameters);
}

async function readKeys(of: ReportsOf, wanted: string, parameters: readonly unknown[]): Promise<readonly DueKey[]> {
  const { rows } = await of.database.query<DueKey>(
    `SELECT d.org_id AS "orgId", rtrim(d.cluster) AS cluster, d.updated_at AS "updatedAt", octet_length(r.report) AS bytes
       FROM (SELECT * FROM (${wanted}) AS w ORDER BY cluster LIMIT ${dueKeysPerRead}) AS d
       JOIN ${TABLE_NEW_REPORTS} AS r USING (org_id, cluster, updated_at)
      ORDER BY d.cluster`,
    parameters,
  );
  return rows;
}

/** Keys in sets that may be read together. */
export function* inSets(keys: readonly DueKey[]): Generator<readonly DueKey[]> {
  let set: DueKey[] = [];
  let bytes = 0;
  for (const key of keys) {
    // What is too large to be read costs nothing.
    const cost = key.bytes > reportBytesMax ? 0 : key.bytes;
    if (set.length >= setClustersMax || (set.length > 0 && bytes + cost > setReportBytesMax)) {
      yield set;
      set = [];
      bytes = 0;
    }
    set.push(key);
    bytes += cost;
  }
  if (set.length > 0) yield set;
}

/**
 * Undefined: nothing without a new report. A cluster without a report that counts is due for nobody. A claimed message counts at the end of
 * its lease, one of a paused target at the pause's end.
 */
export async function nextDueMicros(of: ReportsOf): Promise<bigint | undefined> {
  const { rows } = await of.database.query<{ next: string | null }>(
    `SELECT least(
       (SELECT c.next_due_at FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c
         WHERE c.event_type_id = ANY($1::int[]) AND c.next_due_at IS NOT NULL
           AND EXISTS (SELECT FROM ${TABLE_NEW_REPORTS} AS r WHERE r.cluster = c.cluster AND ${countsFor(of, 'r')})
         ORDER BY c.next_due_at LIMIT 1),
       (SELECT min(greatest(o.next_attempt_at, t.paused_until))
          FROM ${TABLE_NOTIFICATION_OUTBOX} AS o LEFT JOIN ${TABLE_NOTIFICATION_TARGETS} AS t USING (event_type_id)
         WHERE o.event_type_id = ANY($1::int[]) AND o.next_attempt_at IS NOT NULL)) AS next`,
    [of.targets.map(({ eventTargetId }) => eventTargetId)],
  );
  return microsOrUndefined(rows[0]!.next);
}

/** True while a message waits to be sent, is being sent, or a retry was asked for. */
export async function anyMessageWaiting(of: ReportsOf): Promise<boolean> {
  const { rows } = await of.database.query<{ waiting: boolean }>(
    `SELECT EXISTS (SELECT FROM ${TABLE_NOTIFICATION_OUTBOX}
                     WHERE event_type_id = ANY($1::int[])
                       AND (next_attempt_at IS NOT NULL
                            OR (retry_requested_at IS NOT NULL AND replaced_by IS NULL AND finished_at IS NOT NULL))) AS waiting`,
    [of.targets.map(({ eventTargetId }) => eventTargetId)],
  );
  return rows[0]!.waiting;
}

/** As the database answers it. */
interface DueReportRow
  extends Pick<StoredReport, 'orgId' | 'accountNumber' | 'cluster' | 'updatedAt' | 'bytes' | 'retired'> {
  readonly text: string | null;
  readonly considered: readonly ConsideredRow[] | null;
  readonly requestId: string | null;
  readonly didNotRun: readonly string[] | null;
  readonly catalogue: CatalogueKey | null;
  readonly issuesReportAt: string | null;
}

interface ConsideredRow extends Pick<Considered, 'orgId' | 'reportUpdatedAt' | 'policyHash'> {
  readonly eventTargetId: number;
  readonly nextDueAt: string | null;
  readonly version: string;
}

/** Reports that vanished in between are left out. */
export async function readReports(of: ReportsOf, keys: readonly DueKey[]): Promise<StoredReport[]> {
  // The facts have it; those of reports that releases before them stored have a record of the writer's instead.
  const requestId = of.requestIdsKept
    ? `coalesce(nullif(f.request_id, ''),
                (SELECT nullif(m.request_id, '') FROM ${TABLE_STORED_MESSAGE} AS m
                  WHERE f.request_id IS NULL AND m.org_id = r.org_id AND m.cluster = r.cluster AND m.updated_at = r.updated_at LIMIT 1))`
    : `nullif(f.request_id, '')`;
  // In the text and not as an array, of which a kept plan would not know how many it has; a process has the same ones in each run.
  const targetIds = of.targets.map(({ eventTargetId }) => eventTargetId).join(', ');
  const { rows } = await of.database.query<DueReportRow>(
    `SELECT r.org_id AS "orgId", r.account_number AS "accountNumber", rtrim(r.cluster) AS cluster, r.updated_at AS "updatedAt",
            octet_length(r.report) AS bytes, CASE WHEN octet_length(r.report) <= $2::int THEN r.report END AS text,
            (SELECT json_agg(json_build_object(
                      'eventTargetId', c.event_type_id, 'orgId', c.org_id, 'reportUpdatedAt', c.report_updated_at::text,
                      'policyHash', c.policy_hash, 'nextDueAt', c.next_due_at::text, 'version', c.version::text))
               FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c
              WHERE c.cluster = r.cluster AND c.event_type_id IN (${targetIds})) AS considered,
            ${requestId} AS "requestId",
            CASE WHEN f.catalogue_version IS NOT NULL AND f.catalogue_rules_sha256 IS NOT NULL
                 THEN json_build_object('version', f.catalogue_version,
                                        'rulesSha256', encode(f.catalogue_rules_sha256, 'hex')) END AS catalogue,
            CASE WHEN jsonb_typeof(f.did_not_run) = 'object'
                 THEN ARRAY(SELECT jsonb_object_keys(f.did_not_run)) END AS "didNotRun",
            k.issues_report_at AS "issuesReportAt", ${isRetired} AS retired
       FROM json_to_recordset($1) AS w(org_id int, cluster character(36), updated_at timestamp)
       JOIN ${TABLE_NEW_REPORTS} AS r USING (org_id, cluster, updated_at)
       LEFT JOIN ${TABLE_REPORT_FACTS} AS f USING (org_id, cluster, updated_at)
       LEFT JOIN ${TABLE_CLUSTERS} AS k USING (org_id, cluster)
      ORDER BY r.cluster`,
    [
      rowsJson(keys.map((key) => ({ org_id: key.orgId, cluster: key.cluster, updated_at: key.updatedAt }))),
      reportBytesMax,
    ],
    planOf(keys.length),
  );
  return rows.map((row) => ({
    ...row,
    requestId: row.requestId ?? undefined,
    text: row.text ?? undefined,
    didNotRun: new Set(row.didNotRun),
    catalogue: row.catalogue ?? undefined,
    issuesReportAt: row.issuesReportAt ?? undefined,
    considered: new Map(
      (row.considered ?? []).map(({ eventTargetId, nextDueAt, version, ...considered }) => [
        eventTargetId,
        { ...considered, nextDueMicros: microsOrUndefined(nextDueAt), version: BigInt(version) },
      ]),
    ),
  }));
}

/** A rule, by its module, and the catalogue that made a report, where that is known. */
export interface RuleOfReport {
  readonly catalogue: CatalogueKey | undefined;
  readonly module: string;
}

/** Which of these rules are not in their catalogue any more; none where the catalogue is not known. */
export async function readRemovedRules(
  { database }: Pick<ReportsOf, 'database'>,
  wanted: readonly RuleOfReport[],
): Promise<(rule: RuleOfReport) => boolean> {
  const rows = wanted.flatMap(({ catalogue, module }) => (catalogue === undefined ? [] : [{ ...catalogue, module }]));
  if (rows.length === 0) return () => false;
  const removed = await database.query<(typeof rows)[number]>(
    `SELECT w.version, w."rulesSha256", w.module
       FROM json_to_recordset($1) AS w(version text, "rulesSha256" text, module text)
       JOIN ${TABLE_CATALOGUES} AS c ON c.version = w.version AND c.rules_sha256 = decode(w."rulesSha256", 'hex')
      WHERE w.module <> ALL (c.rules)`,
    [rowsJson(rows)],
  );
  const keyOf = ({ version, rulesSha256 }: CatalogueKey, module: string) => `${version}\0${rulesSha256}\0${module}`;
  const keys = new Set(removed.rows.map(({ module, ...catalogue }) => keyOf(catalogue, module)));
  return ({ catalogue, module }) => catalogue !== undefined && keys.has(keyOf(catalogue, module));
}

interface ContestedCluster {
  readonly cluster: string;
  readonly orgIds: readonly number[];
}

/** Clusters of which several organizations have reports, at most so many, by cluster. */
export async function readContestedClusters(database: Queryable, rowsMax: number): Promise<ContestedCluster[]> {
  const { rows } = await database.query<ContestedCluster>(
    `SELECT rtrim(c.cluster) AS cluster,
            (SELECT array_agg(DISTINCT r.org_id) FROM ${TABLE_NEW_REPORTS} AS r WHERE r.cluster = c.cluster) AS "orgIds"
       FROM (SELECT cluster FROM ${TABLE_NEW_REPORTS} GROUP BY cluster HAVING min(org_id) <> max(org_id)
              ORDER BY cluster LIMIT $1) AS c`,
    [rowsMax],
  );
  return rows;
}
