/** Jobs that behave and jobs that do not, for the runner pool's tests; loaded inside the children. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { CcxError } from '../../src/encoding/ccx-error.ts';
import type { JobContext } from '../../src/platform/runner-pool/runner-job.ts';

export type TestJob =
  | { readonly do: 'echo'; readonly value: unknown }
  | { readonly do: 'environment' }
  | { readonly do: 'read-file' | 'write-file'; readonly path: string }
  | {
      readonly do:
        | 'loop'
        | 'eat-buffers'
        | 'eat-heap'
        | 'exit'
        | 'throw'
        | 'throw-coded'
        | 'reject-later'
        | 'flood-labels'
        | 'start-thread';
    }
  | { readonly do: 'steps'; readonly steps: number; readonly stepMs: number };

const hoard: unknown[] = [];

export async function runJob(job: TestJob, context: JobContext): Promise<unknown> {
  context.label(`rule ${job.do}`);
  switch (job.do) {
    case 'echo':
      return { value: job.value, pid: process.pid };
    case 'environment':
      return Object.keys(process.env);
    case 'read-file':
      return readFileSync(job.path, 'utf8');
    case 'write-file':
      return writeFileSync(job.path, 'x');
    case 'start-thread':
      return new Worker('0', { eval: true }).threadId;
    case 'loop':
      for (;;);
    case 'eat-buffers':
      for (;;) hoard.push(Buffer.alloc(4 * 1024 * 1024, 1));
    case 'eat-heap':
      for (;;) hoard.push(Array.from({ length: 10_000 }, (_, index) => ({ index })));
    case 'exit':
      return process.exit(3);
    case 'throw':
      throw new TypeError('no such field');
    case 'throw-coded':
      throw new CcxError('not a gzip', {
        code: 'ARCHIVE_NOT_GZIP',
        category: 'input',
        hint: 'upload a gzip',
        cause: new Error('wrong first byte'),
      });
    case 'reject-later':
      void Promise.reject(new Error('nobody listens'));
      return new Promise((resolve) => setImmediate(() => setImmediate(() => resolve('never seen'))));
    case 'flood-labels':
      for (let index = 0; index < 20_000; index += 1) context.label(`${index} ${'x'.repeat(600)}\nforged`);
      return 'flooded';
    case 'steps': {
      for (let index = 0; index < job.steps; index += 1) {
        context.label(`step ${index}`);
        const end = performance.now() + job.stepMs;
        while (performance.now() < end);
      }
      return job.steps;
    }
  }
}
