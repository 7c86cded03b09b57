/**
 * `npm run soak`: whole series of kill scenarios (`test/faults/kill-series.ts`), one per seed, then fifty kills of writers under load on a
 * real Kafka (`test/faults/writer-under-fire.ts`), then 200 histories of a notification service
 * (`test/faults/notification-history.ts`) and 10,000 archives by chance (`test/faults/fuzz/`), and what came out of them.
 * `npm run test:all` runs a part of it. Ends with 1 when a promise was broken; the same seed gives the same series again.
 *
 *   npm run soak                         one series, a random seed
 *   npm run soak -- --seeds=3            three series
 *   npm run soak -- --seed=abc           that series; with --seeds the first of several
 *   npm run soak -- --parallel=2         scenarios at a time
 *   npm run soak -- --only=report-stored scenarios whose name contains that; the others are called `writers`, `histories` and `archives`
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createKafkaBus } from '../src/platform/bus/kafka/kafka-bus.ts';
import { plaintext } from '../src/platform/bus/kafka/kafka-security.ts';
import { createSystemClock } from '../src/platform/clock/clock.ts';
import { readProcessInput } from '../src/platform/config/process-input.ts';
import { createTemplate, type Template } from '../test/faults/faulty-installation.ts';
import { type KillScenario, runKillScenario, type ScenarioResult } from '../test/faults/kill-scenario.ts';
import { killSeries } from '../test/faults/kill-series.ts';
import { runWriterUnderFire } from '../test/faults/writer-under-fire.ts';
import { baseEnvironment } from '../test/support/base-environment.ts';
import { missingForKafka } from './kafka/kafka-jars.ts';
import { startKafka } from './kafka/start-kafka.ts';

interface Finished extends ScenarioResult {
  readonly seed: string;
  readonly scenario: KillScenario;
}

/** What one run does to the writers on Kafka; `writer-under-fire.kafka.test.ts` does a tenth of it. */
const writersUnderFire = { name: 'writers under fire', kills: 50, serverRestarts: 10 };

/** What one run plays and sends; `npm test` and `npm run test:all` do a part of it with the same tests. */
const series = [
  {
    name: 'histories',
    count: 200,
    variable: 'CCX_TEST_HISTORIES',
    test: 'src/services/notification-service/histories.pg.test.ts',
  },
  {
    name: 'archives by chance',
    count: 10_000,
    variable: 'CCX_TEST_FUZZED',
    test: 'src/services/data-pipeline/fuzzed-archives.fault.test.ts',
  },
] as const;

const repositoryRoot = fileURLToPath(new URL('..', import.meta.url));
const clock = createSystemClock();
const flags = new Map(
  readProcessInput().args.map((argument) => {
    const match = /^--(seeds|seed|parallel|only)=(.+)$/.exec(argument);
    if (match === null)
      throw new Error(`unknown option ${argument}; known: --seeds=N --seed=TEXT --parallel=N --only=TEXT`);
    return [match[1], match[2]!] as const;
  }),
);
process.exitCode = await soak();

async function soak(): Promise<number> {
  const only = flags.get('only') ?? '';
  const first = flags.get('seed') ?? clock.uuid().slice(0, 8);
  const seeds = Array.from({ length: Number(flags.get('seeds') ?? 1) }, (_, index) =>
    index === 0 ? first : `${first}-${index + 1}`,
  );
  const due = seeds.flatMap((seed) =>
    killSeries(seed)
      .filter(({ name }) => name.includes(only))
      .map((scenario) => ({ seed, scenario })),
  );
  const fires = writersUnderFire.name.includes(only) ? seeds : [];
  const isKept = due.length === 0 || (await soakScenarios(due, seeds));
  const areStored = [];
  for (const seed of fires) areStored.push(await soakWriters(seed));
  const areTrue = [];
  for (const one of series.filter(({ name }) => name.includes(only)))
    for (const seed of seeds) areTrue.push(await soakTest(seed, one));
  return isKept && areStored.every(Boolean) && areTrue.every(Boolean) ? 0 : 1;
}

/** False when one of them broke a promise; it is printed with its seed. */
async function soakTest(seed: string, { name, count, variable, test }: (typeof series)[number]): Promise<boolean> {
  console.log(`${count} ${name}, seed ${seed}`);
  const env = { ...baseEnvironment(), CCX_TEST_SEED: seed, [variable]: String(count) };
  const child = spawn(process.execPath, ['--test', test], { cwd: repositoryRoot, env, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}

type Due = { readonly seed: string; readonly scenario: KillScenario }[];

/** False when a promise was broken. */
async function soakScenarios(due: Due, seeds: readonly string[]): Promise<boolean> {
  const startedAt = clock.now();
  const startedMs = clock.monotonicMs();
  console.log(`${due.length} scenarios, seeds ${seeds.join(' ')}`);
  const template = await createTemplate();
  const finished: Finished[] = [];
  try {
    const workers = Array.from({ length: Number(flags.get('parallel') ?? availableParallelism()) }, () =>
      work(due, template, finished),
    );
    await Promise.all(workers);
  } finally {
    await template.remove();
  }
  tellSummary(finished, { seeds, startedAt, ms: clock.monotonicMs() - startedMs });
  return finished.every(({ complaints }) => complaints.length === 0);
}

/** False when a message was lost, was stored twice, or says something else. */
async function soakWriters(seed: string): Promise<boolean> {
  const missing = missingForKafka();
  if (missing.length > 0) {
    console.log(
      `\nleft out: ${writersUnderFire.name}: no Kafka can be started here: ${missing.join(' and ')} is missing`,
    );
    return true;
  }
  const { name, kills, serverRestarts } = writersUnderFire;
  console.log(`\n${name}: ${kills} kills, PostgreSQL restarted ${serverRestarts} times, seed ${seed}`);
  const cluster = await startKafka();
  try {
    const brokers = cluster.addresses;
    const bus = createKafkaBus({ brokers, clientId: 'soak', security: plaintext, clock });
    try {
      const result = await runWriterUnderFire({ seed, kills, serverRestarts, brokers, bus });
      for (const complaint of result.complaints) console.log(`       ${complaint}`);
      tellRows([
        ['good messages', result.good],
        ['sent twice', result.repeats],
        ['bad messages', result.bad],
        ['kills with messages to be read', result.killedAtWork],
        ['ended without PostgreSQL', result.endedWithoutDatabase],
        ['complaints', result.complaints.length],
        ['duration', `${Math.round(result.ms / 1000)} s`],
      ]);
      if (result.complaints.length > 0) console.log(`broken: --seed=${seed} --only=writers`);
      return result.complaints.length === 0;
    } finally {
      await bus.close();
    }
  } finally {
    await cluster.stop();
  }
}

/** Takes scenarios until none is left. */
async function work(due: Due, template: Template, finished: Finished[]): Promise<void> {
  for (let next = due.shift(); next !== undefined; next = due.shift()) {
    const result = { ...next, ...(await runKillScenario(template, next.scenario)) };
    finished.push(result);
    const verdict = result.complaints.length === 0 ? 'ok    ' : 'BROKEN';
    console.log(`${verdict} ${next.seed} ${next.scenario.name} (${(result.ms / 1000).toFixed(1)} s)`);
    for (const complaint of result.complaints) console.log(`       ${complaint.replaceAll('\n', '\n       ')}`);
  }
}

function tellSummary(
  finished: readonly Finished[],
  run: { readonly seeds: readonly string[]; readonly startedAt: Date; readonly ms: number },
): void {
  const sum = (of: (one: Finished) => number) => finished.reduce((total, one) => total + of(one), 0);
  const broken = finished.filter(({ complaints }) => complaints.length > 0);
  tellRows([
    ['started', run.startedAt.toISOString()],
    ['seeds', run.seeds.join(' ')],
    ['scenarios', finished.length],
    ['kills', sum(({ scenario }) => scenario.kills.length)],
    ['of them with PostgreSQL', sum(({ scenario }) => scenario.kills.filter(({ withServer }) => withServer).length)],
    ['waited for leases', finished.filter(({ scenario }) => scenario.waitsForLeases).length],
    ['archives gathered', sum(({ gatherings }) => gatherings)],
    ['uploads cut off by a kill', sum(({ cutOff }) => cutOff)],
    ['scenarios with a broken promise', broken.length],
    ['duration', `${Math.round(run.ms / 1000)} s`],
  ]);
  for (const { seed, scenario } of broken) console.log(`broken: --seed=${seed} ${scenario.name}`);
}

function tellRows(rows: readonly (readonly [string, string | number])[]): void {
  console.log(`\n${rows.map(([name, value]) => `${name.padEnd(32)} ${value}`).join('\n')}`);
}
