/** Announcements of one cluster keep their order; those of others do not wait for them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterQueues } from './cluster-queues.ts';

test('the next one of a cluster begins when the one before has ended, however it ended; others begin at once', async () => {
  const queues = new ClusterQueues();
  const order: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const run = (name: string, orgId: number, clusterId: string | undefined) =>
    queues.run({ orgId, clusterId }, () => {
      order.push(name);
      const end = Promise.withResolvers<void>();
      ends.set(name, end);
      return end.promise;
    });
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  const failed = assert.rejects(run('first', 1, 'aa'), /broken/);
  const all = [run('second', 1, 'AA'), run('third', 1, 'aa'), run('of another organization', 2, 'aa')];
  all.push(run('unnamed', 1, undefined), run('unnamed too', 1, undefined));
  await settle();
  assert.deepEqual(order, ['first', 'unnamed', 'unnamed too', 'of another organization'].toSorted(byOrderOf(order)));
  ends.get('first')!.reject(new Error('broken'));
  await failed;
  await settle();
  assert.equal(order.at(-1), 'second');
  ends.get('second')!.resolve();
  await settle();
  assert.equal(order.at(-1), 'third');
  for (const end of ends.values()) end.resolve();
  await Promise.all(all);
});

function byOrderOf(order: readonly string[]) {
  return (a: string, b: string) => order.indexOf(a) - order.indexOf(b);
}
