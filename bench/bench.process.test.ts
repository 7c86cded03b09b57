/** The benchmarks still run: all that need no broker, as `npm run bench -- --quick --json` runs them, with sizes that take seconds. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readProcessInput } from '../src/platform/config/process-input.ts';
import { testServerUrl } from '../test/support/postgres.ts';
import { allBenchmarks } from './support/all-benchmarks.ts';
import { BENCH_SERVER_VARIABLE } from './support/bench-server.ts';
import type { Machine } from './support/machine.ts';
import type { BenchmarkResult } from './support/print-results.ts';

/** What needs a broker belongs to the tests that need one. */
const names = Object.keys(allBenchmarks).filter((name) => !name.startsWith('kafka-'));
const runner = fileURLToPath(new URL('./run.ts', import.meta.url));
const run = promisify(execFile);

test('every benchmark runs to its end, compares with its baselines and leaves nothing behind', async (t) => {
  const temporary = await mkdtemp(join(tmpdir(), 'ccx-bench-test-'));
  t.after(() => rm(temporary, { recursive: true, force: true }));
  await chmod(temporary, 0o755);
  const env = { ...readProcessInput().env, TMPDIR: temporary, [BENCH_SERVER_VARIABLE]: await testServerUrl() };
  const { stdout } = await run(process.execPath, [runner, '--quick', '--json', ...names], { env });

  const { machine, quick, results } = JSON.parse(stdout) as {
    readonly machine: Machine;
    readonly quick: boolean;
    readonly results: readonly BenchmarkResult[];
  };
  assert.equal(quick, true);
  assert.equal(machine.node, process.version);
  assert.deepEqual(
    results.map(({ name }) => name),
    names,
  );
  for (const result of results) {
    if ('skipped' in result) {
      assert.match(result.skipped, /Kafka|quick/, result.name);
      continue;
    }
    assert.ok(result.comparisons.length > 0, result.name);
    for (const { title, subject, baselines } of result.comparisons) {
      assert.ok(subject.perSecond.median > 0, title);
      assert.ok(baselines.length > 0, title);
      for (const { name, ratio } of baselines) assert.ok(Number.isFinite(ratio.median) && ratio.median > 0, name);
    }
    for (const { name, value } of result.figures) assert.ok(Number.isFinite(value), name);
  }
  assert.deepEqual(await readdir(temporary), []);
});

test('a benchmark that does not exist is named, with those that do', async () => {
  const ended = run(process.execPath, [runner, 'no-such-benchmark']);
  await assert.rejects(ended, (error: { code: number; stderr: string }) => {
    assert.equal(error.code, 2);
    assert.match(error.stderr, /no benchmark no-such-benchmark/);
    assert.match(error.stderr, /whole-flow/);
    return true;
  });
});
