/**
 * Entry of the process whose memory is measured: an installation that does what its parent orders, and ends with it. Started by
 * `flow-memory.ts`.
 */
import { readdir, readFile } from 'node:fs/promises';
import type { AllInOne } from '../../src/all-in-one/start-all-in-one.ts';
import { errorText } from '../../src/encoding/ccx-error.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { Lifecycle } from '../../src/platform/lifecycle/lifecycle.ts';
import { startInstallation } from './installation.ts';

export type FlowOrder =
  | { readonly order: 'start'; readonly folder: string; readonly databaseUrl: string }
  /** Answered when nothing is in flight any more. */
  | { readonly order: 'peak' };

export type FlowAnswer =
  | { readonly answer: 'started'; readonly uploadUrl: string }
  | {
      readonly answer: 'peak';
      /** Most that was resident at any time. */
      readonly mainBytes: number;
      /** Live objects now, after a collection: what the peak would be without the collector's slack. */
      readonly heldBytes: number;
      /** Most that any rule runner had resident; 0 where the system does not tell. */
      readonly runnerBytes: number;
    }
  | { readonly answer: 'failed'; readonly error: string };

const idleMsMax = 120_000;

const clock = createSystemClock();
const lifecycle = new Lifecycle(clock);
const running: { installation?: AllInOne } = {};

process.on('message', (order: FlowOrder) => {
  obey(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ answer: 'failed', error: errorText(error) } satisfies FlowAnswer),
  );
});
// The parent alone decides when it is over; Ctrl-C reaches both.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => void lifecycle.stop());

async function obey(order: FlowOrder): Promise<FlowAnswer> {
  if (order.order === 'start') {
    running.installation = await startInstallation({ clock, lifecycle, ...order });
    return { answer: 'started', uploadUrl: running.installation.ingress.uploadUrl };
  }
  if (!(await running.installation?.waitUntilIdle(idleMsMax)))
    throw new Error('the installation does not come to rest');
  // The system counts in kibibytes; and before the collection, which may itself take memory.
  const mainBytes = process.resourceUsage().maxRSS * 1024;
  return { answer: 'peak', mainBytes, heldBytes: heldBytes(), runnerBytes: await largestChildBytes() };
}

/** Twice: the first collection may leave what finalizers still hold. */
function heldBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Highest resident memory of any living child, by what Linux tells of them. */
async function largestChildBytes(): Promise<number> {
  const peaks: number[] = [];
  for (const task of await readdir('/proc/self/task').catch(() => [])) {
    const children = await readFile(`/proc/self/task/${task}/children`, 'utf8').catch(() => '');
    for (const pid of children.split(' ').filter((text) => text !== '')) {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      peaks.push(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024);
    }
  }
  return Math.max(0, ...peaks);
}
