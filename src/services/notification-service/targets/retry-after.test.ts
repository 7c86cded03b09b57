/** Both forms of `Retry-After`, and its bounds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterMs, retryAfterMsMax } from './retry-after.ts';

const now = new Date('2026-11-21T16:00:00Z');

test('seconds and dates are understood, anything else is not', () => {
  assert.equal(retryAfterMs('60', now), 60_000);
  assert.equal(retryAfterMs(' 0 ', now), 0);
  assert.equal(retryAfterMs('Sat, 21 Nov 2026 16:02:00 GMT', now), 120_000);
  assert.equal(retryAfterMs('Sat, 21 Nov 2026 15:00:00 GMT', now), 0);
  for (const text of [null, '', 'soon', '-5x']) assert.equal(retryAfterMs(text, now), undefined);
});

test('a wait at the limit is kept, a longer one is the limit', () => {
  assert.equal(retryAfterMs('3600', now), retryAfterMsMax);
  assert.equal(retryAfterMs('3601', now), retryAfterMsMax);
});
