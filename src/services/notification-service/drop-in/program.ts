/**
 * The drop-in program `ccx-notification-service`: the reference's command line, configuration, log literals and exit codes around one run
 * of our service. Started by `src/bin/ccx-notification-service.ts`. Source: notification-service.md 2, 4, 14, 16.
 */

import { TABLE_NEW_REPORTS, TABLE_REPORTED } from '../../../contracts/tables.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { createSystemClock } from '../../../platform/clock/clock.ts';
import type { ProcessInput } from '../../../platform/config/process-input.ts';
import { goUsage, parseGoFlags } from '../../../platform/reference/go-flags.ts';
import { referenceLog } from '../../../platform/reference/reference-log.ts';
import { createTelemetry, type LogLevel, type Telemetry } from '../../../platform/telemetry/telemetry.ts';
import { chooseOperation, type ServiceFlags, type ServiceOperation, serviceFlags } from './flags.ts';
import { findProgramConfig, loadProgramConfig, type ProgramConfig } from './load-program-config.ts';
import { type AgedTable, deleteOldReports, printOldReports } from './old-reports.ts';
import { failureFields, openDatabase, type Program, programName } from './program-context.ts';
import { runInstantReports } from './run-instant-reports.ts';
import { showConfiguration } from './show-configuration.ts';

const exitConfiguration = 1;
const exitFlags = 2;
const exitStorage = 3;
const exitCleaner = 8;

/** Resolves to the exit code. Never throws, never ends the process itself. */
export async function runNotificationServiceProgram(input: ProcessInput): Promise<number> {
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
      return await runConfigured(operation, input, parsed.values);
  }
}

type ConfiguredOperation = Exclude<ServiceOperation, 'show-version' | 'show-authors'>;

async function runConfigured(
  operation: ConfiguredOperation,
  input: ProcessInput,
  flags: ServiceFlags,
): Promise<number> {
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
  return await runInstantReports(program);
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
