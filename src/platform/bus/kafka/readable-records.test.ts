/** Which fetched records are handed out: whole batches that begin too early, control records, aborted transactions; and that every byte arrives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compressionsAlgorithms,
  createRecordsBatch,
  fetchV13,
  IS_CONTROL,
  IS_TRANSACTIONAL,
  type MessageRecord,
  Reader,
  Writer,
} from '@platformatic/kafka';
import { decodeFetchAnswer } from './fetch-answer.ts';
import { readableRecords } from './readable-records.ts';

const place = { topic: 't', partition: 0 };

interface BatchHead {
  readonly attributes?: number;
  readonly producerId?: bigint;
  readonly lastOffsetDelta?: number;
  readonly compression?: keyof typeof compressionsAlgorithms;
}

/** As the library writes it, which is what brokers keep; with what only brokers and transactions write put in its place. */
function batch(
  firstOffset: number,
  messages: readonly (string | Partial<MessageRecord>)[],
  head: BatchHead = {},
): Buffer {
  const { producerId = -1n, compression } = head;
  const written = createRecordsBatch(
    messages.map((message, index) => ({
      topic: 't',
      timestamp: 1_000n + BigInt(index),
      ...(typeof message === 'string' ? { value: Buffer.from(message) } : message),
    })) as MessageRecord[],
    { producerId, ...(compression === undefined ? {} : { compression }) },
  );
  const bytes = Buffer.from(written.buffer);
  bytes.writeBigInt64BE(BigInt(firstOffset), 0);
  bytes.writeInt16BE(bytes.readInt16BE(21) | (head.attributes ?? 0), 21);
  if (head.lastOffsetDelta !== undefined) bytes.writeInt32BE(head.lastOffsetDelta, 23);
  bytes.writeBigInt64BE(9_000n, 35);
  return bytes;
}

function marker(offset: number, producerId: bigint, type: 'abort' | 'commit'): Buffer {
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]);
  return batch(offset, [{ key, value: Buffer.alloc(0) }], {
    attributes: IS_CONTROL | IS_TRANSACTIONAL,
    producerId,
  });
}

const read = (
  batches: readonly Buffer[],
  from: number,
  aborted: { producerId: bigint; firstOffset: bigint }[] = [],
) => {
  const answer = readableRecords(
    place,
    { records: Buffer.concat(batches), abortedTransactions: aborted },
    BigInt(from),
  );
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
  assert.deepEqual(readableRecords(place, { records: Buffer.alloc(0), abortedTransactions: [] }, 7n).next, 7n);
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

test('a batch that the broker cut off waits for the next answer', () => {
  const second = batch(1, ['b']);
  for (const bytes of [1, 11, 12, 40, second.length - 1]) {
    const { texts, next } = read([batch(0, ['a']), second.subarray(0, bytes)], 0);
    assert.deepEqual([texts, next], [['a'], 1], `${bytes} bytes`);
  }
});

for (const compression of Object.keys(compressionsAlgorithms) as (keyof typeof compressionsAlgorithms)[]) {
  test(`records are read byte for byte, compressed by ${compression}`, () => {
    const long = Buffer.alloc(70_000, 'long ');
    const { records } = read(
      [
        batch(
          5,
          [
            { key: Buffer.from('k'), value: long, headers: new Map([[Buffer.from('n'), Buffer.from([0, 255])]]) },
            { value: Buffer.alloc(0), timestamp: 2_000_000_000n },
            { value: null as unknown as Buffer, headers: new Map([[Buffer.alloc(0), null as unknown as Buffer]]) },
          ],
          { compression },
        ),
      ],
      0,
    ).answer;
    assert.deepEqual(records, [
      {
        ...{ ...place, topicId: undefined, offset: 5n, key: Buffer.from('k'), value: long, timestampMs: 1_000 },
        headers: [{ name: 'n', value: Buffer.from([0, 255]) }],
      },
      { ...place, topicId: undefined, offset: 6n, key: null, value: Buffer.alloc(0), headers: [], timestampMs: 2e9 },
      {
        ...place,
        topicId: undefined,
        offset: 7n,
        key: null,
        value: null,
        headers: [{ name: '', value: null }],
        timestampMs: 1_002,
      },
    ]);
  });
}

test('an answer is what the library makes of it, and one that ends too early is none', () => {
  const records = batch(3, ['a', 'b']);
  const writer = Writer.create();
  writer.appendInt32(7).appendInt16(0).appendInt32(0);
  writer.appendArray([0, 1], (topics, n) => {
    topics.appendUUID(`0123456${n}-89ab-4def-8123-456789abcdef`);
    topics.appendArray([0, 1, 2], (partitions, partition) => {
      partitions.appendInt32(partition).appendInt16(0);
      partitions.appendInt64(9n).appendInt64(9n).appendInt64(1n);
      partitions.appendArray(partition === 1 ? [{ id: 5n }] : [], (w, { id }) => w.appendInt64(id).appendInt64(2n));
      partitions.appendInt32(-1).appendUnsignedVarInt(partition === 2 ? 0 : records.length + 1);
      if (partition !== 2) partitions.append(records);
    });
  });
  writer.appendTaggedFields();
  const bytes = Buffer.from(writer.buffer);
  const known = fetchV13.parseResponse(0, 1, 13, Reader.from(bytes));
  const answer = decodeFetchAnswer(bytes);
  assert.deepEqual(
    answer.responses.map(({ topicId, partitions }) => [
      topicId,
      partitions.map((one) => [
        one.partitionIndex,
        one.errorCode,
        one.abortedTransactions,
        read([one.records], 0).texts,
      ]),
    ]),
    known.responses.map(({ topicId, partitions }) => [
      topicId,
      partitions.map((one) => [
        one.partitionIndex,
        one.errorCode,
        one.abortedTransactions,
        (one.records ?? []).flatMap((found) => found.records.map(({ value }) => value?.toString())),
      ]),
    ]),
  );
  for (let length = 0; length < bytes.length; length += 1) {
    assert.throws(() => decodeFetchAnswer(bytes.subarray(0, length)), RangeError, `${length} bytes`);
  }
});
