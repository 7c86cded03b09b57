/**
 * One operation of the drop-in program: its configuration, its log, its printed lines and its exit code. What only some operations need is
 * loaded where they run. Source: notification-writer.md 1, 3.1.
 */
import { errorCode } from '../../../encoding/ccx-error.ts';
import type { ProcessInput } from '../../../platform/config/process-input.ts';
import { openReferenceProgram } from '../../../platform/reference/reference-config.ts';
import { failureFields } from '../../../platform/reference/reference-log.ts';
import { writerExitCode, writerExitCodes } from '../config.ts';
import { chooseOperation, type WriterFlags, type WriterOperation } from './flags.ts';
import { type Program, programOptions, withoutSentry } from './load-program-config.ts';
import { showConfiguration } from './show-configuration.ts';

/** Resolves to the exit code. Never throws, never ends the process itself. */
export async function runChosenOperation(flags: WriterFlags, input: ProcessInput): Promise<number> {
  const opened = await openReferenceProgram(programOptions, { env: input.env, section: 'broker' }, withoutSentry);
  if (opened === undefined) return writerExitCodes.configuration;
  const program = { ...opened, flags };
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
