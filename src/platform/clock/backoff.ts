/** How long to wait before something is tried again: twice as long each time up to a limit, a little different in each process. */

export interface BackoffBounds {
  readonly msMin: number;
  readonly msMax: number;
}

/** `attempt` counts from 1; `random` is in [0, 1). Between half and the whole of the doubled pause. */
export function backoffMs(bounds: BackoffBounds, attempt: number, random: number): number {
  const full = Math.min(bounds.msMax, bounds.msMin * 2 ** Math.min(attempt - 1, 30));
  return full * (0.5 + random / 2);
}
