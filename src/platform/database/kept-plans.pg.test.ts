/** Kept plans against a real server: when a session has them, how many, and what happens when one does not fit any more. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { createManualClock } from '../clock/manual-clock.ts';
import { connectDatabase } from './connect-database.ts';
import type { Database, Queryable } from './database.ts';
import { keptPlansMax, planAgeMsMax, planStatementsMax } from './kept-plans.ts';

let context: TestDatabase;
let database: Database;
before(async () => {
  context = await createTestDatabase();
  await context.database.query('CREATE TABLE item (id integer PRIMARY KEY, name text)');
});
beforeEach(() => {
  // One session, so that the one that is looked at is the one that was used.
  database = connectDatabase({ url: context.url, applicationName: 'test', connectionsMax: 1 });
});
afterEach(() => database.close());
after(() => context.drop());

const kept = { plan: 'kept' } as const;
const byKey = 'SELECT name FROM item WHERE id = ANY($1::int[])';

async function plans(queryable: Queryable = database) {
  const { rows } = await queryable.query<{ statement: string; generic: bigint; custom: bigint }>(
    'SELECT statement, generic_plans AS generic, custom_plans AS custom FROM pg_prepared_statements ORDER BY prepare_time',
  );
  return rows;
}

test('a session keeps what is asked for, once however often it is used', async () => {
  for (let times = 0; times < 3; times += 1) {
    await database.query(byKey, [[1]], kept);
    await database.query('SELECT id FROM item WHERE id = $1', [1]);
  }
  assert.deepEqual(
    (await plans()).map(({ statement }) => statement),
    [byKey],
  );
});

test('in a transaction all are kept, and made for any values from the first time on', async () => {
  for (let times = 0; times < 3; times += 1) await database.transaction((tx) => tx.query(byKey, [[1, 2, 3]]), kept);
  assert.deepEqual(await plans(), [{ statement: byKey, generic: 3n, custom: 0n }]);
  const { rows } = await database.query(`SELECT current_setting('plan_cache_mode') AS mode`);
  assert.deepEqual(rows, [{ mode: 'auto' }]);
});

test('a plan that was made while its table was small is made again, where something has happened since', async () => {
  const clock = createManualClock();
  const aging = connectDatabase({ url: context.url, applicationName: 'test', connectionsMax: 1, clock });
  try {
    await aging.query('CREATE TABLE grown (id integer PRIMARY KEY, name text) WITH (autovacuum_enabled = off)');
    await aging.query('INSERT INTO grown VALUES (1); ANALYZE grown');
    await aging.query('SET plan_cache_mode = force_generic_plan');
    const read = () => aging.query('SELECT name FROM grown WHERE id = $1', [1], kept);
    await read();
    const { rows } = await aging.query<{ name: string }>('SELECT name FROM pg_prepared_statements');
    const plan = async () => JSON.stringify((await aging.query(`EXPLAIN EXECUTE ${rows[0]!.name}(1)`)).rows);
    await aging.query(`INSERT INTO grown SELECT n, 'name' FROM generate_series(2, 10000) AS n`);
    await read();
    assert.match(await plan(), /Seq Scan/);
    await clock.advance(planAgeMsMax);
    await read();
    assert.match(await plan(), /Seq Scan/, 'where nothing happens it stays');
    for (let times = 0; times < planStatementsMax; times += 1) await aging.query('SELECT');
    await read();
    assert.match(await plan(), /Index Scan/);
  } finally {
    await aging.close();
  }
});

test('a session keeps no more than its bound, and what is beyond it still answers', async () => {
  for (let index = 0; index < keptPlansMax + 20; index += 1) {
    const { rows } = await database.query<{ n: number }>(`SELECT $1::int + ${index} AS n`, [1], kept);
    assert.deepEqual(rows, [{ n: index + 1 }]);
  }
  assert.equal((await plans()).length, keptPlansMax);
});

test('a statement by itself is done again without a plan that a migration has made useless', async () => {
  const all = 'SELECT * FROM item WHERE id = $1';
  await database.query('INSERT INTO item VALUES (40)');
  assert.deepEqual((await database.query(all, [40], kept)).rows, [{ id: 40, name: null }]);
  await context.database.query('ALTER TABLE item ADD COLUMN color text');
  for (let times = 0; times < 2; times += 1) {
    assert.deepEqual((await database.query(all, [40], kept)).rows, [{ id: 40, name: null, color: null }]);
  }
  await context.database.query('ALTER TABLE item DROP COLUMN color');
});

test('a transaction rejects as one that may be done again, and the next attempt plans anew', async () => {
  const all = 'SELECT * FROM item WHERE id = $1';
  const inTransaction = () =>
    database.transaction(async (tx) => {
      await tx.query('INSERT INTO item VALUES (50) ON CONFLICT DO NOTHING');
      return (await tx.query(all, [50])).rows;
    }, kept);
  assert.deepEqual(await inTransaction(), [{ id: 50, name: null }]);
  await context.database.query('ALTER TABLE item ADD COLUMN size integer');
  await assert.rejects(inTransaction(), { code: 'DATABASE_PLAN_LOST', retryable: true });
  assert.deepEqual(await inTransaction(), [{ id: 50, name: null, size: null }]);
  await context.database.query('ALTER TABLE item DROP COLUMN size');
});

test('a session that has lost its statements, as behind a pooler that does not show, answers all the same', async () => {
  await database.query(byKey, [[1]], kept);
  await database.query('DEALLOCATE ALL');
  assert.deepEqual((await database.query(byKey, [[0]], kept)).rows, []);
  assert.deepEqual(await plans(), []);
});

test('an error of the statement itself stays what it is', async () => {
  await database.query('INSERT INTO item VALUES ($1)', [60], kept);
  await assert.rejects(database.query('INSERT INTO item VALUES ($1)', [60], kept), { code: '23505' });
  await assert.rejects(database.query('SELECT nothing FROM item WHERE id = $1', [60], kept), { code: '42703' });
  assert.deepEqual((await database.query(byKey, [[60]], kept)).rows, [{ name: null }]);
});
