/** Pauses grow, are spread, and end growing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs, retryMsMax, retryMsMin } from './backoff.ts';

test('a pause doubles with each attempt up to its maximum, and half of it is chance', () => {
  assert.deepEqual(
    [1, 2, 3].map((attempt) => backoffMs(attempt, 0)),
    [retryMsMin / 2, retryMsMin, retryMsMin * 2],
  );
  assert.ok(Math.abs(backoffMs(1, 0.999999) - retryMsMin) < 1);
  assert.equal(backoffMs(1_000, 0), retryMsMax / 2);
  assert.ok(backoffMs(1_000, 0.999) <= retryMsMax);
});
