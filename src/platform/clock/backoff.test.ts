/** Pauses grow, are spread, and end growing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from './backoff.ts';

test('a pause doubles with each attempt up to its maximum, and half of it is chance', () => {
  const bounds = { msMin: 500, msMax: 30_000 };
  assert.deepEqual(
    [1, 2, 3].map((attempt) => backoffMs(bounds, attempt, 0)),
    [250, 500, 1_000],
  );
  assert.ok(Math.abs(backoffMs(bounds, 1, 0.999999) - 500) < 1);
  assert.equal(backoffMs(bounds, 1_000, 0), 15_000);
  assert.ok(backoffMs(bounds, 1_000, 0.999) <= 30_000);
});
