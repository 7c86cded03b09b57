/** How long to wait before a step is tried again. Used by the steps that depend on something outside. */
import { retryMsMax, retryMsMin } from './limits.ts';

/** Doubles with each attempt (1 is the first), cut at the maximum; half of it is jitter, so that many archives do not return at once. */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(retryMsMax, retryMsMin * 2 ** (attempt - 1));
  return full / 2 + (full / 2) * random;
}
