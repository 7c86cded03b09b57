/** What was done with which dead letter: table `ccx.dead_letter_handled`. */
import type { Queryable } from '../../platform/database/database.ts';
import { type LetterPlace, type LetterState, letterId } from './letter.ts';

/** States of all handled letters by letter id. People handle letters by the dozen, so the table is small. */
export async function readHandled(database: Queryable): Promise<ReadonlyMap<string, LetterState>> {
  const { rows } = await database.query<{ topic: string; partition: number; offset: bigint; action: LetterState }>(
    'SELECT topic, partition, "offset", action FROM ccx.dead_letter_handled',
  );
  return new Map(rows.map((row) => [letterId(row), row.action]));
}

/** Records the deed; a letter that was handled before keeps its last deed. */
export async function markHandled(
  database: Queryable,
  place: LetterPlace,
  deed: { readonly action: 'replayed' | 'discarded'; readonly note: string },
): Promise<void> {
  await database.query(
    `INSERT INTO ccx.dead_letter_handled (topic, partition, "offset", action, note) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (topic, partition, "offset") DO UPDATE SET action = excluded.action, note = excluded.note, handled_at = now()`,
    [place.topic, place.partition, place.offset, deed.action, deed.note],
  );
}
