/**
 * The life of one `ccx <role>` process: start, wait for a signal, stop in reverse order, set the exit code. Used by every service's
 * `commands.ts`, so that all roles start, fail and stop alike.
 */
import { CcxError, errorText } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';
import { within } from '../clock/deadline.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { cleanupMsMax, Lifecycle } from './lifecycle.ts';

interface RoleRun {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Builds the service; registers a cleanup after every acquisition. What it throws ends the process with a clear line. */
  readonly start: (lifecycle: Lifecycle) => Promise<void>;
  /** Exit code of a start that failed; default 1. */
  readonly exitCodeOf?: (error: unknown) => number;
  /** The one place where a start that failed is reported; default is `describeFailure` on standard error. */
  readonly reportFailure?: (error: unknown) => void;
}

/** Resolves to the exit code: 0 after an orderly stop, else the failure's code. Never throws, never ends the process itself. */
export async function runRole(run: RoleRun): Promise<number> {
  const lifecycle = new Lifecycle(run.clock);
  const signalled = waitForSignal();
  let exitCode = 0;
  try {
    const started = run.start(lifecycle);
    if ((await Promise.race([started.then(() => undefined), signalled])) !== undefined)
      // It gets a moment to finish, so that everything it acquires is registered for cleanup.
      await within(
        started.catch(() => undefined),
        { clock: run.clock, ms: cleanupMsMax },
        () => undefined,
      );
    const signal = await signalled;
    run.telemetry.log.info({ signal }, 'stopping');
  } catch (error) {
    exitCode = run.exitCodeOf?.(error) ?? 1;
    if (run.reportFailure === undefined) process.stderr.write(`${describeFailure(error)}\n`);
    else run.reportFailure(error);
  }
  const report = await lifecycle.stop();
  for (const failure of report.failed)
    run.telemetry.log.error({ step: failure.name, error: failure.error }, 'did not stop cleanly');
  if (report.failed.length > 0 && exitCode === 0) exitCode = 1;
  return exitCode;
}

/** One or two lines for a person: what failed, its code, what to change. Stacks are for bugs only. */
export function describeFailure(error: unknown): string {
  if (error instanceof CcxError) {
    const hint = error.hint === undefined ? '' : `\n  ${error.hint}`;
    return `ccx: ${errorText(error)} [${error.code}]${hint}`;
  }
  return `ccx: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

/** Resolves with the first signal's name. Listens once; a later SIGINT or SIGTERM has the default effect again. */
export function waitForSignal(): Promise<'SIGINT' | 'SIGTERM'> {
  return new Promise((resolve) => {
    const onSignal = (signal: NodeJS.Signals) => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      resolve(signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM');
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
