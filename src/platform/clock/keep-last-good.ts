/**
 * A value that is loaded from elsewhere, renewed now and then, and kept while it cannot be renewed. Used for rule content, which is kept
 * for as long as it takes, and for disabled rules, which are kept for a bounded time.
 */
import type { Clock } from './clock.ts';

interface KeepOptions<T> {
  readonly clock: Clock;
  readonly load: () => Promise<T>;
  /** A value of this age is loaded again; after a failure the next try waits as long. */
  readonly refreshMs: number;
  /** An older value is not given out; absent: it never becomes too old. */
  readonly ageMsMax?: number;
  /** Age of the value that is used instead; undefined when there is none. */
  readonly onFailure: (error: unknown, ageMs: number | undefined) => void;
}

export interface Kept<T> {
  /** The same object as long as nothing new was loaded. Rejects with the load's error when there is no value to give out. */
  get(): Promise<T>;
  /** Undefined before the first success. */
  ageMs(): number | undefined;
}

export function keepLastGood<T>(options: KeepOptions<T>): Kept<T> {
  const { clock, refreshMs } = options;
  let good: { readonly value: T; readonly loadedMs: number } | undefined;
  let triedMs = Number.NEGATIVE_INFINITY;
  let loading: Promise<T> | undefined;

  const ageMs = () => (good === undefined ? undefined : clock.monotonicMs() - good.loadedMs);
  const usable = () => {
    const age = ageMs();
    return age !== undefined && (options.ageMsMax === undefined || age <= options.ageMsMax) ? good : undefined;
  };
  const renew = async () => {
    triedMs = clock.monotonicMs();
    try {
      const value = await options.load();
      good = { value, loadedMs: clock.monotonicMs() };
      return value;
    } catch (error) {
      const kept = usable();
      options.onFailure(error, kept === undefined ? undefined : ageMs());
      if (kept === undefined) throw error;
      return kept.value;
    }
  };
  return {
    ageMs,
    async get() {
      const kept = usable();
      if (kept !== undefined && clock.monotonicMs() - triedMs < refreshMs) return kept.value;
      loading ??= renew().finally(() => {
        loading = undefined;
      });
      return loading;
    },
  };
}
