/** The sum of what is leased never passes the budget, and nobody waits for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteBudget, type ByteLease } from './byte-budget.ts';

const never = new AbortController().signal;

test('exactly the budget is leased, one byte more waits until something is released', async () => {
  const budget = new ByteBudget(100, 100);
  const first = await budget.acquire(60, 1, never);
  const second = await budget.acquire(40, 1, never);
  const events: string[] = [];
  const third = budget.acquire(1, 1, never).then((lease) => {
    events.push('third');
    return lease;
  });
  events.push('second released');
  second.release();
  (await third).release();
  first.release();
  first.release();
  assert.deepEqual([events, budget.used()], [['second released', 'third'], 0]);
});

test('a large one in line is not overtaken by small ones', async () => {
  const budget = new ByteBudget(100, 100);
  const held = await budget.acquire(50, 1, never);
  const order: string[] = [];
  const large = budget.acquire(80, 1, never).then((lease) => {
    order.push('large');
    lease.release();
  });
  const small = budget.acquire(10, 1, never).then(() => order.push('small'));
  assert.equal(held.tryGrow(60), false, 'nobody grows past the line');
  held.release();
  await Promise.all([large, small]);
  assert.deepEqual(order, ['large', 'small']);
});

test('a lease grows while there is room and shrinks to what is needed', async () => {
  const budget = new ByteBudget(100, 100);
  const lease = await budget.acquire(10, 1, never);
  assert.deepEqual([lease.tryGrow(100), lease.bytes, lease.tryGrow(101), lease.bytes], [true, 100, false, 100]);
  lease.shrink(30);
  assert.deepEqual([budget.used(), lease.tryGrow(20), lease.bytes], [30, true, 30]);
});

test('who gives up leaves the line, and the next one is served', async () => {
  const budget = new ByteBudget(100, 100);
  const held = await budget.acquire(50, 1, never);
  const impatient = new AbortController();
  const large = assert.rejects(budget.acquire(80, 1, impatient.signal), { name: 'AbortError' });
  const small = budget.acquire(10, 1, never);
  impatient.abort();
  await large;
  assert.equal((await small).bytes, 10);
  held.release();
  await assert.rejects(budget.acquire(1, 1, impatient.signal), { name: 'AbortError' });
  assert.throws(() => budget.acquire(101, 1, never));
});

test('an owner who holds his share is passed by, and the others are served', async () => {
  const budget = new ByteBudget(100, 50);
  const order: string[] = [];
  const note = (who: string) => (lease: ByteLease) => {
    order.push(who);
    return lease;
  };
  const first = await budget.acquire(30, 666, never);
  const more = budget.acquire(30, 666, never).then(note('more of 666'));
  const other = budget.acquire(50, 1, never).then(note('1'));
  assert.equal((await other).bytes, 50);
  first.release();
  await more;
  assert.deepEqual(order, ['1', 'more of 666']);
});

test('an owner may have one archive whatever his share is', async () => {
  const budget = new ByteBudget(100, 50);
  assert.equal((await budget.acquire(100, 1, never)).bytes, 100);
});

test('whatever is acquired and released, the sum stays within the budget and ends at nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 40 }), async (sizes) => {
      const budget = new ByteBudget(100, 100);
      const held: ByteLease[] = [];
      const all = sizes.map(async (size) => {
        const lease = await budget.acquire(size, 1, never);
        assert.ok(budget.used() <= 100);
        held.push(lease);
      });
      for (let index = 0; index < sizes.length; index += 1) {
        await Promise.resolve();
        await new Promise((resolve) => setImmediate(resolve));
        for (const lease of held.splice(0)) lease.release();
      }
      await Promise.all(all);
      for (const lease of held) lease.release();
      assert.equal(budget.used(), 0);
    }),
    { numRuns: 30 },
  );
});
