/**
 * How long a report that was stored takes until its notification is on the bus while the notification service follows: at a steady rate, with
 * few and with many reports of the last ten minutes. The reports come one at a time and each wakes the service, as those of a writer do that
 * keeps up. `ccx notifier` is a process of its own; stored is when the transaction has ended, on the bus when a consumer has the record.
 * Against a record that is sent by whoever stores the report, right behind it: no service can be sooner.
 */
import type { Bus, Producer } from '../src/platform/bus/bus.ts';
import { connectDatabase } from '../src/platform/database/connect-database.ts';
import type { Database } from '../src/platform/database/database.ts';
import { type Arrivals, watchArrivals } from './support/arrivals.ts';
import type { BenchContext, Benchmark, BusEngine, Comparison, Contender, Figure } from './support/benchmark.ts';
import { cpuSince, cpuTimes, type Watched } from './support/costs.ts';
import { addRecentReports, recentReports } from './support/recent-reports.ts';
import { startNotifier } from './support/start-notifier.ts';

/** The rates at which a latency is asked for, and for how long. */
const ratesPerSecond = [50, 200];
const measuredSeconds = 8;
const comparedPerSecond = 50;
/** Reports that the service has seen before anything counts. */
const warmUpReports = 150;
const manyReports = 100_000;
/** As many transactions as a writer or two have under way. */
const connectionsMax = 4;

export interface FollowParts {
  readonly context: BenchContext;
  readonly store: Database;
  readonly producer: Producer;
  readonly topic: string;
  readonly arrivals: Arrivals;
  readonly watched: Watched;
  readonly storeReport: (store: Database, cluster: string) => Promise<void>;
}

export const benchmark: Benchmark = {
  description: 'from a stored report to its notification on the bus, following',
  async run(context) {
    const comparisons: Comparison[] = [];
    const figures: Figure[] = [];
    const leftOut: string[] = [];
    for (const engine of ['embedded', 'kafka'] as const) {
      const missing = context.engines.missing(engine);
      if (missing !== undefined) {
        leftOut.push(`on ${engine}: ${missing}`);
        continue;
      }
      const found = await measureOn(context, engine);
      comparisons.push(found.comparison);
      figures.push(...found.figures);
    }
    return { comparisons, figures, ...(leftOut.length === 0 ? {} : { leftOut }) };
  },
};

async function measureOn(context: BenchContext, engine: BusEngine) {
  const { clock, lifecycle } = context;
  const { url, database, server } = await context.createDatabase();
  const bus = await context.engines.openBus(engine, database);
  lifecycle.defer('bus', () => bus.close());
  const topic = `bench.follow.${clock.uuid()}`;
  const { storeReport, report } = await recentReports(context, database);
  const brokers = engine === 'kafka' ? await context.engines.kafka() : undefined;
  await bus.admin.ensureTopics([{ name: topic, partitions: 3 }]);
  const notifier = await startNotifier(context, { databaseUrl: url, topic, brokers });
  const watched = { process: notifier.pid, server };
  const parts = { ...(await openParts(context, bus, topic, url)), storeReport, watched };
  await storeAtRate(parts, { perSecond: comparedPerSecond, count: context.size(warmUpReports, 2) });
  const comparison = await context.compare({
    title: `${engine}, ${comparedPerSecond} a second: reports by each second that they wait`,
    unit: 'reports',
    rounds: 5,
    budgetMs: 12_000,
    subject: contender(parts, 'the notifier', true),
    baselines: [contender(parts, 'a record sent by whoever stores', false)],
  });
  const figures = await latencies(parts, `${engine}, few recent reports`);
  const many = context.size(manyReports, 50);
  await addRecentReports(database, many, report);
  figures.push(...(await latencies(parts, `${engine}, ${many} recent reports`)));
  return { comparison, figures };
}

/** What stores reports, and what sees their notifications come. */
export async function openParts(context: BenchContext, bus: Bus, topic: string, url: string) {
  const { lifecycle } = context;
  const arrivals = await watchArrivals(context, bus, topic);
  const producer = await bus.createProducer();
  lifecycle.defer('producer', () => producer.close());
  const store = connectDatabase({ url, applicationName: 'bench writer', connectionsMax });
  lifecycle.defer('connections of the writer', () => store.close());
  return { context, topic, arrivals, producer, store };
}

/** A second of one way; what counts is how long the reports waited, all together. */
function contender(parts: FollowParts, name: string, isService: boolean): Contender {
  const { context, watched } = parts;
  return {
    name,
    costs: () => (isService ? watched : { process: process.pid, server: watched.server }),
    async run() {
      const count = context.size(comparedPerSecond, 2);
      const waited = await storeAtRate(parts, { perSecond: comparedPerSecond, count, isService });
      return { units: count, elapsedMs: waited.reduce((sum, ms) => sum + ms, 0) };
    },
  };
}

/** At each rate; each report is the first of its cluster. */
export async function latencies(parts: FollowParts, title: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const perSecond of ratesPerSecond) {
    const count = parts.context.size(perSecond * measuredSeconds, 4);
    const before = cpuTimes(parts.watched);
    const waited = (await storeAtRate(parts, { perSecond, count })).sort((left, right) => left - right);
    const cpu = cpuSince(parts.watched, before);
    const name = `${title}, ${perSecond}/s`;
    const at = (share: number) => waited[Math.ceil(waited.length * share) - 1]!;
    parts.context.tell(`${name}: ${Math.round(at(0.5))} ms, 99th percentile ${Math.round(at(0.99))} ms`);
    figures.push(
      { name: `${name}: median`, value: at(0.5), unit: 'ms' },
      { name: `${name}: 99th percentile`, value: at(0.99), unit: 'ms' },
      { name: `${name}: processor time of the notifier, a report`, value: cpu.process / count, unit: 'ms' },
      { name: `${name}: processor time of the server, a report`, value: cpu.server / count, unit: 'ms' },
    );
  }
  return figures;
}

/** Each of a cluster of its own, at its moment whether those before have arrived or not; answers how long each waited, in ms. */
async function storeAtRate(
  { context: { clock }, store, producer, topic, arrivals, storeReport }: FollowParts,
  how: { readonly perSecond: number; readonly count: number; readonly isService?: boolean },
): Promise<number[]> {
  const { perSecond, count, isService = true } = how;
  const one = async (): Promise<number> => {
    const key = clock.uuid();
    const arrival = arrivals.of(key);
    // A report that the service leaves alone, where it is not to send.
    await storeReport(store, isService ? key : '');
    const storedMs = clock.monotonicMs();
    if (!isService) await producer.send([{ topic, key, value: key.padEnd(messageBytes, '-') }]);
    return (await arrival) - storedMs;
  };
  const startedMs = clock.monotonicMs();
  const waits: Promise<number>[] = [];
  for (let index = 0; index < count; index += 1) {
    const earlyMs = startedMs + (index * 1000) / perSecond - clock.monotonicMs();
    if (earlyMs > 0) await clock.sleep(earlyMs);
    waits.push(one());
  }
  return await Promise.all(waits);
}

/** Of a message about a few issues. */
const messageBytes = 1_500;
