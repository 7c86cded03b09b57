/** Reading in portions: all rows once, and a connection that is fit for use afterwards however the loop ended. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { sqlState } from './database-error.ts';
import { streamRows } from './stream-rows.ts';

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase();
});
after(() => context.drop());

test('every row arrives once, in portions, with the types of ordinary statements', async () => {
  const sizes: number[] = [];
  let sum = 0n;
  await context.database.withConnection(async (connection) => {
    const statement = {
      text: 'SELECT i::int8 AS i FROM generate_series(1, $1::int) AS i',
      values: [2500],
      batchRows: 1000,
    };
    for await (const rows of streamRows<{ i: bigint }>(connection, statement)) {
      sizes.push(rows.length);
      for (const { i } of rows) sum += i;
    }
  });
  assert.deepEqual(sizes, [1000, 1000, 500]);
  assert.equal(sum, 3_126_250n);
});

test('leaving the loop early leaves a connection that works', async () => {
  await context.database.transaction(async (tx) => {
    for await (const rows of streamRows(tx, { text: 'SELECT generate_series(1, 100000)', batchRows: 10 })) {
      assert.equal(rows.length, 10);
      break;
    }
    assert.equal((await tx.query('SELECT 1')).rowCount, 1);
  });
});

test('an error in the middle is told once with its SQLSTATE', async () => {
  const read = context.database.withConnection(async (connection) => {
    const seen: number[] = [];
    const text = 'SELECT 10 / (20 - i) AS i FROM generate_series(1, 30) AS i';
    for await (const rows of streamRows<{ i: number }>(connection, { text, batchRows: 5 })) seen.push(rows.length);
  });
  await assert.rejects(read, (error) => sqlState(error) === '22012');
  assert.equal((await context.database.query('SELECT 1')).rowCount, 1);
});
