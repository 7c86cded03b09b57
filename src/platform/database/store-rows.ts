/**
 * Stores a batch so that one row which the database will never take costs that row and not the batch: the batch is halved until the row is
 * alone. Used by services that store what they read; what a row that is refused becomes, and retrying, is theirs.
 */
import { isRetryableDatabaseError, sqlState } from './database-error.ts';

/** Two writers may want the same unique key once or twice; more often than this it is no accident. */
const conflictAttemptsMax = 5;

interface RowStore<Row, Result> {
  /** One transaction for all rows; resolves to a result for each, in order. */
  readonly store: (rows: readonly Row[]) => Promise<readonly Result[]>;
  readonly refuse: (row: Row, error: unknown) => Result;
  /** How often this batch was tried, counting from 1. */
  readonly attempt: number;
}

/** Results in the order of the rows. Rejects with the database's error when it is not the fault of a row; parts may be stored by then. */
export async function storeRows<Row, Result>(
  rows: readonly Row[],
  store: RowStore<Row, Result>,
): Promise<readonly Result[]> {
  if (rows.length === 0) return [];
  try {
    return await store.store(rows);
  } catch (error) {
    if (!isFaultOfARow(error, store.attempt)) throw error;
    if (rows.length === 1) return [store.refuse(rows[0]!, error)];
    // The first half first: rows keep their order.
    const middle = Math.ceil(rows.length / 2);
    const first = await storeRows(rows.slice(0, middle), store);
    return [...first, ...(await storeRows(rows.slice(middle), store))];
  }
}

/**
 * Data exceptions, violated constraints, limits of one row, a trigger that says no. Everything else (a missing table, a missing right, a
 * lost connection, a bug) would be the same for every row, so no row may be given up for it.
 */
export function isFaultOfARow(error: unknown, attempt: number): boolean {
  const state = sqlState(error);
  if (state === undefined || isRetryableDatabaseError(error)) return false;
  // Somebody else took the same unique key meanwhile; the next attempt sees the other row.
  if (state === '23505' && attempt <= conflictAttemptsMax) return false;
  return /^(22|23|54)/.test(state) || state === 'P0001';
}
