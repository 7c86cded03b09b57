/**
 * Announcements that wait outside the places for another attempt: how many there are, and whether they are all that is left. Kept by
 * `pipeline.ts`, read for a gauge and for readiness.
 */
import type { Clock } from '../../platform/clock/clock.ts';

interface WaitingRoomOptions {
  readonly clock: Clock;
  /** As many as this waiting, and nothing fetched for so long, is trouble. */
  readonly waitingMax: number;
  readonly fetchSilenceMsMax: number;
}

export class WaitingRoom {
  readonly #options: WaitingRoomOptions;
  #waiting = 0;
  /** Since when nothing was fetched while somebody waits. */
  #silentSinceMs = 0;

  constructor(options: WaitingRoomOptions) {
    this.#options = options;
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
    this.#silentSinceMs = this.#options.clock.monotonicMs();
  }

  /** Why nothing goes on, or undefined. */
  trouble(awayHosts: readonly string[]): string | undefined {
    const { clock, waitingMax, fetchSilenceMsMax } = this.#options;
    const silentMs = clock.monotonicMs() - this.#silentSinceMs;
    if (this.#waiting < waitingMax || silentMs < fetchSilenceMsMax) return undefined;
    const who =
      awayHosts.length === 0 ? '' : `, and these hosts do not answer: ${awayHosts.slice(0, hostsNamedMax).join(', ')}`;
    return `${this.#waiting} announcements wait for another attempt, nothing was fetched for ${Math.floor(silentMs / 1000)} s${who}`;
  }
}

const hostsNamedMax = 5;
