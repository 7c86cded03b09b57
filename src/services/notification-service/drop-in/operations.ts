/**
 * One operation of the drop-in program that needs its configuration: its log, its printed lines and its exit code. What only some operations
 * need is loaded where they run. Source: notification-service.md 2, 4.
 */
import type { ProcessInput } from '../../../platform/config/process-input.ts';
import { openReferenceProgram } from '../../../platform/reference/reference-config.ts';
import { earlyLog, referenceLogLevel } from '../../../platform/reference/reference-log.ts';
import type { LogLevel } from '../../../platform/telemetry/log.ts';
import { dropInExitCodes } from '../exit-codes.ts';
import type { ServiceFlags, ServiceOperation } from './flags.ts';
import { programName, programOptions, withoutNegatives } from './load-program-config.ts';
import { showConfiguration } from './show-configuration.ts';

/** Resolves to the exit code. Never throws, never ends the process itself. `operation` is undefined where no flag says what to do. */
export async function runConfigured(
  operation: Exclude<ServiceOperation, 'show-version' | 'show-authors'> | undefined,
  { env }: ProcessInput,
  flags: ServiceFlags,
): Promise<number> {
  if (operation === undefined) {
    const hint = 'use -instant-reports, or -help for the others';
    earlyLog(programName).error({ hint }, 'Type of report needs to be specified on command line');
    return dropInExitCodes.configuration;
  }
  const settings: Record<string, string> =
    flags['ignore-disabled-rules'] === true ? { 'disabled_rules.ignore': 'true' } : {};
  const sources = { env, section: 'kafka_broker', flags: settings } as const;
  const opened = await openReferenceProgram(programOptions, sources, withoutNegatives);
  if (opened === undefined) return dropInExitCodes.configuration;
  const program = { ...opened, flags };
  const { config, log } = program;
  if (operation === 'show-configuration') {
    showConfiguration(config, log);
    return 0;
  }
  const level = referenceLogLevel(config['logging.log_level']);
  log.info({ configured: config['logging.log_level'], internal: levelNumbers[level] }, 'Log level');
  if (flags.verbose === true) showConfiguration(config, log);
  if (config['storage.db_driver'] !== 'postgres') {
    log.error({ driver: config['storage.db_driver'] }, 'driver is not supported; set storage.db_driver to postgres');
    return dropInExitCodes.storage;
  }
  if (operation === 'instant-reports' && flags['dry-run'] === true) {
    return await (await import('./run-instant-reports.ts')).printInstantReports(program);
  }
  if (operation !== 'instant-reports' || flags['cleanup-on-startup'] === true) {
    const { cleanUp } = await import('./clean-up.ts');
    const cleaning = operation === 'instant-reports' ? cleaningOnStartup : [operation];
    const exitCode = await cleanUp(cleaning, program);
    if (exitCode !== 0 || operation !== 'instant-reports') return exitCode;
  }
  return await (await import('./run-instant-reports.ts')).runInstantReports(program);
}

/** The numbers of the reference's library, which its start record shows. */
const levelNumbers: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, fatal: 4, silent: 7 };

const cleaningOnStartup = ['new-reports-cleanup', 'old-reports-cleanup'] as const;
