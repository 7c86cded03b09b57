/**
 * Writes one set of decisions in one transaction: what was considered, the ledger, the outgoing messages, and for new reports without anything
 * to notify their row in `reported`. A cluster whose version moved since it was read was decided or notified by another process meanwhile: it is left
 * out, and looked at again in the next run. Called by the enqueue step. Source: architecture.md 6, 7.
 */

import { STATUS_SERVICE_NOTIFIER } from '../../../contracts/payload-status.ts';
import {
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_NOTIFICATION_TARGETS,
  TABLE_READ_ERRORS,
} from '../../../contracts/tables.ts';
import type { TraceEvent } from '../../../contracts/trace-event.ts';
import { type CcxError, errorCode, errorText } from '../../../encoding/ccx-error.ts';
import type { Connection } from '../../../platform/database/database.ts';
import { type RecordedIssueEvent, recordIssueEvents } from '../../../platform/records/issue-events.ts';
import { recordTraceEvents } from '../../../platform/records/trace-log.ts';
import type { Decision, ForeignSentRow, SettledDecision } from '../decide/decide-cluster.ts';
import { errorTextCharsMax } from '../limits.ts';
import type { OutgoingNotification } from '../ports.ts';
import { isoText, microsOfMs, timestampText } from '../timestamps.ts';
import { endResolved } from './acknowledgements.ts';
import { type TrackedReport, writeIssues } from './issues.ts';
import { insertUnsentRows } from './reported-rows.ts';
import type { StoredReport } from './reports.ts';
import { type DecidedSpan, enqueueResolved, readResolvedIssues } from './resolved.ts';
import { unnest } from './row-arrays.ts';
import { planOf, rowsJson, type StoreAccess, transact } from './transact.ts';

/** One cluster as decided for one target. */
export interface DecidedRow {
  readonly runTarget: {
    readonly target: { readonly eventTargetId: number; readonly name: string };
    readonly policy: {
      readonly hash: string;
      readonly cooldownMicros: bigint | undefined;
      readonly sendResolved: boolean;
    };
  };
  readonly report: StoredReport;
  /** Version of what was considered before; 0 for nothing. */
  readonly previousVersion: bigint;
  /** False when only time, settings, content or disabled rules made it due again. */
  readonly isNewReport: boolean;
  readonly outcome: 'issues' | 'empty' | 'unreadable' | 'not-allowed';
  readonly unreadable: CcxError | undefined;
  readonly decisions: readonly SettledDecision[];
  /** The report without disabled issues; undefined when it has none. */
  readonly filteredReport: string | undefined;
  readonly messages: readonly OutgoingNotification[];
  /** From when on each may be sent. */
  readonly dueMicros: readonly bigint[];
  /** Of the messages, those that the deciding process claims with its decision: it sends them right behind it. */
  readonly claimed: ReadonlySet<OutgoingNotification>;
  readonly renderError: CcxError | undefined;
  /** When the cluster is to be decided again although nothing changed; null for never. */
  readonly nextDueMicros: bigint | null;
  /** It gets a row of `reported` now although nothing is sent. */
  readonly hasUnsentRow: boolean;
}

/** As whose, and for how long, messages are claimed with their decision. */
interface DecisionClaim {
  readonly token: string;
  readonly runId: string;
  readonly leaseMs: number;
}

/** Answers the clusters that were written, the others belong to somebody else now; and what happened to issues. */
export async function writeDecisions<Cluster extends DecidedRow>(
  store: StoreAccess,
  {
    nowMicros,
    ...set
  }: {
    readonly clusters: readonly Cluster[];
    readonly tracked: readonly TrackedReport[];
    readonly foreignRows: readonly ForeignSentRow[];
    readonly nowMicros: bigint;
    /** Reports in a row without an issue that make it resolved. */
    readonly resolvedAfter: number;
    readonly claim: DecisionClaim;
  },
): Promise<{ readonly written: readonly Cluster[]; readonly issueEvents: readonly RecordedIssueEvent[] }> {
  const write = async (tx: Connection) => {
    const taken = await writeConsidered(tx, { clusters: set.clusters, nowMicros });
    const clusters = set.clusters.filter((cluster) => taken.has(takenKey(cluster)));
    await importForeignRows(tx, {
      rows: set.foreignRows.filter((row) => taken.has(`${row.eventTargetId}/${row.cluster}`)),
      clusters,
      nowMicros,
    });
    await writeLedger(tx, { clusters, nowMicros });
    await writeMessages(tx, { clusters, nowMicros, claim: set.claim });
    await writeReadErrors(tx, { clusters, nowMicros });
    const unsent = Map.groupBy(
      clusters.filter(({ hasUnsentRow }) => hasUnsentRow),
      ({ runTarget }) => runTarget.target.eventTargetId,
    );
    for (const [eventTargetId, rows] of unsent) {
      await insertUnsentRows(tx, store, { eventTargetId, clusters: rows.map(({ report }) => report.cluster) });
    }
    await recordTraceEvents(tx, traceOfDecisions(clusters, store.nowMicros));
    // Last, because writers wait for the rows of clusters that are held from here on.
    const { tracked: reports, resolvedAfter } = set;
    const happened = await writeIssues(tx, { reports, resolvedAfter, nowMicros });
    const resolved = await readResolvedIssues({ database: tx }, decidedSpans(clusters));
    await enqueueResolved(tx, { issues: resolved.map((issue) => ({ id: store.clock.uuid(), ...issue })), nowMicros });
    const silences = silenceEvents(clusters, nowMicros);
    await recordIssueEvents(tx, silences);
    const issueEvents = [...happened, ...silences, ...(await endResolved(tx, happened, nowMicros))];
    return { written: clusters, issueEvents };
  };
  return transact(store, write, planOf(set.clusters.length));
}

/** For targets that are notified of resolved issues, too. */
export function decidedSpans(
  clusters: readonly Pick<DecidedRow, 'runTarget' | 'report' | 'isNewReport'>[],
): readonly DecidedSpan[] {
  return clusters.flatMap(({ runTarget, report, isNewReport }) => {
    if (!isNewReport || !runTarget.policy.sendResolved) return [];
    const { eventTargetId } = runTarget.target;
    const { orgId, cluster, updatedAt: until } = report;
    const considered = report.considered.get(eventTargetId);
    const after = considered?.orgId === orgId ? considered.reportUpdatedAt : undefined;
    return [{ eventTargetId, orgId, cluster, after, until }];
  });
}

interface Written {
  readonly clusters: readonly DecidedRow[];
  readonly nowMicros: bigint;
}

function takenKey(cluster: DecidedRow): string {
  return `${cluster.runTarget.target.eventTargetId}/${cluster.report.cluster}`;
}

const consideredColumns = `
  event_type_id int, cluster bpchar, org_id int, report_updated_at timestamp, policy_hash text,
  outcome text, filtered_report text, render_error text, next_due_at micros, version bigint`;

async function writeConsidered(tx: Connection, { clusters, nowMicros }: Written): Promise<ReadonlySet<string>> {
  const rows = clusters.map((cluster) => ({
    event_type_id: cluster.runTarget.target.eventTargetId,
    cluster: cluster.report.cluster,
    org_id: cluster.report.orgId,
    report_updated_at: cluster.report.updatedAt,
    policy_hash: cluster.runTarget.policy.hash,
    outcome: cluster.outcome,
    filtered_report: cluster.filteredReport,
    render_error: cluster.renderError === undefined ? null : shortError(cluster.renderError),
    next_due_at: cluster.nextDueMicros,
    version: cluster.previousVersion + 1n,
  }));
  const values: unknown[] = [timestampText(nowMicros)];
  const given = unnest('s', values, consideredColumns, rows);
  const { rows: taken } = await tx.query<{ event_type_id: number; cluster: string }>(
    `INSERT INTO ${TABLE_NOTIFICATION_CONSIDERED} AS c
            (event_type_id, cluster, org_id, report_updated_at, policy_hash, outcome, filtered_report, render_error, next_due_at,
             version, decided_at)
     SELECT s.*, $1::timestamp FROM ${given}
     ON CONFLICT (event_type_id, cluster) DO UPDATE
        SET org_id = excluded.org_id, report_updated_at = excluded.report_updated_at, policy_hash = excluded.policy_hash,
            outcome = excluded.outcome, filtered_report = excluded.filtered_report, render_error = excluded.render_error,
            next_due_at = excluded.next_due_at, version = excluded.version, decided_at = excluded.decided_at
      WHERE c.version = excluded.version - 1
     RETURNING event_type_id, rtrim(cluster) AS cluster`,
    values,
  );
  return new Set(taken.map((row) => `${row.event_type_id}/${row.cluster}`));
}

/**
 * The issues of other writers' `sent` rows count as notified when those rows say, unless a newer row is known: `withForeignRows` in SQL.
 */
async function importForeignRows(
  tx: Connection,
  { rows, clusters, nowMicros }: Written & { readonly rows: readonly ForeignSentRow[] },
): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    `INSERT INTO ${TABLE_NOTIFICATION_SENT_ROWS} AS known (org_id, cluster, notified_at, event_type_id, ours)
     SELECT s."orgId", s.cluster, s."notifiedAt", s."eventTargetId", false
       FROM json_to_recordset($1) AS s("orgId" int, cluster character(36), "notifiedAt" timestamp, "eventTargetId" int)
     ON CONFLICT (org_id, cluster, notified_at) DO UPDATE SET event_type_id = excluded.event_type_id, ours = false
      WHERE known.event_type_id <> excluded.event_type_id`,
    [rowsJson(rows.map(({ issues, ...row }) => row))],
  );
  const cooldowns = new Map<number, bigint | undefined>(
    clusters.map(({ runTarget }) => [runTarget.target.eventTargetId, runTarget.policy.cooldownMicros] as const),
  );
  const issues = rows.flatMap((row) =>
    row.issues.map((issue) => ({
      event_type_id: row.eventTargetId,
      org_id: row.orgId,
      cluster: row.cluster,
      type: issue.type,
      component: issue.component,
      error_key: issue.errorKey,
      notified_at: row.notifiedAt,
      cooldown: String(cooldowns.get(row.eventTargetId) ?? 0n),
    })),
  );
  await tx.query(
    `INSERT INTO ${TABLE_NOTIFICATION_LEDGER} AS l
            (event_type_id, org_id, cluster, type, component, error_key, state, first_seen_at, last_seen_at, resolved_at,
             last_notified_at, clock_at, reported_at, last_reason, decided_at, next_eligible_at)
     SELECT DISTINCT ON (event_type_id, org_id, cluster, type, component, error_key)
            event_type_id, org_id, cluster, type, component, error_key, 'notified', notified_at, notified_at, $2::timestamp,
            notified_at, notified_at, notified_at, 'gone', $2::timestamp,
            notified_at + cooldown * interval '1 microsecond'
       FROM json_to_recordset($1) AS s(event_type_id int, org_id int, cluster character(36), type text, component text,
            error_key text, notified_at timestamp, cooldown bigint)
      ORDER BY event_type_id, org_id, cluster, type, component, error_key, notified_at DESC
     ON CONFLICT (event_type_id, org_id, cluster, type, component, error_key) DO UPDATE
        SET state = CASE WHEN l.state = 'pending' THEN l.state ELSE 'notified' END,
            last_notified_at = excluded.last_notified_at, clock_at = excluded.clock_at, reported_at = excluded.reported_at,
            next_eligible_at = excluded.next_eligible_at
      WHERE l.clock_at IS NULL OR l.clock_at < excluded.clock_at OR l.state IN ('open', 'removed')
         OR (l.reported_at IS NULL AND l.state IN ('notified', 'pending'))`,
    [rowsJson(issues), timestampText(nowMicros)],
  );
}

const ledgerColumns = `
  event_type_id int, org_id int, cluster bpchar, type text, component text, error_key text,
  seen_at timestamp, closed boolean, notification_id uuid, reason text, next_eligible_at micros,
  acknowledgement_id uuid, clock_ends boolean`;

/** Only what the ledger does not say yet: a report with the issues of the one before writes nothing here. */
async function writeLedger(tx: Connection, { clusters, nowMicros }: Written): Promise<void> {
  const rows = clusters.flatMap((cluster) => {
    const eventTargetId = cluster.runTarget.target.eventTargetId;
    const previousReportAt = cluster.report.considered.get(eventTargetId)?.reportUpdatedAt;
    return cluster.decisions
      .filter(({ changed }) => changed)
      .map((decision) => ({
        event_type_id: eventTargetId,
        org_id: cluster.report.orgId,
        cluster: cluster.report.cluster,
        type: decision.issue.type,
        component: decision.issue.component,
        error_key: decision.issue.errorKey,
        seen_at: seenAt(cluster, decision, previousReportAt),
        closed: decision.closed,
        notification_id: decision.notificationId,
        reason: decision.reason,
        next_eligible_at: decision.nextEligibleMicros,
        acknowledgement_id: decision.acknowledgement?.id,
        clock_ends: decision.clockEnds,
      }));
  });
  if (rows.length === 0) return;
  const values: unknown[] = [timestampText(nowMicros)];
  const given = unnest('s', values, ledgerColumns, rows);
  await tx.query(
    `INSERT INTO ${TABLE_NOTIFICATION_LEDGER} AS l
            (event_type_id, org_id, cluster, type, component, error_key, state, first_seen_at, last_seen_at, resolved_at,
             notification_id, last_reason, decided_at, next_eligible_at, acknowledgement_id, silenced_at)
     SELECT event_type_id, org_id, cluster, type, component, error_key,
            CASE WHEN notification_id IS NULL THEN 'open' ELSE 'pending' END,
            seen_at, seen_at, CASE WHEN closed THEN $1::timestamp END, notification_id, reason, $1::timestamp, next_eligible_at,
            acknowledgement_id, CASE WHEN clock_ends THEN $1::timestamp END
       FROM ${given}
     ON CONFLICT (event_type_id, org_id, cluster, type, component, error_key) DO UPDATE
        SET state = CASE WHEN excluded.notification_id IS NULL THEN l.state ELSE 'pending' END,
            state_before = CASE WHEN excluded.notification_id IS NULL OR l.state = 'pending' THEN l.state_before ELSE l.state END,
            last_seen_at = greatest(l.last_seen_at, excluded.last_seen_at),
            resolved_at = CASE WHEN excluded.resolved_at IS NULL THEN NULL ELSE coalesce(l.resolved_at, excluded.resolved_at) END,
            notification_id = coalesce(excluded.notification_id, l.notification_id),
            last_reason = excluded.last_reason, decided_at = excluded.decided_at, next_eligible_at = excluded.next_eligible_at,
            acknowledgement_id = excluded.acknowledgement_id, silenced_at = coalesce(excluded.silenced_at, l.silenced_at)`,
    values,
  );
}

/** Until it vanishes an issue was seen when its cluster was considered last, so that moment is written only then. */
function seenAt(cluster: DecidedRow, decision: Decision, previousReportAt: string | undefined): string {
  if (decision.position !== undefined) return cluster.report.updatedAt;
  // Not seen for longer than that: what is written stays.
  if (!decision.seenBefore) return '-infinity';
  return previousReportAt ?? cluster.report.updatedAt;
}

const messageColumns = `
  id uuid, event_type_id int, org_id int, account_number int, cluster bpchar,
  report_updated_at timestamp, decision_id uuid, request_id text, issues json, headers json,
  body text, due_at micros, claimed boolean`;

/** One that is claimed here counts as sent from now on: should the process die, it may have arrived. */
async function writeMessages(
  tx: Connection,
  { clusters, nowMicros, claim }: Written & { readonly claim: DecisionClaim },
): Promise<void> {
  const rows = clusters.flatMap((cluster) => {
    const decisionId = cluster.messages[0]?.id;
    return cluster.messages.map((message, index) => ({
      id: message.id,
      event_type_id: cluster.runTarget.target.eventTargetId,
      org_id: cluster.report.orgId,
      account_number: cluster.report.accountNumber,
      cluster: cluster.report.cluster,
      report_updated_at: cluster.report.updatedAt,
      decision_id: decisionId,
      request_id: cluster.report.requestId,
      issues: JSON.stringify(message.issues),
      headers: JSON.stringify(message.headers),
      body: message.body,
      due_at: cluster.dueMicros[index],
      claimed: cluster.claimed.has(message),
    }));
  });
  if (rows.length === 0) return;
  const leaseEnds = timestampText(nowMicros + microsOfMs(claim.leaseMs));
  const values: unknown[] = [timestampText(nowMicros), leaseEnds, claim.token, claim.runId];
  const given = unnest('s', values, messageColumns, rows);
  await tx.query(
    `INSERT INTO ${TABLE_NOTIFICATION_OUTBOX}
            (id, event_type_id, org_id, account_number, cluster, report_updated_at, decision_id, request_id, issues, headers, body,
             decided_at, due_at, state, attempts, next_attempt_at, lease_token, run_id, first_attempt_at, last_attempt_at, paused_before)
     SELECT s.id, s.event_type_id, s.org_id, s.account_number, s.cluster, s.report_updated_at, s.decision_id, s.request_id, s.issues,
            s.headers, s.body, $1::timestamp, s.due_at, c.state, c.attempts, coalesce(c.lease_ends, s.due_at), c.token, c.run, c.at, c.at,
            CASE WHEN s.claimed THEN coalesce(t.paused_micros, 0) END
       FROM ${given}
       JOIN (VALUES (true, 'claimed', 1, $2::timestamp, $3::uuid, $4::uuid, $1::timestamp), (false, 'pending', 0, NULL, NULL, NULL, NULL))
         AS c(claimed, state, attempts, lease_ends, token, run, at) ON c.claimed = s.claimed
       LEFT JOIN ${TABLE_NOTIFICATION_TARGETS} AS t ON t.event_type_id = s.event_type_id`,
    values,
  );
}

/** Once per stored report, for both targets together. The lock keeps the report while its error is written. */
async function writeReadErrors(tx: Connection, { clusters, nowMicros }: Written): Promise<void> {
  const rows = new Map(
    clusters
      .filter((cluster) => cluster.unreadable !== undefined)
      .map(({ report, unreadable }) => [
        report.cluster,
        { org_id: report.orgId, cluster: report.cluster, updated_at: report.updatedAt, text: shortError(unreadable) },
      ]),
  );
  if (rows.size === 0) return;
  await tx.query(
    `INSERT INTO ${TABLE_READ_ERRORS} (org_id, cluster, updated_at, error_text, created_at)
     SELECT n.org_id, n.cluster, n.updated_at, s.text, $2::timestamp
       FROM json_to_recordset($1) AS s(org_id int, cluster character(36), updated_at timestamp, text text)
       JOIN ${TABLE_NEW_REPORTS} AS n USING (org_id, cluster, updated_at)
      WHERE NOT EXISTS (SELECT FROM ${TABLE_READ_ERRORS} AS e
                         WHERE e.org_id = n.org_id AND e.cluster = n.cluster AND e.updated_at = n.updated_at)
        FOR KEY SHARE OF n`,
    [rowsJson([...rows.values()]), timestampText(nowMicros)],
  );
}

function shortError(error: unknown): string {
  return `${errorCode(error)}: ${errorText(error)}`.slice(0, errorTextCharsMax);
}

/**
 * An issue that is there and that an acknowledgement begins to silence, or another one than before; one that was silent and is not any more.
 * Once, whichever targets are decided together.
 */
function silenceEvents(clusters: readonly DecidedRow[], nowMicros: bigint): RecordedIssueEvent[] {
  const events = clusters.flatMap(({ report: { orgId, cluster }, decisions }) =>
    decisions.flatMap(({ issue, position, acknowledgement, acknowledgedBefore, reason }): RecordedIssueEvent[] => {
      const one = { at: timestampText(nowMicros), orgId, cluster, issue };
      if (acknowledgement !== undefined) {
        if (acknowledgement.id === acknowledgedBefore) return [];
        return [{ ...one, event: 'acknowledged', acknowledgementId: acknowledgement.id }];
      }
      // Of a cluster that is left out nobody asked what silences its issues.
      const isAsked = position !== undefined && reason !== 'cluster-not-allowed' && reason !== 'cluster-retired';
      if (!(isAsked && acknowledgedBefore !== null) && reason !== 'acknowledgement-over') return [];
      const by = acknowledgedBefore === null ? {} : { acknowledgementId: acknowledgedBefore };
      return [{ ...one, event: 'acknowledgement-over', ...by }];
    }),
  );
  return [...new Map(events.map((event) => [JSON.stringify(event), event])).values()];
}

/** For reports that are new or notified about; what is only looked at again adds nothing to its request. */
function traceOfDecisions(clusters: readonly DecidedRow[], now: () => bigint): TraceEvent[] {
  const traced = clusters.filter(
    ({ report, isNewReport, messages }) => report.requestId !== undefined && (isNewReport || messages.length > 0),
  );
  return [...Map.groupBy(traced, ({ report }) => report)].flatMap(([report, decided]): TraceEvent[] => {
    const common = {
      requestId: report.requestId!,
      service: STATUS_SERVICE_NOTIFIER,
      orgId: String(report.orgId),
      account: String(report.accountNumber),
      cluster: report.cluster,
    };
    const detail = decided.map((cluster) => `${cluster.runTarget.target.name}: ${summaryOf(cluster)}`).join('; ');
    return [
      { ...common, status: 'report-loaded', hop: 9, at: isoText(now()) },
      { ...common, status: 'issue-decided', hop: 10, detail, at: isoText(now()) },
    ];
  });
}

/** `new 1, already-notified 2` */
function summaryOf(cluster: DecidedRow): string {
  if (cluster.unreadable !== undefined) return `unreadable, ${errorText(cluster.unreadable)}`;
  const reasons = Map.groupBy(cluster.decisions, ({ reason }) => reason);
  return reasons.size === 0 ? 'no issues' : [...reasons].map(([reason, all]) => `${reason} ${all.length}`).join(', ');
}
