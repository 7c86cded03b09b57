/**
 * The drop-in program `ccx-notification-writer`: the reference's command line, configuration, printed lines and exit codes around our
 * service and the database operations of the platform. Started by `src/bin/ccx-notification-writer.ts`. Source: notification-writer.md 1.
 */
import type { ProcessInput } from '../../../platform/config/process-input.ts';
import { readGoFlags } from '../../../platform/reference/go-flags.ts';
import { writerFlags } from './flags.ts';

/** Resolves to the exit code. Never throws, never ends the process itself. */
export async function runNotificationWriterProgram(input: ProcessInput): Promise<number> {
  const flags = readGoFlags(writerFlags, input);
  if (typeof flags === 'number') return flags;
  return await (await import('./operations.ts')).runChosenOperation(flags, input);
}
