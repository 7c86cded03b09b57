/** Shares are exact, bounded and even. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { shareOut } from './bus-consumer.ts';

test('a small backlog beside a large one is fetched whole', () => {
  assert.deepEqual(shareOut([1000, 3], 100), [97, 3]);
});

test('fewer places than partitions give one each as long as they last', () => {
  assert.deepEqual(shareOut([5, 5, 5], 2), [1, 1, 0]);
});

test('shares never exceed what is there, fill the total, and differ only where a partition ran out', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50), { maxLength: 8 }), fc.nat(200), (available, total) => {
      const shares = shareOut(available, total);
      const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
      assert.equal(sum(shares), Math.min(total, sum(available)));
      shares.forEach((share, index) => {
        assert.ok(share <= available[index]!);
      });
      const unfilled = shares.filter((share, index) => share < available[index]!);
      if (unfilled.length > 0) assert.ok(Math.max(...shares) - Math.min(...unfilled) <= 1);
    }),
  );
});
