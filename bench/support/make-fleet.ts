/**
 * The database of a large fleet, as the services leave it: reports of some thousand clusters go through a real writer and a real first run of
 * the notification service, then every row that names a cluster is copied, set by set, for as many clusters as are asked for.
 */
import { TABLE_CLUSTERS } from '../../src/contracts/tables.ts';
import type { Bus } from '../../src/platform/bus/bus.ts';
import { migrateCcx } from '../../src/platform/database/ccx-migrations.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { until } from '../../test/support/until.ts';
import type { BenchContext } from './benchmark.ts';
import { fillWithoutIndexes } from './fill-tables.ts';
import { reportMessages } from './report-messages.ts';
import { startNotifier } from './start-notifier.ts';
import { startWriter } from './start-writer.ts';

/** What the services make themselves; more would take longer, fewer would be copied more often. */
const madeMax = 20_000;
/** Series of their messages, so that a benchmark can send those clusters another report. */
export const fleetSeries = 'fleet';
/** By so much each copy is older than the one before it. */
const copyAge = '12 minutes';

export interface Fleet {
  /** `fleetSeries` from 0 on. */
  readonly made: number;
  readonly clusters: number;
}

/** One that was made before; undefined where the database has none. */
export async function fleetOf(database: Database): Promise<Fleet | undefined> {
  const { rows } = await database.query<{ there: boolean }>(`SELECT to_regclass($1) IS NOT NULL AS there`, [
    TABLE_CLUSTERS,
  ]);
  if (!rows[0]!.there) return undefined;
  const { rows: counted } = await database.query<{ clusters: number }>(
    `SELECT count(*)::int AS clusters FROM ${TABLE_CLUSTERS}`,
  );
  const clusters = counted[0]!.clusters;
  return clusters === 0 ? undefined : { clusters, made: madeOf(clusters) };
}

function madeOf(clusters: number): number {
  return Math.min(madeMax, Math.ceil(clusters / 3));
}

export async function makeFleet(
  context: BenchContext,
  place: { readonly url: string; readonly database: Database; readonly bus: Bus; readonly clusters: number },
): Promise<Fleet> {
  const { clock, tell } = context;
  const { url, database, bus } = place;
  const startedMs = clock.monotonicMs();
  const since = () => `${Math.round((clock.monotonicMs() - startedMs) / 1000)} s`;
  const made = madeOf(place.clusters);
  const copies = Math.ceil(place.clusters / made) - 1;
  for (const set of ['notifier', 'records', 'trace']) await migrateCcx(database, set);
  const writer = await startWriter(context, { databaseUrl: url, bus, brokers: [] });
  await writer.send(reportMessages(clock, made, fleetSeries));
  await writer.untilStored();
  await writer.stop();
  tell(`${made} clusters have reported after ${since()}`);
  const topic = `bench.fleet.${clock.uuid()}`;
  await bus.admin.ensureTopics([{ name: topic, partitions: 3 }]);
  const notifier = await startNotifier(context, { databaseUrl: url, topic, brokers: undefined });
  await until(() => isToldOfAll(database));
  await notifier.stop();
  tell(`and were told of it after ${since()}`);
  await bus.admin.deleteTopic(topic);
  const tables = await tablesOfClusters(database);
  await fillWithoutIndexes(
    database,
    tables.map(({ name }) => name),
    async (tx) => {
      for (const { name, columns, values } of tables)
        await tx.query(
          `INSERT INTO ${name} (${columns.join(', ')})
           SELECT ${values.join(', ')} FROM ${name} AS original CROSS JOIN generate_series(1, ${copies}) AS copy`,
        );
      tell(`${copies} copies of each are there after ${since()}`);
    },
  );
  tell(`and their indexes after ${since()}`);
  return { made, clusters: made * (copies + 1) };
}

async function isToldOfAll(database: Database): Promise<boolean> {
  const { rows } = await database.query<{ waiting: number; delivered: number }>(
    `SELECT count(*) FILTER (WHERE state <> 'delivered')::int AS waiting, count(*) FILTER (WHERE state = 'delivered')::int AS delivered
       FROM ccx.notification_outbox`,
  );
  return rows[0]!.waiting === 0 && rows[0]!.delivered > 0;
}

interface TableOfClusters {
  readonly name: string;
  readonly columns: readonly string[];
  /** Of a copy, for each column. */
  readonly values: readonly string[];
}

/** A copy is of a cluster of its own, under ids of its own, and somewhat older; what the server numbers it numbers anew. */
async function tablesOfClusters(database: Database): Promise<readonly TableOfClusters[]> {
  const { rows } = await database.query<{ table: string; column: string; type: string }>(
    `SELECT format('%I.%I', n.nspname, t.relname) AS table, quote_ident(a.attname) AS column, format_type(a.atttypid, NULL) AS type
       FROM pg_class AS t
       JOIN pg_namespace AS n ON n.oid = t.relnamespace
       JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
       LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
      WHERE n.nspname IN ('public', 'ccx') AND t.relkind IN ('r', 'p') AND NOT t.relispartition
        AND EXISTS (SELECT FROM pg_attribute AS c WHERE c.attrelid = t.oid AND c.attname = 'cluster')
        AND a.attidentity = '' AND a.attgenerated = '' AND coalesce(pg_get_expr(d.adbin, d.adrelid), '') NOT LIKE 'nextval(%'
      ORDER BY t.oid, a.attnum`,
  );
  return [...Map.groupBy(rows, ({ table }) => table)].map(([name, columns]) => ({
    name,
    columns: columns.map(({ column }) => column),
    values: columns.map(({ column, type }) => valueOfCopy(`original.${column}`, column, type)),
  }));
}

function valueOfCopy(value: string, column: string, type: string): string {
  if (column === 'cluster') return `md5(rtrim(${value}) || copy)::uuid::text`;
  if (type === 'uuid') return `md5(${value}::text || copy)::uuid`;
  if (column === 'request_id') return `md5(${value} || copy)`;
  return type.startsWith('timestamp') ? `${value} - copy * interval '${copyAge}'` : value;
}
