/**
 * The outbox from the sender's side: claiming messages under a lease, waiting for the next one, pausing a target, and taking up what a
 * person asked to be tried again. Called by the deliver and reissue steps; outcomes are written by `outcomes.ts`. Source: architecture.md 6.
 */
import { type CcxError, errorCode, errorText } from '../../../contracts/ccx-error.ts';
import {
  STATE_SENT,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_NOTIFICATION_TARGETS,
  TABLE_REPORTED,
} from '../../../contracts/tables.ts';
import type { Connection } from '../../../platform/database/database.ts';
import { claimBytesMax, errorTextCharsMax, reissuesMax } from '../limits.ts';
import type { IssueKey, OutgoingNotification, Target, TargetName } from '../ports.ts';
import type { ClaimedMessage, RunTarget } from '../run.ts';
import type { Run } from '../run-context.ts';
import { microsOfMs, timestampMicros, timestampText } from '../timestamps.ts';
import { rowsJson, storableText } from './rows.ts';
import { transact } from './transact.ts';

export interface OutboxRow {
  readonly id: string;
  readonly event_type_id: number;
  readonly org_id: number;
  readonly account_number: number;
  readonly cluster: string;
  readonly report_updated_at: string;
  readonly decision_id: string;
  readonly request_id: string | null;
  readonly issues: readonly IssueKey[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const messageColumns = `o.id, o.event_type_id, o.org_id, o.account_number, rtrim(o.cluster) AS cluster, o.report_updated_at,
  o.decision_id, o.request_id, o.issues, o.headers, o.body`;

export function notificationOf(row: OutboxRow, target: TargetName): OutgoingNotification {
  const { id, cluster, issues, body, headers } = row;
  return { id, target, cluster, issues, body, headers };
}

/**
 * Takes messages that are due, or whose claim has outlived its lease, oldest first; another process skips what is locked and takes the
 * next ones. A claim that a dead process left may have been sent: its next attempt is told so. Empty while the target is paused. What this
 * run has tried past its deadline is left to the next run.
 */
export async function claimMessages(
  run: Run,
  { target }: RunTarget,
  claim: { readonly token: string; readonly messagesMax: number },
): Promise<ClaimedMessage[]> {
  const nowMicros = run.time.nowMicros();
  const { delivery } = run.settings;
  const { rows } = await transact(run, (tx) =>
    tx.query<
      OutboxRow & {
        readonly attempts: number;
        readonly may_have_arrived: boolean;
        readonly decided_at: string;
        readonly due_at: string;
        readonly run_deadline_at: string;
      }
    >(
      `WITH picked AS (
         SELECT id, state, cluster, next_attempt_at, octet_length(body) AS bytes FROM ${TABLE_NOTIFICATION_OUTBOX}
          WHERE event_type_id = $1 AND next_attempt_at <= $2::timestamp
            AND (run_id IS DISTINCT FROM $6 OR run_deadline_at > $2::timestamp)
            AND NOT EXISTS (SELECT FROM ${TABLE_NOTIFICATION_TARGETS} WHERE event_type_id = $1 AND paused_until > $2::timestamp)
          ORDER BY next_attempt_at, cluster, id LIMIT $3 FOR UPDATE SKIP LOCKED),
       summed AS (SELECT id, state, bytes, sum(bytes) OVER (ORDER BY next_attempt_at, cluster, id) AS total FROM picked)
       UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o
          SET state = 'claimed', lease_token = $4, next_attempt_at = $5::timestamp, attempts = o.attempts + 1,
              last_attempt_at = $2::timestamp, may_have_arrived = o.may_have_arrived OR summed.state = 'claimed',
              run_deadline_at = CASE WHEN o.run_id = $6 THEN o.run_deadline_at ELSE $7::timestamp END, run_id = $6
         FROM summed
        WHERE o.id = summed.id AND summed.total - summed.bytes < $8
       RETURNING ${messageColumns}, o.attempts, o.may_have_arrived, o.decided_at, o.due_at, o.run_deadline_at`,
      [
        target.eventTargetId,
        timestampText(nowMicros),
        claim.messagesMax,
        claim.token,
        timestampText(nowMicros + microsOfMs(delivery.leaseMs)),
        run.id,
        timestampText(nowMicros + microsOfMs(delivery.deadlineMs)),
        claimBytesMax,
      ],
    ),
  );
  return rows
    .map((row) => ({
      notification: notificationOf(row, target.name),
      orgId: row.org_id,
      accountNumber: row.account_number,
      reportUpdatedAt: row.report_updated_at,
      decisionId: row.decision_id,
      requestId: row.request_id ?? undefined,
      attempts: row.attempts,
      mayHaveArrived: row.may_have_arrived,
      decidedMicros: timestampMicros(row.decided_at),
      dueMicros: timestampMicros(row.due_at),
      runDeadlineMicros: timestampMicros(row.run_deadline_at),
    }))
    .sort((left, right) => (left.notification.cluster < right.notification.cluster ? -1 : 1));
}

/** When something of the target is due next: a retry of this run before its deadline, or the end of the target's pause. */
export async function nextAttemptMicros(run: Run, { target }: RunTarget): Promise<bigint | undefined> {
  const { rows } = await run.database.query<{ next: string | null }>(
    `SELECT greatest(min(o.next_attempt_at), max(t.paused_until)) AS next
       FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
       LEFT JOIN ${TABLE_NOTIFICATION_TARGETS} AS t ON t.event_type_id = o.event_type_id
      WHERE o.event_type_id = $1 AND o.next_attempt_at IS NOT NULL AND o.state <> 'claimed'
        AND o.run_id = $2 AND o.next_attempt_at <= o.run_deadline_at`,
    [target.eventTargetId, run.id],
  );
  const next = rows[0]?.next;
  return next === null || next === undefined ? undefined : timestampMicros(next);
}

/** Nobody tries the target before then, in no process. */
export async function pauseTarget(
  run: Run,
  { target }: RunTarget,
  pause: { readonly untilMicros: bigint; readonly error: CcxError },
): Promise<void> {
  await run.database.query(
    `INSERT INTO ${TABLE_NOTIFICATION_TARGETS} AS t (event_type_id, paused_until, pause_code, pause_text) VALUES ($1, $2, $3, $4)
     ON CONFLICT (event_type_id) DO UPDATE
        SET paused_until = greatest(t.paused_until, excluded.paused_until), pause_code = excluded.pause_code,
            pause_text = excluded.pause_text`,
    [
      target.eventTargetId,
      timestampText(pause.untilMicros),
      pause.error.code,
      storableText(pause.error.message).slice(0, errorTextCharsMax),
    ],
  );
}

/** True when the target was never told anything that still shows: no notification of it in the ledger, and no `sent` row in `reported`. */
export async function isFirstRun(run: Pick<Run, 'database'>, eventTargetId: number): Promise<boolean> {
  const { rows } = await run.database.query<{ first: boolean }>(
    `SELECT NOT EXISTS (SELECT FROM ${TABLE_NOTIFICATION_SENT_ROWS} WHERE event_type_id = $1)
        AND NOT EXISTS (SELECT FROM ${TABLE_REPORTED} WHERE event_type_id = $1 AND state = ${STATE_SENT}) AS first`,
    [eventTargetId],
  );
  return rows[0]!.first;
}

/** How many messages of the target wait: where the stagger of a first run that was cut short goes on. */
export async function countWaiting(run: Pick<Run, 'database'>, eventTargetId: number): Promise<number> {
  const { rows } = await run.database.query<{ waiting: number }>(
    `SELECT count(*)::int AS waiting FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE event_type_id = $1 AND finished_at IS NULL`,
    [eventTargetId],
  );
  return rows[0]!.waiting;
}

export interface Reissued {
  readonly old: OutgoingNotification;
  /** Undefined when the target cannot make a new message of the old one; it stays as it is, with the error as its reason. */
  readonly next: OutgoingNotification | undefined;
  readonly error: unknown;
}

/**
 * Messages that a person asked to be tried again, under the new id that the target gives them; the old row keeps its state and names its
 * successor. The backend would swallow the old id for a day, and forget it after that. Source: consumers.md 1.4.
 */
export async function reissueRequested(run: Run, { target }: RunTarget): Promise<readonly Reissued[]> {
  return transact(run, async (tx) => {
    const { rows } = await tx.query<OutboxRow>(
      `SELECT ${messageColumns} FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
        WHERE o.event_type_id = $1 AND o.retry_requested_at IS NOT NULL AND o.replaced_by IS NULL AND o.finished_at IS NOT NULL
        ORDER BY o.id LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [target.eventTargetId, reissuesMax],
    );
    const reissued = rows.map((row) => reissueOne(run, target, notificationOf(row, target.name)));
    await storeSuccessors(tx, run, reissued);
    await storeRefusals(tx, reissued);
    return reissued;
  });
}

function reissueOne(run: Run, target: Target, old: OutgoingNotification): Reissued {
  try {
    const next = target.reissue(old, { now: run.time.now(), uuid: () => run.clock.uuid() });
    return { old, next, error: undefined };
  } catch (error) {
    return { old, next: undefined, error };
  }
}

async function storeSuccessors(tx: Connection, run: Run, reissued: readonly Reissued[]): Promise<void> {
  const pairs = reissued.flatMap(({ old, next }) =>
    next === undefined ? [] : [{ old: old.id, next: next.id, body: next.body, headers: JSON.stringify(next.headers) }],
  );
  if (pairs.length === 0) return;
  await tx.query(
    `WITH pairs AS (SELECT * FROM json_to_recordset($1) AS p(old uuid, next uuid, body text, headers text)),
     replaced AS (
       UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o SET replaced_by = pairs.next FROM pairs WHERE o.id = pairs.old)
     INSERT INTO ${TABLE_NOTIFICATION_OUTBOX}
            (id, event_type_id, org_id, account_number, cluster, report_updated_at, decision_id, request_id, issues, headers, body,
             state, decided_at, due_at, next_attempt_at)
     SELECT pairs.next, o.event_type_id, o.org_id, o.account_number, o.cluster, o.report_updated_at, pairs.next, o.request_id,
            o.issues, pairs.headers::json, pairs.body, 'pending', $2::timestamp, $2::timestamp, $2::timestamp
       FROM pairs JOIN ${TABLE_NOTIFICATION_OUTBOX} AS o ON o.id = pairs.old`,
    [rowsJson(pairs), timestampText(run.time.nowMicros())],
  );
  await tx.query(
    `WITH pairs AS (SELECT * FROM json_to_recordset($1) AS p(old uuid, next uuid)),
     told AS (
       UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l SET state = 'pending', notification_id = pairs.next
         FROM pairs JOIN ${TABLE_NOTIFICATION_OUTBOX} AS o ON o.id = pairs.old
        WHERE l.event_type_id = o.event_type_id AND l.org_id = o.org_id AND l.cluster = o.cluster AND l.notification_id = pairs.old)
     UPDATE ${TABLE_NOTIFICATION_CONSIDERED} AS c SET version = c.version + 1
       FROM (SELECT DISTINCT o.event_type_id, o.cluster FROM pairs JOIN ${TABLE_NOTIFICATION_OUTBOX} AS o ON o.id = pairs.old) AS told_of
      WHERE c.event_type_id = told_of.event_type_id AND c.cluster = told_of.cluster`,
    [rowsJson(pairs.map(({ old, next }) => ({ old, next })))],
  );
}

/** The wish is dropped, or every later run would meet it again. */
async function storeRefusals(tx: Connection, reissued: readonly Reissued[]): Promise<void> {
  const refused = reissued.filter(({ next }) => next === undefined);
  if (refused.length === 0) return;
  await tx.query(
    `UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o SET retry_requested_at = NULL, error_code = r.code, error_text = r.text
       FROM json_to_recordset($1) AS r(id uuid, code text, text text) WHERE o.id = r.id`,
    [
      rowsJson(
        refused.map(({ old, error }) => ({
          id: old.id,
          code: errorCode(error),
          text: `cannot be sent again: ${errorText(error)}`.slice(0, errorTextCharsMax),
        })),
      ),
    ],
  );
}
