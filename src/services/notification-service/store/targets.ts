/**
 * What concerns a whole target: its name, the number of a receiver, and the pause while which nobody tries it. Pauses are the deliver
 * step's; names and numbers are written when the service starts.
 */

import type { Issue } from '../../../contracts/issue.ts';
import {
  HELD_UNTIL,
  isReceiver,
  RECEIVER_IDS_FROM,
  TABLE_COOLDOWNS,
  TABLE_NOTIFICATION_OUTBOX,
  TABLE_NOTIFICATION_TARGETS,
  TARGET_NOTIFICATIONS_BACKEND,
  TARGET_SERVICE_LOG,
} from '../../../contracts/tables.ts';
import type { CcxError } from '../../../encoding/ccx-error.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { errorTextCharsMax } from '../limits.ts';
import { timestampMicros, timestampText } from '../timestamps.ts';
import { restoreIssues } from './outbox.ts';
import { type StoreAccess, storableText, transact } from './transact.ts';

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

/** Names of receivers by number, of all that there ever were. */
export async function readReceiverNames(queryable: Queryable): Promise<ReadonlyMap<number, string>> {
  const { rows } = await queryable.query<{ id: number; name: string }>(
    `SELECT event_type_id AS id, name FROM ${TABLE_NOTIFICATION_TARGETS}
      WHERE event_type_id >= ${RECEIVER_IDS_FROM} AND name IS NOT NULL ORDER BY event_type_id`,
  );
  return new Map(rows.map(({ id, name }) => [id, name]));
}

/** The number of each, given out where it has none: two processes that start together give out the same. */
export async function numberReceivers(
  store: StoreAccess,
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (names.length === 0) return new Map();
  return transact(store, async (tx) => {
    // Of the two rows that are always there one stands for the table: who gives out numbers waits for who does.
    await tx.query(`SELECT FROM ${TABLE_NOTIFICATION_TARGETS} WHERE event_type_id = $1 FOR UPDATE`, [
      TARGET_NOTIFICATIONS_BACKEND,
    ]);
    await tx.query(
      `INSERT INTO ${TABLE_NOTIFICATION_TARGETS} (event_type_id, name)
       SELECT greatest($2::int - 1, (SELECT max(event_type_id) FROM ${TABLE_NOTIFICATION_TARGETS})) + row_number() OVER (ORDER BY place), name
         FROM unnest($1::text[]) WITH ORDINALITY AS n(name, place)
        WHERE NOT EXISTS (SELECT FROM ${TABLE_NOTIFICATION_TARGETS} AS t WHERE t.name = n.name)`,
      [names, RECEIVER_IDS_FROM],
    );
    return numbersOf(await readReceiverNames(tx), names);
  });
}

/** As above without giving any out: those that have none get what would be next. */
export async function foreseeNumbers(
  queryable: Queryable,
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (names.length === 0) return new Map();
  const { rows } = await queryable.query<{ isThere: boolean }>('SELECT to_regclass($1) IS NOT NULL AS "isThere"', [
    TABLE_NOTIFICATION_TARGETS,
  ]);
  const known = rows[0]!.isThere ? await readReceiverNames(queryable) : new Map<number, string>();
  const next = Math.max(RECEIVER_IDS_FROM - 1, ...known.keys()) + 1;
  const unknown = names.filter((name) => ![...known.values()].includes(name));
  return numbersOf(new Map([...known, ...unknown.map((name, index) => [next + index, name] as const)]), names);
}

function numbersOf(known: ReadonlyMap<number, string>, names: readonly string[]): ReadonlyMap<string, number> {
  const wanted = [...known].filter(([, name]) => names.includes(name));
  return new Map(wanted.map(([id, name]) => [name, id]));
}

/**
 * What waits for receivers that the configuration does not name any more is withdrawn, and their cooldowns keep nothing any longer. Should
 * one come back under its name, its issues are what they were before. Answers how many messages of which.
 */
export async function withdrawRemoved(
  store: StoreAccess,
  kept: readonly string[],
): Promise<readonly { readonly name: string; readonly messages: number }[]> {
  const removed = [...(await readReceiverNames(store.database))].filter(([, name]) => !kept.includes(name));
  const withdrawn: { name: string; messages: number }[] = [];
  for (const [eventTargetId, name] of removed) {
    const messages = await transact(store, async (tx) => {
      await tx.query(`DELETE FROM ${TABLE_COOLDOWNS} WHERE event_type_id = $1`, [eventTargetId]);
      const now = timestampText(store.nowMicros());
      const { rows } = await tx.query<{ id: string; orgId: number; cluster: string; issues: readonly Issue[] }>(
        `UPDATE ${TABLE_NOTIFICATION_OUTBOX} AS o
            SET state = 'withdrawn', finished_at = $2::timestamp, next_attempt_at = NULL, lease_token = NULL,
                error_code = 'WITHDRAWN', error_text = 'receiver-removed'
          WHERE o.event_type_id = $1 AND o.finished_at IS NULL
         RETURNING o.id, o.org_id AS "orgId", rtrim(o.cluster) AS cluster, o.issues`,
        [eventTargetId, now],
      );
      const issues = rows.flatMap(({ issues, ...message }) =>
        issues.map((issue) => ({ ...message, issue, reason: 'receiver-removed', forgetId: false })),
      );
      await restoreIssues(tx, { eventTargetId, issues, now: store.nowMicros() });
      return rows.length;
    });
    if (messages > 0) withdrawn.push({ name, messages });
  }
  return withdrawn;
}

/** So many attempts, the first and the last of them so far apart, that were answered with "gone": a person has to look. */
const goneAttemptsMin = 3;
const goneForMin = '1 hour';

/**
 * Nobody tries the target before then, in no process. `isGone`: it said that it is not there any more; where it has said so for long enough
 * it is held until a person resumes it.
 */
export async function pauseTarget(
  store: StoreAccess,
  pause: {
    readonly eventTargetId: number;
    readonly untilMicros: bigint;
    readonly error: CcxError;
    readonly isGone?: boolean;
  },
): Promise<void> {
  const gone = pause.isGone === true && isReceiver(pause.eventTargetId);
  if (gone) {
    const { rows } = await store.database.query<{ held: boolean }>(
      `UPDATE ${TABLE_NOTIFICATION_TARGETS}
          SET gone_attempts = gone_attempts + 1, gone_since = coalesce(gone_since, $2::timestamp)
        WHERE event_type_id = $1
       RETURNING gone_attempts >= ${goneAttemptsMin} AND $2::timestamp - gone_since >= interval '${goneForMin}' AS held`,
      [pause.eventTargetId, timestampText(store.nowMicros())],
    );
    if (rows[0]?.held === true) return await storePause(store, { ...pause, untilMicros: timestampMicros(HELD_UNTIL) });
  }
  await storePause(store, pause);
}

/** It has taken something: what it answered before counts no longer. */
export async function forgetThatItWasGone(tx: Queryable, eventTargetId: number): Promise<void> {
  await tx.query(
    `UPDATE ${TABLE_NOTIFICATION_TARGETS} SET gone_since = NULL, gone_attempts = 0
      WHERE event_type_id = $1 AND gone_attempts > 0`,
    [eventTargetId],
  );
}

/** `pause_code` of one that is no pause: the windows of what waits go on. */
const RESTING_CODE = 'RECEIVER_RESTS';

/** It is left alone until then by every process; a pause that is in force stays as it is. */
export async function restTarget(
  store: StoreAccess,
  rest: { readonly eventTargetId: number; readonly untilMicros: bigint; readonly error: CcxError },
): Promise<void> {
  const text = storableText(`${rest.error.message} (${rest.error.code})`).slice(0, errorTextCharsMax);
  await store.database.query(
    `UPDATE ${TABLE_NOTIFICATION_TARGETS} SET paused_until = $2::timestamp, pause_code = '${RESTING_CODE}', pause_text = $3
      WHERE event_type_id = $1 AND (paused_until IS NULL OR paused_until <= $4::timestamp)`,
    [rest.eventTargetId, timestampText(rest.untilMicros), text, timestampText(store.nowMicros())],
  );
}

async function storePause(
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
  await endPauseIn(store.database, eventTargetId, timestampText(store.nowMicros()));
}

/** For whoever has a transaction of its own; `now` as PostgreSQL writes it. */
export async function endPauseIn(queryable: Queryable, eventTargetId: number, now: string): Promise<void> {
  await queryable.query(
    `UPDATE ${TABLE_NOTIFICATION_TARGETS}
        SET paused_micros = paused_micros - CASE WHEN pause_code = '${RESTING_CODE}' THEN 0
                                                 ELSE greatest(0, extract(epoch FROM paused_until - $2::timestamp) * 1000000) END,
            paused_until = NULL, pause_code = NULL, pause_text = NULL, gone_since = NULL, gone_attempts = 0
      WHERE event_type_id = $1`,
    [eventTargetId, now],
  );
}

/** Of these targets, the names of those that wait for a person. */
export async function readHeldNames(store: StoreAccess, eventTargetIds: readonly number[]): Promise<readonly string[]> {
  if (!eventTargetIds.some(isReceiver)) return [];
  const { rows } = await store.database.query<{ name: string }>(
    `SELECT name FROM ${TABLE_NOTIFICATION_TARGETS}
      WHERE event_type_id = ANY($1::int[]) AND paused_until >= $2::timestamp AND name IS NOT NULL ORDER BY name`,
    [eventTargetIds, HELD_UNTIL],
  );
  return rows.map(({ name }) => name);
}

export function isHeld({ untilMicros }: { readonly untilMicros: bigint }): boolean {
  return untilMicros >= timestampMicros(HELD_UNTIL);
}
