/** Which fetched records are handed out: whole batches that begin too early, control records, aborted transactions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IS_CONTROL, IS_TRANSACTIONAL, type RecordsBatch } from '@platformatic/kafka';
import { readableRecords } from './readable-records.ts';

const place = { topic: 't', partition: 0 };

function batch(firstOffset: number, values: readonly string[], more: Partial<RecordsBatch> = {}): RecordsBatch {
  return {
    firstOffset: BigInt(firstOffset),
    length: 0,
    partitionLeaderEpoch: 0,
    magic: 2,
    crc: 0,
    attributes: 0,
    lastOffsetDelta: values.length - 1,
    firstTimestamp: 1_000n,
    maxTimestamp: 9_000n,
    producerId: -1n,
    producerEpoch: 0,
    firstSequence: 0,
    records: values.map((value, index) => ({
      length: value.length,
      attributes: 0,
      timestampDelta: BigInt(index),
      offsetDelta: index,
      key: null,
      value: Buffer.from(value),
      headers: [],
    })),
    ...more,
  } as RecordsBatch;
}

function marker(offset: number, producerId: bigint, type: 'abort' | 'commit'): RecordsBatch {
  const control = batch(offset, [''], { attributes: IS_CONTROL | IS_TRANSACTIONAL, producerId });
  control.records[0]!.key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]);
  return control;
}

const read = (records: RecordsBatch[], from: number, aborted: { producerId: bigint; firstOffset: bigint }[] = []) => {
  const answer = readableRecords(place, { records, abortedTransactions: aborted }, BigInt(from));
  return { texts: answer.records.map((record) => record.value?.toString()), next: Number(answer.next), answer };
};

test('a batch that begins before the position gives only what is behind it', () => {
  const { texts, next } = read([batch(10, ['a', 'b', 'c'])], 11);
  assert.deepEqual(texts, ['b', 'c']);
  assert.equal(next, 13);
});

test('offsets that compaction removed are passed over', () => {
  const compacted = batch(0, ['a'], { lastOffsetDelta: 9 });
  assert.equal(read([compacted], 0).next, 10);
});

test('an empty answer leaves the position', () => {
  assert.deepEqual(readableRecords(place, { records: null, abortedTransactions: null }, 7n).next, 7n);
});

test('aborted transactions are not handed out, committed ones and others in between are', () => {
  const transactional = { attributes: IS_TRANSACTIONAL };
  const { texts, next } = read(
    [
      batch(0, ['aborted'], { ...transactional, producerId: 1n }),
      batch(1, ['committed'], { ...transactional, producerId: 2n }),
      batch(2, ['plain']),
      marker(3, 1n, 'abort'),
      marker(4, 2n, 'commit'),
      batch(5, ['the same producer again'], { ...transactional, producerId: 1n }),
      marker(6, 1n, 'commit'),
    ],
    0,
    [{ producerId: 1n, firstOffset: 0n }],
  );
  assert.deepEqual(texts, ['committed', 'plain', 'the same producer again']);
  assert.equal(next, 7, 'the position is behind the last marker');
});

test('a transaction that was aborted further on is left out from its first record', () => {
  const records = [
    batch(0, ['a'], { attributes: IS_TRANSACTIONAL, producerId: 1n }),
    batch(1, ['b'], { attributes: IS_TRANSACTIONAL, producerId: 1n }),
  ];
  assert.deepEqual(read(records, 0, [{ producerId: 1n, firstOffset: 1n }]).texts, ['a']);
});

test('the time of a record is its own, or the broker’s where the topic says so', () => {
  const own = read([batch(0, ['a', 'b'])], 0).answer.records.map((record) => record.timestampMs);
  assert.deepEqual(own, [1_000, 1_001]);
  const brokers = read([batch(0, ['a', 'b'], { attributes: 1 << 3 })], 0).answer.records;
  assert.deepEqual(
    brokers.map((record) => record.timestampMs),
    [9_000, 9_000],
  );
});
