/**
 * Counts over a whole organization, kept where there is much to count: over 100,000 clusters a count takes most of a second, whatever the
 * indexes. Few clusters are counted anew for every answer.
 */
import type { Clock } from '../../../platform/clock/clock.ts';

/** By mark. */
type Counts = ReadonlyMap<string, number>;

/** So many are counted within 100 ms. */
const clustersCountedAnew = 10_000;
/** Counts of this age are still answered with, and counted anew beside the answer. */
const renewedAfterMs = 15_000;
/** Older ones are nothing to answer with. A cluster reports every two hours. */
const ageMsMax = 10 * 60_000;
/** One for each organization and what is disabled there; the oldest goes. */
const countsMax = 100;

export class KeptCounts {
  readonly #options: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly whole: string };
  readonly #kept = new Map<string, { readonly counts: Counts; readonly countedMs: number }>();
  readonly #counting = new Map<string, Promise<Counts>>();

  /** `whole`: the mark that all clusters have that are counted. */
  constructor(options: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly whole: string }) {
    this.#options = options;
  }

  /** `key`: all that a count goes by, except for the issues themselves. Whoever asks while somebody counts waits for the same count. */
  async read(key: string, count: () => Promise<Counts>): Promise<Counts> {
    const kept = this.#kept.get(key);
    const ageMs = kept === undefined ? Number.POSITIVE_INFINITY : this.#options.clock.monotonicMs() - kept.countedMs;
    if (kept === undefined || ageMs > ageMsMax) return await this.#count(key, count);
    // Whoever asks when this one is too old is told why there is no newer one.
    if (ageMs > renewedAfterMs) this.#count(key, count).catch(() => undefined);
    return kept.counts;
  }

  #count(key: string, count: () => Promise<Counts>): Promise<Counts> {
    const running = this.#counting.get(key);
    if (running !== undefined) return running;
    const counting = this.#countAndKeep(key, count).finally(() => this.#counting.delete(key));
    this.#counting.set(key, counting);
    return counting;
  }

  async #countAndKeep(key: string, count: () => Promise<Counts>): Promise<Counts> {
    const { clock, whole } = this.#options;
    const startedMs = clock.monotonicMs();
    const counts = await count();
    this.#kept.delete(key);
    if ((counts.get(whole) ?? 0) > clustersCountedAnew) this.#kept.set(key, { counts, countedMs: startedMs });
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > countsMax && !oldest.done) this.#kept.delete(oldest.value);
    return counts;
  }
}
