/**
 * Which clusters are to be looked at: the newest report of each, unless it was considered with the same settings, content and disabled
 * rules and nothing in it has become due. The server compares; only keys of what is due come over, in pages by cluster, so the run holds
 * neither all clusters nor a long transaction nor a connection: a pooler may give each page another one. Called by the load step.
 * Source: notification-service.md 5.2, 19; architecture.md 7.
 */
import {
  TABLE_CLUSTER_OWNERS,
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_TARGETS,
} from '../../../contracts/tables.ts';
import { reportBytesMax } from '../decide/read-report.ts';
import type { Run } from '../run.ts';
import { timestampMicros, timestampText } from '../timestamps.ts';

/** Clusters read, decided and written together: large enough that round trips do not count, small enough for one short transaction. */
export const setClustersMax = 500;
/** Keys of due clusters read at once, about 1 MB: each page looks at all clusters behind the one before it. */
export const dueKeysPerRead = 10_000;
/** Report text read together; one report alone may be larger and then is a set of its own. Bounds the memory of a run. */
const setReportBytesMax = 16 * 1024 * 1024;

export interface DueKey {
  readonly orgId: number;
  readonly cluster: string;
  readonly updatedAt: string;
  readonly bytes: number;
}

/** What of a run decides which clusters are due. */
export type DueRun = Pick<Run, 'database' | 'targets' | 'time' | 'sinceMicros' | 'ownersCount'>;

/** In place of the bound of a page. */
const everyCluster = 'true';

/** Whether a report counts: of a cluster that has an owner, only the owner's do. */
export function countsFor({ ownersCount }: Pick<Run, 'ownersCount'>, report: string): string {
  if (!ownersCount) return 'true';
  return `NOT EXISTS (SELECT FROM ${TABLE_CLUSTER_OWNERS} AS owner WHERE owner.cluster = ${report}.cluster AND owner.org_id <> ${report}.org_id)`;
}

/**
 * The newest report per cluster over all organizations whose reports of it count, from the primary key alone; a cluster that moved has one
 * newest report.
 */
function newestOfAll(run: Pick<Run, 'ownersCount'>, after: string): string {
  return `
  SELECT DISTINCT ON (cluster) cluster, org_id, updated_at
    FROM (SELECT org_id, cluster, max(updated_at) AS updated_at FROM ${TABLE_NEW_REPORTS}
           WHERE ${after} GROUP BY org_id, cluster) AS per_org
   WHERE ${countsFor(run, 'per_org')}
   ORDER BY cluster, updated_at DESC, org_id`;
}

/** Only clusters with a report that was stored since a moment, or with something that became due. */
function newestOfSome(run: Pick<Run, 'ownersCount'>, after: string): string {
  return `
  SELECT DISTINCT ON (r.cluster) r.cluster, r.org_id, r.updated_at
    FROM (SELECT cluster FROM ${TABLE_NEW_REPORTS} WHERE updated_at > $4::timestamp AND ${after}
           UNION
          SELECT cluster FROM ${TABLE_NOTIFICATION_CONSIDERED}
           WHERE event_type_id = ANY($1::int[]) AND next_due_at <= $3::timestamp AND ${after}) AS wanted
    JOIN ${TABLE_NEW_REPORTS} AS r USING (cluster)
   WHERE ${countsFor(run, 'r')}
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

/** Sets of at most so many clusters and so many bytes of report text, by cluster. A report larger than both bounds is a set of its own. */
export async function* dueReports(run: DueRun): AsyncGenerator<readonly DueKey[]> {
  let after: string | undefined;
  for (;;) {
    const keys = await readPage(run, after);
    yield* inSets(keys);
    if (keys.length < dueKeysPerRead) return;
    after = keys.at(-1)!.cluster;
  }
}

/** True when at least one cluster is due. */
export async function anyReportDue(run: Pick<Run, 'database' | 'targets' | 'time' | 'ownersCount'>): Promise<boolean> {
  const { rows } = await run.database.query<{ due: boolean }>(
    `SELECT EXISTS (${dueStatement(newestOfAll(run, everyCluster))}) AS due`,
    dueParameters(run),
  );
  return rows[0]!.due;
}

/** The newest report that counts of each of these clusters that has one, by cluster. */
export async function newestReports(
  run: Pick<Run, 'database' | 'ownersCount'>,
  clusters: readonly string[],
): Promise<ReadonlyMap<string, DueKey>> {
  if (clusters.length === 0) return new Map();
  const { rows } = await run.database.query<DueRow>(
    `SELECT DISTINCT ON (r.cluster) r.org_id, rtrim(r.cluster) AS cluster, r.updated_at, octet_length(r.report) AS bytes
       FROM ${TABLE_NEW_REPORTS} AS r WHERE r.cluster = ANY($1::bpchar[]) AND ${countsFor(run, 'r')}
      ORDER BY r.cluster, r.updated_at DESC, r.org_id`,
    [[...new Set(clusters)]],
  );
  return new Map(rows.map((row) => [row.cluster, dueKey(row)]));
}

export interface ContestedCluster {
  readonly cluster: string;
  readonly orgIds: readonly number[];
}

/** Clusters of which several organizations have reports, at most so many, by cluster. */
export async function readContestedClusters(
  { database }: Pick<Run, 'database'>,
  rowsMax: number,
): Promise<ContestedCluster[]> {
  const { rows } = await database.query<ContestedCluster>(
    `SELECT rtrim(c.cluster) AS cluster,
            (SELECT array_agg(DISTINCT r.org_id) FROM ${TABLE_NEW_REPORTS} AS r WHERE r.cluster = c.cluster) AS "orgIds"
       FROM (SELECT cluster FROM ${TABLE_NEW_REPORTS} GROUP BY cluster HAVING min(org_id) <> max(org_id)
              ORDER BY cluster LIMIT $1) AS c`,
    [rowsMax],
  );
  return rows;
}

interface DueRow {
  readonly org_id: number;
  readonly cluster: string;
  readonly updated_at: string;
  readonly bytes: number;
}

function dueParameters(run: Pick<Run, 'targets' | 'time'>): unknown[] {
  return [
    run.targets.map(({ target }) => target.eventTargetId),
    run.targets.map(({ policy }) => policy.hash),
    timestampText(run.time.nowMicros()),
  ];
}

/** The next keys in the order of their clusters; `after` is the last cluster of the page before. */
async function readPage(run: DueRun, after: string | undefined): Promise<DueKey[]> {
  const parameters = dueParameters(run);
  if (run.sinceMicros !== undefined) parameters.push(timestampText(run.sinceMicros));
  if (after !== undefined) parameters.push(after);
  const next = after === undefined ? everyCluster : `cluster > $${parameters.length}::bpchar`;
  const due = dueStatement(run.sinceMicros === undefined ? newestOfAll(run, next) : newestOfSome(run, next));
  const { rows } = await run.database.query<DueRow>(
    `SELECT d.org_id, rtrim(d.cluster) AS cluster, d.updated_at, octet_length(r.report) AS bytes
       FROM (${due} ORDER BY cluster LIMIT ${dueKeysPerRead}) AS d
       JOIN ${TABLE_NEW_REPORTS} AS r USING (org_id, cluster, updated_at)
      ORDER BY d.cluster`,
    parameters,
  );
  return rows.map(dueKey);
}

function dueKey(row: DueRow): DueKey {
  return { orgId: row.org_id, cluster: row.cluster, updatedAt: row.updated_at, bytes: row.bytes };
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
 * Undefined: nothing without a new report. A cluster without a report that counts is due for nobody. A claimed message counts at the end of its lease, one of a paused target at the
 * pause's end.
 */
export async function nextDueMicros(
  run: Pick<Run, 'database' | 'targets' | 'ownersCount'>,
): Promise<bigint | undefined> {
  const { rows } = await run.database.query<{ next: string | null }>(
    `SELECT least(
       (SELECT c.next_due_at FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c
         WHERE c.event_type_id = ANY($1::int[]) AND c.next_due_at IS NOT NULL
           AND EXISTS (SELECT FROM ${TABLE_NEW_REPORTS} AS r WHERE r.cluster = c.cluster AND ${countsFor(run, 'r')})
         ORDER BY c.next_due_at LIMIT 1),
       (SELECT min(greatest(o.next_attempt_at, t.paused_until))
          FROM ${TABLE_NOTIFICATION_OUTBOX} AS o LEFT JOIN ${TABLE_NOTIFICATION_TARGETS} AS t USING (event_type_id)
         WHERE o.event_type_id = ANY($1::int[]) AND o.next_attempt_at IS NOT NULL)) AS next`,
    [run.targets.map(({ target }) => target.eventTargetId)],
  );
  const next = rows[0]?.next;
  return next === null || next === undefined ? undefined : timestampMicros(next);
}

/** True while a message waits to be sent, is being sent, or a retry was asked for. */
export async function anyMessageWaiting(run: Pick<Run, 'database' | 'targets'>): Promise<boolean> {
  const { rows } = await run.database.query<{ waiting: boolean }>(
    `SELECT EXISTS (SELECT FROM ${TABLE_NOTIFICATION_OUTBOX}
                     WHERE event_type_id = ANY($1::int[])
                       AND (next_attempt_at IS NOT NULL
                            OR (retry_requested_at IS NOT NULL AND replaced_by IS NULL AND finished_at IS NOT NULL))) AS waiting`,
    [run.targets.map(({ target }) => target.eventTargetId)],
  );
  return rows[0]!.waiting;
}
