/** A process with a runner pool of two, one child idle and one in a busy loop; a test kills it and looks for orphans. */
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { RunnerPool } from '../../src/platform/runner-pool/runner-pool.ts';
import type { TestJob } from './runner-jobs.ts';

const clock = createSystemClock();
const pool = new RunnerPool<TestJob, unknown>({
  module: new URL('./runner-jobs.ts', import.meta.url),
  size: 2,
  clock,
  jobMsMax: 600_000,
  childBytesMax: 512 * 1024 * 1024,
  jobsPerChildMax: 10,
});
while (pool.state().idle < 2) await clock.sleep(5);
void pool.run({ do: 'loop' });
await clock.sleep(200);
process.send?.({ pids: pool.state().pids });
