/** Receivers as people ask for them: how each is, and ending the pause of one. Called by `ccx receivers`. */
import {
  HELD_UNTIL,
  RECEIVER_IDS_FROM,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_TARGETS,
} from '../../../contracts/tables.ts';
import type { Database, Queryable } from '../../../platform/database/database.ts';
import { type ByWhom, recordAudit } from '../../../platform/records/audit.ts';
import { endPauseIn } from './targets.ts';

export interface ReceiverState {
  readonly id: number;
  readonly name: string;
  /** Messages that are not finished, and when the oldest became due. */
  readonly waiting: number;
  readonly waiting_since: string | null;
  /** Given up, or perhaps arrived, and nobody has handled them. */
  readonly dead: number;
  readonly last_notified_at: string | null;
  /** In force. */
  readonly paused_until: string | null;
  readonly pause_text: string | null;
  /** Only a person ends the pause. */
  readonly held: boolean;
}

/** All that there ever were, by number. `now` as PostgreSQL reads it. */
export async function listReceivers(queryable: Queryable, now: string): Promise<readonly ReceiverState[]> {
  const { rows } = await queryable.query<ReceiverState>(
    `SELECT t.event_type_id AS id, t.name,
            (SELECT count(*)::int FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
              WHERE o.event_type_id = t.event_type_id AND o.finished_at IS NULL) AS waiting,
            (SELECT min(o.due_at) FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
              WHERE o.event_type_id = t.event_type_id AND o.finished_at IS NULL) AS waiting_since,
            (SELECT count(*)::int FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
              WHERE o.event_type_id = t.event_type_id AND o.state IN ('dead', 'unknown') AND o.finished_at IS NOT NULL
                AND o.replaced_by IS NULL AND o.discarded_at IS NULL) AS dead,
            (SELECT max(l.last_notified_at) FROM ${TABLE_NOTIFICATION_LEDGER} AS l
              WHERE l.event_type_id = t.event_type_id) AS last_notified_at,
            CASE WHEN t.paused_until > $1::timestamp THEN t.paused_until END AS paused_until,
            CASE WHEN t.paused_until > $1::timestamp THEN t.pause_text END AS pause_text,
            coalesce(t.paused_until >= '${HELD_UNTIL}', false) AS held
       FROM ${TABLE_NOTIFICATION_TARGETS} AS t
      WHERE t.event_type_id >= ${RECEIVER_IDS_FROM} AND t.name IS NOT NULL ORDER BY t.event_type_id`,
    [now],
  );
  return rows;
}

/** Answers how it was; undefined where there is none of that name. A pause that is not there is ended, too: that is not said to the audit. */
export async function resumeReceiver(
  database: Database,
  name: string,
  { by, now }: { readonly by: ByWhom; readonly now: string },
): Promise<ReceiverState | undefined> {
  return await database.transaction(async (tx) => {
    await tx.query(`SELECT FROM ${TABLE_NOTIFICATION_TARGETS} WHERE name = $1 FOR UPDATE`, [name]);
    const before = (await listReceivers(tx, now)).find((one) => one.name === name);
    if (before === undefined || before.paused_until === null) return before;
    await endPauseIn(tx, before.id, now);
    const { paused_until, pause_text } = before;
    await recordAudit(tx, {
      ...by,
      action: 'receivers resume',
      subject: `receivers/${name}`,
      before: { paused_until, pause_text },
    });
    return before;
  });
}
