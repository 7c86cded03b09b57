/** Waiting with an end. What is waited for goes on; who gives up must bear its late effect. */
import type { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';

export interface Deadline {
  readonly clock: Clock;
  readonly ms: number;
  /** What it rejects with when the time is over. */
  readonly late: () => CcxError;
}

export async function withDeadline<T>(work: Promise<T>, deadline: Deadline): Promise<T> {
  const timer = new AbortController();
  const late = deadline.clock.sleep(deadline.ms, timer.signal).then(
    () => Promise.reject(deadline.late()),
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}
