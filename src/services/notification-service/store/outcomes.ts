/**
 * Writes what became of a batch of messages, in one transaction: the outbox, the row of `reported`, the ledger, and what is due next. Only
 * for messages whose lease this process still holds; whoever took a message over writes its outcome. Called by the record step.
 * Source: architecture.md 6, 7; notification-service.md 11.1.
 */
import { errorCode, errorText } from '../../../contracts/ccx-error.ts';
import {
  STATE_ERROR,
  STATE_SENT,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_REPORTED,
} from '../../../contracts/tables.ts';
import type { Connection } from '../../../platform/database/database.ts';
import { recordTraceEvents } from '../../../platform/telemetry/trace-log.ts';
import { errorTextCharsMax } from '../limits.ts';
import type { DeliveredBatch, DeliveredMessage } from '../run.ts';
import type { Run } from '../run-context.ts';
import { timestampText } from '../timestamps.ts';
import { traceOfOutcomes } from '../trace.ts';
import { insertToldRows, type ToldCluster } from './reported-rows.ts';
import { type RowValue, rowsJson } from './rows.ts';
import { transact } from './transact.ts';

export interface WrittenOutcomes {
  /** The messages whose outcome is written now; the others were taken over by another process. */
  readonly messages: readonly DeliveredMessage[];
  /** Rows `sent` that were added to `reported`. */
  readonly sentRows: number;
}

export async function writeOutcomes(run: Run, batch: DeliveredBatch): Promise<WrittenOutcomes> {
  return transact(run, async (tx) => {
    const held = await lockHeld(tx, batch);
    const messages = batch.messages.filter(({ message }) => held.has(message.notification.id));
    if (messages.length === 0) return { messages, sentRows: 0 };
    const { rows, sentRows } = await recordTold(tx, run, { ...batch, messages });
    const now = run.time.nowMicros();
    await updateOutbox(tx, run, { messages, rows, now });
    await updateLedger(tx, { batch, messages, rows, now });
    await updateConsidered(tx, { batch, messages, now });
    await recordTraceEvents(tx, traceOfOutcomes(batch.runTarget, messages, run.time));
    return { messages, sentRows };
  });
}

/** `notified_at` of the row in `reported` by cluster, for the clusters of delivered messages. */
type ToldRows = ReadonlyMap<string, string>;

async function lockHeld(tx: Connection, batch: DeliveredBatch): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<{ id: string }>(
    `SELECT id FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE id = ANY($1::uuid[]) AND lease_token = $2 AND state = 'claimed'
      ORDER BY id FOR UPDATE`,
    [batch.messages.map(({ message }) => message.notification.id), batch.leaseToken],
  );
  return new Set(rows.map(({ id }) => id));
}

/**
 * One row per cluster: a one-shot run that already wrote one for the cluster adds to it, a follow cycle to the one of the same decision.
 * Messages that were given up get their `error` row here when following; a one-shot run writes those at its end.
 */
async function recordTold(
  tx: Connection,
  run: Run,
  batch: DeliveredBatch,
): Promise<{ readonly rows: ToldRows; readonly sentRows: number }> {
  const { target } = batch.runTarget;
  const once = run.settings.mode === 'once';
  const delivered = batch.messages.filter(({ outcome }) => outcome.kind === 'delivered');
  const givenUp = once
    ? []
    : batch.messages.filter(({ outcome }) => outcome.kind === 'dead' || outcome.kind === 'listed');
  if (delivered.length + givenUp.length === 0) return { rows: new Map(), sentRows: 0 };
  const told = new Map(await findRowsOfThisRun(tx, run, [...delivered, ...givenUp], target.eventTargetId));
  const missing = byCluster(delivered).filter(([cluster]) => !told.has(cluster));
  const inserted = await insertToldRows(tx, run, {
    eventTargetId: target.eventTargetId,
    clusters: missing.map(([, messages]) => toldCluster(messages, batch.messages, STATE_SENT)),
  });
  if (inserted.size > 0) {
    await tx.query(
      `INSERT INTO ${TABLE_NOTIFICATION_SENT_ROWS} (org_id, cluster, notified_at, event_type_id, ours)
       SELECT s.org_id, s.cluster, s.notified_at, $2::int, true
         FROM json_to_recordset($1) AS s(org_id int, cluster character(36), notified_at timestamp)`,
      [
        rowsJson(
          missing.map(([cluster, messages]) => ({
            org_id: messages[0]!.message.orgId,
            cluster,
            notified_at: inserted.get(cluster),
          })),
        ),
        target.eventTargetId,
      ],
    );
  }
  for (const [cluster, notifiedAt] of inserted) told.set(cluster, notifiedAt);
  const failed = byCluster(givenUp).filter(([cluster]) => !told.has(cluster));
  await insertToldRows(tx, run, {
    eventTargetId: target.eventTargetId,
    clusters: failed.map(([, messages]) => toldCluster(messages, messages, STATE_ERROR)),
  });
  return { rows: told, sentRows: inserted.size };
}

async function findRowsOfThisRun(
  tx: Connection,
  run: Run,
  messages: readonly DeliveredMessage[],
  eventTargetId: number,
): Promise<ReadonlyMap<string, string>> {
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
      eventTargetId,
      run.id,
      run.settings.mode === 'follow',
    ],
  );
  return new Map(rows.map((row) => [row.cluster, row.reported_at]));
}

function byCluster(messages: readonly DeliveredMessage[]): [string, DeliveredMessage[]][] {
  const groups = new Map<string, DeliveredMessage[]>();
  for (const delivered of messages) {
    const { cluster } = delivered.message.notification;
    const group = groups.get(cluster) ?? [];
    groups.set(cluster, group);
    group.push(delivered);
  }
  return [...groups];
}

/** The newest report among the messages; what failed beside them is told in `error_log`. */
function toldCluster(
  messages: readonly DeliveredMessage[],
  all: readonly DeliveredMessage[],
  state: ToldCluster['state'],
): ToldCluster {
  const newest = messages.reduce((later, one) =>
    one.message.reportUpdatedAt > later.message.reportUpdatedAt ? one : later,
  ).message;
  const { cluster } = newest.notification;
  const errors = all
    .filter(({ message }) => message.notification.cluster === cluster)
    .flatMap(({ outcome }) => ('error' in outcome ? [`${errorCode(outcome.error)}: ${errorText(outcome.error)}`] : []));
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

async function updateOutbox(
  tx: Connection,
  run: Run,
  {
    messages,
    rows,
    now,
  }: { readonly messages: readonly DeliveredMessage[]; readonly rows: ToldRows; readonly now: bigint },
): Promise<void> {
  const updates = messages.map(({ message, outcome }) => ({
    id: message.notification.id,
    ...outboxUpdate({ message, outcome }, now),
    reported_at: outcome.kind === 'delivered' ? rows.get(message.notification.cluster) : null,
  }));
  await tx.query(
    `UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o
        SET state = u.state, attempts = u.attempts, may_have_arrived = u.may_have_arrived, next_attempt_at = u.next_attempt_at,
            delivered_at = u.delivered_at, finished_at = u.finished_at, lease_token = NULL,
            error_code = coalesce(u.error_code, CASE WHEN u.state = 'delivered' THEN NULL ELSE o.error_code END),
            error_text = coalesce(u.error_text, CASE WHEN u.state = 'delivered' THEN NULL ELSE o.error_text END),
            reported_at = u.reported_at, reported_run = CASE WHEN u.reported_at IS NULL THEN NULL ELSE $2::uuid END
       FROM json_to_recordset($1) AS u(id uuid, state text, attempts int, may_have_arrived boolean, next_attempt_at timestamp,
            delivered_at timestamp, finished_at timestamp, error_code text, error_text text, reported_at timestamp)
      WHERE o.id = u.id`,
    [rowsJson(updates), run.id],
  );
}

function outboxUpdate({ message, outcome }: DeliveredMessage, now: bigint): Record<string, RowValue> {
  const { attempts, mayHaveArrived } = message;
  const common = { attempts, may_have_arrived: mayHaveArrived };
  switch (outcome.kind) {
    case 'delivered':
      return {
        ...common,
        state: 'delivered',
        may_have_arrived: true,
        delivered_at: timestampText(outcome.atMicros),
        finished_at: timestampText(now),
      };
    case 'dead':
      return { ...common, state: 'dead', finished_at: timestampText(now), ...errorColumns(outcome.error) };
    case 'listed':
      return {
        ...common,
        state: 'unknown',
        may_have_arrived: true,
        finished_at: timestampText(now),
        ...errorColumns(outcome.error),
      };
    case 'later':
      return {
        ...common,
        state: outcome.mayHaveArrived ? 'unknown' : 'pending',
        may_have_arrived: outcome.mayHaveArrived,
        next_attempt_at: timestampText(outcome.nextAttemptMicros),
        ...errorColumns(outcome.error),
      };
    case 'released':
      return {
        ...common,
        state: mayHaveArrived ? 'unknown' : 'pending',
        attempts: attempts - 1,
        next_attempt_at: timestampText(now),
      };
    case 'withdrawn':
      return {
        ...common,
        state: 'withdrawn',
        attempts: attempts - 1,
        finished_at: timestampText(now),
        error_code: 'WITHDRAWN',
        error_text: outcome.reason,
      };
  }
}

function errorColumns(error: unknown): { error_code: string; error_text: string } {
  return { error_code: errorCode(error), error_text: errorText(error).slice(0, errorTextCharsMax) };
}

/** Only while the ledger still names this message: a later one has its own outcome. */
async function updateLedger(
  tx: Connection,
  what: {
    readonly batch: DeliveredBatch;
    readonly messages: readonly DeliveredMessage[];
    readonly rows: ToldRows;
    readonly now: bigint;
  },
): Promise<void> {
  const cooldown = what.batch.runTarget.policy.cooldownMicros;
  const updates = what.messages.flatMap(({ message, outcome }) => {
    const update = ledgerUpdate(outcome, what.now, cooldown);
    if (update === undefined) return [];
    const { id, cluster, issues } = message.notification;
    return issues.map((issue) => ({
      id,
      org_id: message.orgId,
      cluster,
      type: issue.type,
      component: issue.component,
      error_key: issue.errorKey,
      reported_at: update.state === 'notified' ? what.rows.get(cluster) : null,
      ...update,
    }));
  });
  if (updates.length === 0) return;
  await tx.query(
    `UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l
        SET state = CASE WHEN u.state <> 'withdrawn' THEN u.state WHEN l.reported_at IS NULL THEN 'open' ELSE 'notified' END,
            clock_at = CASE WHEN u.state = 'withdrawn' THEN l.clock_at ELSE u.clock_at END,
            last_notified_at = CASE WHEN u.state = 'notified' THEN u.clock_at ELSE l.last_notified_at END,
            reported_at = CASE WHEN u.state = 'withdrawn' THEN l.reported_at ELSE u.reported_at END,
            last_reason = coalesce(u.reason, l.last_reason),
            next_eligible_at = u.next_eligible_at
       FROM json_to_recordset($1) AS u(id uuid, org_id int, cluster character(36), type text, component text, error_key text,
            state text, clock_at timestamp, reported_at timestamp, reason text, next_eligible_at timestamp)
      WHERE l.event_type_id = $2 AND l.org_id = u.org_id AND l.cluster = u.cluster AND l.type = u.type
        AND l.component = u.component AND l.error_key = u.error_key AND l.notification_id = u.id`,
    [rowsJson(updates), what.batch.runTarget.target.eventTargetId],
  );
}

interface LedgerUpdate {
  readonly [column: string]: RowValue;
  readonly state: string;
}

function ledgerUpdate(
  outcome: DeliveredMessage['outcome'],
  now: bigint,
  cooldown: bigint | undefined,
): LedgerUpdate | undefined {
  const clockFrom = (state: string, micros: bigint): LedgerUpdate => ({
    state,
    clock_at: timestampText(micros),
    next_eligible_at: cooldown === undefined ? null : timestampText(micros + cooldown),
  });
  switch (outcome.kind) {
    case 'delivered':
      return clockFrom('notified', outcome.atMicros);
    case 'dead':
      return outcome.hold ? clockFrom('dead', now) : { state: 'dead' };
    case 'listed':
      return clockFrom('unknown', now);
    case 'withdrawn':
      return { state: 'withdrawn', reason: outcome.reason };
    case 'later':
    case 'released':
      return undefined;
  }
}

/** The cluster is looked at again when the clock that starts now ends; at once when nothing holds its issues any more. */
async function updateConsidered(
  tx: Connection,
  what: { readonly batch: DeliveredBatch; readonly messages: readonly DeliveredMessage[]; readonly now: bigint },
): Promise<void> {
  const cooldown = what.batch.runTarget.policy.cooldownMicros;
  const updates = what.messages.flatMap(({ message, outcome }) => {
    const due = dueAgain(outcome, what.now, cooldown);
    if (due === undefined) return [];
    return [{ cluster: message.notification.cluster, due: due === null ? null : timestampText(due) }];
  });
  if (updates.length === 0) return;
  await tx.query(
    `UPDATE ${TABLE_NOTIFICATION_CONSIDERED} AS c
        SET next_due_at = least(c.next_due_at, u.due), version = c.version + 1
       FROM (SELECT cluster, min(due) AS due FROM json_to_recordset($1) AS s(cluster character(36), due timestamp)
              GROUP BY cluster) AS u
      WHERE c.event_type_id = $2 AND c.cluster = u.cluster`,
    [rowsJson(updates), what.batch.runTarget.target.eventTargetId],
  );
}

/** Undefined: nothing about the issues changed. Null: without a cooldown only a newer report, or the next one-shot run, looks again. */
function dueAgain(
  outcome: DeliveredMessage['outcome'],
  now: bigint,
  cooldown: bigint | undefined,
): bigint | null | undefined {
  switch (outcome.kind) {
    case 'delivered':
      return cooldown === undefined ? null : outcome.atMicros + cooldown;
    case 'listed':
      return cooldown === undefined ? null : now + cooldown;
    case 'dead':
      if (!outcome.hold) return now;
      return cooldown === undefined ? null : now + cooldown;
    case 'withdrawn':
      return now;
    case 'later':
    case 'released':
      return undefined;
  }
}
