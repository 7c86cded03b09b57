/** Timestamps of the database keep their microseconds both ways. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isoText, timestampMicros, timestampText } from './timestamps.ts';

test('a moment survives the way to text and back, to the microsecond', () => {
  const micros = fc.bigInt({ min: 0n, max: 253_402_300_799_999_999n });
  fc.assert(fc.property(micros, (moment) => assert.equal(timestampMicros(timestampText(moment)), moment)));
});

test('texts as PostgreSQL writes them are read, with and without a fraction', () => {
  assert.equal(timestampMicros('1970-01-01 00:00:01'), 1_000_000n);
  assert.equal(timestampMicros('1970-01-01 00:00:00.1'), 100_000n);
  assert.equal(timestampMicros('2026-11-21 15:59:59.123456') % 1_000_000n, 123_456n);
  assert.equal(isoText(1n), '1970-01-01T00:00:00.000001Z');
  for (const wrong of ['', '2026-11-21', '2026-11-21T15:59:59Z', 'infinity', '2026-11-21 15:59:59+00']) {
    assert.throws(() => timestampMicros(wrong), wrong);
  }
});
