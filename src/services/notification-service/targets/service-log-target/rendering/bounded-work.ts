/** Runs work with a bound on how much of it is under way at once, across all callers. Used by both renderers. */

export interface BoundedWork {
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** Waiting work is started in the order it was asked for. */
export function createBoundedWork(atOnceMax: number): BoundedWork {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async run(work) {
      if (running >= atOnceMax) await new Promise<void>((resolve) => waiting.push(resolve));
      else running += 1;
      try {
        return await work();
      } finally {
        // The place goes straight to whoever waits longest, so that nobody can take it in between.
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}
