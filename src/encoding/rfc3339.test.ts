/** Which times count as RFC 3339, that the value read is the moment meant, and how a moment is written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatRfc3339, parseRfc3339 } from './rfc3339.ts';

const accepted: Readonly<Record<string, string>> = {
  '2020-01-23T16:15:59.478901889Z': '2020-01-23T16:15:59.478901889Z',
  '2020-01-23T16:15:59Z': '2020-01-23T16:15:59.000000000Z',
  '2020-01-23T16:15:59,5Z': '2020-01-23T16:15:59.500000000Z',
  '2020-01-23T6:15:59Z': '2020-01-23T06:15:59.000000000Z',
  '2020-01-23T16:15:59.1234567890123Z': '2020-01-23T16:15:59.123456789Z',
  '2020-01-23T16:15:59+02:00': '2020-01-23T14:15:59.000000000Z',
  '2020-01-23T16:15:59-05:30': '2020-01-23T21:45:59.000000000Z',
  '2020-01-23T16:15:59+24:60': '2020-01-22T15:15:59.000000000Z',
  '2020-02-29T00:00:00Z': '2020-02-29T00:00:00.000000000Z',
  '2000-02-29T00:00:00Z': '2000-02-29T00:00:00.000000000Z',
  '0001-01-01T00:00:00Z': '0001-01-01T00:00:00.000000000Z',
  '0070-06-05T04:03:02Z': '0070-06-05T04:03:02.000000000Z',
  '9999-12-31T23:59:59.999999999Z': '9999-12-31T23:59:59.999999999Z',
};

const refused = [
  '',
  'yesterday',
  '2020-01-23',
  '2020-01-23T16:15:59',
  '2020-01-23 16:15:59Z',
  '2020-01-23t16:15:59Z',
  '2020-01-23T16:15:59z',
  '2020-01-23T16:15:59.Z',
  '2020-01-23T16:15:59+0200',
  '2020-01-23T16:15:59+02',
  '2020-01-23T16:15:59+25:00',
  '2020-01-23T16:15:59+00:61',
  '2020-02-30T00:00:00Z',
  '2021-02-29T00:00:00Z',
  '1900-02-29T00:00:00Z',
  '2020-04-31T00:00:00Z',
  '2020-00-10T00:00:00Z',
  '2020-13-10T00:00:00Z',
  '2020-01-00T00:00:00Z',
  '2020-01-23T24:00:00Z',
  '2020-01-23T16:60:00Z',
  '2020-01-23T16:15:60Z',
  '20-01-23T16:15:59Z',
  '2020-1-23T16:15:59Z',
  ' 2020-01-23T16:15:59Z',
  '2020-01-23T16:15:59Z\n',
];

for (const [text, canonical] of Object.entries(accepted)) {
  test(`${text} is accepted`, () => {
    assert.equal(parseRfc3339(text)?.canonical, canonical);
  });
}

for (const text of refused) {
  test(`${JSON.stringify(text)} is refused`, () => {
    assert.equal(parseRfc3339(text), undefined);
  });
}

test('microseconds are cut, not rounded, also before 1970', () => {
  assert.equal(parseRfc3339('1970-01-01T00:00:01.999999999Z')?.micros, 1_999_999n);
  assert.equal(parseRfc3339('1969-12-31T23:59:59.250000900Z')?.micros, -750_000n);
});

test('a moment is written in UTC with as many digits as it needs, and read back as it was', () => {
  const written: readonly (readonly [bigint, string])[] = [
    [0n, '1970-01-01T00:00:00Z'],
    [1_795_277_749_824_983n, '2026-11-21T16:15:49.824983Z'],
    [1_795_277_749_824_000n, '2026-11-21T16:15:49.824Z'],
    [1_795_277_749_000_100n, '2026-11-21T16:15:49.0001Z'],
    [-1n, '1969-12-31T23:59:59.999999Z'],
    [-1_000_000n, '1969-12-31T23:59:59Z'],
  ];
  for (const [micros, text] of written) {
    assert.equal(formatRfc3339(micros), text);
    assert.equal(parseRfc3339(text)?.micros, micros);
  }
});

test('a time in UTC is the one that the calendar of the machine makes of it', () => {
  for (let days = -719_528; days < 2_932_896; days += 97) {
    const date = new Date(days * 86_400_000 + 45_296_000);
    const text = date.toISOString();
    assert.deepEqual(parseRfc3339(text), {
      micros: BigInt(date.getTime()) * 1000n,
      canonical: text.replace('.000Z', '.000000000Z'),
    });
    assert.deepEqual(parseRfc3339(text.replace('.000Z', '+00:00')), parseRfc3339(text));
    assert.equal(formatRfc3339(BigInt(date.getTime()) * 1000n + 1n), text.replace('.000Z', '.000001Z'));
  }
  assert.equal(parseRfc3339('2026-11-21T6:15:49,5Z')?.canonical, '2026-11-21T06:15:49.500000000Z');
});
