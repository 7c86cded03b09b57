/**
 * A clock that stands still until a test moves it. `sleep`, `after` and `every` come when `advance` passes their due time, in order of
 * due time; ids count up, so a failing test shows the same ids every time.
 */
import { announceFailedTick, type Clock, nextMicros } from './clock.ts';

export interface ManualClock extends Clock {
  /** Moves time forward by `ms` and wakes everything that became due, oldest first. */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock without waking anything (a step of the system's clock). */
  setNow(now: Date): void;
}

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

export function createManualClock(start = '2026-11-21T16:00:00.000Z'): ManualClock {
  let wallMs = new Date(start).getTime();
  let monotonic = 0;
  let lastMicros = 0n;
  let ids = 0;
  let sleepers: Sleeper[] = [];

  const sleep = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const sleeper: Sleeper = { dueMs: monotonic + ms, wake: resolve };
      sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        sleepers = sleepers.filter((other) => other !== sleeper);
        reject(signal.reason);
      });
    });

  return {
    now: () => new Date(wallMs),
    nowMicros() {
      lastMicros = nextMicros(lastMicros, BigInt(wallMs) * 1000n);
      return lastMicros;
    },
    monotonicMs: () => monotonic,
    sleep,
    after(ms, run) {
      const sleeper: Sleeper = { dueMs: monotonic + ms, wake: run };
      sleepers.push(sleeper);
      return () => {
        sleepers = sleepers.filter((other) => other !== sleeper);
      };
    },
    every(ms, run) {
      const controller = new AbortController();
      const loop = async () => {
        while (!controller.signal.aborted) {
          await sleep(ms, controller.signal);
          try {
            await run();
          } catch (error) {
            announceFailedTick(error);
          }
        }
      };
      loop().catch(() => undefined);
      return () => controller.abort();
    },
    uuid() {
      ids += 1;
      return `00000000-0000-4000-8000-${String(ids).padStart(12, '0')}`;
    },
    random: () => 0.5,
    async advance(ms) {
      const target = monotonic + ms;
      for (;;) {
        const due = sleepers.filter((s) => s.dueMs <= target).sort((a, b) => a.dueMs - b.dueMs)[0];
        if (due === undefined) break;
        sleepers = sleepers.filter((s) => s !== due);
        wallMs += due.dueMs - monotonic;
        monotonic = due.dueMs;
        due.wake();
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      wallMs += target - monotonic;
      monotonic = target;
      await new Promise<void>((resolve) => setImmediate(resolve));
    },
    setNow(now) {
      wallMs = now.getTime();
    },
  };
}
