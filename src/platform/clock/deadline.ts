/**
 * Waiting with an end: the one place that races work against a timer. What is waited for goes on; whoever gives up must bear its late
 * effect. A timer is always taken back, so that nothing keeps a process alive.
 */
import type { Clock } from './clock.ts';

export interface Deadline {
  readonly clock: Clock;
  readonly ms: number;
  /** Gives up as soon as it aborts. */
  readonly signal?: AbortSignal;
}

/**
 * What `work` answers, or what `instead` does when the time is over first (`late`) or the signal aborts first (`aborted`). `instead` may throw:
 * then this rejects with its error. A failure of `work` that comes after that is nobody's.
 */
export async function within<T, I>(
  work: Promise<T>,
  deadline: Deadline,
  instead: (why: 'late' | 'aborted') => I,
): Promise<T | I> {
  const done = new AbortController();
  const signal = deadline.signal === undefined ? done.signal : AbortSignal.any([deadline.signal, done.signal]);
  const givenUp = deadline.clock.sleep(deadline.ms, signal).then(
    () => 'late' as const,
    () => 'aborted' as const,
  );
  try {
    const first = await Promise.race([work.then((answer) => ({ answer })), givenUp]);
    return typeof first === 'string' ? instead(first) : first.answer;
  } finally {
    done.abort();
    work.catch(() => undefined);
  }
}

/** Sleeps, and returns early instead of throwing when the signal aborts. */
export async function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  await clock.sleep(ms, signal).catch(() => undefined);
}
