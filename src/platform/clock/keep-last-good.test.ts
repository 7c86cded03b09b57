/** What is kept while it cannot be renewed, and for how long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inParallel } from '../../services/notification-service/in-parallel.ts';
import { keepLastGood } from './keep-last-good.ts';
import { createManualClock } from './manual-clock.ts';

function keeper(ageMsMax?: number) {
  const clock = createManualClock();
  const failures: (number | undefined)[] = [];
  const source = { value: 1, fails: false, loads: 0 };
  const kept = keepLastGood({
    clock,
    refreshMs: 1_000,
    ...(ageMsMax === undefined ? {} : { ageMsMax }),
    onFailure: (_error, ageMs) => failures.push(ageMs),
    load: async () => {
      source.loads += 1;
      if (source.fails) throw new Error('away');
      return { number: source.value };
    },
  });
  return { clock, failures, source, kept };
}

test('a value is loaded once for those who ask together, and again when it is old enough', async () => {
  const { clock, source, kept } = keeper();
  const [first, second] = await Promise.all([kept.get(), kept.get()]);
  assert.equal(first, second);
  await clock.advance(999);
  assert.equal(await kept.get(), first);
  assert.equal(source.loads, 1);
  await clock.advance(1);
  assert.notEqual(await kept.get(), first);
  assert.equal(source.loads, 2);
});

test('while it cannot be renewed the last good one is given out, and tried again after the same pause', async () => {
  const { clock, failures, source, kept } = keeper();
  const good = await kept.get();
  source.fails = true;
  await clock.advance(5_000);
  assert.equal(await kept.get(), good);
  assert.equal(await kept.get(), good);
  assert.equal(source.loads, 2);
  assert.deepEqual(failures, [5_000]);
  assert.equal(kept.ageMs(), 5_000);
});

test('without a good one, or with one that is too old, the failure is the caller’s', async () => {
  const { clock, failures, source, kept } = keeper(3_000);
  source.fails = true;
  await assert.rejects(kept.get(), /away/);
  source.fails = false;
  const good = await kept.get();
  source.fails = true;
  await clock.advance(3_000);
  assert.equal(await kept.get(), good, 'at the limit');
  await clock.advance(1);
  await assert.rejects(kept.get(), /away/, 'past it');
  assert.deepEqual(failures, [undefined, 3_000, undefined]);
});

test('parallel work is bounded, and a failure ends it after what was begun', async () => {
  const running = { now: 0, most: 0, done: [] as number[] };
  const work = async (item: number) => {
    running.now += 1;
    running.most = Math.max(running.most, running.now);
    await new Promise<void>((resolve) => setImmediate(resolve));
    running.now -= 1;
    if (item === 4) throw new Error('four');
    running.done.push(item);
  };
  await inParallel([1, 2, 3], 2, work);
  assert.deepEqual([running.most, running.done.length], [2, 3]);
  await assert.rejects(inParallel([4, 5, 6, 7, 8], 2, work), /four/);
  assert.equal(running.now, 0);
  assert.ok(!running.done.includes(8));
  await inParallel([], 2, work);
});
