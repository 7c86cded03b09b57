/**
 * The first run of the notification service: reports of many clusters with one new issue each, decided, sent and recorded, against the least
 * that has to be done with the same bytes: each report read, a message produced, a row of `reported` stored by COPY. Both in processes of
 * their own, so that CPU and memory are theirs; the CPU of PostgreSQL beside it.
 */
import { fork } from 'node:child_process';
import { TABLE_NEW_REPORTS } from '../src/contracts/tables.ts';
import type { Database } from '../src/platform/database/database.ts';
import type { BenchContext, Benchmark, BusEngine, Comparison, Contender, DatabaseEngine } from './support/benchmark.ts';
import { askFor, endOf } from './support/measured-process.ts';
import type { NotifyAnswer, NotifyOrder } from './support/notify-process.ts';

const partitions = 3;
/** What is left of a genuine report of some 10 kB when the writer has shrunk it. */
const reportBytes = 3_400;
const component = 'ccx_rules_ocp.external.rules.control_plane_replicas.report';
const errorKey = 'CONTROL_PLANE_NODE_REPLICAS';

export const benchmark: Benchmark = {
  description: 'a first run of the notification service against reading, producing and COPY of the same bytes',
  async run(context) {
    const comparisons: Comparison[] = [];
    const leftOut: string[] = [];
    const clusters = Number(context.env['CCX_BENCH_CLUSTERS'] ?? context.size(50_000, 50));
    const only = context.env['CCX_BENCH_BUS'];
    for (const [bus, engine] of [
      ['kafka', context.env['CCX_BENCH_POSTGRES_URL'] === undefined ? 'debian' : 'embedded'],
      ['embedded', 'embedded'],
    ] as const) {
      if (only !== undefined && only !== bus) continue;
      const missing = context.engines.missing(bus) ?? context.engines.missing(engine);
      if (missing !== undefined) {
        leftOut.push(`on ${bus} and ${engine}: ${missing}`);
        continue;
      }
      const how = { bus, engine, clusters };
      comparisons.push(
        await context.compare({
          title: `decided, sent and recorded, bus ${bus}, PostgreSQL ${engine}`,
          unit: 'clusters',
          rounds: Number(context.env['CCX_BENCH_ROUNDS'] ?? 3),
          budgetMs: 60_000,
          warmUp: false,
          subject: contender(context, { ...how, work: 'service' }, 'first run'),
          baselines: [contender(context, { ...how, work: 'floor' }, 'read, produced and copied')],
        }),
      );
    }
    return { comparisons, figures: [], leftOut };
  },
};

interface Work extends Pick<NotifyOrder, 'work'> {
  readonly bus: BusEngine;
  readonly engine: DatabaseEngine;
  readonly clusters: number;
}

/** A process and a database of its own in every round: each is a first run. */
function contender(context: BenchContext, work: Work, name: string): Contender {
  let child: Awaited<ReturnType<typeof startChild>> | undefined;
  return {
    name,
    async prepare() {
      await child?.end();
      child = await startChild(context, work);
    },
    costs: () => child!.watched,
    async run() {
      const { clusters, elapsedMs } = await child!.measure();
      if (clusters !== work.clusters) throw new Error(`${clusters} of ${work.clusters} were delivered`);
      return { units: clusters, elapsedMs };
    },
  };
}

async function startChild(context: BenchContext, { bus: busEngine, engine, clusters, work }: Work) {
  const { url, database, server } = await context.createDatabase(engine);
  await storeReports(database, clusters);
  const topic = `bench.notify.${context.clock.uuid()}`;
  const bus = await context.engines.openBus(busEngine, database);
  await bus.admin.ensureTopics([{ name: topic, partitions }]);
  await bus.close();
  const brokers = busEngine === 'kafka' ? await context.engines.kafka() : undefined;
  const child = fork(new URL('./support/notify-process.ts', import.meta.url), [], {
    ...asLaunched,
    env: { ...context.env, ...asLaunched.env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const end = () => endOf(child);
  context.lifecycle.defer(`process of ${work}`, end);
  const order: NotifyOrder = { work, brokers, topic, databaseUrl: url };
  await askFor<NotifyAnswer, 'ready'>(child, order, 'ready');
  return {
    watched: { process: child.pid!, server },
    end,
    measure: () => askFor<NotifyAnswer, 'done'>(child, 'go', 'done'),
  };
}

/** As the launchers start the role. */
const asLaunched = {
  execArgv: ['--max-semi-space-size=4', '--v8-pool-size=1'],
  env: { MALLOC_MMAP_THRESHOLD_: '131072' },
};

/** As the writer stores them: one issue in each, the details of a report as large as a genuine one. */
async function storeReports(database: Database, clusters: number): Promise<void> {
  await database.query(
    `INSERT INTO ${TABLE_NEW_REPORTS} (org_id, account_number, cluster, report, updated_at, kafka_offset)
     SELECT 1, 0, gen_random_uuid()::text,
            '{"reports":[{"type":"rule","component":"${component}","key":"${errorKey}","details":{"type":"rule","error_key":"${errorKey}","nodes":"'
              || left(nodes, ${reportBytes} - 250) || '"}}]}',
            now() AT TIME ZONE 'UTC' - number * interval '1 millisecond', number
       FROM generate_series(1, $1::int) AS number
      CROSS JOIN LATERAL (SELECT string_agg('ip-10-0-' || node || '-' || md5((number * node)::text) || '.compute.internal, Ready, worker; ', '')
                            AS nodes FROM generate_series(1, 50) AS node) AS made`,
    [clusters],
  );
  await database.query(`VACUUM ANALYZE ${TABLE_NEW_REPORTS}`);
  await database.query('CHECKPOINT');
}
