/** Kafka's own vectors (`UtilsTest.testMurmur2`), and what the partitioner makes of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPartitioner, murmur2, partitionOfKey } from './partitioner.ts';

const vectors: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

for (const [text, hash] of vectors) {
  test(`murmur2 of "${text}" is what Kafka's tests say`, () => {
    assert.equal(murmur2(Buffer.from(text)), hash);
  });
}

test('a key goes to the partition of its positive hash', () => {
  assert.equal(partitionOfKey(Buffer.from('foobar'), 12), (-790332482 & 0x7fffffff) % 12);
});

test('every key has exactly one partition, and it exists', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 1, max: 200 }), (key, partitions) => {
      const partition = partitionOfKey(key, partitions);
      assert.ok(partition >= 0 && partition < partitions);
      assert.equal(partitionOfKey(Uint8Array.from(key), partitions), partition);
    }),
  );
});

test('records without a key take turns over the partitions, topic by topic', () => {
  const partitioner = createPartitioner();
  const taken = [0, 1, 2, 3].map(() => partitioner({ topic: 'a', partitions: 3, key: null }));
  assert.deepEqual(taken, [0, 1, 2, 0]);
  assert.equal(partitioner({ topic: 'b', partitions: 3, key: null }), 0);
});
