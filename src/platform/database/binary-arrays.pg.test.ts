/** Binary arrays arrive at the server as the values that went in. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createTestDatabase } from '../../../test/support/postgres.ts';
import { bigintArray, byteaArray, integerArray, smallintArray, textArray, timestampArray } from './binary-arrays.ts';

const { database, drop } = await createTestDatabase();
after(drop);

async function echo(type: string, value: Buffer): Promise<unknown[]> {
  const { rows } = await database.query<{ item: unknown }>(`SELECT item FROM unnest($1::${type}[]) AS item`, [value]);
  return rows.map(({ item }) => item);
}

test('texts arrive whatever they hold, as strings or as bytes', async () => {
  const items = ['', '{}', '"a","b"', '\\', 'NULL', "it's", '\u{1f600}\u2028', 'x'.repeat(100_000)];
  assert.deepEqual(await echo('text', textArray(items)), items);
  assert.deepEqual(await echo('text', textArray(items.map((item) => Buffer.from(item)))), items);
  assert.deepEqual(await echo('text', textArray(['a', null, undefined, ''])), ['a', null, null, '']);
});

test('an array without items is an array without items', async () => {
  assert.deepEqual(await echo('text', textArray([])), []);
  assert.deepEqual(await echo('bigint', bigintArray([])), []);
});

test('numbers arrive to the ends of their ranges, and what is missing is NULL', async () => {
  assert.deepEqual(await echo('smallint', smallintArray([-32_768, null, 32_767])), [-32_768, null, 32_767]);
  assert.deepEqual(await echo('integer', integerArray([-2_147_483_648, undefined, 2_147_483_647])), [
    -2_147_483_648,
    null,
    2_147_483_647,
  ]);
  const big = [-(2n ** 63n), 0n, null, 2n ** 63n - 1n];
  assert.deepEqual(await echo('bigint', bigintArray(big)), big);
});

test('moments keep their microseconds on both sides of 1970 and 2000', async () => {
  assert.deepEqual(await echo('timestamp', timestampArray([1_795_277_749_824_983n, 0n, -1n])), [
    '2026-11-21 16:15:49.824983',
    '1970-01-01 00:00:00',
    '1969-12-31 23:59:59.999999',
  ]);
});

test('bytes arrive as bytes, and bytes that are no UTF-8 are refused as text', async () => {
  const bytes = Buffer.from([0, 255, 1]);
  assert.deepEqual(await echo('bytea', byteaArray([bytes, Buffer.alloc(0)])), [bytes, Buffer.alloc(0)]);
  await assert.rejects(echo('text', textArray([Buffer.from([0xff])])), /invalid byte sequence/);
});
