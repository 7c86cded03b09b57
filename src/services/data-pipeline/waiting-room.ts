/**
 * Announcements that wait outside the places for another attempt: how many there are, and whether they are all that is left. Kept by
 * `pipeline.ts`, read for a gauge and for readiness.
 */
import type { Clock } from '../../platform/clock/clock.ts';

/** Nothing was fetched for so long while as many announcements as there are places wait for hosts: the service is not ready. */
export const fetchSilenceMsMax = 10 * 1_000;
/** Hosts that a reason names. */
const hostsNamedMax = 5;

export class WaitingRoom {
  readonly #clock: Clock;
  readonly #waitingMax: number;
  #waiting = 0;
  /** Since when nothing was fetched while somebody waits. */
  #silentSinceMs = 0;

  /** As many as `waitingMax` waiting, and nothing fetched for long, is trouble. */
  constructor(clock: Clock, waitingMax: number) {
    this.#clock = clock;
    this.#waitingMax = waitingMax;
  }

  waiting(): number {
    return this.#waiting;
  }

  /** Counts the announcement while it waits. */
  async during<T>(wait: Promise<T>): Promise<T> {
    if (this.#waiting === 0) this.fetched();
    this.#waiting += 1;
    try {
      return await wait;
    } finally {
      this.#waiting -= 1;
    }
  }

  fetched(): void {
    this.#silentSinceMs = this.#clock.monotonicMs();
  }

  /** Why nothing goes on, or undefined. */
  trouble(awayHosts: readonly string[]): string | undefined {
    const silentMs = this.#clock.monotonicMs() - this.#silentSinceMs;
    if (this.#waiting < this.#waitingMax || silentMs < fetchSilenceMsMax) return undefined;
    const who =
      awayHosts.length === 0 ? '' : `, and these hosts do not answer: ${awayHosts.slice(0, hostsNamedMax).join(', ')}`;
    return `${this.#waiting} announcements wait for another attempt, nothing was fetched for ${Math.floor(silentMs / 1000)} s${who}`;
  }
}
