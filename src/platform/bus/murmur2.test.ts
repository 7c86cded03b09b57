/** Kafka's own vectors (`UtilsTest.testMurmur2`), and what the partitioner makes of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPartitioner, murmur2, partitionOfKey, recordsPerTurn } from './partitioner.ts';

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

test('records without a key take turns over the partitions, topic by topic, one by one or a few at a time', () => {
  const choose = createPartitioner();
  const send = (topics: readonly string[], together = false) =>
    choose(
      topics.map((topic) => ({ topic, key: null })),
      () => 3,
      together,
    );
  assert.deepEqual([send(['a', 'a', 'a']), send(['a']), send(['a'], true)], [[0, 1, 2], [0], [1]]);
  assert.deepEqual(send(['b', 'a', 'b'], true), [0, 2, 0]);
  const burst = send(Array(2 * recordsPerTurn + 1).fill('a'), true);
  assert.deepEqual(
    [burst[0], burst[recordsPerTurn - 1], burst[recordsPerTurn], burst[2 * recordsPerTurn]],
    [0, 0, 1, 2],
  );
  assert.deepEqual(send(['a']), [0]);
});
