/**
 * The database as a preview reads it: one moment of it, in a transaction of which nothing stays. Used by `preview.ts` and
 * `preview-alerts.ts`. Code `NOTIFIER_OLD_TABLE` where the tables are of an earlier release.
 */
import { CcxError } from '../../encoding/ccx-error.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Connection, Database } from '../../platform/database/database.ts';
import { sqlState } from '../../platform/database/database-error.ts';

/** Ends a transaction without an error of its own, so that nothing of it stays. */
const undo = Symbol('undo');

/**
 * One moment of the database. Where the notification service never was, its tables are made inside the transaction, which is not
 * committed; where they are there, the server itself refuses to write.
 */
export async function withSnapshot<T>(database: Database, work: (database: Database) => Promise<T>): Promise<T> {
  const { rows } = await database.query<{ known: boolean }>(
    `SELECT to_regclass('ccx.notification_considered') IS NOT NULL AS known`,
  );
  const isKnown = rows[0]!.known;
  let answer: { readonly value: T } | undefined;
  try {
    await database.transaction(
      async (tx) => {
        const inside = databaseOf(tx);
        if (!isKnown) for (const set of ['notifier', 'records', 'trace']) await migrateCcx(inside, set);
        answer = { value: await work(inside) };
        throw undo;
      },
      { isolation: 'repeatable read', readOnly: isKnown },
    );
  } catch (error) {
    if (error === undo) return answer!.value;
    if (!isKnown || !['42P01', '42703'].includes(sqlState(error) ?? '')) throw error;
    throw new CcxError('the tables of the notification service are of an earlier release', {
      code: 'NOTIFIER_OLD_TABLE',
      category: 'storage',
      cause: error,
      hint: 'start ccx notifier of this release on the database once, or run ccx db init',
    });
  }
  throw new Error('a transaction was committed that must not be');
}

function databaseOf(tx: Connection): Database {
  return {
    query: (text, values) => tx.query(text, values),
    // What fails inside is undone, so that whoever catches it may ask the server why.
    async transaction(work) {
      await tx.query('SAVEPOINT inside');
      try {
        return await work(tx);
      } catch (error) {
        await tx.query('ROLLBACK TO SAVEPOINT inside');
        throw error;
      }
    },
    withConnection: (work) => work(tx),
    listen: () => Promise.reject(new Error('nobody listens inside a transaction')),
    check: async () => undefined,
    close: async () => undefined,
  };
}
