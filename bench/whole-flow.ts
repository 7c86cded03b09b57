/**
 * Archives per second from the upload to the recorded notification: ingress, data pipeline, writer, notification service and the stand-in
 * receivers in one process, the rules in their child processes, everything flushed. Against gunzip and untar of the same archives, which is
 * what no pipeline can leave out, and against the same flow with one archive, one message and one notification at a time.
 *
 * Told beside it: how a lone archive's time divides among the hops, the same under load (where waiting for others counts), and how much
 * memory the processes hold after 200 and after 1000 archives.
 */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { collectRunSummary } from '../src/all-in-one/run-summary.ts';
import type { AllInOne } from '../src/all-in-one/start-all-in-one.ts';
import { defaultArchiveLimits } from '../src/platform/archive/archive.ts';
import { TarDecoder } from '../src/platform/archive/tar-decoder.ts';
import type { SimulatedCluster } from '../src/tools/cluster-simulator/simulate-cluster.ts';
import { HOPS } from '../src/topology.ts';
import type { BenchContext, Benchmark, Contender, Figure } from './support/benchmark.ts';
import { spread } from './support/compare.ts';
import { measureMemory } from './support/flow-memory.ts';
import { startInstallation } from './support/installation.ts';
import { typicalCluster } from './support/simulated-archives.ts';
import { uploadClusters, watchArrivals } from './support/upload-clusters.ts';

/** Clusters that upload at the same time. */
const uploadsAtOnce = 16;
const arrivalMsMax = 60_000;

/** As the reference works: one after the other, at every place where this program takes several together. */
const oneAtATime = {
  CCX_DATA_PIPELINE__IN_FLIGHT__ARCHIVES: '1',
  CCX_NOTIFICATION_WRITER__BATCH__RECORDS: '1',
  CCX_NOTIFICATION_SERVICE__DELIVERY__CLAIM: '1',
  CCX_NOTIFICATION_SERVICE__DELIVERY__CONCURRENCY: '1',
};

/** Milliseconds by hop number. */
type HopTimes = Readonly<Record<string, number>>;

export const benchmark: Benchmark = {
  description: 'archives from upload to recorded notification, everything in one process',
  async run(context) {
    const ours = await openFlow(context, {});
    const single = await openFlow(context, oneAtATime);
    const archives = context.size(80, 2);
    const lone = await timeLoneArchives(context, ours);
    const flow = flowContender(context, ours, { name: 'the whole flow', archives });
    const comparison = await context.compare({
      title: 'the whole flow',
      unit: 'archives',
      rounds: 5,
      budgetMs: 40_000,
      subject: flow.contender,
      baselines: [
        unpackContender(archives, flow.clusters),
        flowContender(context, single, { name: 'the whole flow, one at a time', archives: Math.ceil(archives / 4) })
          .contender,
      ],
    });
    return {
      comparisons: [comparison],
      figures: [
        { name: 'a lone archive, from upload to recorded notification', value: total(lone), unit: 'ms' },
        ...shares('a lone archive', lone),
        ...shares('under load', flow.times()),
        { name: 'CPU of the process per archive, uploader and stand-ins included', value: flow.cpuMs(), unit: 'ms' },
        ...(await measureMemory(context, uploadsAtOnce)),
      ],
    };
  },
};

async function openFlow(context: BenchContext, env: Readonly<Record<string, string>>): Promise<AllInOne> {
  const { clock, lifecycle } = context;
  const folder = await context.temporaryFolder();
  const { url } = await context.createDatabase();
  return startInstallation({ clock, lifecycle, folder, databaseUrl: url, env });
}

/** Untimed, and different clusters in every round: a known one would be told nothing. */
function makeClusters(context: BenchContext, count: number): SimulatedCluster[] {
  const { clock } = context;
  return Array.from({ length: count }, () => typicalCluster(clock.uuid(), clock.now()));
}

function flowContender(
  context: BenchContext,
  installation: AllInOne,
  { name, archives }: { readonly name: string; readonly archives: number },
) {
  const { clock } = context;
  const times: HopTimes[] = [];
  const cpuMs: number[] = [];
  let clusters: readonly SimulatedCluster[] = [];
  const contender: Contender = {
    name,
    async prepare() {
      clusters = makeClusters(context, archives);
      await settle(installation);
    },
    async run(round) {
      const summary = collectRunSummary(clock);
      const before = process.cpuUsage();
      await sendThrough(context, installation, clusters);
      const { user, system } = process.cpuUsage(before);
      summary.close();
      if (round > 0) {
        times.push(summary.counts().elapsedMs);
        cpuMs.push((user + system) / 1000 / archives);
      }
      return archives;
    },
  };
  return { contender, clusters: () => clusters, times: () => sumOf(times), cpuMs: () => spread(cpuMs).median };
}

async function sendThrough(
  context: BenchContext,
  installation: AllInOne,
  clusters: readonly SimulatedCluster[],
): Promise<void> {
  const { clock } = context;
  const arrivals = watchArrivals(clusters.length);
  const patience = new AbortController();
  try {
    const plan = { uploadUrl: installation.ingress.uploadUrl, clock, parallel: uploadsAtOnce };
    await uploadClusters(clusters, plan);
    const late = clock.sleep(arrivalMsMax, patience.signal).then(() => {
      throw new Error(`not all of ${clusters.length} notifications arrived within ${arrivalMsMax} ms`);
    });
    late.catch(() => undefined);
    await Promise.race([arrivals.complete, late]);
  } finally {
    patience.abort();
    arrivals.close();
  }
}

/** Commits and statuses of the round before are not this round's work. */
async function settle(installation: AllInOne): Promise<void> {
  if (!(await installation.waitUntilIdle(arrivalMsMax))) throw new Error('the installation does not come to rest');
}

async function timeLoneArchives(context: BenchContext, installation: AllInOne): Promise<HopTimes> {
  const archives = context.size(10, 1);
  const [first, ...counted] = makeClusters(context, archives + 1);
  await sendThrough(context, installation, [first!]);
  const times: HopTimes[] = [];
  for (const cluster of counted) {
    await settle(installation);
    const summary = collectRunSummary(context.clock);
    await sendThrough(context, installation, [cluster]);
    summary.close();
    times.push(summary.counts().elapsedMs);
  }
  return Object.fromEntries(Object.entries(sumOf(times)).map(([hop, ms]) => [hop, ms / archives]));
}

/** As little as opening an archive can be, without a stream between its two halves. */
function unpackContender(archives: number, clusters: () => readonly SimulatedCluster[]): Contender {
  const gunzipAtOnce = promisify(gunzip);
  return {
    name: 'gunzip and untar of the same archives',
    async run() {
      for (const { archive } of clusters()) {
        const decoder = new TarDecoder(defaultArchiveLimits);
        decoder.push(await gunzipAtOnce(archive));
        decoder.end();
      }
      return archives;
    },
  };
}

function sumOf(times: readonly HopTimes[]): HopTimes {
  const sums: Record<string, number> = {};
  for (const hops of times) for (const [hop, ms] of Object.entries(hops)) sums[hop] = (sums[hop] ?? 0) + ms;
  return sums;
}

function total(times: HopTimes): number {
  return Object.values(times).reduce((sum, ms) => sum + ms, 0);
}

function shares(title: string, times: HopTimes): Figure[] {
  return HOPS.filter(({ number }) => times[number] !== undefined).map(({ number, service }) => ({
    name: `${title}: hop ${number}, ${service}`,
    value: (times[number]! * 100) / total(times),
    unit: '%',
  }));
}
