/**
 * Reads what `ccx explain` shows: the ledger of a cluster with the state of its messages, since when its issues are there, and what
 * happened to them. Source: consumers.md 4.4 R5, R8.
 */

import type { Acknowledgement } from '../../../contracts/acknowledgement.ts';
import type { IssueEventName, IssueState } from '../../../contracts/issue.ts';
import { moduleOfComponent } from '../../../contracts/rule-content.ts';
import {
  STATE_SENT,
  TABLE_ACKNOWLEDGEMENTS,
  TABLE_CLUSTER_OWNERS,
  TABLE_CLUSTERS,
  TABLE_ISSUE_EVENTS,
  TABLE_ISSUES,
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_TARGETS,
  TABLE_REPORT_FACTS,
  TABLE_REPORTED,
  TARGET_NOTIFICATIONS_BACKEND,
  TARGET_SERVICE_LOG,
} from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { acknowledgementColumns } from '../../../platform/records/acknowledgements.ts';
import type { LedgerState } from '../decide/decide-cluster.ts';
import { currentReason } from '../decide/reasons.ts';
import { type ExplainedSilence, readSilencesOf } from './alert-silences.ts';
import { countsFor } from './reports.ts';
import { readReceiverNames } from './targets.ts';

/** With the moment at which it ended, also where only its date has passed; null while it is in force. */
export type ExplainedAcknowledgement = Acknowledgement & { readonly endedAt: string | null };

export interface ExplainedIssue {
  readonly event_type_id: number;
  readonly org_id: number;
  readonly type: string;
  readonly component: string;
  readonly error_key: string;
  readonly state: LedgerState;
  readonly first_seen_at: string;
  readonly last_seen_at: string;
  readonly resolved_at: string | null;
  readonly last_notified_at: string | null;
  readonly next_eligible_at: string | null;
  readonly last_reason: string;
  readonly decided_at: string;
  /** Of the message that notified it last, or is to. */
  readonly notification_id: string | null;
  readonly message_state: string | null;
  readonly attempts: number | null;
  readonly next_attempt_at: string | null;
  readonly error_code: string | null;
  readonly error_text: string | null;
  /** Whatever the targets; null where no report was compared since an older release decided. */
  readonly issue_state: IssueState | null;
  readonly appeared_at: string | null;
  readonly missed: number | null;
  /** When it got that state. */
  readonly changed_at: string | null;
  /** Why its rule did not run over the report that was considered last. */
  readonly not_run_reason: string | null;
  /** The one that silenced it when it was decided last; null: none did. */
  readonly acknowledgement: ExplainedAcknowledgement | null;
  /** In an Alertmanager, the one that ends last; null: none is known. */
  readonly alertmanager_silence: Pick<ExplainedSilence, 'until' | 'by' | 'comment'> | null;
  /** False when its row of `reported` was removed since: the next run notifies again. */
  readonly counts: boolean;
}

/** Of the cluster, for each organization that it reported for. */
export interface ExplainedCluster {
  readonly org_id: number;
  readonly name: string | null;
  readonly version: string | null;
  readonly state: string;
  readonly state_since: string;
  readonly last_report_at: string;
}

/** What happened to an issue, or, where that is null, to the cluster. */
export interface ExplainedEvent {
  readonly at: string;
  readonly event: IssueEventName;
  readonly component: string | null;
  readonly error_key: string | null;
  readonly event_type_id: number | null;
  readonly notification_id: string | null;
  readonly acknowledgement_id: string | null;
  readonly detail: string | null;
}

export interface ExplainedTarget {
  readonly event_type_id: number;
  readonly org_id: number;
  readonly report_updated_at: string;
  readonly outcome: string;
  readonly render_error: string | null;
  readonly next_due_at: string | null;
  readonly decided_at: string;
  readonly paused_until: string | null;
  readonly pause_text: string | null;
  /** Messages about the cluster that are not finished, and when the oldest of them became due. */
  readonly waiting: number;
  readonly waiting_since: string | null;
  /** Newest report of the cluster; later than `report_updated_at` while it waits to be decided. */
  readonly newest_report_at: string | null;
}

export interface Explanation {
  readonly clusters: readonly ExplainedCluster[];
  readonly targets: readonly ExplainedTarget[];
  /** Names of receivers by number. */
  readonly receivers: ReadonlyMap<number, string>;
  readonly issues: readonly ExplainedIssue[];
  /** The newest of what happened, oldest first. */
  readonly history: readonly ExplainedEvent[];
  /** How many there are with those before. */
  readonly historyLength: number;
}

/** Of what happened at one moment, as it must have. */
const eventOrder: readonly IssueEventName[] = [
  ...(['acknowledgement-over', 'appeared', 'gone', 'resolved', 'rule-removed'] as const),
  ...(['stale', 'cluster-retired', 'acknowledged', 'notified'] as const),
];

/** `now`: a pause that has ended by then is none. `historyMax`: of the newest events. */
export async function readExplanation(
  queryable: Queryable,
  cluster: string,
  { now = '-infinity', historyMax = 0 }: { readonly now?: string; readonly historyMax?: number } = {},
): Promise<Explanation> {
  const kept = await queryable.query<{ owned: boolean }>('SELECT to_regclass($1) IS NOT NULL AS owned', [
    TABLE_CLUSTER_OWNERS,
  ]);
  const counts = countsFor({ ownersCount: kept.rows[0]!.owned }, 'n');
  const targets = await queryable.query<ExplainedTarget>(
    `SELECT c.event_type_id, c.org_id, c.report_updated_at, c.outcome, c.render_error, c.next_due_at, c.decided_at,
            CASE WHEN t.paused_until > $2::timestamp THEN t.paused_until END AS paused_until, t.pause_text,
            coalesce(w.waiting, 0) AS waiting, w.waiting_since, (SELECT max(n.updated_at) FROM ${TABLE_NEW_REPORTS} AS n
              WHERE n.cluster = c.cluster AND ${counts}) AS newest_report_at
       FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c
       LEFT JOIN ${TABLE_NOTIFICATION_TARGETS} AS t USING (event_type_id)
       LEFT JOIN (SELECT event_type_id, count(*)::int AS waiting, min(due_at) AS waiting_since FROM ${TABLE_NOTIFICATION_OUTBOX}
                   WHERE cluster = $1::character(36) AND finished_at IS NULL GROUP BY event_type_id) AS w USING (event_type_id)
      WHERE c.cluster = $1::character(36) ORDER BY c.event_type_id`,
    [cluster, now],
  );
  const receivers = await readReceiverNames(queryable);
  const issues = await queryable.query<
    Omit<ExplainedIssue, 'acknowledgement' | 'alertmanager_silence'> & { readonly acknowledgement_id: string | null }
  >(
    `SELECT l.event_type_id, l.org_id, l.type, l.component, l.error_key, l.state,
            least(i.first_seen_at, l.first_seen_at) AS first_seen_at,
            CASE WHEN i.state IS NOT NULL THEN coalesce(i.last_seen_at, k.issues_report_at)
                 WHEN l.resolved_at IS NULL AND l.last_reason <> 'rule-did-not-run' THEN greatest(l.last_seen_at, c.report_updated_at)
                 ELSE l.last_seen_at END AS last_seen_at,
            i.state AS issue_state, i.appeared_at, i.missed, i.changed_at,
            l.resolved_at, l.last_notified_at, l.next_eligible_at, l.last_reason, greatest(l.decided_at, c.decided_at) AS decided_at, l.notification_id, o.state AS message_state, o.attempts,
            o.next_attempt_at, o.error_code, o.error_text,
            l.acknowledgement_id,
            (SELECT concat_ws(', ', why ->> 'reason', nullif(why ->> 'details', ''))
               FROM ${TABLE_REPORT_FACTS} AS f, jsonb_extract_path(f.did_not_run, regexp_replace(l.component, '\\.report$', '')) AS why
              WHERE l.last_reason = 'rule-did-not-run' AND f.org_id = c.org_id AND f.cluster = c.cluster
                AND f.updated_at = c.report_updated_at) AS not_run_reason,
            l.reported_at IS NULL OR EXISTS (SELECT FROM ${TABLE_REPORTED} AS r
              WHERE r.org_id = l.org_id AND r.cluster = l.cluster AND r.notified_at = l.reported_at AND r.state = ${STATE_SENT}) AS counts
       FROM ${TABLE_NOTIFICATION_LEDGER} AS l
       LEFT JOIN ${TABLE_NOTIFICATION_OUTBOX} AS o ON o.id = l.notification_id
       LEFT JOIN ${TABLE_NOTIFICATION_CONSIDERED} AS c
         ON c.event_type_id = l.event_type_id AND c.cluster = l.cluster AND c.org_id = l.org_id
       LEFT JOIN ${TABLE_ISSUES} AS i
         ON i.org_id = l.org_id AND i.cluster = l.cluster AND i.type = l.type AND i.component = l.component
        AND i.error_key = l.error_key
       LEFT JOIN ${TABLE_CLUSTERS} AS k ON k.org_id = l.org_id AND k.cluster = l.cluster
      WHERE l.event_type_id = ANY($2::int[]) AND l.cluster = $1::character(36)
      ORDER BY l.event_type_id, l.resolved_at IS NOT NULL, l.org_id, l.component, l.error_key`,
    [cluster, [TARGET_NOTIFICATIONS_BACKEND, TARGET_SERVICE_LOG, ...receivers.keys()]],
  );
  const silences = await readSilencesOf(queryable, cluster, now);
  const clusters = await queryable.query<ExplainedCluster>(
    `SELECT org_id, name, version, state, state_since, last_report_at FROM ${TABLE_CLUSTERS}
      WHERE cluster = $1::character(36) ORDER BY last_report_at DESC, org_id`,
    [cluster],
  );
  const history = await queryable.query<ExplainedEvent & { readonly total: number }>(
    `SELECT at, event, component, error_key, event_type_id, notification_id, acknowledgement_id, detail,
            count(*) OVER ()::int AS total
       FROM ${TABLE_ISSUE_EVENTS} WHERE cluster = $1::character(36)
      ORDER BY at DESC, array_position($3::text[], event) DESC, error_key DESC, event_type_id DESC LIMIT $2`,
    [cluster, historyMax, eventOrder],
  );
  const acknowledgements = await readAcknowledgements(
    queryable,
    issues.rows.flatMap(({ acknowledgement_id }) => acknowledgement_id ?? []),
    now,
  );
  return {
    clusters: clusters.rows,
    historyLength: history.rows[0]?.total ?? 0,
    history: history.rows.map(({ total, ...event }) => event).reverse(),
    targets: targets.rows,
    receivers,
    issues: issues.rows.map(({ acknowledgement_id, ...issue }) => ({
      ...issue,
      last_reason: currentReason(issue.last_reason),
      acknowledgement: acknowledgements.get(acknowledgement_id ?? '') ?? null,
      alertmanager_silence: silenceFor(issue, silences),
    })),
  };
}

function silenceFor(
  issue: Pick<ExplainedIssue, 'event_type_id' | 'org_id' | 'component' | 'error_key'>,
  silences: readonly ExplainedSilence[],
): ExplainedIssue['alertmanager_silence'] {
  const found = silences.find(
    (one) =>
      one.event_type_id === issue.event_type_id &&
      one.org_id === issue.org_id &&
      one.rule === moduleOfComponent(issue.component) &&
      one.error_key === issue.error_key,
  );
  return found === undefined ? null : { until: found.until, by: found.by, comment: found.comment };
}

async function readAcknowledgements(
  queryable: Queryable,
  ids: readonly string[],
  now: string,
): Promise<ReadonlyMap<string, ExplainedAcknowledgement>> {
  if (ids.length === 0) return new Map();
  const { rows } = await queryable.query<ExplainedAcknowledgement>(
    `SELECT ${acknowledgementColumns}, coalesce(a.ended_at, CASE WHEN a.until <= $2::timestamp THEN a.until END)::text AS "endedAt"
       FROM ${TABLE_ACKNOWLEDGEMENTS} AS a WHERE a.id = ANY($1::uuid[])`,
    [ids, now],
  );
  return new Map(rows.map((row) => [row.id, row]));
}
