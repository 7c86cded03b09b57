/** What a job can do to a child, and that nothing else notices. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TestJob } from '../../../test/support/runner-jobs.ts';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { until } from '../../../test/support/until.ts';
import { errorText } from '../../encoding/ccx-error.ts';
import { createSystemClock } from '../clock/clock.ts';
import { readProcessInput } from '../config/process-input.ts';
import { readFromPs, residentBytes } from './runner-child.ts';
import { RunnerError } from './runner-job.ts';
import { RunnerPool, type RunnerPoolOptions } from './runner-pool.ts';

const clock = createSystemClock();
const MiB = 1024 * 1024;
const module = new URL('../../../test/support/runner-jobs.ts', import.meta.url);

function poolOf(options: Partial<RunnerPoolOptions> = {}): RunnerPool<TestJob, unknown> {
  return new RunnerPool<TestJob, unknown>({
    module,
    size: 1,
    clock,
    jobMsMax: 30_000,
    childBytesMax: 400 * MiB,
    jobsPerChildMax: 1_000,
    ...options,
  });
}

function refusedWith(code: string, label?: string) {
  return (error: unknown) => {
    assert.ok(error instanceof RunnerError, String(error));
    assert.equal(error.code, code, error.message);
    if (label !== undefined) assert.equal(error.label, label);
    return true;
  };
}

test('an owner who sends much holds up nobody else: his jobs wait for one that came last', async (context) => {
  const pool = poolOf();
  context.after(() => pool.close());
  const ended: string[] = [];
  const cpu: number[] = [];
  const run = async (owner: string, stepMs: number) => {
    await pool.run({ do: 'steps', steps: 1, stepMs }, { owner, onCpu: (cpuMs) => cpu.push(cpuMs) });
    ended.push(owner);
  };
  const flood = Array.from({ length: 6 }, () => run('flood', 60));
  await until(() => pool.state().busy === 1);
  await Promise.all([run('good', 1), ...flood]);
  assert.deepEqual(ended.slice(0, 2), ['flood', 'good']);
  assert.equal(cpu.length, 7);
  // A busy machine makes a job wait, not cost more; the first ones of a child are compiled as well.
  assert.ok(Math.max(...cpu) >= 20, cpu.join());
});

test('what a killed job took is charged to its owner, too', async (context) => {
  const pool = poolOf({ jobMsMax: 300 });
  context.after(() => pool.close());
  const cpu: number[] = [];
  await assert.rejects(
    pool.run({ do: 'loop' }, { owner: 'flood', onCpu: (cpuMs) => cpu.push(cpuMs) }),
    refusedWith('RUNNER_TIMEOUT'),
  );
  assert.ok(cpu.length === 1 && cpu[0]! >= 300, cpu.join());
});

describe('a runner pool', () => {
  let pool: RunnerPool<TestJob, unknown>;
  before(() => {
    pool = poolOf({ size: 2 });
  });
  after(() => pool.close());

  test('gives back what the job returned, buffers and big integers included', async () => {
    const value = { bytes: Buffer.from([1, 2, 3]), big: 12n, map: new Map([['a', 1]]) };
    const result = (await pool.run({ do: 'echo', value })) as { value: typeof value };
    assert.deepEqual(result.value, value);
    assert.equal(pool.state().startFailures, 0);
  });

  test('runs a hundred jobs at once on its two children, each answered with its own result', async () => {
    const jobs = Array.from({ length: 100 }, (_, index) => pool.run({ do: 'echo', value: index }));
    const results = (await Promise.all(jobs)) as { value: number; pid: number }[];
    assert.deepEqual(
      results.map((result) => result.value),
      Array.from({ length: 100 }, (_, index) => index),
    );
    assert.ok(new Set(results.map((result) => result.pid)).size <= 2);
  });

  test('passes on an error of ours with its code, hint and causes, and without a stack', async () => {
    await assert.rejects(pool.run({ do: 'throw-coded' }), (error: unknown) => {
      assert.ok(error instanceof RunnerError);
      assert.deepEqual([error.code, error.category, error.hint], ['ARCHIVE_NOT_GZIP', 'input', 'upload a gzip']);
      assert.equal(errorText(error), 'not a gzip: wrong first byte');
      return true;
    });
  });

  test('turns any other error of a job into RUNNER_JOB_FAILED and keeps the child', async () => {
    const before = [...pool.state().pids];
    await assert.rejects(pool.run({ do: 'throw' }), refusedWith('RUNNER_JOB_FAILED', 'rule throw'));
    assert.deepEqual(pool.state().pids, before);
  });

  test('names the step of a child that ended itself, and replaces the child', async () => {
    await assert.rejects(pool.run({ do: 'exit' }), refusedWith('RUNNER_CRASHED', 'rule exit'));
    assert.deepEqual(((await pool.run({ do: 'echo', value: 1 })) as { value: number }).value, 1);
  });

  test('names the step of a child that died of a rejection nobody handled', async () => {
    await assert.rejects(pool.run({ do: 'reject-later' }), refusedWith('RUNNER_CRASHED', 'rule reject-later'));
  });

  test('is not confused by a flood of labels that try to look like others', async () => {
    assert.equal(await pool.run({ do: 'flood-labels' }), 'flooded');
    await assert.rejects(pool.run({ do: 'throw' }), refusedWith('RUNNER_JOB_FAILED', 'rule throw'));
  });

  test('shows a child neither the environment nor files outside the program', async () => {
    const names = (await pool.run({ do: 'environment' })) as string[];
    const expected = ['LANG', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE', 'NODE_COMPILE_CACHE', 'TZ'];
    assert.deepEqual(
      names.filter((name) => !expected.includes(name)),
      [],
    );
    await assert.rejects(pool.run({ do: 'read-file', path: '/etc/hostname' }), {
      name: 'RunnerError',
      message: /restricted|denied|permission/i,
    });
  });

  test('lets a child read files that are open here only where jobs name them', async () => {
    const path = join(temporaryFolder(), 'file');
    writeFileSync(path, 'open');
    const descriptor = openSync(path, 'r');
    rmSync(path);
    const reading = poolOf({ readsOpenFiles: true });
    try {
      await until(() => reading.state().idle === 1);
      const name = reading.pathOf(descriptor);
      assert.equal(name !== undefined, process.platform === 'linux');
      assert.equal(pool.pathOf(descriptor), undefined);
      if (name === undefined) return;
      assert.equal(await reading.run({ do: 'read-file', path: name }), 'open');
      await assert.rejects(reading.run({ do: 'read-file', path: '/etc/hostname' }), /restricted|denied|permission/i);
      await assert.rejects(pool.run({ do: 'read-file', path: name }), /restricted|denied|permission/i);
    } finally {
      closeSync(descriptor);
      await reading.close();
    }
  });

  test('replaces a child that dies while it is idle', async () => {
    await pool.run({ do: 'echo', value: 0 });
    await until(() => pool.state().idle === 2);
    const [victim] = pool.state().pids;
    process.kill(victim!, 'SIGKILL');
    await until(() => pool.state().idle === 2 && !pool.state().pids.includes(victim!));
  });
});

describe('limits of a runner', () => {
  test('a job that loops forever ends at its deadline with its step, and the job beside it never notices', async () => {
    const pool = poolOf({ size: 2, jobMsMax: 1_000 });
    try {
      await until(() => pool.state().idle === 2);
      const looping = assert.rejects(pool.run({ do: 'loop' }), refusedWith('RUNNER_TIMEOUT', 'rule loop'));
      for (let index = 0; index < 20; index += 1) await pool.run({ do: 'echo', value: index });
      await looping;
      await until(() => pool.state().idle === 2);
    } finally {
      await pool.close();
    }
  });

  test('a step that takes too long is named although the whole job still has time', async () => {
    const pool = poolOf({ stepMsMax: 1_000 });
    try {
      assert.equal(await pool.run({ do: 'steps', steps: 4, stepMs: 300 }), 4);
      await assert.rejects(pool.run({ do: 'loop' }), refusedWith('RUNNER_TIMEOUT', 'rule loop'));
    } finally {
      await pool.close();
    }
  });

  test('a job that eats buffers is killed near the limit, one that eats the heap too', async () => {
    const pool = poolOf({ childBytesMax: 256 * MiB });
    try {
      await assert.rejects(pool.run({ do: 'eat-buffers' }), refusedWith('RUNNER_MEMORY', 'rule eat-buffers'));
      await assert.rejects(pool.run({ do: 'eat-heap' }), refusedWith('RUNNER_MEMORY', 'rule eat-heap'));
      assert.ok(await pool.run({ do: 'echo', value: 'alive' }));
    } finally {
      await pool.close();
    }
  });

  test('a child is replaced after its number of jobs', async () => {
    const pool = poolOf({ jobsPerChildMax: 2 });
    try {
      const pids: number[] = [];
      for (let index = 0; index < 5; index += 1) {
        pids.push(((await pool.run({ do: 'echo', value: index })) as { pid: number }).pid);
      }
      assert.deepEqual([pids[0] === pids[1], pids[1] === pids[2], pids[2] === pids[3]], [true, false, true]);
    } finally {
      await pool.close();
    }
  });

  test('one job more than may wait is refused as retryable, the others are answered', async () => {
    const pool = poolOf({ queuedJobsMax: 2 });
    try {
      await until(() => pool.state().idle === 1);
      const accepted = [1, 2, 3].map((value) => pool.run({ do: 'echo', value }));
      await assert.rejects(pool.run({ do: 'echo', value: 4 }), {
        name: 'RunnerError',
        code: 'RUNNER_QUEUE_FULL',
        retryable: true,
      });
      await Promise.all(accepted);
    } finally {
      await pool.close();
    }
  });

  test('a cancelled job leaves the queue, or its child is killed and replaced', async () => {
    const pool = poolOf();
    try {
      await until(() => pool.state().idle === 1);
      const running = new AbortController();
      const waiting = new AbortController();
      const first = assert.rejects(
        pool.run({ do: 'loop' }, { signal: running.signal }),
        refusedWith('RUNNER_CANCELLED'),
      );
      const second = assert.rejects(
        pool.run({ do: 'echo', value: 2 }, { signal: waiting.signal }),
        refusedWith('RUNNER_CANCELLED'),
      );
      waiting.abort();
      await second;
      running.abort();
      await first;
      assert.ok(await pool.run({ do: 'echo', value: 3 }));
    } finally {
      await pool.close();
    }
  });
});

describe('starting and ending runners', () => {
  test('a module that cannot be loaded refuses the waiting jobs with its reason instead of keeping them', async () => {
    const pool = poolOf({ module: new URL('./no-such-module.ts', import.meta.url) });
    try {
      await assert.rejects(pool.run({ do: 'echo', value: 1 }), (error: unknown) => {
        assert.ok(error instanceof RunnerError);
        assert.deepEqual([error.code, error.retryable], ['RUNNER_UNAVAILABLE', true]);
        assert.match(String((error.cause as Error).cause), /no-such-module/);
        return true;
      });
      assert.ok(pool.state().startFailures >= 3);
      await assert.rejects(pool.run({ do: 'echo', value: 2 }), refusedWith('RUNNER_UNAVAILABLE'));
    } finally {
      await pool.close();
    }
  });

  test('closing rejects what runs and what waits, and leaves no process', async () => {
    const pool = poolOf();
    await until(() => pool.state().idle === 1);
    const pids = pool.state().pids;
    const running = assert.rejects(pool.run({ do: 'loop' }), refusedWith('RUNNER_CLOSED'));
    const waiting = assert.rejects(pool.run({ do: 'echo', value: 1 }), refusedWith('RUNNER_CLOSED'));
    await Promise.all([pool.close(), pool.close(), running, waiting]);
    for (const pid of pids) assert.throws(() => process.kill(pid, 0));
    await assert.rejects(pool.run({ do: 'echo', value: 2 }), refusedWith('RUNNER_CLOSED'));
  });

  test('no child outlives a parent that was killed, idle or in a busy loop', async () => {
    const parent = fork(new URL('../../../test/support/runner-pool-parent.ts', import.meta.url), [], { silent: true });
    const [message] = (await once(parent, 'message')) as [{ pids: number[] }];
    assert.equal(message.pids.length, 2);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await until(() => message.pids.every((pid) => !isAlive(pid)));
  });

  test('a child takes its code from where its parent keeps it, and may write there only before its first job', async (context) => {
    const parent = fork(new URL('../../../test/support/runner-pool-cache.ts', import.meta.url), [], {
      env: { ...readProcessInput().env, NODE_COMPILE_CACHE: temporaryFolder() },
    });
    context.after(() => parent.kill());
    const [answer] = (await once(parent, 'message')) as [Record<'environment' | 'writing' | 'thread', string>];
    assert.ok(answer.environment.includes('NODE_COMPILE_CACHE'));
    assert.match(answer.writing, /^RUNNER_JOB_FAILED: .*(restricted|denied|permission)/i);
    assert.match(answer.thread, /^RUNNER_JOB_FAILED: .*(restricted|denied|permission)/i);
    if (parent.exitCode === null) await once(parent, 'exit');
  });

  test('memory of a process is read from outside, and a process that is gone has none', async () => {
    const bytes = await residentBytes(process.pid);
    assert.ok(bytes !== undefined && bytes > 10 * MiB);
    assert.equal(await residentBytes(2 ** 30), undefined);
    if (existsSync('/bin/ps')) assert.ok(((await readFromPs(process.pid)) ?? 0) > 10 * MiB);
  });
});

/** A killed orphan stays in the process table as a zombie where nobody collects it. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
