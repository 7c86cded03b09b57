/** How long to wait before something is tried again: twice as long each time up to a limit, a little different in each process. */
import { retryMsMax, retryMsMin } from './limits.ts';

/** `attempt` counts from 1; `random` is in [0, 1). */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(attempt - 1, 30));
  return full * (0.5 + random / 2);
}
