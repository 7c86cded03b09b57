/**
 * A thread inside every runner child that kills the child once its parent is gone. The main thread cannot do it: it may be in a busy
 * loop and never see that its channel was closed. Started by `child-main.ts`.
 */
import { Worker } from 'node:worker_threads';

/** How often a child looks whether its parent still lives; an orphan in a busy loop ends at most this late. */
const parentCheckMs = 250;

export function watchParent(parentPid: number): void {
  // From a text: a thread that reads a module of its own has the loader in memory, too, twice as much as all the rest of it.
  new Worker(`(${killOrphan})(${parentPid}, ${parentCheckMs})`, { eval: true }).unref();
}

/** The thread's whole program, which sees nothing from outside itself. It has nothing else to do, so it may block. */
function killOrphan(parentPid: number, checkMs: number): void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    Atomics.wait(never, 0, 0, checkMs);
    // An orphan is adopted by another process, so that its parent's id changes.
    if (process.ppid !== parentPid) process.kill(process.pid, 'SIGKILL');
  }
}
