/**
 * What it takes until a program has said its version, its help, its configuration, or which rows are old, or has found that nothing is new: the
 * launcher, Node, and whatever the command loads. Below a Node that runs nothing nobody gets. Goals in processor time: a version 0.1 s
 * (of `ccx` 0.15), printing and cleaning up 0.35 s, a run over 100 clusters with nothing new 0.6 s.
 */
import { spawnSync } from 'node:child_process';
import { isAbsolute, join } from 'node:path';
import { baseEnvironment } from '../test/support/base-environment.ts';
import { settingsOf, storageSettings } from '../test/support/drop-in-program.ts';
import type { BenchContext, BenchDatabase, Benchmark, Comparison } from './support/benchmark.ts';
import { storeReportMessages } from './support/report-messages.ts';

const bin = join(import.meta.dirname, '../src/bin');

const commands = [
  ['ccx', '--version'],
  ['ccx', 'writer', '--version'],
  ['ccx', 'writer', '--help'],
  ['ccx', 'all-in-one', '--help'],
  ['ccx-notification-writer', '--version'],
  ['ccx-notification-writer', '--help'],
  ['ccx-notification-service', '--show-version'],
  ['ccx-notification-service', '--help'],
  ['ccx-notification-service', '--show-configuration'],
] as const;

/** What a cron job of the originals calls; on a database without rows, so that the start is what takes the time. */
const commandsOnDatabase = [
  ['ccx-notification-writer', '--print-new-reports-for-cleanup', '--max-age=8 days'],
  ['ccx-notification-writer', '--new-reports-cleanup', '--max-age=8 days'],
  ['ccx-notification-service', '--print-old-reports-for-cleanup', '--max-age=8 days'],
  ['ccx-notification-service', '--old-reports-cleanup', '--max-age=8 days'],
] as const;

const oneShot = ['ccx-notification-service', '--instant-reports', '--ignore-disabled-rules'] as const;
const clusters = 100;

export const benchmark: Benchmark = {
  description: 'programs that only say something against a Node that runs nothing',
  async run(context) {
    const comparisons: Comparison[] = [];
    for (const command of commands) comparisons.push(await compareStarts(context, command, {}));
    const { url } = await context.createDatabase();
    for (const command of commandsOnDatabase) {
      comparisons.push(await compareStarts(context, command, settingsOf(command[0], storageSettings(url))));
    }
    const missing = context.engines.missing('kafka');
    if (missing === undefined) comparisons.push(await compareRunsWithNothingNew(context));
    return {
      ...{ comparisons, figures: [] },
      leftOut: missing === undefined ? [] : [`a run with nothing new, which asks Kafka: ${missing}`],
    };
  },
};

/** As a cron job does it: everything was notified by the run before. */
async function compareRunsWithNothingNew(context: BenchContext): Promise<Comparison> {
  const { clock, engines } = context;
  const storage = await context.createDatabase();
  await storeReportMessages(storage.database, { clock, count: clusters });
  const topic = `bench.start-up.${clock.uuid()}`;
  const bus = await engines.openBus('kafka', storage.database);
  await bus.admin.ensureTopics([{ name: topic, partitions: 1 }]);
  await bus.close();
  const settings = settingsOf(oneShot[0], {
    ...storageSettings(storage.url),
    KAFKA_BROKER__ENABLED: 'true',
    KAFKA_BROKER__ADDRESSES: (await engines.kafka()).join(','),
    KAFKA_BROKER__TOPIC: topic,
    KAFKA_BROKER__EVENT_FILTER: 'totalRisk >= totalRiskThreshold',
    KAFKA_BROKER__COOLDOWN: '24 hours',
    LOGGING__LOG_LEVEL: 'error',
  });
  start(oneShot[0], oneShot.slice(1), settings);
  await expectNotified(storage);
  const comparison = await compareStarts(context, oneShot, settings, `, ${clusters} clusters with nothing new`);
  // Once, by the first.
  await expectNotified(storage);
  return comparison;
}

async function expectNotified({ database }: BenchDatabase): Promise<void> {
  const { rows } = await database.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM reported JOIN states ON states.id = reported.state AND states.value = $1',
    ['sent'],
  );
  if (rows[0]!.count !== clusters) throw new Error(`${rows[0]!.count} of ${clusters} clusters were notified`);
}

async function compareStarts(
  context: BenchContext,
  [name, ...args]: readonly [string, ...string[]],
  settings: Readonly<Record<string, string>>,
  what = '',
): Promise<Comparison> {
  const turns = context.size(5, 1);
  const repeated = (program: string, argv: readonly string[]) => ({
    run() {
      for (let turn = 0; turn < turns; turn += 1) start(program, argv, settings);
      return turns;
    },
    // Each has ended by then.
    costs: () => ({ process: process.pid }),
  });
  return context.compare({
    title: `${[name, ...args].join(' ')}${what}`,
    unit: 'starts',
    subject: { name: 'through its launcher', ...repeated(name, args) },
    baselines: [{ name: 'node -e 0', ...repeated(process.execPath, ['-e', '0']) }],
  });
}

/** A program of `src/bin`, or another by its path, until it has ended. */
function start(program: string, args: readonly string[], settings: Readonly<Record<string, string>>): void {
  const path = isAbsolute(program) ? program : join(bin, program);
  const { status, error, stderr } = spawnSync(path, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...baseEnvironment(), ...settings },
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`, { cause: error });
}
