/**
 * Writes what became of a batch of messages, in one transaction: the outbox, the row of `reported`, the ledger, and what is due next. Only
 * for messages whose lease this process still holds; whoever took a message over writes its outcome. Called by the record step.
 * Source: architecture.md 6, 7; notification-service.md 11.1.
 */

import { issueIdentity } from '../../../contracts/issue.ts';
import { STATUS_SERVICE_NOTIFIER } from '../../../contracts/payload-status.ts';
import {
  isReceiver,
  STATE_ERROR,
  STATE_SENT,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_REPORTED,
} from '../../../contracts/tables.ts';
import type { TraceEvent } from '../../../contracts/trace-event.ts';
import type { Connection } from '../../../platform/database/database.ts';
import { recordIssueEvents } from '../../../platform/records/issue-events.ts';
import { recordTraceEvents } from '../../../platform/records/trace-log.ts';
import type { Settlement } from '../decide/settle-outcome.ts';
import { errorTextCharsMax } from '../limits.ts';
import { isoText, timestampText } from '../timestamps.ts';
import { type ClaimedMessage, restoreIssues } from './outbox.ts';
import { insertReportedRows, type ReportedCluster } from './reported-rows.ts';
import { enqueueResolved } from './resolved.ts';
import { unnest } from './row-arrays.ts';
import { forgetThatItWasGone } from './targets.ts';
import { planOf, rowsJson, type StoreAccess, transact } from './transact.ts';

/** A message of this process with what its outcome means. */
interface RecordedMessage {
  readonly message: ClaimedMessage;
  readonly settlement: Settlement;
}

interface OutcomesToWrite {
  readonly target: { readonly eventTargetId: number; readonly name: string };
  readonly runId: string;
  readonly leaseToken: string;
  readonly messages: readonly RecordedMessage[];
  readonly nowMicros: bigint;
  /**
   * Following: a row of `reported` belongs to a decision, and what was given up gets its `error` row now. A one-shot run has one row per
   * cluster, and writes those at its end.
   */
  readonly rowPerDecision: boolean;
  /** The messages were decided in this run and claimed with their decision: no row of this run was written for their clusters yet. */
  readonly claimedWithDecision: boolean;
  /** The target is notified of issues that are resolved, too. */
  readonly sendResolved: boolean;
}

/**
 * Answers the messages whose outcome is written now, the others were taken over by another process; and how many rows `sent` were added to
 * `reported`.
 */
export async function writeOutcomes(store: StoreAccess, batch: OutcomesToWrite) {
  const { eventTargetId } = batch.target;
  const write = async (tx: Connection) => {
    const known = await findRowsOfThisRun(tx, batch);
    // Of all that get a row now, where their keys are free.
    const notifiedAt = timestampText(store.nowMicros());
    const held = await updateOutbox(tx, { batch, rowOf: (cluster) => known.get(cluster) ?? notifiedAt });
    const messages = batch.messages.filter(({ message }) => held.has(message.notification.id));
    if (messages.length === 0) return { messages, sentRows: 0 };
    const isAlone = isReceiver(eventTargetId);
    const { rows, sentRows } = isAlone
      ? { rows: new Map<string, string>(), sentRows: 0 }
      : await recordNotified(tx, store, { ...batch, messages }, { known, notifiedAt });
    if (isAlone && messages.some(({ settlement }) => settlement.outbox.state === 'delivered'))
      await forgetThatItWasGone(tx, eventTargetId);
    await correctRows(tx, { messages, rows, notifiedAt });
    const aboutIssues = messages.filter(({ message }) => message.about === 'issues');
    await updateLedger(tx, { eventTargetId, messages: aboutIssues, rows, nowMicros: batch.nowMicros });
    await updateConsidered(tx, { eventTargetId, messages: aboutIssues });
    const notified = notifiedEvents(eventTargetId, messages);
    await recordIssueEvents(tx, notified);
    // Of an issue that was resolved before it was known that its notification had arrived.
    if (batch.sendResolved) {
      const issues = notified.flatMap(({ orgId, cluster, issue, detail }) =>
        detail === undefined ? [{ id: store.clock.uuid(), eventTargetId, orgId, cluster, ...issue }] : [],
      );
      await enqueueResolved(tx, { issues, nowMicros: batch.nowMicros });
    }
    await recordTraceEvents(tx, traceOfOutcomes(batch.target, messages));
    return { messages, sentRows };
  };
  return transact(store, write, planOf(batch.messages.length));
}

/** `notified_at` of the row in `reported` by cluster, for the clusters of delivered messages. */
type NotifiedRows = ReadonlyMap<string, string>;

/**
 * One row per cluster: a one-shot run that already wrote one for the cluster adds to it, a follow cycle to the one of the same decision.
 * Messages that were given up get their `error` row here when following; a one-shot run writes those at its end.
 */
async function recordNotified(
  tx: Connection,
  store: StoreAccess,
  batch: OutcomesToWrite,
  { known, notifiedAt: firstAt }: { readonly known: NotifiedRows; readonly notifiedAt: string },
): Promise<{ readonly rows: NotifiedRows; readonly sentRows: number }> {
  const { target, rowPerDecision } = batch;
  // `reported` says what is there, and a cooldown counts by it.
  const messages = batch.messages.filter(({ message }) => message.about === 'issues');
  const delivered = messages.filter(isDelivered);
  const givenUp = rowPerDecision ? messages.filter(({ settlement }) => settlement.tally.givenUp) : [];
  const rows = new Map(known);
  const missing = byCluster(delivered).filter(([cluster]) => !known.has(cluster));
  const inserted = await insertReportedRows(tx, store, {
    ...{ eventTargetId: target.eventTargetId, firstAt },
    clusters: missing.map(([, ofCluster]) => notifiedCluster(ofCluster, messages, STATE_SENT)),
  });
  if (inserted.size > 0) {
    const values: unknown[] = [target.eventTargetId];
    const sent = missing.map(([cluster, ofCluster]) => ({
      org_id: ofCluster[0]!.message.orgId,
      cluster,
      notified_at: inserted.get(cluster),
    }));
    await tx.query(
      `INSERT INTO ${TABLE_NOTIFICATION_SENT_ROWS} (org_id, cluster, notified_at, event_type_id, ours)
       SELECT s.org_id, s.cluster, s.notified_at, $1::int, true
         FROM ${unnest('s', values, 'org_id int, cluster bpchar, notified_at timestamp', sent)}`,
      values,
    );
  }
  for (const [cluster, notifiedAt] of inserted) rows.set(cluster, notifiedAt);
  const failed = byCluster(givenUp).filter(([cluster]) => !rows.has(cluster));
  await insertReportedRows(tx, store, {
    ...{ eventTargetId: target.eventTargetId, firstAt },
    clusters: failed.map(([, ofCluster]) => notifiedCluster(ofCluster, ofCluster, STATE_ERROR)),
  });
  return { rows, sentRows: inserted.size };
}

function isDelivered({ message, settlement }: RecordedMessage): boolean {
  return message.about === 'issues' && settlement.tally.finishedAs === 'delivered';
}

async function findRowsOfThisRun(
  tx: Connection,
  { target, runId, rowPerDecision, claimedWithDecision, messages: all }: OutcomesToWrite,
): Promise<NotifiedRows> {
  const messages = all.filter((one) => isDelivered(one) || (rowPerDecision && one.settlement.tally.givenUp));
  if (claimedWithDecision || messages.length === 0 || isReceiver(target.eventTargetId)) return new Map();
  const { rows } = await tx.query<{ cluster: string; reported_at: string }>(
    `SELECT DISTINCT ON (o.cluster) rtrim(o.cluster) AS cluster, o.reported_at
       FROM json_to_recordset($1) AS m(org_id int, cluster character(36), decision_id uuid)
       JOIN ${TABLE_NOTIFICATION_OUTBOX} AS o
         ON o.event_type_id = $2 AND o.cluster = m.cluster AND o.org_id = m.org_id AND o.reported_at IS NOT NULL
        AND (o.reported_run = $3 OR ($4 AND o.decision_id = m.decision_id))
       JOIN ${TABLE_REPORTED} AS r
         ON r.org_id = o.org_id AND r.cluster = o.cluster AND r.notified_at = o.reported_at AND r.event_type_id = $2
        AND r.state = ${STATE_SENT}
      ORDER BY o.cluster, o.reported_at DESC`,
    [
      rowsJson(
        messages.map(({ message }) => ({
          org_id: message.orgId,
          cluster: message.notification.cluster,
          decision_id: message.decisionId,
        })),
      ),
      target.eventTargetId,
      runId,
      rowPerDecision,
    ],
  );
  return new Map(rows.map((row) => [row.cluster, row.reported_at]));
}

function byCluster(messages: readonly RecordedMessage[]): [string, RecordedMessage[]][] {
  return [...Map.groupBy(messages, ({ message }) => message.notification.cluster)];
}

/** The newest report among the messages; what failed beside them is named in `error_log`. */
function notifiedCluster(
  messages: readonly RecordedMessage[],
  all: readonly RecordedMessage[],
  state: ReportedCluster['state'],
): ReportedCluster {
  const newest = messages.reduce((later, one) =>
    one.message.reportUpdatedAt > later.message.reportUpdatedAt ? one : later,
  ).message;
  const { cluster } = newest.notification;
  const errors = all
    .filter(({ message }) => message.notification.cluster === cluster)
    .flatMap(({ settlement: { outbox, tally } }) =>
      outbox.error === undefined || tally.finishedAs === 'withdrawn'
        ? []
        : [`${outbox.error.code}: ${outbox.error.text}`],
    );
  const reports = messages.flatMap(({ message }) =>
    message.notification.issues.map(({ type, component, errorKey }) => ({ type, component, key: errorKey })),
  );
  return {
    orgId: newest.orgId,
    accountNumber: newest.accountNumber,
    cluster,
    reportUpdatedAt: newest.reportUpdatedAt,
    state,
    errorLog: [...new Set(errors)].join('; ').slice(0, errorTextCharsMax),
    substitute: JSON.stringify({ reports }),
  };
}

const outboxColumns = `
  id uuid, state text, attempts int, may_have_arrived boolean, next_attempt_at micros, due_at micros, delivered_at micros,
  finished_at micros, error_code text, error_text text, run_deadline_at micros, untried boolean, first_attempt_before micros,
  last_attempt_before micros, reported_at timestamp`;

/** Answers the ids of those whose lease this process still holds; only they are changed. */
async function updateOutbox(
  tx: Connection,
  {
    batch: {
      target: { eventTargetId },
      runId,
      leaseToken,
      messages,
    },
    rowOf,
  }: {
    readonly batch: OutcomesToWrite;
    /** `notified_at` of the row in `reported` of a cluster that was notified. */
    readonly rowOf: (cluster: string) => string;
  },
): Promise<ReadonlySet<string>> {
  const updates = messages.map((one) => {
    const { message, settlement } = one;
    const { outbox } = settlement;
    return {
      id: message.notification.id,
      state: outbox.state,
      attempts: outbox.attempts,
      may_have_arrived: outbox.mayHaveArrived,
      next_attempt_at: outbox.nextAttemptMicros,
      due_at: outbox.dueMicros,
      delivered_at: outbox.deliveredMicros,
      finished_at: outbox.finishedMicros,
      error_code: outbox.error?.code,
      error_text: outbox.error?.text.slice(0, errorTextCharsMax),
      run_deadline_at: outbox.runDeadlineMicros,
      untried: outbox.untried,
      first_attempt_before: message.before.firstAttemptMicros,
      last_attempt_before: message.before.lastAttemptMicros,
      reported_at: isDelivered(one) && !isReceiver(eventTargetId) ? rowOf(message.notification.cluster) : null,
    };
  });
  // In the order in which everybody locks them.
  updates.sort((left, right) => (left.id < right.id ? -1 : 1));
  const values: unknown[] = [runId, leaseToken];
  const { rows } = await tx.query<{ id: string }>(
    `UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o
        SET state = u.state, attempts = u.attempts, may_have_arrived = u.may_have_arrived, next_attempt_at = u.next_attempt_at,
            due_at = coalesce(u.due_at, o.due_at), delivered_at = u.delivered_at, finished_at = u.finished_at, lease_token = NULL,
            error_code = coalesce(u.error_code, CASE WHEN u.state = 'delivered' THEN NULL ELSE o.error_code END),
            error_text = coalesce(u.error_text, CASE WHEN u.state = 'delivered' THEN NULL ELSE o.error_text END),
            run_deadline_at = coalesce(u.run_deadline_at, o.run_deadline_at),
            first_attempt_at = CASE WHEN u.untried THEN u.first_attempt_before ELSE o.first_attempt_at END,
            last_attempt_at = CASE WHEN u.untried THEN u.last_attempt_before ELSE o.last_attempt_at END,
            reported_at = u.reported_at, reported_run = CASE WHEN u.reported_at IS NULL THEN NULL ELSE $1::uuid END
       FROM ${unnest('u', values, outboxColumns, updates)}
      -- In a form of which the planner does not guess that it is true of next to no row, and that the order of the join does not matter.
      WHERE o.id = u.id AND coalesce(o.lease_token = $2 AND o.state = 'claimed', false)
      RETURNING o.id`,
    values,
  );
  return new Set(rows.map(({ id }) => id));
}

/** Of clusters whose row in `reported` had to move, because its key was taken. */
async function correctRows(
  tx: Connection,
  {
    messages,
    rows,
    notifiedAt,
  }: { readonly messages: readonly RecordedMessage[]; readonly rows: NotifiedRows; readonly notifiedAt: string },
): Promise<void> {
  const given = messages
    .filter((one) => isDelivered(one) && rows.has(one.message.notification.cluster))
    .map(({ message: { notification } }) => notification);
  const moved = given
    .map(({ id, cluster }) => ({ id, reported_at: rows.get(cluster)! }))
    .filter(({ reported_at }) => reported_at > notifiedAt);
  if (moved.length === 0) return;
  await tx.query(
    `UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o SET reported_at = m.reported_at
       FROM json_to_recordset($1) AS m(id uuid, reported_at timestamp) WHERE o.id = m.id`,
    [rowsJson(moved)],
  );
}

/**
 * Only while the ledger still names this message: a later one has its own outcome, beside which only a delivery counts. A message that did
 * not go out takes nothing from a row that is there: its issues go on counting by it.
 */
async function updateLedger(
  tx: Connection,
  what: {
    readonly eventTargetId: number;
    readonly messages: readonly RecordedMessage[];
    readonly rows: NotifiedRows;
    readonly nowMicros: bigint;
  },
): Promise<void> {
  const changed = what.messages.flatMap(({ message, settlement: { ledger } }) => {
    const { id, cluster, issues } = message.notification;
    return ledger === undefined ? [] : issues.map((issue) => ({ id, orgId: message.orgId, cluster, issue, ledger }));
  });
  await restoreIssues(tx, {
    eventTargetId: what.eventTargetId,
    issues: changed
      .filter(({ ledger }) => ledger.state === 'before')
      .map(({ ledger, ...about }) => ({
        ...about,
        reason: ledger.reasons?.get(issueIdentity(about.issue)) ?? ledger.reason!,
        forgetId: false,
      })),
    now: what.nowMicros,
  });
  const updates = changed
    .filter(({ ledger }) => ledger.state !== 'before')
    .map(({ id, orgId, cluster, issue, ledger }) => ({
      id,
      org_id: orgId,
      cluster,
      type: issue.type,
      component: issue.component,
      error_key: issue.errorKey,
      state: ledger.state,
      clock_at: ledger.clockMicros,
      next_eligible_at: ledger.nextEligibleMicros,
      reported_at: ledger.state === 'notified' ? what.rows.get(cluster) : null,
    }));
  if (updates.length === 0) return;
  const values: unknown[] = [what.eventTargetId];
  await tx.query(
    `UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l
        SET state = u.state, state_before = NULL,
            clock_at = coalesce(u.clock_at, CASE WHEN l.reported_at IS NOT NULL THEN l.clock_at END),
            reported_at = coalesce(u.reported_at, l.reported_at),
            last_notified_at = CASE WHEN u.state = 'notified' THEN u.clock_at ELSE l.last_notified_at END,
            next_eligible_at = u.next_eligible_at
       FROM ${unnest('u', values, ledgerColumns, updates)}
      WHERE l.event_type_id = $1 AND l.org_id = u.org_id AND l.cluster = u.cluster AND l.type = u.type
        AND l.component = u.component AND l.error_key = u.error_key
        AND (l.notification_id = u.id OR (u.state = 'notified' AND l.state <> 'pending' AND (l.clock_at IS NULL OR l.clock_at < u.clock_at)))`,
    values,
  );
}

const ledgerColumns = `
  id uuid, org_id int, cluster bpchar, type text, component text, error_key text, state text, clock_at micros, reported_at timestamp,
  next_eligible_at micros`;

/** The cluster is looked at again when the clock that starts now ends; at once when nothing holds its issues any more. */
async function updateConsidered(
  tx: Connection,
  what: { readonly eventTargetId: number; readonly messages: readonly RecordedMessage[] },
): Promise<void> {
  const updates = what.messages.flatMap(({ message, settlement: { dueAgainMicros } }) =>
    dueAgainMicros === undefined ? [] : [{ cluster: message.notification.cluster, due: dueAgainMicros }],
  );
  if (updates.length === 0) return;
  const values: unknown[] = [what.eventTargetId];
  await tx.query(
    `UPDATE ${TABLE_NOTIFICATION_CONSIDERED} AS c
        SET next_due_at = least(c.next_due_at, u.due), version = c.version + 1
       FROM (SELECT cluster, min(due) AS due FROM ${unnest('s', values, 'cluster bpchar, due micros', updates)} GROUP BY cluster) AS u
      WHERE c.event_type_id = $1 AND c.cluster = u.cluster`,
    values,
  );
}

/** One for each issue of what was delivered. */
function notifiedEvents(eventTypeId: number, messages: readonly RecordedMessage[]) {
  return messages.flatMap(({ message: { orgId, about, notification }, settlement: { outbox } }) => {
    if (outbox.state !== 'delivered' || outbox.deliveredMicros === null) return [];
    const { id: notificationId, cluster, issues } = notification;
    const at = timestampText(outbox.deliveredMicros);
    return issues.map(({ type, component, errorKey }) => {
      const common = { at, orgId, cluster, issue: { type, component, errorKey }, eventTypeId, notificationId };
      return {
        ...common,
        event: 'notified' as const,
        detail: about === 'resolved' ? 'resolved' : undefined,
      };
    });
  });
}

/** As the outcome was settled: hop 11 when it was delivered, hop 12 when it is final. */
function traceOfOutcomes(target: { readonly name: string }, messages: readonly RecordedMessage[]): TraceEvent[] {
  return messages.flatMap(({ message, settlement }) => {
    if (message.requestId === undefined) return [];
    const { id, cluster } = message.notification;
    const common = {
      requestId: message.requestId,
      service: STATUS_SERVICE_NOTIFIER,
      orgId: String(message.orgId),
      account: String(message.accountNumber),
      cluster,
    };
    return settlement.trace.map(({ status, hop, detail, atMicros }) => ({
      ...common,
      status,
      ...(hop === undefined ? {} : { hop }),
      detail: `${target.name} ${id}${detail === '' ? '' : `: ${detail}`}`,
      at: isoText(atMicros),
    }));
  });
}
