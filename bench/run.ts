/**
 * `npm run bench`: measures, and prints ratios against baselines that ran in the same rounds.
 *
 *   npm run bench                            all of them, some three minutes
 *   npm run bench -- bus open-archive        only these
 *   npm run bench -- retention               a large one, run only where it is named
 *   npm run bench -- --json                  one JSON object on standard output
 *   npm run bench -- --save                  keeps the figures in `bench/last-figures`, from which docs/figures.md is made (`npm run generate`)
 *   npm run bench -- --quick                 tiny sizes, seconds: shows that the benchmarks still run; its figures mean nothing
 *
 * Each run says what changed against the figures that were kept last. Everything happens on loopback and in temporary folders, and ends with the run, also after Ctrl-C.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Clock, createSystemClock } from '../src/platform/clock/clock.ts';
import { readProcessInput } from '../src/platform/config/process-input.ts';
import { Lifecycle } from '../src/platform/lifecycle/lifecycle.ts';
import { describeFailure, waitForSignal } from '../src/platform/lifecycle/run-role.ts';
import { allBenchmarks } from './support/all-benchmarks.ts';
import { type BenchServer, createBenchServer } from './support/bench-server.ts';
import type { BenchContext, Benchmark } from './support/benchmark.ts';
import { compare } from './support/compare.ts';
import { createEngines, type RunEngines } from './support/engines.ts';
import { changesText, readFigures, writeFigures } from './support/last-figures.ts';
import { describeMachine, machineLine } from './support/machine.ts';
import { type BenchmarkResult, resultText } from './support/print-results.ts';

const { args, env } = readProcessInput();
process.exitCode = await main();

interface RunTools {
  readonly clock: Clock;
  readonly quick: boolean;
  readonly signal: AbortSignal;
  readonly server: BenchServer;
  readonly engines: RunEngines;
  readonly tell: (line: string) => void;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  const interrupted = new AbortController();
  const onSignal = async () => interrupted.abort(new Error(`interrupted by ${await waitForSignal()}`));
  onSignal().catch(() => undefined);
  const clock = createSystemClock();
  // With --json standard output belongs to the result alone.
  const print = (text: string) => void (options.json ? process.stderr : process.stdout).write(`${text}\n`);
  const machine = await describeMachine(clock);
  print(machineLine(machine));
  const server = createBenchServer(env);
  const engines = createEngines({ clock, quick: options.quick, env });
  const results: BenchmarkResult[] = [];
  let failures = 0;
  try {
    for (const name of options.names) {
      const tools = { clock, server, engines, quick: options.quick, signal: interrupted.signal };
      const tell = (line: string) => void process.stderr.write(`  … ${name}: ${line}\n`);
      try {
        const result = await runBenchmark(name, allBenchmarks[name]!, { ...tools, tell });
        results.push(result);
        print(resultText(result));
        if (options.quick || 'skipped' in result) continue;
        const before = readFigures(name);
        if (before !== undefined) print(changesText(before, result));
        if (options.save)
          writeFigures(name, { date: clock.now(), command: `npm run bench -- ${name}`, machine, result });
      } catch (error) {
        if (interrupted.signal.aborted) return 130;
        failures += 1;
        print(`\n${name} failed: ${describeFailure(error)}`);
      }
    }
  } finally {
    await engines.stop();
    await server.stop();
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ machine, quick: options.quick, results })}\n`);
  return failures === 0 ? 0 : 1;
}

function readOptions() {
  const known = Object.keys(allBenchmarks);
  const usage = `benchmarks: ${known.join(', ')}; options: --json, --quick, --save`;
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, save: { type: 'boolean' } },
    });
    const unknown = positionals.find((name) => !known.includes(name));
    if (unknown !== undefined) throw new Error(`no benchmark ${unknown}`);
    const names = positionals.length === 0 ? known.filter((name) => allBenchmarks[name]!.large !== true) : positionals;
    if (values.quick === true && values.save === true) throw new Error('--quick has no figures that --save could keep');
    return { names, save: values.save === true, json: values.json === true, quick: values.quick === true };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${usage}\n`);
    return undefined;
  }
}

async function runBenchmark(name: string, benchmark: Benchmark, tools: RunTools): Promise<BenchmarkResult> {
  const { clock, signal } = tools;
  const lifecycle = new Lifecycle(clock);
  const context = contextOf(name, lifecycle, tools);
  const { description } = benchmark;
  const startedMs = clock.monotonicMs();
  let stopped: Awaited<ReturnType<Lifecycle['stop']>> | undefined;
  try {
    signal.throwIfAborted();
    const skipped = await benchmark.missing?.(context);
    if (skipped !== undefined) return { name, description, skipped };
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => undefined);
    signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
    const findings = await Promise.race([benchmark.run(context), aborted.promise]);
    return { name, description, ...findings, seconds: (clock.monotonicMs() - startedMs) / 1000 };
  } finally {
    stopped = await lifecycle.stop();
    for (const { name: part, error } of stopped.failed) tools.tell(`${part} did not stop cleanly: ${error}`);
  }
}

function contextOf(name: string, lifecycle: Lifecycle, tools: RunTools): BenchContext {
  const { clock, quick, signal, server, engines, tell } = tools;
  return {
    ...{ clock, quick, signal, env, lifecycle, engines, tell },
    size: (full, small) => (quick ? small : full),
    compare: (contest) => compare(contest, { clock, quick, signal }),
    async temporaryFolder() {
      const folder = await mkdtemp(join(tmpdir(), `ccx-measure-${name}-`));
      lifecycle.defer(`folder ${folder}`, () => rm(folder, { recursive: true, force: true }));
      // As root PostgreSQL runs as another account, which has to get in.
      await chmod(folder, 0o755);
      return folder;
    },
    createDatabase: (engine = 'embedded') =>
      server.createDatabase(`ccx_bench_${clock.uuid().replaceAll('-', '')}`, lifecycle, engine),
  };
}
