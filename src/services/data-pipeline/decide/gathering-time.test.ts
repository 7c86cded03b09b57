/** The gathering time is published in one form and always in UTC. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatGatheringTime, gatheringTime, parseIsoTime } from './gathering-time.ts';

const now = new Date('2026-11-21T16:00:00.987Z');
const published = (announced: unknown) => formatGatheringTime(gatheringTime(announced, now));

const rows: readonly [string, unknown, string][] = [
  ['the usual form is kept', '2026-01-30T10:08:55Z', '2026-01-30T10:08:55Z'],
  ['a fraction is cut', '2026-01-30T10:08:55.999999Z', '2026-01-30T10:08:55Z'],
  ['an offset is converted, where the reference drops it', '2026-01-30T10:08:55+02:00', '2026-01-30T08:08:55Z'],
  ['an offset without a colon and west of UTC', '2026-01-30 22:08:55-0330', '2026-01-31T01:38:55Z'],
  ['no offset is UTC', '2026-01-30T10:08', '2026-01-30T10:08:00Z'],
  ['a date alone is its midnight', '2026-01-30', '2026-01-30T00:00:00Z'],
  ['a leap day exists', '2024-02-29T00:00:00Z', '2024-02-29T00:00:00Z'],
  ['a leap day that no calendar has is now', '2026-02-29T00:00:00Z', '2026-11-21T16:00:00Z'],
  ['an hour that no clock has is now', '2026-01-30T24:00:00Z', '2026-11-21T16:00:00Z'],
  ['absent is now', undefined, '2026-11-21T16:00:00Z'],
  ['a number is now', 1769767735, '2026-11-21T16:00:00Z'],
  ['other text is now', 'yesterday', '2026-11-21T16:00:00Z'],
  ['the first year is a year', '0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
  ['a time before the first year is now', '0000-01-01T00:00:00+10:00', '2026-11-21T16:00:00Z'],
];

for (const [title, announced, expected] of rows) test(title, () => assert.equal(published(announced), expected));

test('what is published is read back as the same second', () => {
  const time = gatheringTime(undefined, now);
  assert.deepEqual(parseIsoTime(formatGatheringTime(time)), time);
});
