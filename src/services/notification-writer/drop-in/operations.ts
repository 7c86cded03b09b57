/**
 * One operation of the drop-in program: its configuration, its log, its printed lines and its exit code. What only some operations need is
 * loaded where they run. Source: notification-writer.md 1, 3.1.
 */
import { errorCode } from '../../../encoding/ccx-error.ts';
import type { BusSettings } from '../../../platform/bus/bus-options.ts';
import { createSystemClock } from '../../../platform/clock/clock.ts';
import type { ProcessInput } from '../../../platform/config/process-input.ts';
import { withAuthority } from '../../../platform/reference/broker-settings.ts';
import {
  earlyLog,
  failureFields,
  openReferenceLog,
  refuseUnsupportedLogging,
} from '../../../platform/reference/reference-log.ts';
import { writerBusSettings, writerExitCode, writerExitCodes } from '../config.ts';
import { chooseOperation, type WriterFlags, type WriterOperation } from './flags.ts';
import {
  findProgramConfig,
  loadProgramConfig,
  type Program,
  type ProgramConfig,
  programName,
} from './load-program-config.ts';
import { showConfiguration } from './show-configuration.ts';

/** Resolves to the exit code. Never throws, never ends the process itself. */
export async function runChosenOperation(flags: WriterFlags, input: ProcessInput): Promise<number> {
  let program: Program;
  try {
    program = await openProgram(input, flags);
  } catch (error) {
    earlyLog(programName).error(failureFields(error), 'Load configuration');
    return writerExitCodes.configuration;
  }
  const { log } = program;
  const operation = chooseOperation(flags);
  const reportFailure = (error: unknown) => {
    const { hint, ...reason } = failureFields(error);
    log.error({ ...reason, operation, hint }, 'Do selected operation');
  };
  log.debug('Started');
  try {
    const exitCode = await runOperation(operation, program, reportFailure);
    if (exitCode === 0) log.debug('Finished');
    return exitCode;
  } catch (error) {
    reportFailure(error);
    return exitCodeOf(operation, error);
  }
}

async function openProgram(input: ProcessInput, flags: WriterFlags): Promise<Program> {
  const file = findProgramConfig(input, process.cwd());
  earlyLog(programName).info({ filename: file.name }, 'parsing configuration file');
  const loaded = await loadProgramConfig(input, file);
  for (const line of loaded.lines) process.stdout.write(`${line}\n`);
  const { config, warnings } = withoutSentry(loaded);
  refuseUnsupportedLogging(config);
  const output = config['logging.use_stderr'] ? process.stderr : process.stdout;
  const log = openReferenceLog({ service: programName, config, env: input.env, output });
  for (const warning of warnings) log.warn(warning);
  return { ...loaded, config, flags, log, clock: createSystemClock(), bus: () => brokersOfTheOriginal(loaded) };
}

/** The reference works without a Sentry that can be reached, so that switching it on stops nothing here either. */
function withoutSentry({ config, warnings }: ProgramConfig): Pick<ProgramConfig, 'config' | 'warnings'> {
  const key = 'logging.logging_to_sentry_enabled';
  if (!config[key]) return { config, warnings };
  const warning = `${key} is not supported: nothing goes to Sentry; alert on log lines of level error, or on the metrics`;
  return { config: { ...config, [key]: false }, warnings: [...warnings, warning] };
}

/** They may make the topic, as for the original; Clowder brings their certificate itself, not a path to it. */
function brokersOfTheOriginal({ config, clowderCa }: ProgramConfig): BusSettings {
  const bus = writerBusSettings(config);
  if (bus.kind !== 'kafka') return bus;
  return { ...bus, mayMakeTopics: true, security: withAuthority(bus.security, clowderCa) };
}

async function runOperation(
  operation: WriterOperation,
  program: Program,
  reportFailure: (error: unknown) => void,
): Promise<number> {
  switch (operation) {
    case 'version':
      process.stdout.write('CCX Notification Writer version 1.0\n');
      return 0;
    case 'authors':
      process.stdout.write('Pavel Tisnovsky, Red Hat Inc.\n');
      return 0;
    case 'show-configuration':
      showConfiguration(program.config, program.log);
      return 0;
    case 'service':
      return await (await import('./run-service.ts')).runService(program, reportFailure);
    case 'check-kafka':
      await (await import('./run-service.ts')).checkBrokers(program);
      return 0;
    default:
      await (await import('./database-operations.ts')).runDatabaseOperation(operation, program);
      return 0;
  }
}

/** Every unknown failure has a code of its own operation: nothing that failed ends with 0. */
function exitCodeOf(operation: WriterOperation, error: unknown): number {
  if (operation === 'check-kafka') return writerExitCodes.kafkaCheck;
  if (errorCode(error).startsWith('CONFIG_')) return writerExitCodes.configuration;
  if (operation === 'migrate' || operation === 'migration-info') return writerExitCodes.migration;
  return operation === 'service' ? writerExitCode(error) : writerExitCodes.storage;
}
