/** Halving a batch: which errors belong to a row, and that the others are stored in order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CcxError } from '../../encoding/ccx-error.ts';
import { isFaultOfARow, storeRows } from './store-rows.ts';

function databaseError(code: string): Error {
  return Object.assign(new Error(`SQLSTATE ${code}`), { code, severity: 'ERROR' });
}

/** A table that refuses negative numbers, all or nothing. */
function table() {
  const stored: number[] = [];
  return {
    stored,
    store: async (rows: readonly number[]) => {
      if (rows.some((row) => row < 0)) throw databaseError('23514');
      stored.push(...rows);
      return rows.map((row) => `stored ${row}`);
    },
    refuse: (row: number) => `refused ${row}`,
    attempt: 1,
  };
}

test('rows that the database refuses are alone in the end, the others are stored in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: -3, max: 9 })), async (rows) => {
      const target = table();
      const results = await storeRows(rows, target);
      assert.deepEqual(
        results,
        rows.map((row) => (row < 0 ? `refused ${row}` : `stored ${row}`)),
      );
      assert.deepEqual(
        target.stored,
        rows.filter((row) => row >= 0),
      );
    }),
  );
});

test('an error that is not the fault of a row is passed on at once', async () => {
  let calls = 0;
  const store = async () => {
    calls += 1;
    throw databaseError('42P01');
  };
  await assert.rejects(storeRows([1, 2, 3, 4], { ...table(), store }), /42P01/);
  assert.equal(calls, 1);
});

test('what belongs to a row is a closed list', () => {
  for (const state of ['22001', '22021', '23502', '23514', '54000', 'P0001'])
    assert.equal(isFaultOfARow(databaseError(state), 1), true, state);
  for (const state of ['42P01', '42501', '40001', '40P01', '53100', '57P01', '08006', 'XX000', '25006'])
    assert.equal(isFaultOfARow(databaseError(state), 1), false, state);
  assert.equal(isFaultOfARow(new TypeError('bug'), 1), false);
  const lost = new CcxError('lost', { code: 'DATABASE_LOST', category: 'connection', retryable: true });
  assert.equal(isFaultOfARow(lost, 1), false);
});

test('a unique key that somebody else took is tried again before it is a fault', () => {
  assert.equal(isFaultOfARow(databaseError('23505'), 5), false);
  assert.equal(isFaultOfARow(databaseError('23505'), 6), true);
});
