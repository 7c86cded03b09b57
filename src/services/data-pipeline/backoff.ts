/** How long to wait before a step is tried again. Used by the steps that depend on something outside. */

export const retryMsMax = 30 * 1_000;
/** Pause before a step is tried again; doubles with each attempt, with jitter. */
export const retryMsMin = 500;

/** Doubles with each attempt (1 is the first), cut at the maximum; half of it is jitter, so that many archives do not return at once. */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(retryMsMax, retryMsMin * 2 ** (attempt - 1));
  return full / 2 + (full / 2) * random;
}
