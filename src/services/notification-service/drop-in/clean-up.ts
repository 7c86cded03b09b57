/** The drop-in program's operations on old rows. Loaded only where one runs. Source: notification-service.md 14. */
import { TABLE_NEW_REPORTS } from '../../../contracts/tables.ts';
import type { Database } from '../../../platform/database/database.ts';
import { handleOldRecords, oldRecordOperations } from '../../../platform/reference/old-records.ts';
import { failureFields } from '../../../platform/reference/reference-log.ts';
import { telemetryOf } from '../../../platform/telemetry/telemetry.ts';
import { dropInExitCodes } from '../exit-codes.ts';
import { openStorage } from '../open-database.ts';
import { type Program, programName } from './load-program-config.ts';

type CleaningOperation = Exclude<
  keyof typeof oldRecordOperations,
  'print-read-errors-for-cleanup' | 'read-errors-cleanup'
>;

/** The operations on old rows, and the clean-up before a run. Any failure is the cleaner's, a database that is away included. */
export async function cleanUp(operations: readonly CleaningOperation[], program: Program): Promise<number> {
  const { config, flags, log, clock } = program;
  const database = await openDatabase(program);
  const old = {
    ...{ database, log, clock },
    maxAge: flags['max-age'] || config['cleaner.max_age'],
    ownCooldowns: (['kafka_broker', 'service_log'] as const)
      .filter((section) => config[`${section}.enabled`])
      .map((section) => config[`${section}.cooldown`]),
    columnsOf: (table: string) =>
      `org_id, account_number, cluster, updated_at, ${table === TABLE_NEW_REPORTS ? 'kafka_offset' : '0 AS kafka_offset'}`,
    cleanup: 'Cleanup operation for all organizations',
  };
  try {
    for (const operation of operations) {
      try {
        await handleOldRecords(operation, old);
      } catch (error) {
        log.error(failureFields(error), failureMessage(operation));
        return dropInExitCodes.cleaner;
      }
    }
    return 0;
  } finally {
    await database.close();
  }
}

/** In the reference's words. */
function failureMessage(operation: CleaningOperation): string {
  const { table, deletes } = oldRecordOperations[operation];
  return deletes
    ? `Cleanup records from \`${table}\` table failed`
    : `Print records from \`${table}\` table prepared for cleanup failed`;
}

/** The notification database; nothing connects before the first statement. */
export function openDatabase({ loaded, env, log, clock }: Program): Promise<Database> {
  const telemetry = telemetryOf(programName, log);
  return openStorage({ loaded, env, clock, telemetry, applicationName: programName, urlSetting: 'storage.url' });
}
