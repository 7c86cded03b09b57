/**
 * Entry of the process whose memory is measured: an installation that does what its parent orders, and ends with it. Started by
 * `flow-memory.ts`.
 */
import { readdir, readFile } from 'node:fs/promises';
import { errorText } from '../../src/contracts/ccx-error.ts';
import type { AllInOne } from '../../src/dev/all-in-one/start-all-in-one.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { Lifecycle } from '../../src/platform/lifecycle/lifecycle.ts';
import { startInstallation } from './installation.ts';

export type FlowOrder =
  | { readonly order: 'start'; readonly folder: string; readonly databaseUrl: string }
  /** Answered when nothing is in flight any more. */
  | { readonly order: 'peak' };

export type FlowAnswer =
  | { readonly answer: 'started'; readonly uploadUrl: string }
  /** `runnerBytes`: the largest child process; 0 where the system does not tell. */
  | { readonly answer: 'peak'; readonly mainBytes: number; readonly runnerBytes: number }
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
  // The system counts in kibibytes.
  return { answer: 'peak', mainBytes: process.resourceUsage().maxRSS * 1024, runnerBytes: await largestChildBytes() };
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
