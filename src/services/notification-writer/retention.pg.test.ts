/** The record of what was stored goes when its reports go, and not before. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import { maintenanceRowsMax } from './limits.ts';
import { cleanStoredMessages, followNewReports } from './retention.ts';

const dayMs = 86_400_000;
let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true });
  await migrateCcx(context.database, 'writer');
});
after(() => context.drop());
beforeEach(() => context.database.query('TRUNCATE new_reports, read_errors, ccx.stored_message'));

/** Ages in days; `count` of each, all of one cluster. */
async function remember(ages: readonly number[], count = 1): Promise<void> {
  await context.database.query(
    `INSERT INTO ccx.stored_message
     SELECT 't', 0, row_number() OVER (), '', '', 1, 'c', '', (now() AT TIME ZONE 'UTC') - age * interval '1 day'
       FROM unnest($1::float8[]) AS age, generate_series(1, $2::int)`,
    [ages, count],
  );
}

async function report(age: number): Promise<void> {
  await context.database.query(
    `INSERT INTO new_reports VALUES (1, 1, 'c', '', (now() AT TIME ZONE 'UTC') - $1::float8 * interval '1 day', 0)`,
    [age],
  );
}

async function left(): Promise<number[]> {
  const { rows } = await context.database.query<{ age: number }>(
    `SELECT round(extract(epoch FROM (now() AT TIME ZONE 'UTC') - updated_at) / 86400)::int AS age
       FROM ccx.stored_message ORDER BY updated_at DESC`,
  );
  return rows.map(({ age }) => age);
}

test('what is older than an interval goes, in as many portions as it takes', async () => {
  await remember([1, 8, 9], maintenanceRowsMax / 2 + 1);
  assert.equal(await cleanStoredMessages(context.database, '7 days'), maintenanceRowsMax + 2);
  assert.deepEqual([...new Set(await left())], [1]);
});

test('what is older than the oldest report goes, whoever cleaned the reports', async () => {
  await remember([1, 3, 5, 7]);
  await report(2);
  await report(4);
  assert.equal(await followNewReports(context.database, { retentionMs: 30 * dayMs }), 2);
  assert.deepEqual(await left(), [1, 3]);
});

test('one very old report does not keep records past their own retention', async () => {
  await remember([1, 40]);
  await report(10_000);
  await followNewReports(context.database, { retentionMs: 30 * dayMs });
  assert.deepEqual(await left(), [1]);
});

test("without any report only the records of the last hour stay, which may be somebody's transaction", async () => {
  await remember([0, 1]);
  await followNewReports(context.database, { retentionMs: 30 * dayMs });
  assert.deepEqual(await left(), [0]);
});

test('a stop ends it between two portions', async () => {
  await remember([9]);
  assert.equal(await followNewReports(context.database, { retentionMs: dayMs, signal: AbortSignal.abort() }), 0);
  assert.deepEqual(await left(), [9]);
});
