/** Counts over many clusters are kept, those over few are not, and none is answered with for long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../../platform/clock/manual-clock.ts';
import { KeptCounts } from './kept-counts.ts';

function keeping() {
  const clock = createManualClock();
  const keptCounts = new KeptCounts({ clock, whole: 'any' });
  let counted = 0;
  const read = async (clusters: number, key = 'one') =>
    (
      await keptCounts.read(key, async () => {
        counted += 1;
        return new Map([['any', clusters]]);
      })
    ).get('any');
  return { clock, keptCounts, read, counted: () => counted };
}

test('few clusters are counted for every answer', async () => {
  const { read, counted } = keeping();
  assert.deepEqual([await read(10_000), await read(3), counted()], [10_000, 3, 2]);
});

test('many are counted once, again beside an answer when that is old, and before it when it is too old', async () => {
  const { clock, read, counted } = keeping();
  assert.deepEqual([await read(100_000), await read(100_001), counted()], [100_000, 100_000, 1]);
  assert.deepEqual([await read(100_002, 'another'), counted()], [100_002, 2]);
  await clock.advance(15_001);
  assert.deepEqual([await read(100_003), counted()], [100_000, 3], 'the old one, and somebody counts');
  assert.equal(await read(100_004), 100_003);
  await clock.advance(600_001);
  assert.deepEqual([await read(100_005), counted()], [100_005, 4]);
});

test('who asks while somebody counts waits for the same count; one that fails is told, and is not kept', async () => {
  const { keptCounts, read, counted } = keeping();
  assert.deepEqual(await Promise.all([read(100_000), read(100_001)]), [100_000, 100_000]);
  assert.equal(counted(), 1);
  const failing = () => keptCounts.read('failing', () => Promise.reject(new Error('away')));
  await assert.rejects(Promise.all([failing(), failing()]), /away/);
  assert.equal(await read(100_002, 'failing'), 100_002);
});

test('the oldest of a hundred goes', async () => {
  const { read, counted } = keeping();
  for (let at = 0; at <= 100; at += 1) await read(100_000, `key ${at}`);
  await read(100_000, 'key 1');
  assert.equal(counted(), 101);
  await read(100_000, 'key 0');
  assert.equal(counted(), 102);
});
