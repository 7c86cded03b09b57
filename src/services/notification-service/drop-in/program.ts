/**
 * The drop-in program `ccx-notification-service`: the reference's command line, configuration, log literals and exit codes around one run
 * of our service. Started by `src/bin/ccx-notification-service.ts`. Source: notification-service.md 2, 4, 14, 16.
 */
import { COMPANIONS_OF_NEW_REPORTS, TABLE_NEW_REPORTS, TABLE_REPORTED } from '../../../contracts/tables.ts';
import { CcxError, errorCode } from '../../../encoding/ccx-error.ts';
import { createSystemClock } from '../../../platform/clock/clock.ts';
import type { ProcessInput } from '../../../platform/config/process-input.ts';
import type { Database } from '../../../platform/database/database.ts';
import { requireTableRights } from '../../../platform/database/missing-rights.ts';
import { Lifecycle, type RunningService } from '../../../platform/lifecycle/lifecycle.ts';
import { waitForSignal } from '../../../platform/lifecycle/run-role.ts';
import { oldRowsOf } from '../../../platform/records/cooldowns.ts';
import { oldRowFields, visitOldRows } from '../../../platform/records/notification-schema/old-rows.ts';
import { forgetFactsWithoutReport } from '../../../platform/records/report-facts.ts';
import { goUsage, parseGoFlags } from '../../../platform/reference/go-flags.ts';
import { referenceLog } from '../../../platform/reference/reference-log.ts';
import { createTelemetry, type LogLevel, type Telemetry } from '../../../platform/telemetry/telemetry.ts';
import type { NotificationServiceSettings } from '../config.ts';
import { notificationServiceSettings } from '../config.ts';
import { notifierExitCode } from '../exit-codes.ts';
import { openNotificationDependencies } from '../open-dependencies.ts';
import type { Target } from '../ports.ts';
import { chooseOperation, type ServiceFlags, type ServiceOperation, serviceFlags } from './flags.ts';
import {
  failureFields,
  findProgramConfig,
  loadProgramConfig,
  openDatabase,
  type Program,
  type ProgramConfig,
  programName,
} from './load-program-config.ts';
import { showConfiguration } from './show-configuration.ts';

const exitConfiguration = 1;
const exitFlags = 2;
const exitStorage = 3;
const exitCleaner = 8;

/** As far as one run asks for it of `startNotificationService`; handed in, so that usage, version and cleanup load none of it. */
type StartService = (
  settings: NotificationServiceSettings,
  dependencies: Pick<Program, 'telemetry' | 'clock'> & { readonly database: Database } & OpenedDependencies,
) => Promise<RunningService & { runOnce(): Promise<{ readonly nothingDeliveredTo: readonly string[] }> }>;

type OpenedDependencies = Awaited<ReturnType<typeof openNotificationDependencies>>;

/** Resolves to the exit code. Never throws, never ends the process itself. */
export async function runNotificationServiceProgram(input: ProcessInput, startService: StartService): Promise<number> {
  const parsed = parseGoFlags(serviceFlags, input.args);
  if (parsed.kind !== 'parsed') {
    const line = parsed.kind === 'error' ? `${parsed.line}\n` : '';
    process.stderr.write(`${line}${goUsage(input.programName, serviceFlags)}`);
    return parsed.kind === 'error' ? exitFlags : 0;
  }
  const operation = chooseOperation(parsed.values);
  switch (operation) {
    case undefined:
      earlyLog().error(
        { hint: 'use -instant-reports, or -help for the others' },
        'Type of report needs to be specified on command line',
      );
      return exitConfiguration;
    case 'show-version':
      process.stdout.write('Notification service version 1.0\n');
      return 0;
    case 'show-authors':
      process.stdout.write('Pavel Tisnovsky, Papa Bakary Camara, Red Hat Inc.\n');
      return 0;
    default:
      return await runConfigured({ operation, input, flags: parsed.values, startService });
  }
}

type ConfiguredOperation = Exclude<ServiceOperation, 'show-version' | 'show-authors'>;

async function runConfigured({
  operation,
  input,
  flags,
  startService,
}: {
  readonly operation: ConfiguredOperation;
  readonly input: ProcessInput;
  readonly flags: ServiceFlags;
  readonly startService: StartService;
}): Promise<number> {
  let program: Program;
  try {
    program = openProgram(input, flags);
  } catch (error) {
    earlyLog().error(failureFields(error), 'Load configuration');
    return exitConfiguration;
  }
  const { config, telemetry } = program;
  if (operation === 'show-configuration') {
    showConfiguration(config, telemetry.log);
    return 0;
  }
  const level = logLevel(config['logging.log_level']);
  telemetry.log.info({ configured: config['logging.log_level'], internal: levelNumbers[level] }, 'Log level');
  if (flags.verbose === true) showConfiguration(config, telemetry.log);
  if (config['storage.db_driver'] !== 'postgres') {
    telemetry.log.error(
      { driver: config['storage.db_driver'] },
      'driver is not supported; set storage.db_driver to postgres',
    );
    return exitStorage;
  }
  const cleaned = await cleanUp(operation, program);
  if (cleaned !== 0 || operation !== 'instant-reports') return cleaned;
  return await runInstantReports(program, startService);
}

function openProgram(input: ProcessInput, flags: ServiceFlags): Program {
  const file = findProgramConfig(input, process.cwd());
  earlyLog().info({ filename: file.name }, 'parsing configuration file');
  const loaded = loadProgramConfig(input, file, flags['ignore-disabled-rules'] === true);
  for (const line of loaded.lines) process.stdout.write(`${line}\n`);
  const { config } = loaded;
  refuseUnsupportedLogging(config);
  const telemetry = createTelemetry({
    service: programName,
    level: logLevel(config['logging.log_level']),
    destination: referenceLog({
      output: config['logging.use_stderr'] || config['logging.debug'] ? process.stderr : process.stdout,
      console: config['logging.debug'],
      colours: (input.env['NO_COLOR'] ?? '') === '',
    }),
  });
  for (const warning of loaded.loaded.warnings) telemetry.log.warn(warning);
  return { ...loaded, env: input.env, flags, telemetry, clock: createSystemClock() };
}

/** As the reference: before there is a configuration, lines go to standard error as JSON. */
function earlyLog(): Telemetry['log'] {
  const destination = referenceLog({ output: process.stderr, console: false, colours: false });
  return createTelemetry({ service: programName, level: 'debug', destination }).log;
}

/** The numbers of the reference's library, which its start record shows. */
const levelNumbers: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, fatal: 4, silent: 7 };

/** Any case, `warning` too; everything unknown, the empty text included, is `debug`. Source: notification-service.md 13. */
function logLevel(text: string): LogLevel {
  const level = text.trim().toLowerCase();
  if (level === 'warning') return 'warn';
  return level === 'info' || level === 'warn' || level === 'error' || level === 'fatal' ? level : 'debug';
}

/** Alternatives are named, because whoever switched one of these on counts on it. */
function refuseUnsupportedLogging(config: ProgramConfig['config']): void {
  const unsupported = {
    'logging.logging_to_cloud_watch_enabled': 'let the platform collect standard output, which is JSON',
    'logging.logging_to_sentry_enabled': 'alert on log lines of level error, or on the metrics',
  } as const;
  for (const [key, hint] of Object.entries(unsupported) as [keyof typeof unsupported, string][]) {
    if (!config[key]) continue;
    throw new CcxError(`${key} is not supported`, { code: 'CONFIG_INVALID', category: 'configuration', hint });
  }
}

/** The operations on old rows, and the clean-up before a run. Any failure is the cleaner's, a database that is away included. */
async function cleanUp(operation: ConfiguredOperation, program: Program): Promise<number> {
  const { config, flags, telemetry, clock } = program;
  const steps = cleaningSteps(operation, flags['cleanup-on-startup'] === true);
  if (steps.length === 0) return 0;
  const database = openDatabase(program);
  const maxAge = flags['max-age'] || config['cleaner.max_age'];
  const cooldowns = (['kafka_broker', 'service_log'] as const)
    .filter((section) => config[`${section}.enabled`])
    .map((section) => config[`${section}.cooldown`]);
  const old = { database, log: telemetry.log, maxAge, cooldowns };
  let step: CleaningStep | undefined;
  try {
    for (step of steps) await step.work(step.table, { ...old, now: clock.now() });
    return 0;
  } catch (error) {
    telemetry.log.error(failureFields(error), step?.failure);
    return exitCleaner;
  } finally {
    await database.close();
  }
}

interface CleaningStep {
  readonly table: AgedTable;
  readonly work: typeof printOldReports;
  /** The reference's words for a failure. */
  readonly failure: string;
}

const printing = (table: AgedTable): CleaningStep => ({
  ...{ table, work: printOldReports },
  failure: `Print records from \`${table}\` table prepared for cleanup failed`,
});
const deleting = (table: AgedTable): CleaningStep => ({
  ...{ table, work: deleteOldReports },
  failure: `Cleanup records from \`${table}\` table failed`,
});

function cleaningSteps(operation: ConfiguredOperation, onStartup: boolean): readonly CleaningStep[] {
  switch (operation) {
    case 'print-new-reports-for-cleanup':
      return [printing(TABLE_NEW_REPORTS)];
    case 'new-reports-cleanup':
      return [deleting(TABLE_NEW_REPORTS)];
    case 'print-old-reports-for-cleanup':
      return [printing(TABLE_REPORTED)];
    case 'old-reports-cleanup':
      return [deleting(TABLE_REPORTED)];
    case 'instant-reports':
      return onStartup ? [deleting(TABLE_NEW_REPORTS), deleting(TABLE_REPORTED)] : [];
    case 'show-configuration':
      return [];
  }
}

/**
 * Rows that are older than an age: printed or deleted. The age is any interval that PostgreSQL understands and is bound, not pasted; for
 * `reported` it is the age of the report, not of the notification, as in the reference, but what a cooldown counts by stays. What the
 * ledger held by a row that is gone is noticed by the next run. Source: notification-service.md 14.
 */
type AgedTable = typeof TABLE_NEW_REPORTS | typeof TABLE_REPORTED;

interface OldReportTools {
  readonly database: Database;
  readonly log: Telemetry['log'];
  readonly maxAge: string;
  /** Of the enabled targets, as this program would run with them. */
  readonly cooldowns: readonly string[];
  /** For the printed age; the choice of rows is the database's. */
  readonly now: Date;
}

/** Published tests look for the messages and for the table's name in the statement. */
async function printOldReports(table: AgedTable, { database, log, now, ...age }: OldReportTools): Promise<void> {
  const offset = table === TABLE_NEW_REPORTS ? 'kafka_offset' : '0 AS kafka_offset';
  const { where, values } = await oldRowsOf(database, { table, maxAge: age.maxAge, ownCooldowns: age.cooldowns });
  const select = `SELECT org_id, account_number, cluster, updated_at, ${offset} FROM ${table} WHERE ${where} ORDER BY updated_at`;
  log.info({ 'max age': age.maxAge, 'select statement': select }, 'PrintReportsForCleanup operation');
  await visitOldRows(database, { select, values }, (row) =>
    log.info(oldRowFields(row, now), `Old report from \`${table}\` table`),
  );
}

async function deleteOldReports(table: AgedTable, { database, log, ...age }: OldReportTools): Promise<void> {
  const { where, values, warning } = await oldRowsOf(database, {
    ...{ table, maxAge: age.maxAge, ownCooldowns: age.cooldowns },
  });
  const statement = `DELETE FROM ${table} WHERE ${where}`;
  if (warning !== undefined) log.warn(warning);
  log.info({ 'max age': age.maxAge, 'delete statement': statement }, 'Cleanup operation for all organizations');
  if (table === TABLE_NEW_REPORTS) await requireTableRights(database, COMPANIONS_OF_NEW_REPORTS, ['SELECT', 'DELETE']);
  const { rowCount } = await database.query(statement, values);
  if (table === TABLE_NEW_REPORTS) await forgetFactsWithoutReport(database);
  log.info({ 'Rows deleted': rowCount }, `Cleanup \`${table}\` finished`);
}

/** Resolves to the exit code. A signal ends the run early and in order: what is not sent then is sent by the next one. */
async function runInstantReports(program: Program, startService: StartService): Promise<number> {
  const { telemetry, clock } = program;
  const { log } = telemetry;
  const lifecycle = new Lifecycle(clock);
  const signalled = waitForSignal();
  let exitCode = 0;
  try {
    const running = run(program, lifecycle, startService);
    const signal = await Promise.race([running.then(() => undefined), signalled]);
    if (signal !== undefined) {
      log.info({ signal }, 'stopping');
      running.catch(() => undefined);
    }
  } catch (error) {
    exitCode = notifierExitCode(error);
    log.error(failureFields(error), failureMessage(error));
  }
  const { failed } = await lifecycle.stop();
  for (const { name, error } of failed) log.error({ step: name, error }, 'did not stop cleanly');
  return exitCode;
}

/** In the reference's words where it has some; published tests look for the first. */
function failureMessage(error: unknown): string {
  const code = errorCode(error);
  if (code === 'NO_TARGET') return 'No known event destination configured. Aborting.';
  // The producer was there.
  if (code === 'BUS_TOPIC_UNKNOWN') return 'Operation failed';
  return code.startsWith('BUS_') ? "Couldn't initialize Kafka producer with the provided config." : 'Operation failed';
}

async function run(program: Program, lifecycle: Lifecycle, startService: StartService): Promise<void> {
  const { loaded, env, clock, telemetry, clowderCa } = program;
  const database = openDatabase(program);
  lifecycle.defer('database', () => database.close());
  const dependencies = await openNotificationDependencies({
    ...{ loaded, env, clock, telemetry, lifecycle, database },
    ...(clowderCa === undefined ? {} : { brokerCa: clowderCa }),
    mayMakeTopic: true,
  });
  const settings = notificationServiceSettings(loaded.config, 'once');
  const policies = {
    'notification-backend': { ...settings.policies['notification-backend'], negativeCooldown: 'none' },
    'service-log': { ...settings.policies['service-log'], negativeCooldown: 'none' },
  } as const;
  const service = await startService(
    { ...settings, policies, reportsOf: 'anybody' },
    { database, telemetry, clock, ...dependencies },
  );
  lifecycle.defer(service.name, () => service.stop());
  const summary = await service.runOnce();
  if (summary.nothingDeliveredTo.includes('notification-backend')) await requireTopic(dependencies.targets);
}

async function requireTopic(targets: readonly Target[]): Promise<void> {
  const target = targets.find(({ name }) => name === 'notification-backend');
  await target?.check().catch((error: unknown) => {
    if (errorCode(error) === 'BUS_TOPIC_UNKNOWN') throw error;
  });
}
