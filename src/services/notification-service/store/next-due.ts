/** When there is something to do without a new report: a message to try, a cooldown that ends. Called between follow cycles, and to know whether the service is idle. */
import {
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_TARGETS,
} from '../../../contracts/tables.ts';
import type { Run } from '../run-context.ts';
import { timestampMicros } from '../timestamps.ts';
import { countsFor } from './due-reports.ts';

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
