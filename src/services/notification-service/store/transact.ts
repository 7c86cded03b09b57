/**
 * A transaction that is done again when the database says that trying again can help: a conflict with another process, a lost connection, a
 * commit without an answer. Only for work that notices what it already did. Used by every write of this service.
 */
import type { Clock } from '../../../platform/clock/clock.ts';
import type { Connection, Database } from '../../../platform/database/database.ts';
import { isRetryableDatabaseError } from '../../../platform/database/database-error.ts';
import { transactionRetryMs, transactionTriesMax } from '../limits.ts';

export async function transact<T>(
  how: { readonly database: Database; readonly clock: Clock },
  work: (tx: Connection) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await how.database.transaction(work);
    } catch (error) {
      if (tries >= transactionTriesMax || !isRetryableDatabaseError(error)) throw error;
      await how.clock.sleep(transactionRetryMs * tries);
    }
  }
}
