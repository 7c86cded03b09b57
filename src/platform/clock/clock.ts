/**
 * Time, ids and randomness, passed in. This is the only folder that may touch `Date.now`, `setTimeout` or `randomUUID`;
 * everything else receives a `Clock`, so that a test decides what time it is and never sleeps.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Wall clock, UTC, as a Date (milliseconds). */
  now(): Date;
  /**
   * Wall clock in microseconds since the epoch. Never repeats and never goes back by a little; a step of the machine's clock by more than
   * `stepBackMsMin` is followed in both directions, as is the time of a suspended machine.
   */
  nowMicros(): bigint;
  /** For durations only: milliseconds, never steps back. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with an AbortError as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms`, unless the returned function is called before. */
  after(ms: number, run: () => void): () => void;
  /**
   * Calls `run` every `ms` until the returned function is called. Runs never overlap. One that fails does not end the process: whoever made
   * the clock is told, and the next comes in its time. What a caller knows how to say itself it catches before.
   */
  every(ms: number, run: () => Promise<void> | void): () => void;
  /** UUIDv4, 36 characters, lower case. */
  uuid(): string;
  /** Uniform in [0, 1), for jitter. */
  random(): number;
}

/** Between two looks at the wall clock the monotonic one counts, which has microseconds; further apart than this they have parted. */
const wallDriftMsMax = 50;
/** By less the clock is not set back but stands still until the wall clock has caught up: corrections by NTP leave keys in order. */
const stepBackMsMin = 1_000;

/** What the machine has; replaced in tests. `monotonicMs` stands still while the machine is suspended. */
interface MachineClock {
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
}

const machineClock: MachineClock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/** The rule of `nowMicros`, for whoever has a clock of his own: what was handed out last, and what the clock says now. */
export function nextMicros(last: bigint, now: bigint): bigint {
  return now > last || last - now > BigInt(stepBackMsMin) * 1000n ? now : last + 1n;
}

/** Of a clock whose maker has no log: on standard error, once for each failure, with its stack. */
export function announceFailedTick(error: unknown): void {
  process.emitWarning(error instanceof Error ? (error.stack ?? error.message) : String(error), 'TickFailed');
}

/** `onTickFailed` learns what a run of `every` threw or rejected with; it must not throw. */
export function createSystemClock(
  machine: MachineClock = machineClock,
  onTickFailed: (error: unknown) => void = announceFailedTick,
): Clock {
  let lastMicros = 0n;
  let anchor = { wallMs: machine.wallMs(), monotonicMs: machine.monotonicMs() };
  return {
    now: () => new Date(machine.wallMs()),
    nowMicros() {
      const wallMs = machine.wallMs();
      const monotonicMs = machine.monotonicMs();
      let ms = anchor.wallMs + (monotonicMs - anchor.monotonicMs);
      if (Math.abs(ms - wallMs) > wallDriftMsMax) {
        anchor = { wallMs, monotonicMs };
        ms = wallMs;
      }
      lastMicros = nextMicros(lastMicros, BigInt(Math.round(ms * 1000)));
      return lastMicros;
    },
    monotonicMs: machine.monotonicMs,
    sleep: async (ms, signal) => {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    },
    after(ms, run) {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
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
        } catch (error) {
          onTickFailed(error);
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
