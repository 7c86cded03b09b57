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
export function within<T, I>(
  work: Promise<T>,
  { clock, ms, signal }: Deadline,
  instead: (why: 'late' | 'aborted') => I,
): Promise<T | I> {
  // By hand and not with an AbortController and a race: this stands on the way of every request, and nearly always nothing is late.
  return new Promise((resolve, reject) => {
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    const giveUp = (why: 'late' | 'aborted') => {
      end();
      try {
        resolve(instead(why));
      } catch (error) {
        reject(error);
      }
    };
    const onAbort = () => giveUp('aborted');
    const cancel = clock.after(ms, () => giveUp('late'));
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted === true) onAbort();
    work.then(
      (answer) => {
        end();
        resolve(answer);
      },
      (error: unknown) => {
        end();
        reject(error);
      },
    );
  });
}

/** Sleeps, and returns early instead of throwing when the signal aborts. */
export async function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  await clock.sleep(ms, signal).catch(() => undefined);
}
