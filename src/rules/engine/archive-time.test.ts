/** Times of archives: exact at the limit, and what is no time counts as none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasLasted, timeOf } from './archive-time.ts';

const now = new Date('2026-11-21T16:00:00Z');

test('what began exactly so long ago has lasted so long, and a millisecond later not yet', () => {
  assert.equal(hasLasted('2026-11-21T14:00:00Z', 7_200_000, now), true);
  assert.equal(hasLasted('2026-11-21T14:00:00.001Z', 7_200_000, now), false);
  assert.equal(hasLasted('2026-11-21T15:00:00+01:00', 7_200_000, now), true);
  assert.equal(hasLasted('2027-01-01T00:00:00Z', 0, now), false);
});

test('without a time nothing has lasted', () => {
  for (const text of [null, undefined, '', 'yesterday', '2026-11-21', '2026-13-21T14:00:00Z', '2'.repeat(1_000_000)]) {
    assert.equal(timeOf(text), undefined);
    assert.equal(hasLasted(text, 0, now), false);
  }
});
