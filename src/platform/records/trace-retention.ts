/**
 * Keeps `ccx.trace` within its bounds of age and number, oldest events first. Run by the payload tracker every few minutes; several
 * at once do no harm. Age is judged by the database's clock and by when an event was recorded, not by when somebody says it happened.
 */
import { TABLE_TRACE } from '../../contracts/tables.ts';
import type { Queryable } from '../database/database.ts';

/** Rows deleted at once: each statement stays short, so that nobody waits for it and a stop is not held up. */
export const traceDeleteRowsMax = 5000;

export interface TraceBounds {
  readonly ageMs: number;
  readonly rowsMax: number;
  /** Stops between two statements. */
  readonly signal?: AbortSignal;
}

/** Resolves to the number of events removed. */
export async function pruneTrace(queryable: Queryable, bounds: TraceBounds): Promise<number> {
  const old = await deleteOldest(queryable, bounds, {
    where: `WHERE recorded_at < (clock_timestamp() AT TIME ZONE 'UTC') - $1 * interval '1 millisecond'`,
    values: [bounds.ageMs],
    rowsMax: Number.MAX_SAFE_INTEGER,
  });
  const surplus = (await estimateRows(queryable)) - old - bounds.rowsMax;
  if (surplus <= 0) return old;
  return old + (await deleteOldest(queryable, bounds, { where: '', values: [], rowsMax: surplus }));
}

/** The server's own running count, which lags by about a second: counting millions of rows every few minutes would cost more than it tells. */
async function estimateRows(queryable: Queryable): Promise<number> {
  const { rows } = await queryable.query<{ rows: bigint }>(
    'SELECT n_live_tup AS rows FROM pg_stat_all_tables WHERE relid = $1::regclass',
    [TABLE_TRACE],
  );
  return Number(rows[0]?.rows ?? 0n);
}

interface Deletion {
  readonly where: string;
  readonly values: readonly unknown[];
  readonly rowsMax: number;
}

async function deleteOldest(queryable: Queryable, bounds: TraceBounds, deletion: Deletion): Promise<number> {
  let deleted = 0;
  while (deleted < deletion.rowsMax && bounds.signal?.aborted !== true) {
    const limit = Math.min(traceDeleteRowsMax, deletion.rowsMax - deleted);
    const { rowCount } = await queryable.query(
      `DELETE FROM ${TABLE_TRACE} WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM ${TABLE_TRACE} ${deletion.where} ORDER BY recorded_at LIMIT ${limit}))`,
      deletion.values,
    );
    deleted += rowCount;
    if (rowCount < limit) break;
  }
  return deleted;
}
