/**
 * Takes up what a person asked to be tried again: the message goes out under the new id that its target gives it; the old row keeps its
 * state and names its successor. The backend would swallow the old id for a day, and forget it after that. Called at the start of a run.
 * Source: consumers.md 1.4.
 */

import {
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
} from '../../../contracts/tables.ts';
import { errorCode, errorText } from '../../../encoding/ccx-error.ts';
import type { Connection } from '../../../platform/database/database.ts';
import { errorTextCharsMax } from '../limits.ts';
import type { OutgoingNotification, Target } from '../ports.ts';
import type { Run, RunTarget } from '../run.ts';
import { timestampText } from '../timestamps.ts';
import { messageColumns, notificationOf, type OutboxRow } from './outbox.ts';
import { rowsJson, transact } from './transact.ts';

/** Manual retries taken up in one run; the rest follows in the next. */
const reissuesMax = 500;

export interface Reissued {
  readonly old: OutgoingNotification;
  /** Undefined when the target cannot make a new message of the old one; it stays as it is, with the error as its reason. */
  readonly next: OutgoingNotification | undefined;
  readonly error: unknown;
}

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
       UPDATE ${TABLE_NOTIFICATION_LEDGER} AS l SET state = 'pending', state_before = l.state, notification_id = pairs.next
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
