/** Tries again until it works, the failure is final, or the deadline is over. The one retry loop of the Kafka adapter. */
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { retryMsMax, retryMsMin } from './limits.ts';

export interface RetryOptions {
  readonly clock: Clock;
  /** On `clock.monotonicMs()`. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/** Rejects with the last error. Only a retryable `CcxError` is tried again. */
export async function retryUntil<T>(options: RetryOptions, run: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      const pauseMs = pauseBefore(attempt, options.clock);
      const late = options.clock.monotonicMs() + pauseMs >= options.deadlineMs;
      if (!(error instanceof CcxError) || !error.retryable || late || options.signal?.aborted === true) throw error;
      await pause(options.clock, pauseMs, options.signal);
    }
  }
}

/** Doubles from the shortest pause to the longest; half of it by chance, so that many clients do not come back at once. */
export function pauseBefore(attempt: number, clock: Clock): number {
  const full = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(attempt, 10));
  return full / 2 + (full / 2) * clock.random();
}

/** Sleeps, and returns early instead of throwing when the signal aborts. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  await clock.sleep(ms, signal).catch(() => undefined);
}
