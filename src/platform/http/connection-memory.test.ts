/** A crowd of connections keeps the young generation small, and is collected once, when it is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionMemory, crowdConnectionsMin, crowdOverShare } from './connection-memory.ts';

function watched() {
  const done: string[] = [];
  const memory = new ConnectionMemory({
    letYoungGenerationGrow: (may) => done.push(may ? 'may grow' : 'stays small'),
    collectAll: () => done.push('collected'),
  });
  return { memory, done };
}

test('few connections change nothing', () => {
  const { memory, done } = watched();
  for (const count of [0, crowdConnectionsMin - 1, 0]) memory.observe(count);
  assert.deepEqual(done, []);
});

test('a crowd is noticed at its first, and over when a quarter of its most is left', () => {
  const { memory, done } = watched();
  memory.observe(crowdConnectionsMin);
  memory.observe(1_000);
  memory.observe(1_000 * crowdOverShare + 1);
  assert.deepEqual(done, ['stays small']);
  memory.observe(1_000 * crowdOverShare);
  assert.deepEqual(done, ['stays small', 'collected', 'may grow']);
  memory.observe(0);
  assert.equal(done.length, 3, 'once');
});

test('with V8 itself, what nobody refers to any more is given back', () => {
  const memory = new ConnectionMemory();
  const holder: { garbage?: unknown } = { garbage: Array.from({ length: 400_000 }, (_, n) => ({ n })) };
  memory.observe(crowdConnectionsMin);
  const before = process.memoryUsage().heapUsed;
  delete holder.garbage;
  memory.observe(0);
  assert.ok(process.memoryUsage().heapUsed < before - 10_000_000);
  assert.equal('gc' in globalThis, false);
});
