/** Deletes the oldest rows of a table in portions, so that no statement holds up anybody for long. Used by retentions. */
import type { Queryable } from './database.ts';

export const deletedAtOnceMax = 5_000;

interface Deletion {
  readonly table: string;
  /** The column by which a row is old. */
  readonly age: string;
  /** A condition on the row, with `values` as its parameters; absent: any row. */
  readonly where?: string;
  readonly values?: readonly unknown[];
  readonly rowsMax?: number;
  /** Stops between two statements. */
  readonly signal?: AbortSignal | undefined;
}

/** Resolves to how many rows went. */
export async function deleteOldest(
  queryable: Queryable,
  { table, age, where = 'true', values = [], rowsMax = Number.MAX_SAFE_INTEGER, signal }: Deletion,
): Promise<number> {
  let deleted = 0;
  while (deleted < rowsMax && signal?.aborted !== true) {
    const limit = Math.min(deletedAtOnceMax, rowsMax - deleted);
    const { rowCount } = await queryable.query(
      `DELETE FROM ${table} WHERE ctid = ANY(ARRAY(
         SELECT ctid FROM ${table} WHERE ${where} ORDER BY ${age} LIMIT ${limit}))`,
      values,
    );
    deleted += rowCount;
    if (rowCount < limit) break;
  }
  return deleted;
}
