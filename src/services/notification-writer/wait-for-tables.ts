/**
 * A writer that starts before its database: it has joined its group, so that its place in the topic is kept, and takes nothing until the
 * tables are there. Used where the process is expected to wait, as the reference's does; `ccx writer` ends instead.
 */
import { CcxError, errorText } from '../../encoding/ccx-error.ts';
import { backoffMs } from '../../platform/clock/backoff.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Health } from '../../platform/lifecycle/health.ts';
import type { WriterEvents } from './telemetry.ts';

/** Pauses between its tries; each doubles. */
const retryBounds = { msMin: 500, msMax: 10_000 };
/** How often it says so while nothing changes. */
export const waitingReminderMs = 60_000;

interface WaitDependencies {
  readonly clock: Clock;
  readonly health: Health;
  readonly events: Pick<WriterEvents, 'databaseAwaited' | 'databaseFound' | 'warned'>;
  /** Resolves with warnings once the tables are as they have to be. */
  readonly bringUp: () => Promise<readonly string[]>;
  readonly onReady: () => void;
}

/** Readiness says what is missing from the first failure on; the log at once, when the reason changes, and each minute. Answers with its stop function. */
export function waitForTables(dependencies: WaitDependencies): () => Promise<void> {
  const { clock, health, events } = dependencies;
  const stopping = new AbortController();
  let logged: { readonly code: string; readonly atMs: number } | undefined;

  const wait = async () => {
    for (let attempt = 1; !stopping.signal.aborted; attempt += 1) {
      try {
        const warnings = await dependencies.bringUp();
        health.report('database', undefined);
        events.databaseFound(attempt);
        for (const warning of warnings) events.warned(warning);
        if (!stopping.signal.aborted) dependencies.onReady();
        return;
      } catch (cause) {
        const error = asStorageError(cause);
        health.report('database', error);
        const nowMs = clock.monotonicMs();
        const due = logged?.code !== error.code || nowMs - logged.atMs >= waitingReminderMs;
        if (due) logged = { code: error.code, atMs: nowMs };
        events.databaseAwaited(error, { logged: due });
        await clock.sleep(backoffMs(retryBounds, attempt, clock.random()), stopping.signal).catch(() => undefined);
      }
    }
  };
  const waiting = wait();
  return async () => {
    stopping.abort();
    await waiting;
  };
}

function asStorageError(cause: unknown): CcxError {
  if (cause instanceof CcxError) return cause;
  return new CcxError(`the tables cannot be used: ${errorText(cause)}`, {
    code: 'WRITER_TABLES',
    category: 'storage',
    retryable: true,
    cause,
    hint: 'the answer of the database says why; what this user needs is in docs/database.md',
  });
}
