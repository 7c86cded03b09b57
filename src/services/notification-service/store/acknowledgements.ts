/**
 * Acknowledgements as decisions need them: those in force for the clusters of a set, read behind the versions of what was considered, so
 * that one that comes later is noticed when the decisions are written; what was made, changed or ended since the run before, which makes
 * what it concerns due; and the end of those that last until what they silence is resolved. An end by date needs no run to notice it: the
 * decision says when it is due. Source: records.md.
 */

import type { Issue } from '../../../contracts/issue.ts';
import { moduleOfComponent } from '../../../contracts/rule-content.ts';
import {
  TABLE_ACKNOWLEDGEMENT_ENDS,
  TABLE_ACKNOWLEDGEMENTS,
  TABLE_ISSUES,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_TARGETS,
} from '../../../contracts/tables.ts';
import type { Connection } from '../../../platform/database/database.ts';
import { acknowledgementColumns } from '../../../platform/records/acknowledgements.ts';
import { type RecordedIssueEvent, recordIssueEvents } from '../../../platform/records/issue-events.ts';
import {
  type AcknowledgementInForce,
  type AcknowledgementsOf,
  collectAcknowledgements,
  type Where,
} from '../decide/disabled-rules.ts';
import { microsOrUndefined, timestampText } from '../timestamps.ts';
import { planOf, rowsJson, type StoreAccess, transact } from './transact.ts';

/** SQL text: an issue that is there, or has not been away for long enough to be resolved, is one of an acknowledgement's, as `i` and `a`. */
const unresolved = `i.org_id = a.org_id AND i.component IN (a.component, left(a.component, -7))
  AND (a.error_key IS NULL OR i.error_key = a.error_key) AND i.state IN ('open', 'gone')`;

/** SQL text: of an organization, over in some cluster, and no cluster is left in which it is not. */
const isResolvedEverywhere = `(a.until_resolved AND a.cluster IS NULL
  AND EXISTS (SELECT FROM ${TABLE_ACKNOWLEDGEMENT_ENDS} AS e WHERE e.acknowledgement_id = a.id)
  AND NOT EXISTS (SELECT FROM ${TABLE_ISSUES} AS i
                   WHERE ${unresolved}
                     AND NOT EXISTS (SELECT FROM ${TABLE_ACKNOWLEDGEMENT_ENDS} AS e WHERE e.acknowledgement_id = a.id AND e.cluster = i.cluster)))`;

/** SQL text: something was made, changed or ended since that was last followed, or has ended by its date. `now` is SQL text, too. */
export const areAcknowledgementsNews = (now: string) => `(
  EXISTS (SELECT FROM ${TABLE_ACKNOWLEDGEMENTS} WHERE NOT followed OR over_somewhere)
  OR EXISTS (SELECT FROM ${TABLE_ACKNOWLEDGEMENTS} WHERE ended_at IS NULL AND until <= ${now}))`;

/** In force now, for these clusters and their organizations. */
export async function readAcknowledgements(
  { database, nowMicros }: Pick<StoreAccess, 'database' | 'nowMicros'>,
  wanted: readonly Where[],
): Promise<AcknowledgementsOf> {
  if (wanted.length === 0) return () => [];
  const { rows } = await database.query<
    Omit<AcknowledgementInForce, 'endsMicros' | 'overIn'> & { readonly overIn: readonly string[] | null }
  >(
    `WITH wanted AS (SELECT * FROM json_to_recordset($1) AS w(org_id int, cluster character(36))),
     over AS (
       SELECT e.acknowledgement_id AS id, array_agg(DISTINCT rtrim(e.cluster)) AS clusters
         FROM wanted AS w JOIN ${TABLE_ACKNOWLEDGEMENT_ENDS} AS e USING (cluster) GROUP BY e.acknowledgement_id)
     SELECT ${acknowledgementColumns}, NULL::text[] AS "overIn"
       FROM wanted AS w JOIN ${TABLE_ACKNOWLEDGEMENTS} AS a ON a.org_id = w.org_id AND a.cluster = w.cluster
      WHERE a.ended_at IS NULL AND (a.until IS NULL OR a.until > $2::timestamp)
      UNION ALL
     SELECT ${acknowledgementColumns}, over.clusters
       FROM (SELECT DISTINCT org_id FROM wanted) AS w
       JOIN ${TABLE_ACKNOWLEDGEMENTS} AS a ON a.org_id = w.org_id AND a.cluster IS NULL
       LEFT JOIN over ON over.id = a.id
      WHERE a.ended_at IS NULL AND (a.until IS NULL OR a.until > $2::timestamp) AND NOT ${isResolvedEverywhere}`,
    [rowsJson(uniqueOf(wanted)), timestampText(nowMicros())],
    planOf(wanted.length),
  );
  return collectAcknowledgements(
    rows.map((row) => ({
      ...row,
      endsMicros: microsOrUndefined(row.until) ?? null,
      overIn: new Set(row.overIn),
    })),
  );
}

function uniqueOf(wanted: readonly Where[]) {
  const unique = new Map(wanted.map(({ orgId, cluster }) => [`${orgId}/${cluster}`, { org_id: orgId, cluster }]));
  return [...unique.values()];
}

/** Followed in one transaction, which takes a second or so. */
const followedMax = 10_000;

/**
 * Writes down which have ended by their date, or because no cluster is left in which they hold, and makes the reports of all clusters due
 * whose ledger has an issue of a rule that was acknowledged, or whose acknowledgement was changed or has ended, since this was last done.
 * For where there are such.
 */
export async function followAcknowledgements(store: StoreAccess): Promise<void> {
  const now = timestampText(store.nowMicros());
  while ((await transact(store, (tx) => followSome(tx, now))) >= followedMax);
}

/** Answers how many. */
async function followSome(tx: Connection, now: string): Promise<number> {
  const issuesOf = (scope: string) => `
         SELECT l.event_type_id, l.cluster
           FROM news AS a
          CROSS JOIN ${TABLE_NOTIFICATION_TARGETS} AS t
           JOIN ${TABLE_NOTIFICATION_LEDGER} AS l
             ON l.event_type_id = t.event_type_id AND l.org_id = a.org_id AND ${scope}
            AND l.component IN (a.component, left(a.component, -7)) AND (a.error_key IS NULL OR l.error_key = a.error_key)
            AND l.resolved_at IS NULL
          WHERE a.is_news`;
  const { rows } = await tx.query<{ count: number }>(
    `WITH changed AS (
       SELECT id FROM ${TABLE_ACKNOWLEDGEMENTS} WHERE NOT followed OR over_somewhere
        UNION
       SELECT id FROM ${TABLE_ACKNOWLEDGEMENTS} WHERE ended_at IS NULL AND until <= $1::timestamp
        LIMIT ${followedMax}),
     judged AS (
       SELECT a.id, NOT a.followed OR (a.ended_at IS NULL AND a.until <= $1::timestamp) AS is_news,
              CASE WHEN a.ended_at IS NOT NULL THEN NULL WHEN a.until <= $1::timestamp THEN 'date'
                   WHEN ${isResolvedEverywhere} THEN 'resolved' END AS ends
         FROM changed JOIN ${TABLE_ACKNOWLEDGEMENTS} AS a USING (id)),
     news AS (
       UPDATE ${TABLE_ACKNOWLEDGEMENTS} AS a
          SET followed = true, over_somewhere = false, ended_reason = coalesce(a.ended_reason, judged.ends),
              ended_at = coalesce(a.ended_at, CASE judged.ends WHEN 'date' THEN a.until WHEN 'resolved' THEN $1::timestamp END)
         FROM judged WHERE a.id = judged.id
       RETURNING judged.is_news, a.org_id, a.cluster, a.component, a.error_key),
     due AS (${issuesOf('l.cluster = a.cluster')}
          UNION${issuesOf('a.cluster IS NULL')}),
     made_due AS (
       UPDATE ${TABLE_NOTIFICATION_CONSIDERED} AS c
          SET next_due_at = least(c.next_due_at, $1::timestamp), version = c.version + 1
         FROM due WHERE c.event_type_id = due.event_type_id AND c.cluster = due.cluster)
     SELECT count(*)::int AS count FROM news`,
    [now],
  );
  return rows[0]!.count;
}

/**
 * Ends what lasts until it is resolved, in the transaction that says that it is: of a cluster, when none of the rule's issues, or not the
 * one of its key, is left there; of an organization, in that cluster. Answers the ends as events. An issue that was closed because its rule
 * left the catalogue, or because its cluster was retired, is not resolved.
 */
export async function endResolved(
  tx: Connection,
  events: readonly RecordedIssueEvent[],
  nowMicros: bigint,
): Promise<readonly RecordedIssueEvent[]> {
  const resolved = events.flatMap(({ event, orgId, cluster, issue }) =>
    event === 'resolved' && issue !== undefined ? [{ orgId, cluster, issue }] : [],
  );
  if (resolved.length === 0) return [];
  const now = timestampText(nowMicros);
  const { rows } = await tx.query<{ id: string } & Issue & Where>(
    `WITH resolved AS (
       SELECT * FROM json_to_recordset($1) AS r(org_id int, cluster character(36), type text, component text, named text, error_key text)),
     over AS (
       SELECT a.id, a.cluster IS NULL AS of_organization, r.*
         FROM resolved AS r
         JOIN ${TABLE_ACKNOWLEDGEMENTS} AS a
           ON a.org_id = r.org_id AND (a.cluster IS NULL OR a.cluster = r.cluster)
          AND a.component = r.named AND (a.error_key IS NULL OR a.error_key = r.error_key)
        WHERE a.until_resolved AND a.ended_at IS NULL AND (a.until IS NULL OR a.until > $2::timestamp)
          AND NOT EXISTS (SELECT FROM ${TABLE_ACKNOWLEDGEMENT_ENDS} AS e WHERE e.acknowledgement_id = a.id AND e.cluster = r.cluster)
          AND NOT EXISTS (SELECT FROM ${TABLE_ISSUES} AS i WHERE i.cluster = r.cluster AND ${unresolved})),
     ended AS (
       UPDATE ${TABLE_ACKNOWLEDGEMENTS} AS a SET ended_at = $2::timestamp, ended_reason = 'resolved'
        WHERE a.id IN (SELECT id FROM over WHERE NOT of_organization) AND a.ended_at IS NULL),
     parts AS (
       INSERT INTO ${TABLE_ACKNOWLEDGEMENT_ENDS} (acknowledgement_id, cluster, ended_at)
       SELECT DISTINCT id, cluster, $2::timestamp FROM over WHERE of_organization
       ON CONFLICT DO NOTHING
       RETURNING acknowledgement_id),
     -- The next run sees whether it was the last cluster.
     marked AS (
       UPDATE ${TABLE_ACKNOWLEDGEMENTS} AS a SET over_somewhere = true
        WHERE a.id IN (SELECT acknowledgement_id FROM parts) AND NOT a.over_somewhere)
     SELECT id, org_id AS "orgId", rtrim(cluster) AS cluster, type, component, error_key AS "errorKey" FROM over ORDER BY id, cluster`,
    [
      rowsJson(
        resolved.map(({ orgId, cluster, issue: { type, component, errorKey } }) => ({
          ...{ org_id: orgId, cluster, type, component, error_key: errorKey },
          named: `${moduleOfComponent(component)}.report`,
        })),
      ),
      now,
    ],
  );
  const over = rows.map(
    ({ id, orgId, cluster, ...issue }): RecordedIssueEvent => ({
      ...{ at: now, orgId, cluster, issue, event: 'acknowledgement-over', acknowledgementId: id, detail: 'resolved' },
    }),
  );
  await recordIssueEvents(tx, over);
  return over;
}
