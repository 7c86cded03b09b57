/**
 * Messages of the outbox that were given up, or of which nobody knows whether they arrived, oldest first; and that a person is done with one.
 * Read by `dead-notifications.ts`. Source: consumers.md R8.
 */
import { TABLE_NOTIFICATION_OUTBOX } from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import type { IssueKey } from '../ports.ts';

export interface DeadMessage {
  readonly id: string;
  readonly event_type_id: number;
  readonly cluster: string;
  readonly state: 'dead' | 'unknown';
  readonly attempts: number;
  readonly finished_at: string;
  readonly request_id: string | null;
  readonly error_code: string | null;
  readonly error_text: string | null;
  readonly issues: readonly IssueKey[];
  readonly body: string;
  /** Somebody has asked for another try, or it was made. */
  readonly is_retried: boolean;
  readonly is_discarded: boolean;
}

const isDead = `state IN ('dead', 'unknown') AND finished_at IS NOT NULL`;
const isHandled = 'retry_requested_at IS NOT NULL OR replaced_by IS NOT NULL OR discarded_at IS NOT NULL';
const columns = `id, event_type_id, rtrim(cluster) AS cluster, state, attempts, finished_at, request_id, error_code, error_text, issues, body,
            retry_requested_at IS NOT NULL OR replaced_by IS NOT NULL AS is_retried, discarded_at IS NOT NULL AS is_discarded`;

/** A page behind `after`; shorter than `rowsMax` where there are no more. */
export async function readDeadMessages(
  queryable: Queryable,
  page: {
    readonly handledToo: boolean;
    readonly after?: Pick<DeadMessage, 'finished_at' | 'id'> | undefined;
    readonly rowsMax: number;
  },
): Promise<DeadMessage[]> {
  const { rows } = await queryable.query<DeadMessage>(
    `SELECT ${columns} FROM ${TABLE_NOTIFICATION_OUTBOX}
      WHERE ${isDead} AND ($1 OR NOT (${isHandled})) AND ($2::timestamp IS NULL OR (finished_at, id) > ($2::timestamp, $3::uuid))
      ORDER BY finished_at, id LIMIT $4`,
    [page.handledToo, page.after?.finished_at ?? null, page.after?.id ?? null, page.rowsMax],
  );
  return rows;
}

export async function readDeadMessage(queryable: Queryable, id: string): Promise<DeadMessage | undefined> {
  const { rows } = await queryable.query<DeadMessage>(
    `SELECT ${columns} FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE ${isDead} AND id = $1::uuid`,
    [id],
  );
  return rows[0];
}

export async function discardMessage(queryable: Queryable, id: string, note: string): Promise<void> {
  await queryable.query(
    `UPDATE ${TABLE_NOTIFICATION_OUTBOX} SET discarded_at = now() AT TIME ZONE 'UTC', discard_note = $2 WHERE ${isDead} AND id = $1::uuid`,
    [id, note],
  );
}
