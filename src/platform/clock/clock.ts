/**
 * Time, ids and randomness, passed in. This is the only folder that may touch `Date.now`, `setTimeout` or `randomUUID`;
 * everything else receives a `Clock`, so that a test decides what time it is and never sleeps.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Wall clock, UTC, as a Date (milliseconds). */
  now(): Date;
  /** Wall clock in microseconds since the epoch; strictly increasing within this process. */
  nowMicros(): bigint;
  /** For durations only: milliseconds, never steps back. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with an AbortError as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` every `ms` until the returned function is called. Runs never overlap; errors are the callback's business. */
  every(ms: number, run: () => Promise<void> | void): () => void;
  /** UUIDv4, 36 characters, lower case. */
  uuid(): string;
  /** Uniform in [0, 1), for jitter. */
  random(): number;
}

export function createSystemClock(): Clock {
  let lastMicros = 0n;
  return {
    now: () => new Date(),
    nowMicros() {
      const micros = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000));
      lastMicros = micros > lastMicros ? micros : lastMicros + 1n;
      return lastMicros;
    },
    monotonicMs: () => performance.now(),
    sleep: async (ms, signal) => {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    },
    every(ms, run) {
      let stopped = false;
      let timer: NodeJS.Timeout | undefined;
      const arm = () => {
        if (!stopped) timer = setTimeout(tick, ms);
      };
      const tick = async () => {
        try {
          await run();
        } finally {
          arm();
        }
      };
      arm();
      return () => {
        stopped = true;
        clearTimeout(timer);
      };
    },
    uuid: () => randomUUID(),
    random: () => Math.random(),
  };
}
