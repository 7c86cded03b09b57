/** Which of a cluster's due issues go out today. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allotDay, inDays, utcDayOf } from './day-cap.ts';

const issues = (...risks: number[]) => risks.map((totalRisk, place) => ({ identity: `${place}`, totalRisk }));
const cases: readonly (readonly [risks: readonly number[], room: number, allowed: string])[] = [
  [[], 3, ''],
  [[1, 2, 3], 3, '0 1 2'],
  [[1, 2, 3], 2, '1 2'],
  [[2, 2, 2], 2, '0 1'],
  [[2, 3, 2, 3], 3, '0 1 3'],
  [[1, 4], 1, '1'],
  [[1, 4, 4], 0, '1 2'],
  [[4, 4, 4, 3], 2, '0 1 2'],
  [[4, 3, 2], 2, '0 1'],
  [[3, 5], -4, '1'],
];
for (const [risks, room, allowed] of cases) {
  test(`of total risks ${risks} with room for ${room} go out ${allowed}`, () => {
    assert.equal([...allotDay(issues(...risks), room)].sort().join(' '), allowed);
  });
}

test('whatever is due: no critical issue waits, no more than there is room for goes out beside them, and none before one of a higher risk', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 4 })), fc.integer({ min: -3, max: 20 }), (risks, room) => {
      const allowed = allotDay(issues(...risks), room);
      const split = Map.groupBy(issues(...risks), ({ identity }) => allowed.has(identity));
      const [out, held] = [split.get(true) ?? [], split.get(false) ?? []];
      assert.ok(held.every(({ totalRisk }) => totalRisk < 4));
      assert.ok(out.length <= room || out.every(({ totalRisk }) => totalRisk === 4));
      assert.ok(held.length === 0 || out.length >= room);
      const highestHeld = Math.max(-1, ...held.map(({ totalRisk }) => totalRisk));
      assert.ok(out.every(({ totalRisk }) => totalRisk >= highestHeld));
    }),
  );
});

test('day by day, each issue once', () => {
  const days = inDays(issues(2, 3, 4, 1, 3, 4, 4), 2);
  assert.deepEqual(
    days.map((day) => [...day].sort().join(' ')),
    ['2 5 6', '1 4', '0 3'],
  );
  assert.deepEqual(inDays([], 2), []);
});

test('a day is UTC, and midnight belongs to the day that begins', () => {
  const micros = (text: string) => BigInt(Date.parse(text)) * 1_000n;
  const day = { startMicros: micros('2026-11-26T00:00:00Z'), endMicros: micros('2026-11-27T00:00:00Z') };
  assert.deepEqual(utcDayOf(micros('2026-11-26T00:00:00Z')), day);
  assert.deepEqual(utcDayOf(micros('2026-11-26T23:59:59.999Z') + 999n), day);
  assert.deepEqual(utcDayOf(micros('2026-11-27T00:00:00Z')).startMicros, day.endMicros);
});
