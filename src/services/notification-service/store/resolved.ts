/**
 * Messages that say of an issue that it is resolved, for targets that want them: only where they were really notified of it since it
 * appeared, whoever sent that. Called in the transaction in which the target decides the report that resolves the issue, or in which its
 * notification turns out to have been delivered after that. Source: records.md, "Gone and resolved"; consumers.md 4.4 R6.
 */
import type { Issue } from '../../../contracts/issue.ts';
import {
  RECEIVER_IDS_FROM,
  TABLE_CLUSTERS,
  TABLE_ISSUES,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
} from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { timestampText } from '../timestamps.ts';
import { rowsJson } from './transact.ts';

/** For one target. */
export interface ResolvedIssue extends Issue {
  readonly eventTargetId: number;
  readonly orgId: number;
  readonly cluster: string;
}

/**
 * `$1` are `ResolvedIssue`s. Whether the issue is resolved is not asked here. What counts by a row was notified, also where a later message
 * of it waits or was given up; a receiver has no rows, and was notified when the ledger says.
 */
const toldOf = `
  FROM json_to_recordset($1) AS w(id uuid, "eventTargetId" int, "orgId" int, cluster character(36), type text, component text,
       "errorKey" text)
  JOIN ${TABLE_NOTIFICATION_LEDGER} AS l
    ON l.event_type_id = w."eventTargetId" AND l.org_id = w."orgId" AND l.cluster = w.cluster AND l.type = w.type
   AND l.component = w.component AND l.error_key = w."errorKey"
  JOIN ${TABLE_ISSUES} AS i
    ON i.org_id = l.org_id AND i.cluster = l.cluster AND i.type = l.type AND i.component = l.component AND i.error_key = l.error_key
 WHERE (l.state = 'notified' OR l.reported_at IS NOT NULL OR l.event_type_id >= ${RECEIVER_IDS_FROM}) AND l.last_notified_at >= i.appeared_at
   AND NOT EXISTS (SELECT FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
                    WHERE o.event_type_id = l.event_type_id AND o.cluster = l.cluster AND o.org_id = l.org_id AND o.about = 'resolved'
                      AND o.decided_at >= l.last_notified_at
                      AND o.issues::jsonb = jsonb_build_array(jsonb_build_object('type', l.type, 'component', l.component,
                                                                                 'errorKey', l.error_key)))`;

/** A cluster that a target decides a new report of. */
export interface DecidedSpan {
  readonly eventTargetId: number;
  readonly orgId: number;
  readonly cluster: string;
  /** Of the report that the target decided before, if it did; that of the new one. */
  readonly after: string | undefined;
  readonly until: string;
}

/** Issues that a report in between resolved: whoever compared it, be it a process that has other targets. */
export async function readResolvedIssues(
  { database }: { readonly database: Queryable },
  spans: readonly DecidedSpan[],
): Promise<readonly ResolvedIssue[]> {
  if (spans.length === 0) return [];
  const { rows } = await database.query<ResolvedIssue>(
    `SELECT s."eventTargetId", i.org_id AS "orgId", rtrim(i.cluster) AS cluster, i.type, i.component, i.error_key AS "errorKey"
       FROM json_to_recordset($1) AS s("eventTargetId" int, "orgId" int, cluster character(36), after timestamp, until timestamp)
       JOIN ${TABLE_ISSUES} AS i ON i.org_id = s."orgId" AND i.cluster = s.cluster
      WHERE i.state = 'resolved' AND i.changed_at <= s.until AND (s.after IS NULL OR i.changed_at > s.after)`,
    [rowsJson(spans.map((span) => ({ ...span })))],
  );
  return rows;
}

/** The message is composed right before it is sent. */
export async function enqueueResolved(
  tx: Queryable,
  what: { readonly issues: readonly (ResolvedIssue & { readonly id: string })[]; readonly nowMicros: bigint },
): Promise<void> {
  if (what.issues.length === 0) return;
  await tx.query(
    `INSERT INTO ${TABLE_NOTIFICATION_OUTBOX}
            (id, event_type_id, org_id, account_number, cluster, report_updated_at, decision_id, issues, headers, body, about, state,
             decided_at, due_at, next_attempt_at)
     SELECT w.id, l.event_type_id, l.org_id,
            coalesce((SELECT o.account_number FROM ${TABLE_NOTIFICATION_OUTBOX} AS o WHERE o.id = l.notification_id), 0), l.cluster,
            coalesce((SELECT c.issues_report_at FROM ${TABLE_CLUSTERS} AS c WHERE c.org_id = l.org_id AND c.cluster = l.cluster),
                     $2::timestamp), w.id,
            json_build_array(json_build_object('type', l.type, 'component', l.component, 'errorKey', l.error_key)), '{}', '', 'resolved',
            'pending', $2::timestamp, $2::timestamp, $2::timestamp
     ${toldOf} AND i.state = 'resolved'`,
    [rowsJson(what.issues.map((issue) => ({ ...issue }))), timestampText(what.nowMicros)],
  );
}

/** Those of which `enqueueResolved` would make a message once they are resolved. */
export async function readToldResolved(
  { database }: { readonly database: Queryable },
  issues: readonly ResolvedIssue[],
): Promise<readonly ResolvedIssue[]> {
  if (issues.length === 0) return [];
  const { rows } = await database.query<ResolvedIssue>(
    `SELECT w."eventTargetId", w."orgId", rtrim(w.cluster) AS cluster, w.type, w.component, w."errorKey" ${toldOf}`,
    [rowsJson(issues.map((issue) => ({ ...issue })))],
  );
  return rows;
}
