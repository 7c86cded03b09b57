/**
 * Reads a large result in portions through a cursor, so that memory does not grow with the table. The cursor is closed however the loop
 * ends, which leaves the connection fit for the next statement. Called by stores that read many rows.
 */
import Cursor from 'pg-cursor';
import type { Connection } from './database.ts';
import { mapStatementError } from './database-error.ts';

export interface StreamedStatement {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Rows per round trip. */
  readonly batchRows: number;
}

/** Batches of at least one row. Nothing else may run on `connection` while the loop is going on. */
export async function* streamRows<Row extends object>(
  connection: Connection,
  statement: StreamedStatement,
): AsyncGenerator<Row[], void, undefined> {
  const cursor = connection.client.query(new Cursor<Row>(statement.text, statement.values ?? []));
  try {
    for (;;) {
      const rows = await cursor.read(statement.batchRows);
      if (rows.length === 0) return;
      yield rows;
    }
  } catch (error) {
    throw mapStatementError(error);
  } finally {
    // After a failed read there is nothing left to close, and the first error is the one that counts.
    await cursor.close().catch(() => undefined);
  }
}
