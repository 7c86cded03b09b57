/** Tries again until it works, the failure is final, or the deadline is over. The one retry loop of the Kafka adapter. */
import { CcxError } from '../../../encoding/ccx-error.ts';
import { backoffMs } from '../../clock/backoff.ts';
import type { Clock } from '../../clock/clock.ts';
import { pause } from '../../clock/deadline.ts';
import { retryMsMax, retryMsMin } from './limits.ts';

interface RetryOptions {
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

/** `attempt` counts from 0. Half of the pause is chance, so that many clients do not come back at once. */
export function pauseBefore(attempt: number, clock: Clock): number {
  return backoffMs({ msMin: retryMsMin, msMax: retryMsMax }, attempt + 1, clock.random());
}
