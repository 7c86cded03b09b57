/**
 * Ordered stop. Every acquisition registers its named cleanup at once; `stop` runs them in reverse order, each within its time, and
 * reports which failed or took too long, so that a half-started process leaks nothing and a stuck one still ends.
 */
import { errorText } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';
import { within } from '../clock/deadline.ts';

/** One cleanup; Kubernetes grants 30 s to the whole process by default, and the slowest cleanup must leave room for the others. */
export const cleanupMsMax = 10_000;

interface StopReport {
  readonly failed: readonly { readonly name: string; readonly error: string }[];
}

export class Lifecycle {
  readonly #clock: Clock;
  readonly #cleanups: { readonly name: string; readonly run: () => Promise<void> | void }[] = [];
  #stopping: Promise<StopReport> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Registers a cleanup under a name; call it on the line after the acquisition. */
  defer(name: string, run: () => Promise<void> | void): void {
    this.#cleanups.push({ name, run });
  }

  /** Runs every cleanup once, last registered first. Safe to call twice: both callers get the same report. */
  stop(): Promise<StopReport> {
    this.#stopping ??= this.#run();
    return this.#stopping;
  }

  async #run(): Promise<StopReport> {
    const failed: { name: string; error: string }[] = [];
    for (const cleanup of this.#cleanups.reverse()) {
      try {
        await within(Promise.resolve(cleanup.run()), { clock: this.#clock, ms: cleanupMsMax }, () => {
          failed.push({ name: cleanup.name, error: `not stopped within ${cleanupMsMax} ms` });
        });
      } catch (error) {
        failed.push({ name: cleanup.name, error: errorText(error) });
      }
    }
    return { failed };
  }
}

/** Builds something that stops by a lifecycle of its own. When that fails, what it had acquired is released before the error is passed on. */
export async function buildWithLifecycle<T>(clock: Clock, build: (lifecycle: Lifecycle) => Promise<T>): Promise<T> {
  const lifecycle = new Lifecycle(clock);
  try {
    return await build(lifecycle);
  } catch (error) {
    await lifecycle.stop();
    throw error;
  }
}

/** What every service's composition root answers with, so that one process can run one service or all of them. */
export interface Readiness {
  readonly ready: boolean;
  /** Empty when ready; otherwise what is missing, one short sentence each. */
  readonly reasons: readonly string[];
  /** What is worth knowing although it is ready. */
  readonly notes?: readonly string[];
}

export interface RunningService {
  readonly name: string;
  /** Whether it can do its work now; served as `GET /ready`. */
  readiness(): Promise<Readiness>;
  /**
   * What a person wants to see of it now, beyond readiness: lag, pauses, quarantine, what waits; for its row in `ccx.roles`. Asked every ten
   * seconds, so it is cheap; no secrets in it. What rejects is left out.
   */
  state?(): Promise<Readonly<Record<string, unknown>>>;
  /** True when it has nothing in flight and has seen everything that is there to see; what `--once` waits for. */
  idle(): Promise<boolean>;
  /** Finishes or releases what is in flight and frees everything. Never throws. */
  stop(): Promise<void>;
}
