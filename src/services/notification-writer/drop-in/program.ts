/**
 * The drop-in program `ccx-notification-writer`: the reference's command line, configuration, printed lines and exit codes around our
 * service and the database operations of the platform. Started by `src/bin/ccx-notification-writer.ts`.
 * Source: notification-writer.md 1, 3.1, 5, 8.
 */
import { COMPANIONS_OF_NEW_REPORTS, COMPANIONS_OF_REPORTED } from '../../../contracts/tables.ts';
import { CcxError, errorCode, errorText } from '../../../encoding/ccx-error.ts';
import type { BusSettings } from '../../../platform/bus/bus-options.ts';
import { openBus } from '../../../platform/bus/open-bus.ts';
import { type Clock, createSystemClock } from '../../../platform/clock/clock.ts';
import type { ProcessInput } from '../../../platform/config/process-input.ts';
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
import { goUsage, parseGoFlags } from '../../../platform/reference/go-flags.ts';
import { referenceLog } from '../../../platform/reference/reference-log.ts';
import { createTelemetry, type Telemetry } from '../../../platform/telemetry/telemetry.ts';
import { logLevel, notificationWriterSettings, writerBusSettings, writerDatabaseSettings } from '../config.ts';
import { chooseOperation, maxAgeDefault, type WriterFlags, type WriterOperation, writerFlags } from './flags.ts';
import type { Program } from './load-program-config.ts';
import { findProgramConfig, loadProgramConfig, type ProgramConfig } from './load-program-config.ts';
import { type AgedTable, deleteOldRecords, listOldRecords } from './old-records.ts';
import { runService } from './run-service.ts';
import { showConfiguration } from './show-configuration.ts';

const exitConfiguration = 1;
const exitFlags = 2;
const exitBus = 2;
const exitKafkaCheck = 4;
const exitStorage = 5;
const exitMigration = 7;

/** Resolves to the exit code. Never throws, never ends the process itself. */
export async function runNotificationWriterProgram(input: ProcessInput): Promise<number> {
  const parsed = parseGoFlags(writerFlags, input.args);
  if (parsed.kind !== 'parsed') {
    const line = parsed.kind === 'error' ? `${parsed.line}\n` : '';
    process.stderr.write(`${line}${goUsage(input.programName, writerFlags)}`);
    return parsed.kind === 'error' ? exitFlags : 0;
  }
  let program: Program;
  try {
    program = openProgram(input, parsed.values);
  } catch (error) {
    earlyLog().error({ error: errorText(error), code: errorCode(error), ...hintOf(error) }, 'Load configuration');
    return exitConfiguration;
  }
  const { log } = program.telemetry;
  const operation = chooseOperation(parsed.values);
  const reportFailure = (error: unknown) => {
    const reason = { error: errorText(error), code: errorCode(error), operation, ...hintOf(error) };
    log.error(reason, 'Do selected operation');
  };
  log.debug('Started');
  try {
    const exitCode =
      operation === 'service' ? await runService(program, reportFailure) : await runOperation(operation, program);
    if (exitCode === 0) log.debug('Finished');
    return exitCode;
  } catch (error) {
    reportFailure(error);
    return exitCodeOf(operation, error);
  }
}

function openProgram(input: ProcessInput, flags: WriterFlags): Program {
  const file = findProgramConfig(input, process.cwd());
  earlyLog().info({ filename: file.name }, 'parsing configuration file');
  const loaded = loadProgramConfig(input, file);
  for (const line of loaded.lines) process.stdout.write(`${line}\n`);
  const { config, warnings } = withoutSentry(loaded);
  refuseUnsupportedLogging(config);
  const telemetry = createTelemetry({
    service: 'ccx-notification-writer',
    level: logLevel(config['logging.log_level']),
    destination: referenceLog({
      output: config['logging.use_stderr'] ? process.stderr : process.stdout,
      console: config['logging.debug'],
      colours: (input.env['NO_COLOR'] ?? '') === '',
    }),
  });
  for (const warning of warnings) telemetry.log.warn(warning);
  return { ...loaded, config, flags, telemetry, clock: createSystemClock(), bus: () => brokersOfTheOriginal(loaded) };
}

/** As the reference: before there is a configuration, lines go to standard error as JSON. */
function earlyLog(): Telemetry['log'] {
  const destination = referenceLog({ output: process.stderr, console: false, colours: false });
  return createTelemetry({ service: 'ccx-notification-writer', level: 'debug', destination }).log;
}

/** The reference works without a Sentry that can be reached, so that switching it on stops nothing here either. */
function withoutSentry({ config, warnings }: ProgramConfig): Pick<ProgramConfig, 'config' | 'warnings'> {
  const key = 'logging.logging_to_sentry_enabled';
  if (!config[key]) return { config, warnings };
  const warning = `${key} is not supported: nothing goes to Sentry; alert on log lines of level error, or on the metrics`;
  return { config: { ...config, [key]: false }, warnings: [...warnings, warning] };
}

function refuseUnsupportedLogging(config: ProgramConfig['config']): void {
  notificationWriterSettings({ ...config, 'storage.db_driver': 'postgres' });
}

/** They may make the topic, as for the original; Clowder brings their certificate itself, not a path to it. */
function brokersOfTheOriginal({ config, clowderCa }: ProgramConfig): BusSettings {
  const bus = writerBusSettings(config);
  if (bus.kind !== 'kafka') return bus;
  const settings = { ...bus, mayMakeTopics: true };
  if (clowderCa === undefined || settings.security.tls === undefined) return settings;
  return { ...settings, security: { ...settings.security, tls: { ...settings.security.tls, ca: clowderCa } } };
}

async function runOperation(operation: Exclude<WriterOperation, 'service'>, program: Program): Promise<number> {
  const { config, telemetry, clock } = program;
  switch (operation) {
    case 'version':
      process.stdout.write('CCX Notification Writer version 1.0\n');
      return 0;
    case 'authors':
      process.stdout.write('Pavel Tisnovsky, Red Hat Inc.\n');
      return 0;
    case 'show-configuration':
      showConfiguration(config, telemetry.log);
      return 0;
    case 'check-kafka':
      await checkBrokers(program.bus(), { telemetry, clock });
      return 0;
    default:
      await withDatabase(program, (database) => runDatabaseOperation(operation, database, program));
      return 0;
  }
}

type DatabaseOperation = Exclude<
  WriterOperation,
  'version' | 'authors' | 'show-configuration' | 'check-kafka' | 'service'
>;

async function runDatabaseOperation(operation: DatabaseOperation, database: Database, program: Program): Promise<void> {
  const { flags, telemetry, clock } = program;
  const { log } = telemetry;
  const onStatement = (statement: string) => log.info({ Statement: statement }, 'SQL statement');
  const maxAge = flags['max-age'] || maxAgeDefault;
  const old = { database, log, maxAge, now: clock.now() };
  const list = (table: AgedTable) => listOldRecords(table, old);
  const clean = (table: AgedTable) => deleteOldRecords(table, old);
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

async function withDatabase(program: Program, work: (database: Database) => Promise<void>): Promise<void> {
  const { config, clock } = program;
  notificationWriterSettings(config);
  const database = connectDatabase({
    ...writerDatabaseSettings(config),
    applicationName: 'ccx-notification-writer',
    clock,
  });
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

/** Every unknown failure has a code of its own operation: nothing that failed ends with 0. */
function exitCodeOf(operation: WriterOperation, error: unknown): number {
  if (operation === 'check-kafka') return exitKafkaCheck;
  if (errorCode(error).startsWith('CONFIG_')) return exitConfiguration;
  if (operation === 'migrate' || operation === 'migration-info') return exitMigration;
  if (operation !== 'service') return exitStorage;
  if (/^(DATABASE|CCX_MIGRATION|SCHEMA|WRITER)_/.test(errorCode(error))) return exitStorage;
  return errorCode(error).startsWith('BUS_') ? exitBus : exitConfiguration;
}

function hintOf(error: unknown): { readonly hint?: string } {
  return error instanceof CcxError && error.hint !== undefined ? { hint: error.hint } : {};
}

/** Throws `BUS_NO_BROKER` when none answers. The first that answers is enough. */
async function checkBrokers(
  settings: BusSettings,
  { telemetry, clock }: { readonly telemetry: Telemetry; readonly clock: Clock },
): Promise<void> {
  const { log } = telemetry;
  const brokers = settings.kind === 'kafka' ? settings.brokers : [];
  log.info('Checking connection to Kafka');
  log.info({ 'Broker addresses': brokers.join(',') });
  for (const address of brokers) {
    const bus = await openBus({ ...settings, brokers: [address] } as BusSettings, { clock, telemetry });
    try {
      await bus.check();
      log.info({ address }, 'Broker connection OK');
      return;
    } catch (error) {
      log.error({ address, error: errorText(error) }, 'Connection to broker');
    } finally {
      await bus.close();
    }
  }
  throw new CcxError("Couldn't connect to any of the provided brokers", {
    code: 'BUS_NO_BROKER',
    category: 'connection',
    hint: 'check broker.addresses and the security settings beside it',
  });
}
