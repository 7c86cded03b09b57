/**
 * A database of a million clusters, some ten gigabytes, under the services: the writer with a backlog, the notification service as it starts to
 * follow, as it follows, and in one run over all; and old reports deleted. What the writer does is compared with the same on a database of a
 * few thousand clusters: of the others docs/scale.md says what was expected. `CCX_BENCH_CLUSTERS` chooses another number. It takes some ten
 * minutes; `CCX_BENCH_FLEET_URL` names a database that is used, filled where it is empty, and kept, and `CCX_BENCH_FLEET_PARTS` chooses of
 * `writer,follow,once,retention`, so that it can be had in pieces.
 */
import { TABLE_NEW_REPORTS, TABLE_NOTIFICATION_OUTBOX, TABLE_REPORT_FACTS } from '../src/contracts/tables.ts';
import type { Bus } from '../src/platform/bus/bus.ts';
import { connectDatabase } from '../src/platform/database/connect-database.ts';
import { ensureNotificationSchema } from '../src/platform/records/notification-schema.ts';
import { deleteAgedRows, oldRowsOf } from '../src/platform/records/old-rows.ts';
import { latencies, openParts } from './follow.ts';
import type { BenchContext, BenchDatabase, Benchmark, Comparison, Contender, Figure } from './support/benchmark.ts';
import { cpuSince, cpuTimes, forgetPeaks, peakMebibytes, postmasterOf } from './support/costs.ts';
import { type Fleet, fleetOf, fleetSeries, makeFleet } from './support/make-fleet.ts';
import { recentReports } from './support/recent-reports.ts';
import { reportMessages } from './support/report-messages.ts';
import { runNotifierOnce, startNotifier } from './support/start-notifier.ts';
import { startWriter } from './support/start-writer.ts';

/** Of which the writer's database is a part of the comparison. */
const fewClusters = 3_000;
/** Of the reports, the oldest. */
const deletedShare = 0.05;

interface Place extends BenchDatabase {
  readonly bus: Bus;
  readonly fleet: Fleet;
}

export const benchmark: Benchmark = {
  description: 'a database of a million clusters under writer, notification service and retention',
  large: true,
  async run(context) {
    const clusters = Number(context.env['CCX_BENCH_CLUSTERS'] ?? context.size(1_000_000, 60));
    const parts = (context.env['CCX_BENCH_FLEET_PARTS'] ?? 'writer,follow,once,retention').split(',');
    const place = await openPlace(context, clusters);
    const comparisons: Comparison[] = [];
    const figures: Figure[] = [...(await sizeFigures(place, 'behind a first run'))];
    if (parts.includes('writer')) comparisons.push(await compareWriters(context, place));
    if (parts.includes('follow')) figures.push(...(await followFigures(context, place)));
    if (parts.includes('once')) figures.push(...(await onceFigures(context, place)));
    if (parts.includes('retention')) figures.push(...(await retentionFigures(context, place)));
    return { comparisons, figures };
  },
};

async function openPlace(context: BenchContext, clusters: number): Promise<Place> {
  const kept = context.env['CCX_BENCH_FLEET_URL'];
  const bench = kept === undefined ? await context.createDatabase() : await openKept(context, kept);
  const bus = await context.engines.openBus('embedded', bench.database);
  context.lifecycle.defer('bus', () => bus.close());
  const there = kept === undefined ? undefined : await fleetOf(bench.database);
  return { ...bench, bus, fleet: there ?? (await makeFleet(context, { ...bench, bus, clusters })) };
}

async function openKept({ lifecycle }: BenchContext, url: string): Promise<BenchDatabase> {
  const database = connectDatabase({ url, applicationName: 'ccx bench' });
  lifecycle.defer('database that is kept', () => database.close());
  await ensureNotificationSchema(database);
  return { url, database, server: await postmasterOf(database) };
}

const tablesTold = 8;

async function sizeFigures({ database, fleet }: Place, when: string): Promise<Figure[]> {
  const { rows } = await database.query<{ name: string; bytes: number }>(
    `SELECT n.nspname || '.' || coalesce(parent.relname, t.relname) AS name, sum(pg_total_relation_size(t.oid))::float8 AS bytes
       FROM pg_class AS t
       JOIN pg_namespace AS n ON n.oid = t.relnamespace
       LEFT JOIN pg_inherits AS i ON i.inhrelid = t.oid
       LEFT JOIN pg_class AS parent ON parent.oid = i.inhparent
      WHERE t.relkind = 'r' AND n.nspname IN ('public', 'ccx')
      GROUP BY 1 ORDER BY 2 DESC`,
  );
  const all = rows.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    { name: `${when}: clusters`, value: fleet.clusters, unit: 'clusters' },
    { name: `${when}: the database`, value: all / 1e9, unit: 'GB' },
    { name: `${when}: a cluster`, value: all / fleet.clusters / 1e3, unit: 'kB' },
    ...rows.slice(0, tablesTold).map(({ name, bytes }) => {
      return { name: `${when}: a cluster in ${name}`, value: bytes / fleet.clusters / 1e3, unit: 'kB' };
    }),
  ];
}

/** Another report of clusters that are known, in either database. */
async function compareWriters(context: BenchContext, large: Place): Promise<Comparison> {
  const bench = await context.createDatabase();
  const bus = await context.engines.openBus('embedded', bench.database);
  context.lifecycle.defer('bus of a few clusters', () => bus.close());
  const fleet = await makeFleet(context, { ...bench, bus, clusters: context.size(fewClusters, 30) });
  const small = { ...bench, bus, fleet };
  const contenders = [await writerContender(context, large), await writerContender(context, small)];
  const comparison = await context.compare({
    title: 'another report of clusters that are known, through ccx writer, from the embedded bus',
    unit: 'reports',
    rounds: 3,
    budgetMs: 60_000,
    subject: contenders[0]!.contender,
    baselines: [contenders[1]!.contender],
  });
  for (const { stop } of contenders) await stop();
  return comparison;
}

async function writerContender(context: BenchContext, { url, bus, fleet, server }: Place) {
  const { clock } = context;
  const writer = await startWriter(context, { databaseUrl: url, bus, brokers: [] });
  const count = Math.min(fleet.made, context.size(10_000, 10));
  const contender: Contender = {
    name: `a database of ${fleet.clusters} clusters`,
    async prepare() {
      writer.pause();
      await writer.send(reportMessages(clock, count, fleetSeries));
    },
    async run() {
      writer.goOn();
      await writer.untilStored();
      return count;
    },
    costs: () => ({ process: writer.pid, server }),
  };
  return { contender, stop: writer.stop };
}

async function followFigures(context: BenchContext, place: Place): Promise<Figure[]> {
  const { clock, tell } = context;
  const { url, database, bus, server, fleet } = place;
  const topic = `bench.fleet.${clock.uuid()}`;
  const { storeReport } = await recentReports(context, database);
  await bus.admin.ensureTopics([{ name: topic, partitions: 3 }]);
  const told = await messagesOf(place);
  const before = cpuTimes({ process: process.pid, server });
  const startedMs = clock.monotonicMs();
  const notifier = await startNotifier(context, { databaseUrl: url, topic, brokers: undefined });
  const seconds = (clock.monotonicMs() - startedMs) / 1000;
  const cpu = cpuSince({ process: process.pid, server }, before);
  const watched = { process: notifier.pid, server };
  if ((await messagesOf(place)) !== told) throw new Error('messages were made of nothing new');
  tell(`it follows after ${Math.round(seconds)} s`);
  const first = peakMebibytes(watched).process;
  forgetPeaks(watched);
  const parts = { ...(await openParts(context, bus, topic, url)), storeReport, watched };
  const found = await latencies(parts, `following ${fleet.clusters} clusters`);
  const figures = [
    { name: 'starting to follow, all clusters compared', value: seconds, unit: 's' },
    { name: 'starting to follow: processor time of the notifier', value: cpu.children / 1000, unit: 's' },
    { name: 'starting to follow: processor time of the server', value: cpu.server / 1000, unit: 's' },
    { name: 'starting to follow: peak memory of the notifier', value: first, unit: 'MiB' },
    ...found,
    { name: 'following: peak memory of the notifier', value: peakMebibytes(watched).process, unit: 'MiB' },
  ];
  await notifier.stop();
  return figures;
}

async function messagesOf({ database }: Place): Promise<number> {
  const { rows } = await database.query<{ messages: number }>(
    `SELECT count(*)::int AS messages FROM ${TABLE_NOTIFICATION_OUTBOX}`,
  );
  return rows[0]!.messages;
}

async function onceFigures(context: BenchContext, place: Place): Promise<Figure[]> {
  const { clock } = context;
  const { url, bus, database, server, fleet } = place;
  const topic = `bench.fleet.${clock.uuid()}`;
  await bus.admin.ensureTopics([{ name: topic, partitions: 3 }]);
  const sizeOf = async () => {
    const { rows } = await database.query<{ bytes: number }>(
      'SELECT pg_database_size(current_database())::float8 AS bytes',
    );
    return rows[0]!.bytes;
  };
  const bytes = await sizeOf();
  const before = cpuTimes({ process: process.pid, server });
  const startedMs = clock.monotonicMs();
  const { peakMebibytes: peak } = await runNotifierOnce(context, { databaseUrl: url, topic, brokers: undefined });
  const ms = clock.monotonicMs() - startedMs;
  const cpu = cpuSince({ process: process.pid, server }, before);
  const grownBytes = (await sizeOf()) - bytes;
  return [
    { name: 'one run with little that is new', value: ms / 1000, unit: 's' },
    { name: 'one run: clusters', value: (fleet.clusters * 1000) / ms, unit: 'clusters/s' },
    {
      name: 'one run: processor time of the notifier, a cluster',
      value: (cpu.children * 1000) / fleet.clusters,
      unit: 'µs',
    },
    {
      name: 'one run: processor time of the server, a cluster',
      value: (cpu.server * 1000) / fleet.clusters,
      unit: 'µs',
    },
    { name: 'one run: peak memory of the notifier', value: peak, unit: 'MiB' },
    { name: 'one run: growth of the database, a cluster', value: grownBytes / fleet.clusters / 1e3, unit: 'kB' },
  ];
}

async function retentionFigures({ clock }: BenchContext, { database, fleet }: Place): Promise<Figure[]> {
  const rows = Math.ceil(fleet.clusters * deletedShare);
  const { slices, ...rest } = await oldRowsOf(database, { table: TABLE_NEW_REPORTS, maxAge: '1 minute' });
  const { rows: found } = await database.query<{ before: string }>(
    `SELECT updated_at::text AS before FROM ${TABLE_NEW_REPORTS} ORDER BY updated_at OFFSET $1 LIMIT 1`,
    [rows],
  );
  const startedMs = clock.monotonicMs();
  const deleted = await deleteAgedRows(database, { ...rest, slices: { ...slices, before: found[0]!.before } });
  const deletedMs = clock.monotonicMs() - startedMs;
  await database.query(`VACUUM ${TABLE_NEW_REPORTS}, ${TABLE_REPORT_FACTS}`);
  return [
    { name: 'retention: reports deleted', value: deleted, unit: 'reports' },
    { name: 'retention: rate', value: (deleted * 1000) / deletedMs, unit: 'reports/s' },
    { name: 'retention: VACUUM behind it', value: (clock.monotonicMs() - startedMs - deletedMs) / 1000, unit: 's' },
  ];
}
