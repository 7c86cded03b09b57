/** The bound on work that is under way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBoundedWork } from './template-renderer.ts';

test('no more than the limit run at once, the rest follow in order, and a failure frees its place', async () => {
  const bounded = createBoundedWork(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const all = ends.map((end, i) =>
    bounded.run(async () => {
      begun.push(i);
      await end.promise;
      return i;
    }),
  );
  await Promise.resolve();
  assert.deepEqual(begun, [0, 1]);
  ends[1]!.reject(new Error('x'));
  await assert.rejects(all[1]!);
  assert.deepEqual(begun, [0, 1, 2]);
  for (const end of ends) end.resolve();
  assert.deepEqual(await Promise.all([all[0], all[2], all[3], all[4]]), [0, 2, 3, 4]);
  assert.deepEqual(begun, [0, 1, 2, 3, 4]);
});
