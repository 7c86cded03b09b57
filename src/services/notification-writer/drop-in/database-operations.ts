/** The drop-in program's operations on the database: tables, migrations, old rows. Loaded only where one runs. Source: notification-writer.md 5, 8. */
import { COMPANIONS_OF_NEW_REPORTS, COMPANIONS_OF_REPORTED, TABLE_STORED_MESSAGE } from '../../../contracts/tables.ts';
import { connectDatabase } from '../../../platform/database/connect-database.ts';
import type { Database } from '../../../platform/database/database.ts';
import {
  cleanup,
  dropTables,
  initDatabase,
  initMigration,
  migrate,
  migrationInfo,
  truncateReported,
} from '../../../platform/records/notification-schema/migrate-schema.ts';
import { storageDatabase } from '../../../platform/reference/broker-settings.ts';
import { type AgedTable, deleteOldRecords, listOldRecords } from '../../../platform/reference/old-records.ts';
import { notificationWriterSettings } from '../config.ts';
import { cleanStoredMessages } from '../retention.ts';
import { maxAgeDefault, type WriterOperation } from './flags.ts';
import { type Program, programName } from './load-program-config.ts';

type DatabaseOperation = Exclude<
  WriterOperation,
  'version' | 'authors' | 'show-configuration' | 'check-kafka' | 'service'
>;

export async function runDatabaseOperation(operation: DatabaseOperation, program: Program): Promise<void> {
  const { config, clock } = program;
  notificationWriterSettings(config);
  const database = connectDatabase({ ...storageDatabase(config), applicationName: programName, clock });
  try {
    await runOn(database, operation, program);
  } finally {
    await database.close();
  }
}

async function runOn(database: Database, operation: DatabaseOperation, program: Program): Promise<void> {
  const { flags, log, clock } = program;
  const onStatement = (statement: string) => log.info({ Statement: statement }, 'SQL statement');
  const maxAge = flags['max-age'] || maxAgeDefault;
  const old = { database, log, maxAge };
  const list = (table: AgedTable) => {
    const account = table === 'read_errors' ? '0 AS account_number' : 'account_number';
    return listOldRecords(table, { ...old, columns: `org_id, ${account}, cluster, updated_at`, now: clock.now() });
  };
  const clean = (table: AgedTable) =>
    deleteOldRecords(table, {
      ...old,
      operation: 'Cleanup operation',
      withReports: () => forgetStoredMessages(database, maxAge),
    });
  switch (operation) {
    case 'db-init':
      log.info({ result: await initDatabase(database, { onStatement }) }, 'Database initialization');
      return;
    case 'db-init-migration':
      log.info({ ...(await initMigration(database, { onStatement })) }, 'Migration information initialization');
      return;
    case 'db-cleanup':
      return await cleanup(database, {
        onStatement,
        companionTables: [...COMPANIONS_OF_NEW_REPORTS, ...COMPANIONS_OF_REPORTED],
      });
    case 'db-drop-tables':
      return await dropTables(database, {
        onStatement,
        companionTables: [...COMPANIONS_OF_NEW_REPORTS, ...COMPANIONS_OF_REPORTED],
      });
    case 'truncate-old-reports':
      await truncateReported(database, { onStatement, companionTables: COMPANIONS_OF_REPORTED });
      log.info('Table reported truncated');
      return;
    case 'migration-info': {
      const { current, latest } = await migrationInfo(database);
      log.info(`Current DB version: ${current}`);
      log.info(`Maximum available version: ${latest}`);
      return;
    }
    case 'migrate': {
      const statement = (query: string) => log.debug({ query });
      const { from, to } = await migrate(database, flags.migrate ?? '', { onStatement: statement });
      log.info({ from, to }, 'Database version');
      return;
    }
    case 'print-new-reports-for-cleanup':
      return await list('new_reports');
    case 'new-reports-cleanup':
      return await clean('new_reports');
    case 'print-old-reports-for-cleanup':
      return await list('reported');
    case 'old-reports-cleanup':
      return await clean('reported');
    case 'print-read-errors-for-cleanup':
      return await list('read_errors');
    case 'read-errors-cleanup':
      return await clean('read_errors');
  }
}

/** The table is there where our service has worked. */
async function forgetStoredMessages(database: Database, maxAge: string): Promise<void> {
  const { rows } = await database.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [
    TABLE_STORED_MESSAGE,
  ]);
  if (rows[0]?.found === true) await cleanStoredMessages(database, maxAge);
}
