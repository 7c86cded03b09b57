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
} from '../../../platform/records/notification-schema.ts';
import { deleteStoredMessages } from '../../../platform/records/old-rows.ts';
import { tableIsKept } from '../../../platform/records/report-facts.ts';
import { storageDatabase } from '../../../platform/reference/broker-settings.ts';
import { handleOldRecords } from '../../../platform/reference/old-records.ts';
import { notificationWriterSettings } from '../config.ts';
import { maxAgeDefault, type WriterOperation } from './flags.ts';
import { type Program, programName } from './load-program-config.ts';

type DatabaseOperation = Exclude<
  WriterOperation,
  'version' | 'authors' | 'show-configuration' | 'check-kafka' | 'service'
>;

export async function runDatabaseOperation(operation: DatabaseOperation, program: Program): Promise<void> {
  const { config, clock } = program;
  notificationWriterSettings(config);
  const database = connectDatabase({ ...storageDatabase(program), applicationName: programName, clock });
  try {
    await runOn(database, operation, program);
  } finally {
    await database.close();
  }
}

async function runOn(database: Database, operation: DatabaseOperation, program: Program): Promise<void> {
  const { flags, log, clock } = program;
  const onStatement = (statement: string) => log.info({ Statement: statement }, 'SQL statement');
  const companionTables = [...COMPANIONS_OF_NEW_REPORTS, ...COMPANIONS_OF_REPORTED];
  switch (operation) {
    case 'db-init':
      log.info({ result: await initDatabase(database, { onStatement }) }, 'Database initialization');
      return;
    case 'db-init-migration':
      log.info({ ...(await initMigration(database, { onStatement })) }, 'Migration information initialization');
      return;
    case 'db-cleanup':
      return await cleanup(database, { onStatement, companionTables });
    case 'db-drop-tables':
      return await dropTables(database, { onStatement, companionTables });
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
      const { from, to } = await migrate(database, flags.migrate ?? '', {
        onStatement: (query) => log.debug({ query }),
      });
      log.info({ from, to }, 'Database version');
      return;
    }
    default: {
      const maxAge = flags['max-age'] || maxAgeDefault;
      return await handleOldRecords(operation, {
        ...{ database, log, clock, maxAge },
        columnsOf: (table) =>
          `org_id, ${table === 'read_errors' ? '0 AS account_number' : 'account_number'}, cluster, updated_at`,
        cleanup: 'Cleanup operation',
        withReports: async () => {
          // It is there where our service has worked.
          if (await tableIsKept(database, TABLE_STORED_MESSAGE, 'DELETE')) await deleteStoredMessages(database, maxAge);
        },
      });
    }
  }
}
