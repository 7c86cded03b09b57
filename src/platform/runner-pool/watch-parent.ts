/**
 * A thread inside every runner child that kills the child once its parent is gone. The main thread cannot do it: it may be in a busy
 * loop and never see that its channel was closed. Started by `child-main.ts`.
 */
import { workerData } from 'node:worker_threads';
import { createSystemClock } from '../clock/clock.ts';

export interface ParentWatch {
  readonly parentPid: number;
  readonly checkMs: number;
}

const { parentPid, checkMs } = workerData as ParentWatch;

createSystemClock().every(checkMs, () => {
  // An orphan is adopted by another process, so that its parent's id changes.
  if (process.ppid !== parentPid) process.kill(process.pid, 'SIGKILL');
});
