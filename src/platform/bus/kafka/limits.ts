/**
 * Limits of the Kafka adapter, and its one retry loop. Waiting times are the client's; a call that is cut off is tried again until its own
 * deadline.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import { backoffMs } from '../../clock/backoff.ts';
import type { Clock } from '../../clock/clock.ts';
import { pause } from '../../clock/deadline.ts';

/** How long a rebalance waits for members that are busy; the reference's value. */
export const rebalanceMsMax = 60_000;
/** One request, unless its caller has less time. */
export const requestMsMax = 30_000;
/** A broker that is asked to wait for members or records needs this much longer to answer. */
export const answerMarginMs = 5_000;

/** A topic that was just made may be unknown to a broker for a moment. */
export const unknownTopicMsMax = 1_000;
/** Pause before a try is repeated: short at first, because most failures are a leader that moves. */
export const retryMsMin = 50;
export const retryMsMax = 1_000;

/** How long a broker holds a fetch that finds nothing. */
export const fetchWaitMs = 500;
/** One answer to a fetch, unless less is left of the consumer's buffer. */
export const fetchBytesMax = 8 * 1024 * 1024;
export const fetchPartitionBytesMax = 1024 * 1024;

/** Failing without a break for this long is told to whoever polls; less is a leader or coordinator that moves. */
export const troubleMsMin = 5_000;

/** Tries again until it works or `deadlineMs` of the clock is over. Rejects with the last error; only a retryable `CcxError` is tried again. */
export async function retryUntil<T>(
  { clock, deadlineMs, signal }: { readonly clock: Clock; readonly deadlineMs: number; readonly signal?: AbortSignal },
  run: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      const pauseMs = pauseBefore(attempt, clock);
      const late = clock.monotonicMs() + pauseMs >= deadlineMs;
      if (!(error instanceof CcxError) || !error.retryable || late || signal?.aborted === true) throw error;
      await pause(clock, pauseMs, signal);
    }
  }
}

/** `attempt` counts from 0. Half of the pause is chance, so that many clients do not come back at once. */
export function pauseBefore(attempt: number, clock: Clock): number {
  return backoffMs({ msMin: retryMsMin, msMax: retryMsMax }, attempt + 1, clock.random());
}
