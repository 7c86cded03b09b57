/**
 * How much longer a client is waited for. Waiting uses patience up, bytes earn it: whoever sends at the least rate is waited for as long as
 * he does, and whoever sent fast may fall silent for a while. The rate alone decides, never who sends.
 */

export interface PatiencePolicy {
  /** What every body begins with: the first seconds, in which no rate is asked for. */
  readonly firstMs: number;
  /** What bytes can earn at most. */
  readonly msMax: number;
  readonly leastBytesPerSecond: number;
}

/** Milliseconds; not above 0: the client is given up. */
export function patienceLeft(
  patienceMs: number,
  since: { readonly waitedMs: number; readonly arrivedBytes: number },
  policy: PatiencePolicy,
): number {
  const earnedMs = (since.arrivedBytes * 1_000) / policy.leastBytesPerSecond;
  return Math.min(policy.msMax, patienceMs - since.waitedMs + earnedMs);
}
