/**
 * The drop-in program `ccx-notification-service`: the reference's command line, configuration, log literals and exit codes around one run
 * of our service. Started by `src/bin/ccx-notification-service.ts`. Source: notification-service.md 2.
 */
import type { ProcessInput } from '../../../platform/config/process-input.ts';
import { readGoFlags } from '../../../platform/reference/go-flags.ts';
import { chooseOperation, serviceFlags } from './flags.ts';

/** Resolves to the exit code. Never throws, never ends the process itself. */
export async function runNotificationServiceProgram(input: ProcessInput): Promise<number> {
  const flags = readGoFlags(serviceFlags, input);
  if (typeof flags === 'number') return flags;
  const operation = chooseOperation(flags);
  switch (operation) {
    case 'show-version':
      process.stdout.write('Notification service version 1.0\n');
      return 0;
    case 'show-authors':
      process.stdout.write('Pavel Tisnovsky, Papa Bakary Camara, Red Hat Inc.\n');
      return 0;
    default:
      return await (await import('./operations.ts')).runConfigured(operation, input, flags);
  }
}
