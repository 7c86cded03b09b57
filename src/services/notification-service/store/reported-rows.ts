/**
 * Writes to `reported`, the table that everybody shares: rows for what was sent, and rows `same` or `error` for what was not. The report's
 * text is copied inside the server. The primary key has no target, so `notified_at` moves by a microsecond until the key is free; a row
 * is never dropped. Called by the record and close steps. Source: notification-service.md 11.1; architecture.md 7.
 */
import {
  NOTIFICATION_TYPE_INSTANT,
  STATE_ERROR,
  STATE_SAME,
  type STATE_SENT,
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_REPORTED,
} from '../../../contracts/tables.ts';
import type { Connection } from '../../../platform/database/database.ts';
import { timestampText } from '../timestamps.ts';
import { unnest } from './row-arrays.ts';
import type { StoreAccess } from './transact.ts';

/** Tries to find a free microsecond in the key of `reported`; each try that fails means that somebody else took one. */
const reportedMovesMax = 1_000;

const columns =
  'org_id, account_number, cluster, notification_type, state, report, updated_at, notified_at, error_log, event_type_id';

export type ReportedCluster = {
  readonly orgId: number;
  readonly accountNumber: number;
  readonly cluster: string;
  readonly reportUpdatedAt: string;
  readonly state: typeof STATE_SENT | typeof STATE_ERROR;
  readonly errorLog: string;
  /** Written when the report itself is no longer in `new_reports`: what was notified, in the report's form. */
  readonly substitute: string;
};

const reportedColumns = `
  orgId int, accountNumber int, cluster bpchar, reportUpdatedAt timestamp, state int, errorLog text,
  substitute text`;

/** One row per cluster, at most one of each cluster per call; answers their `notified_at` by cluster. */
export async function insertReportedRows(
  tx: Connection,
  { nowMicros }: Pick<StoreAccess, 'nowMicros'>,
  {
    eventTargetId,
    clusters,
    firstAt,
  }: {
    readonly eventTargetId: number;
    readonly clusters: readonly ReportedCluster[];
    /** Of all of them, where their keys are free. */
    readonly firstAt: string;
  },
): Promise<Map<string, string>> {
  const written = new Map<string, string>();
  let missing = clusters;
  for (let moves = 0; missing.length > 0; moves += 1) {
    if (moves > reportedMovesMax) throw new Error(`no free key in reported for cluster ${missing[0]!.cluster}`);
    const notifiedAt = moves === 0 ? firstAt : timestampText(nowMicros());
    const values: unknown[] = [notifiedAt, eventTargetId];
    const { rows } = await tx.query<{ cluster: string }>(
      `INSERT INTO ${TABLE_REPORTED} (${columns})
       SELECT s."orgId", coalesce(n.account_number, s."accountNumber"), s.cluster, ${NOTIFICATION_TYPE_INSTANT}, s.state,
              coalesce(c.filtered_report, n.report, s.substitute), s."reportUpdatedAt", $1::timestamp, s."errorLog", $2::int
         FROM ${unnest('s', values, reportedColumns, missing)}
         LEFT JOIN ${TABLE_NEW_REPORTS} AS n
           ON n.org_id = s."orgId" AND n.cluster = s.cluster AND n.updated_at = s."reportUpdatedAt"
         LEFT JOIN ${TABLE_NOTIFICATION_CONSIDERED} AS c
           ON c.event_type_id = $2::int AND c.cluster = s.cluster AND c.org_id = s."orgId"
          AND c.report_updated_at = s."reportUpdatedAt"
       ON CONFLICT DO NOTHING
       RETURNING rtrim(cluster) AS cluster`,
      values,
    );
    for (const row of rows) written.set(row.cluster, notifiedAt);
    missing = missing.filter(({ cluster }) => !written.has(cluster));
  }
  return written;
}

/**
 * What `same` and `error` rows are made from, to be followed by where `c`, what was considered last, and `failed`, the error of a message that
 * did not go out, come from. `$1` is the target.
 */
const unsentSelect = `
  SELECT n.org_id, n.account_number, n.cluster, ${NOTIFICATION_TYPE_INSTANT},
         CASE WHEN coalesce(failed.text, c.render_error) IS NULL THEN ${STATE_SAME} ELSE ${STATE_ERROR} END,
         coalesce(c.filtered_report, n.report), n.updated_at, $2::timestamp, coalesce(failed.text, c.render_error, ''), $1::int`;
const ofReport = 'ON n.org_id = c.org_id AND n.cluster = c.cluster AND n.updated_at = c.report_updated_at';

/** For clusters of one target whose new report had nothing to notify (`same`), or nothing that could be rendered (`error`). */
export async function insertUnsentRows(
  tx: Connection,
  { nowMicros }: Pick<StoreAccess, 'nowMicros'>,
  { eventTargetId, clusters }: { readonly eventTargetId: number; readonly clusters: readonly string[] },
): Promise<void> {
  let missing = clusters;
  for (let moves = 0; missing.length > 0; moves += 1) {
    if (moves > reportedMovesMax) throw new Error(`no free key in reported for cluster ${missing[0]!}`);
    const { rows: made } = await tx.query<{ cluster: string }>(
      `INSERT INTO ${TABLE_REPORTED} (${columns})
       ${unsentSelect}
         FROM unnest($3::character(36)[]) AS chosen(cluster)
         JOIN ${TABLE_NOTIFICATION_CONSIDERED} AS c ON c.event_type_id = $1::int AND c.cluster = chosen.cluster
         JOIN ${TABLE_NEW_REPORTS} AS n ${ofReport}
         CROSS JOIN (SELECT NULL::text AS text) AS failed
       ON CONFLICT DO NOTHING
       RETURNING rtrim(cluster) AS cluster`,
      [eventTargetId, timestampText(nowMicros()), missing],
    );
    if (made.length === missing.length) return;
    const done = new Set(made.map(({ cluster }) => cluster));
    const { rows } = await tx.query<{ cluster: string }>(
      `SELECT rtrim(c.cluster) AS cluster
         FROM unnest($2::character(36)[]) AS chosen(cluster)
         JOIN ${TABLE_NOTIFICATION_CONSIDERED} AS c ON c.event_type_id = $1::int AND c.cluster = chosen.cluster
         JOIN ${TABLE_NEW_REPORTS} AS n ${ofReport}`,
      [eventTargetId, missing.filter((cluster) => !done.has(cluster))],
    );
    missing = rows.map(({ cluster }) => cluster);
  }
}

/**
 * One-shot runs: a row for every cluster of the target that has issues and got no row since the run began, a page of clusters at a time.
 * `error` where a message of it is unfinished or was given up in this run. Answers where the next page begins, nowhere at the end. What
 * was not made is counted and not looked for: the server takes what a statement inserts for a single row, and compares all with all.
 * Source: notification-service.md 11.1.
 */
export async function insertUnsentPage(
  { database, nowMicros }: StoreAccess,
  page: {
    readonly eventTargetId: number;
    readonly after: string;
    readonly rowsMax: number;
    readonly startedMicros: bigint;
  },
) {
  let same = 0;
  let error = 0;
  for (let moves = 0; moves <= reportedMovesMax; moves += 1) {
    const { rows } = await database.query<{ last: string | null; missed: boolean; same: number; error: number }>(
      `WITH page AS (
         SELECT cluster, org_id, report_updated_at, outcome, filtered_report, render_error FROM ${TABLE_NOTIFICATION_CONSIDERED}
          WHERE event_type_id = $1::int AND cluster > $4::character(36) ORDER BY cluster LIMIT $5),
       chosen AS (
         SELECT p.* FROM page AS p
          WHERE p.outcome = 'issues'
            AND NOT EXISTS (SELECT FROM ${TABLE_REPORTED} AS r
                             WHERE r.org_id = p.org_id AND r.cluster = p.cluster AND r.event_type_id = $1::int
                               AND r.notified_at >= $3::timestamp)),
       made AS (
         INSERT INTO ${TABLE_REPORTED} (${columns})
         ${unsentSelect}
           FROM chosen AS c JOIN ${TABLE_NEW_REPORTS} AS n ${ofReport}
           LEFT JOIN LATERAL (
             SELECT coalesce(o.error_code || ': ' || o.error_text, CASE WHEN o.due_at > $2::timestamp
                      THEN 'HELD_BACK: held back until ' || o.due_at::text ELSE 'NOT_TRIED: not tried before the run ended' END) AS text
               FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
              WHERE o.event_type_id = $1::int AND o.cluster = n.cluster AND o.org_id = n.org_id
                AND o.about = 'issues' AND (o.finished_at IS NULL OR (o.state IN ('dead', 'unknown') AND o.finished_at >= $3::timestamp))
              ORDER BY o.decided_at DESC LIMIT 1) AS failed ON true
         ON CONFLICT DO NOTHING
         RETURNING cluster, state)
       SELECT (SELECT rtrim(max(cluster)) FROM page) AS last,
              CASE WHEN (SELECT count(*) FROM made) < (SELECT count(*) FROM chosen)
                THEN (SELECT count(*) FROM made) < (SELECT count(*) FROM chosen AS c JOIN ${TABLE_NEW_REPORTS} AS n ${ofReport})
                ELSE false END AS missed,
              (SELECT count(*)::int FROM made WHERE state = ${STATE_SAME}) AS same,
              (SELECT count(*)::int FROM made WHERE state = ${STATE_ERROR}) AS error`,
      [page.eventTargetId, timestampText(nowMicros()), timestampText(page.startedMicros), page.after, page.rowsMax],
    );
    const row = rows[0]!;
    same += row.same;
    error += row.error;
    if (!row.missed) return { next: row.last ?? undefined, same, error };
  }
  throw new Error('no free key in reported');
}
