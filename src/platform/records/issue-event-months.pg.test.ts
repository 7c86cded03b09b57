/** Events by months: made before they begin, dropped as a whole, and without the right to do either all the same kept and deleted. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createTestDatabase, createTestRole, type TestDatabase } from '../../../test/support/postgres.ts';
import { connectDatabase } from '../database/connect-database.ts';
import type { Database, Queryable } from '../database/database.ts';
import { deleteOldEvents, makeEventMonths } from './issue-event-months.ts';
import { recordIssueEvents } from './issue-events.ts';

let context: TestDatabase;
beforeEach(async () => {
  context = await createTestDatabase({ migrated: true, sets: ['records'] });
  for (const { name } of await partitions())
    if (/\d$/.test(name)) await context.database.query(`DROP TABLE ccx.${name}`);
});
afterEach(() => context.drop());

const micros = (text: string) => BigInt(Date.parse(`${text}T00:00:00Z`)) * 1000n;

async function partitions(): Promise<{ name: string; rows: number }[]> {
  const { rows } = await context.database.query<{ name: string }>(
    `SELECT relname AS name FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
      WHERE inhparent = 'ccx.issue_events'::regclass ORDER BY 1`,
  );
  return Promise.all(
    rows.map(async ({ name }) => {
      const { rowCount } = await context.database.query(`SELECT FROM ccx.${name}`);
      return { name: name.replace('issue_events_', ''), rows: rowCount };
    }),
  ).then((found) => found.map(({ name, rows: count }) => ({ name: `issue_events_${name}`, rows: count })));
}
const filled = async () => (await partitions()).map(({ name, rows }) => `${name.replace('issue_events_', '')} ${rows}`);

const happened = (queryable: Queryable, ...moments: readonly string[]) =>
  recordIssueEvents(
    queryable,
    moments.map((at) => ({ at, orgId: 1, cluster: 'c', event: 'stale' })),
  );

test('this month and the next have partitions, made once, over the turn of a year; what lies elsewhere is kept by DEFAULT', async () => {
  const { database } = context;
  const now = micros('2026-12-31');
  assert.deepEqual(await makeEventMonths(database, now), ['ccx.issue_events_2026_12', 'ccx.issue_events_2027_01']);
  assert.deepEqual(await makeEventMonths(database, now), []);
  await happened(
    database,
    '2026-11-30 23:59:59.999999',
    '2026-12-01',
    '2026-12-31 23:59:59.999999',
    '2027-01-01',
    '2030-01-01',
  );
  assert.deepEqual(await filled(), ['2026_12 2', '2027_01 1', 'default 2']);
});

test('a month of which events lie in DEFAULT already stays there, and the one behind it is made', async () => {
  const { database } = context;
  await happened(database, '2026-12-03');
  let tries = 0;
  const counting: Database = {
    ...database,
    transaction: (work) => {
      tries += 1;
      return database.transaction(work);
    },
  };
  assert.deepEqual(await makeEventMonths(counting, micros('2026-12-05')), ['ccx.issue_events_2027_01']);
  assert.equal(tries, 1, 'a try that fails keeps others from DEFAULT meanwhile');
  assert.deepEqual(await filled(), ['2027_01 0', 'default 1']);
});

test('months go as a whole once they have ended before, and what lies in DEFAULT goes by its age', async () => {
  const { database } = context;
  for (const month of ['2026-09-01', '2026-11-01']) await makeEventMonths(database, micros(month));
  await happened(database, '2026-01-01', '2026-09-30', '2026-10-01', '2026-11-30', '2026-12-01', '2030-01-01');
  const before = '2026-11-15 00:00:00';
  assert.equal(await deleteOldEvents(database, before, { countOnly: true }), 3);
  assert.deepEqual(await filled(), ['2026_09 1', '2026_10 1', '2026_11 1', '2026_12 1', 'default 2']);
  assert.equal(await deleteOldEvents(database, before), 3);
  assert.deepEqual(await filled(), ['2026_11 1', '2026_12 1', 'default 1']);
  assert.equal(await deleteOldEvents(database, '2026-11-30 23:59:59'), 0);
  assert.equal(await deleteOldEvents(database, '2026-12-01 00:00:00'), 1);
  assert.deepEqual(await filled(), ['2026_12 1', 'default 1']);
});

test('a lock that somebody holds puts it off', async () => {
  const { database } = context;
  await makeEventMonths(database, micros('2026-09-01'));
  await happened(database, '2026-09-02');
  await database.transaction(async (tx) => {
    await tx.query('SELECT FROM ccx.issue_events');
    assert.equal(await deleteOldEvents(database, '2026-12-01 00:00:00'), 0);
    await tx.query('LOCK TABLE ccx.issue_events IN SHARE UPDATE EXCLUSIVE MODE');
    assert.deepEqual(await makeEventMonths(database, micros('2026-11-01')), []);
  });
  assert.equal(await deleteOldEvents(database, '2026-12-01 00:00:00'), 1);
  assert.deepEqual(await filled(), ['default 0']);
});

test('with the right to read and write data alone events are kept in DEFAULT, and deleted from there and from the months that it may', async () => {
  await makeEventMonths(context.database, micros('2026-09-01'));
  const role = await createTestRole(context, (user) => [
    `GRANT USAGE ON SCHEMA ccx TO ${user}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ccx TO ${user}`,
    `REVOKE DELETE ON ccx.issue_events_2026_10 FROM ${user}`,
  ]);
  const database: Database = connectDatabase({ url: role.url, applicationName: 'test' });
  try {
    assert.deepEqual(await makeEventMonths(database, micros('2026-11-21')), []);
    await happened(database, '2026-09-02', '2026-10-02', '2026-11-02', '2026-12-02');
    assert.deepEqual(await filled(), ['2026_09 1', '2026_10 1', 'default 2']);
    assert.equal(await deleteOldEvents(database, '2026-11-21 00:00:00'), 2);
    assert.deepEqual(await filled(), ['2026_09 0', '2026_10 1', 'default 1']);
  } finally {
    await database.close();
    await role.remove();
  }
});

test('where the table is not there nothing is made or deleted', async () => {
  const empty = await createTestDatabase();
  try {
    assert.deepEqual(await makeEventMonths(empty.database, micros('2026-11-21')), []);
    assert.equal(await deleteOldEvents(empty.database, '2026-11-21 00:00:00'), 0);
  } finally {
    await empty.drop();
  }
});
