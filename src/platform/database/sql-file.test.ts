/** Cutting SQL files into statements, and the files of the notification schema being there in both directions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readStep, stepsBetween } from '../records/notification-schema.ts';
import { splitStatements } from './sql-file.ts';

test('statements end at a semicolon at the end of a line; comments and line breaks go', () => {
  const sql = "-- says why\nSELECT 1;\n\nINSERT INTO t\n  VALUES ('a;b');\n  -- indented\nSELECT 2";
  assert.deepEqual(splitStatements(sql), ['SELECT 1', "INSERT INTO t VALUES ('a;b')", 'SELECT 2']);
  assert.deepEqual(splitStatements('\n-- nothing\n'), []);
});

test('every step of the notification schema has statements for both directions', async () => {
  for (let number = 0; number <= 8; number += 1) {
    for (const direction of ['up', 'down'] as const) {
      assert.ok((await readStep(number, direction)).length > 0, `${number} ${direction}`);
    }
  }
  await assert.rejects(readStep(9, 'up'), /no migration step 9/);
});

test('going up runs the steps above the present one, going down the present one first', () => {
  const flat = (from: number, to: number) =>
    stepsBetween(from, to).map(({ number, direction }) => `${number} ${direction}`);
  assert.deepEqual(flat(2, 4), ['3 up', '4 up']);
  assert.deepEqual(flat(4, 2), ['4 down', '3 down']);
  assert.deepEqual(flat(3, 3), []);
});
