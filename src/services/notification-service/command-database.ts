/** The database that `ccx explain` and `ccx notifications` look at, for the time of one command; and what they print. */
import type { Command } from 'commander';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import type { Database } from '../../platform/database/database.ts';
import { sqlState } from '../../platform/database/database-error.ts';
import { locateDatabase } from '../../platform/database/database-location.ts';

/** PostgreSQL's codes for a table and for a column that is not there. */
const undefinedTable = '42P01';
const undefinedColumn = '42703';

export async function withDatabase(
  command: Command,
  input: ProcessInput,
  work: (database: Database) => Promise<void>,
): Promise<void> {
  const { connectDatabase } = await import('../../platform/database/connect-database.ts');
  const database = connectDatabase({
    url: await locateDatabase(command, input),
    applicationName: `ccx ${command.name()}`,
  });
  try {
    await work(database);
  } catch (error) {
    const state = sqlState(error);
    if (state === undefinedTable) {
      throw new CcxError('no notification service of ours has worked on this database', {
        code: 'NOTIFIER_NO_TABLE',
        category: 'storage',
        cause: error,
        hint: 'name the right one with --database or --data, or start ccx notifier on it once',
      });
    }
    if (state === undefinedColumn) {
      throw new CcxError('the tables of the notification service are of an earlier release', {
        code: 'NOTIFIER_OLD_TABLE',
        category: 'storage',
        cause: error,
        hint: 'start ccx notifier of this release on the database once, or run ccx db init',
      });
    }
    throw error;
  } finally {
    await database.close();
  }
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
