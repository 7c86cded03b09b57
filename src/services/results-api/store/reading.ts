/**
 * A transaction that only reads, sees one moment, and ends by itself: a reader that asks for much must not cost the flow anything. The
 * time limit is set inside it, since behind a pooler nothing else holds.
 */
import type { Connection, Database } from '../../../platform/database/database.ts';

/** Rejects with SQLSTATE 57014 where a statement takes longer than `statementMs`. */
export async function reading<T>(
  database: Database,
  statementMs: number,
  work: (tx: Connection) => Promise<T>,
): Promise<T> {
  return await database.transaction(
    async (tx) => {
      await tx.query(`SET LOCAL statement_timeout = ${Math.ceil(statementMs)}`);
      return await work(tx);
    },
    { isolation: 'repeatable read', readOnly: true },
  );
}
