/** The drop-in program's operations on old rows. Loaded only where one runs. Source: notification-service.md 14. */
import { TABLE_NEW_REPORTS } from '../../../contracts/tables.ts';
import { connectDatabase } from '../../../platform/database/connect-database.ts';
import type { Database } from '../../../platform/database/database.ts';
import { storageDatabase } from '../../../platform/reference/broker-settings.ts';
import { type AgedTable, deleteOldRecords, listOldRecords } from '../../../platform/reference/old-records.ts';
import { failureFields } from '../../../platform/reference/reference-log.ts';
import { dropInExitCodes } from '../exit-codes.ts';
import { type Program, programName } from './load-program-config.ts';

export interface CleaningStep {
  readonly table: Exclude<AgedTable, 'read_errors'>;
  /** Instead of printing them. */
  readonly deletes: boolean;
}

/** The operations on old rows, and the clean-up before a run. Any failure is the cleaner's, a database that is away included. */
export async function cleanUp(steps: readonly CleaningStep[], program: Program): Promise<number> {
  const { config, flags, log, clock } = program;
  const database = openDatabase(program);
  const maxAge = flags['max-age'] || config['cleaner.max_age'];
  const cooldowns = (['kafka_broker', 'service_log'] as const)
    .filter((section) => config[`${section}.enabled`])
    .map((section) => config[`${section}.cooldown`]);
  const old = { database, log, maxAge, ownCooldowns: cooldowns };
  let step: CleaningStep | undefined;
  try {
    for (step of steps) {
      const { table } = step;
      if (step.deletes) await deleteOldRecords(table, { ...old, operation: 'Cleanup operation for all organizations' });
      else await listOldRecords(table, { ...old, columns: columnsOf(table), now: clock.now() });
    }
    return 0;
  } catch (error) {
    if (step !== undefined) log.error(failureFields(error), failureMessage(step));
    return dropInExitCodes.cleaner;
  } finally {
    await database.close();
  }
}

function columnsOf(table: AgedTable): string {
  return `org_id, account_number, cluster, updated_at, ${table === TABLE_NEW_REPORTS ? 'kafka_offset' : '0 AS kafka_offset'}`;
}

/** In the reference's words. */
function failureMessage({ table, deletes }: CleaningStep): string {
  return deletes
    ? `Cleanup records from \`${table}\` table failed`
    : `Print records from \`${table}\` table prepared for cleanup failed`;
}

/** The notification database; nothing connects before the first statement. */
export function openDatabase({ loaded, clock }: Program): Database {
  return connectDatabase({
    ...storageDatabase(loaded.config, 'storage.url'),
    applicationName: programName,
    clock,
  });
}
