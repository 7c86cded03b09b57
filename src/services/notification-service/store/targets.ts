/**
 * What concerns a whole target: its name, and the pause while which nobody tries it. Pauses are the deliver step's; names are written when
 * the service starts.
 */

import {
  TABLE_NOTIFICATION_TARGETS,
  TARGET_NOTIFICATIONS_BACKEND,
  TARGET_SERVICE_LOG,
} from '../../../contracts/tables.ts';
import type { CcxError } from '../../../encoding/ccx-error.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { errorTextCharsMax } from '../limits.ts';
import { timestampMicros, timestampText } from '../timestamps.ts';
import { type StoreAccess, storableText } from './transact.ts';

/** Names of the two targets that `event_targets` knows, as the read API and people call them. */
const targetNames = { kafka: TARGET_NOTIFICATIONS_BACKEND, service_log: TARGET_SERVICE_LOG };

/** An older release leaves targets without a name; a pause of theirs stays as it is. */
export async function storeTargetNames(queryable: Queryable): Promise<void> {
  await queryable.query(
    `INSERT INTO ${TABLE_NOTIFICATION_TARGETS} AS t (event_type_id, name)
     SELECT * FROM unnest($1::int[], $2::text[])
     ON CONFLICT (event_type_id) DO UPDATE SET name = excluded.name WHERE t.name IS DISTINCT FROM excluded.name`,
    [Object.values(targetNames), Object.keys(targetNames)],
  );
}

/** Nobody tries the target before then, in no process. */
export async function pauseTarget(
  store: StoreAccess,
  pause: { readonly eventTargetId: number; readonly untilMicros: bigint; readonly error: CcxError },
): Promise<void> {
  await store.database.query(
    `INSERT INTO ${TABLE_NOTIFICATION_TARGETS} AS t (event_type_id, paused_until, pause_code, pause_text, paused_micros)
     VALUES ($1, $2::timestamp, $3, $4, extract(epoch FROM $2::timestamp - $5::timestamp) * 1000000)
     ON CONFLICT (event_type_id) DO UPDATE
        SET paused_until = greatest(t.paused_until, excluded.paused_until), pause_code = excluded.pause_code,
            pause_text = excluded.pause_text,
            paused_micros = t.paused_micros + greatest(0,
              extract(epoch FROM excluded.paused_until - greatest(t.paused_until, $5::timestamp)) * 1000000)`,
    [
      pause.eventTargetId,
      timestampText(pause.untilMicros),
      pause.error.code,
      storableText(pause.error.message).slice(0, errorTextCharsMax),
      timestampText(store.nowMicros()),
    ],
  );
}

/** The pause of the target that is in force. */
export async function readPause(store: StoreAccess, eventTargetId: number) {
  const { rows } = await store.database.query<{ paused_until: string; pause_code: string; pause_text: string }>(
    `SELECT paused_until, coalesce(pause_code, '') AS pause_code, coalesce(pause_text, '') AS pause_text
       FROM ${TABLE_NOTIFICATION_TARGETS} WHERE event_type_id = $1 AND paused_until > $2::timestamp`,
    [eventTargetId, timestampText(store.nowMicros())],
    { plan: 'kept' },
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  return { untilMicros: timestampMicros(row.paused_until), code: row.pause_code, text: row.pause_text };
}

/** The rest of the pause did not happen. */
export async function endPause(store: StoreAccess, eventTargetId: number): Promise<void> {
  await store.database.query(
    `UPDATE ${TABLE_NOTIFICATION_TARGETS}
        SET paused_micros = paused_micros - greatest(0, extract(epoch FROM paused_until - $2::timestamp) * 1000000),
            paused_until = NULL, pause_code = NULL, pause_text = NULL
      WHERE event_type_id = $1`,
    [eventTargetId, timestampText(store.nowMicros())],
  );
}
