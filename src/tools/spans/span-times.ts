/** When a hop began and ended, from what its event says. Used by `send-spans.ts`. */

/** What an event that completes a hop carries; milliseconds. */
export interface HopTimes {
  readonly hop: number;
  /** Since its service took the work in hand. */
  readonly elapsedMs?: number;
  /** The hop was over before its event. */
  readonly endedMsAgo?: number;
}

interface HopEnd {
  readonly hop: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** Requests whose last hop is remembered; the oldest are forgotten, and the next hop of such a one begins where its service began. */
const rememberedMax = 10_000;

export class SpanTimes {
  /** By service and request. */
  readonly #last = new Map<string, HopEnd>();

  /**
   * A hop begins where the one before it in the same service ended, and not before that service took the work in hand. Several events of
   * one hop (an issue each, or a target) begin together.
   */
  of(
    { service, requestId, hop, elapsedMs = 0, endedMsAgo = 0 }: HopTimes & { service: string; requestId: string },
    nowMs: number,
  ): { readonly startMs: number; readonly endMs: number } {
    const key = `${service} ${requestId}`;
    const last = this.#last.get(key);
    const endMs = nowMs - endedMsAgo;
    const taken = nowMs - elapsedMs;
    const startMs = Math.min(endMs, Math.max(taken, beganOf(last, hop)));
    this.#last.delete(key);
    this.#last.set(key, { hop, startMs, endMs });
    if (this.#last.size > rememberedMax) this.#last.delete(this.#last.keys().next().value!);
    return { startMs, endMs };
  }
}

function beganOf(last: HopEnd | undefined, hop: number): number {
  if (last === undefined || last.hop > hop) return Number.NEGATIVE_INFINITY;
  return last.hop === hop ? last.startMs : last.endMs;
}
