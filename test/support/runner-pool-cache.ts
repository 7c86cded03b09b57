/**
 * A process that keeps compiled code, with a runner pool whose child takes part in that: what the child may do once it runs jobs. The folder
 * is in the process's environment, as launchers set it; a test starts it and looks at the answer.
 */
import { getCompileCacheDir } from 'node:module';
import { join } from 'node:path';
import { errorCode, errorText } from '../../src/encoding/ccx-error.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { RunnerPool } from '../../src/platform/runner-pool/runner-pool.ts';
import type { TestJob } from './runner-jobs.ts';

const pool = new RunnerPool<TestJob, unknown>({
  module: new URL('./runner-jobs.ts', import.meta.url),
  size: 1,
  clock: createSystemClock(),
  jobMsMax: 60_000,
  childBytesMax: 512 * 1024 * 1024,
  jobsPerChildMax: 10,
});
const folder = getCompileCacheDir()!;
const outcome = (job: TestJob) => pool.run(job).catch((error: unknown) => `${errorCode(error)}: ${errorText(error)}`);
process.send?.({
  environment: await outcome({ do: 'environment' }),
  writing: await outcome({ do: 'write-file', path: join(folder, 'x') }),
  thread: await outcome({ do: 'start-thread' }),
});
await pool.close();
process.disconnect?.();
