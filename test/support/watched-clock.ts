/**
 * A manual clock that tells when the code under test goes to sleep, so that a test moves time on exactly then: no polling, no real
 * waiting, and the pauses themselves can be asserted.
 */
import { createManualClock, type ManualClock } from '../../src/platform/clock/manual-clock.ts';

export interface WatchedClock extends ManualClock {
  /** Length of the next sleep that was begun and not yet asked for; waits for it. */
  nextSleep(): Promise<number>;
  /** Waits for the next sleep and moves time to its end. */
  passNextSleep(): Promise<number>;
}

export function createWatchedClock(start?: string): WatchedClock {
  const clock = createManualClock(start);
  const begun: number[] = [];
  const waiting: ((ms: number) => void)[] = [];
  const nextSleep = () =>
    new Promise<number>((resolve) => {
      const ms = begun.shift();
      if (ms === undefined) waiting.push(resolve);
      else resolve(ms);
    });
  const tell = (ms: number) => {
    const waiter = waiting.shift();
    if (waiter === undefined) begun.push(ms);
    else waiter(ms);
  };
  return {
    ...clock,
    sleep(ms, signal) {
      const sleeping = clock.sleep(ms, signal);
      tell(ms);
      return sleeping;
    },
    after(ms, run) {
      const cancel = clock.after(ms, run);
      tell(ms);
      return cancel;
    },
    nextSleep,
    async passNextSleep() {
      const ms = await nextSleep();
      await clock.advance(ms);
      return ms;
    },
  };
}
