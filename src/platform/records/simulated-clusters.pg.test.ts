/** Everything about simulated clusters goes, and nothing else. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { SIMULATED_CLUSTER_PREFIX } from '../../contracts/identifiers.ts';
import * as tables from '../../contracts/tables.ts';
import { readClusterKinds, removeSimulatedClusters } from './simulated-clusters.ts';

const real = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
const simulated = `${SIMULATED_CLUSTER_PREFIX}123-8abc-0123456789ab`;

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true, sets: ['records', 'notifier', 'trace'] });
});
after(() => context.drop());

async function columnsOfClusters() {
  const { rows } = await context.database.query<{ table: string; column: string; type: string; needed: boolean }>(
    `SELECT format('%I.%I', n.nspname, t.relname) AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type,
            a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS needed
       FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
       JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE n.nspname IN ('public', 'ccx') AND t.relkind IN ('r', 'p') AND NOT t.relispartition
        AND EXISTS (SELECT FROM pg_attribute AS c WHERE c.attrelid = t.oid AND c.attname = 'cluster')
      ORDER BY t.oid, a.attnum`,
  );
  return Map.groupBy(rows, ({ table }) => table);
}

/** Of a column that has to be filled, whatever it is for. */
const values: Readonly<Record<string, string>> = {
  integer: '1',
  smallint: '1',
  bigint: '1',
  boolean: 'false',
  uuid: "'00000000-0000-4000-8000-000000000001'",
  json: "'[]'",
  jsonb: "'[]'",
  bytea: "'x'",
  'timestamp without time zone': "'2026-11-27'",
};
const words: Readonly<Record<string, string>> = {
  'ccx.acknowledgements scope': 'cluster',
  'ccx.issues state': 'open',
  'ccx.notification_ledger state': 'open',
  'ccx.notification_outbox state': 'delivered',
  'ccx.notification_considered outcome': 'issues',
  'ccx.issue_events event': 'appeared',
};

async function fill(cluster: string, number: number): Promise<readonly string[]> {
  const { database } = context;
  const all = await columnsOfClusters();
  const acknowledgement = `00000000-0000-4000-8000-00000000000${number}`;
  for (const [table, columns] of all) {
    const filled = columns.filter(
      ({ column, needed }) => needed || column === 'cluster' || column === 'until_resolved',
    );
    const literalOf = ({ column, type }: (typeof columns)[number]) => {
      if (column === 'cluster') return `'${cluster}'`;
      if (type === 'uuid') return `'${acknowledgement}'`;
      if (column === 'until_resolved') return 'true';
      if (column === 'request_id') return `'request ${number}'`;
      return values[type] ?? `'${words[`${table} ${column}`] ?? `text ${number}`}'`;
    };
    const text = `INSERT INTO ${table} (${filled.map(({ column }) => `"${column}"`).join(', ')}) VALUES (${filled.map(literalOf).join(', ')})`;
    await database.query(text);
  }
  await database.query(
    `INSERT INTO ccx.trace (request_id, service, status, happened_at) VALUES ($1, 'ingress', 'received', '2026-11-26')`,
    [`request ${number}`],
  );
  return [...all.keys()];
}

const counts = async (names: readonly string[]) =>
  Object.fromEntries(
    await Promise.all(
      names.map(async (name) => {
        const { rows } = await context.database.query<{ cluster: string }>(
          `SELECT DISTINCT coalesce(rtrim(cluster), 'none') AS cluster FROM ${name} ORDER BY 1`,
        );
        return [name, rows.map(({ cluster }) => cluster)] as const;
      }),
    ),
  );

test('rows of simulated clusters go from every table that names clusters, and those of real ones stay', async () => {
  const { database } = context;
  assert.deepEqual(await readClusterKinds(database), { simulated: false, real: false });
  await fill(real, 1);
  assert.deepEqual(await readClusterKinds(database), { simulated: false, real: true });
  const before = await counts([...(await columnsOfClusters()).keys()]);
  const filled = await fill(simulated.toUpperCase(), 2);
  for (const name of [
    tables.TABLE_CLUSTERS,
    tables.TABLE_ISSUE_EVENTS,
    tables.TABLE_NOTIFICATION_OUTBOX,
    tables.TABLE_TRACE,
  ])
    assert.ok(filled.includes(name), name);
  assert.deepEqual(await readClusterKinds(database), { simulated: true, real: true });
  const removed = await removeSimulatedClusters(database);
  assert.deepEqual([...removed.keys()].sort(), [...filled].sort());
  assert.equal(removed.get(tables.TABLE_TRACE), 2, 'also what happened before its cluster was known');
  assert.deepEqual(await counts(filled), before);
  assert.deepEqual(await readClusterKinds(database), { simulated: false, real: true });
  assert.equal((await removeSimulatedClusters(database)).size, 0);
});
