/** The part of the bus contract about records: what is sent comes back, in order, where it belongs, or nothing of it is stored. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type BusRecord, headerText, type Position } from '../bus.ts';
import { recordBytesMaxDefault } from '../bus-options.ts';
import { partitionOfKey } from '../partitioner.ts';
import { topicNameLengthMax } from '../postgres/admin.ts';
import {
  type ContractContext,
  contractCase,
  createTopic,
  foreignHeaders,
  numbered,
  numbers,
  rejectsWith,
  send,
  subscribe,
  take,
  texts,
} from './bus-harness.contract.ts';

export function describeRecords(context: ContractContext): void {
  contractCase(context, 'keys, values and headers come back byte for byte', async (bus) => {
    const topic = await createTopic(bus);
    const binary = randomBytes(4096);
    const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await send(bus, [
      { topic, key: null, value: null },
      { topic, value: '' },
      { topic, key: '', value: Buffer.alloc(0) },
      { topic, key: everyByte, value: binary },
      { topic, key: 'clé', value: 'naïve 🛰\u0000', headers: { service: 'openshift', 'x-ünï': 'a\u0000b🛰', empty: '' } },
    ]);
    const records = await take(await subscribe(bus, topic), 5);
    assert.deepEqual(
      records.map(({ key, value }) => [key, value]),
      [
        [null, null],
        [null, Buffer.alloc(0)],
        [Buffer.alloc(0), Buffer.alloc(0)],
        [everyByte, binary],
        [Buffer.from('clé'), Buffer.from('naïve 🛰\u0000')],
      ],
    );
    assert.deepEqual(records[0]?.headers, []);
    assert.deepEqual(
      records[4]?.headers.map(({ name, value }) => [name, value?.toString('utf8')]),
      [
        ['service', 'openshift'],
        ['x-ünï', 'a\u0000b🛰'],
        ['empty', ''],
      ],
    );
    assert.equal(headerText(records[4]!, 'service'), 'openshift');
    const age = Date.now() - records[4]!.timestampMs;
    assert.ok(age >= -60_000 && age < 60_000, 'the time of a record is when it was sent');
  });

  contractCase(context, 'headers that are passed on come back byte for byte, whatever they are', async (bus) => {
    const topic = await createTopic(bus);
    const headersBefore = foreignHeaders();
    await send(bus, [{ topic, value: 'v', headersBefore, headers: { twice: 'ours', empty: '' } }]);
    const [record] = await take(await subscribe(bus, topic), 1);
    const ours = [
      { name: 'twice', value: Buffer.from('ours') },
      { name: 'empty', value: Buffer.alloc(0) },
    ];
    assert.deepEqual(record?.headers, [...headersBefore, ...ours]);
    const { topic: name, partition, offset } = record!;
    const [read] = await bus.admin.read({ topic: name, partition, offset }, 1);
    assert.deepEqual(read?.headers, record?.headers);
    await send(bus, [{ topic, value: 'again', headersBefore: record!.headers }]);
    assert.deepEqual((await bus.admin.read({ topic, partition, offset: 1n }, 1))[0]?.headers, record?.headers);
  });

  contractCase(context, 'records with the same key go to the partition that Kafka hashes it to', async (bus) => {
    const topic = await createTopic(bus, 7);
    const keys = Array.from({ length: 40 }, (_, index) => `cluster-${index}`);
    const positions = await send(
      bus,
      [...keys, ...keys].map((key) => ({ topic, key, value: 'v' })),
    );
    assert.deepEqual(
      positions.map((position) => position.partition),
      [...keys, ...keys].map((key) => partitionOfKey(Buffer.from(key), 7)),
    );
  });

  contractCase(context, 'records without a key spread over the partitions', async (bus) => {
    const topic = await createTopic(bus, 3);
    const positions = await send(bus, numbered(topic, 0, 30));
    assert.deepEqual([...new Set(positions.map((position) => position.partition))].sort(), [0, 1, 2]);
  });

  contractCase(context, 'send answers with the place of every record, in the order given', async (bus) => {
    const topic = await createTopic(bus, 3);
    const other = await createTopic(bus, 2);
    const outgoing = numbers(0, 30).map((value, index) => ({
      topic: index % 3 === 0 ? other : topic,
      key: value,
      value,
    }));
    const positions = await send(bus, outgoing);
    for (const [index, position] of positions.entries()) {
      assert.equal(position.topic, outgoing[index]?.topic);
      const [record] = await bus.admin.read(position, 1);
      assert.equal(record?.offset, position.offset);
      assert.equal(record?.value?.toString(), outgoing[index]?.value);
    }
  });

  contractCase(
    context,
    'order within a partition is the order of sending, also of sends that nobody waited for',
    async (bus) => {
      const topic = await createTopic(bus);
      const producer = await bus.createProducer();
      const sends = numbers(0, 50).map((number) =>
        producer.send(numbered(topic, Number(number) * 4, Number(number) * 4 + 4)),
      );
      await Promise.all(sends);
      assert.deepEqual(texts(await take(await subscribe(bus, topic), 200)), numbers(0, 200));
    },
  );

  contractCase(
    context,
    'offsets of a partition have no gaps, however many producers write to it at once',
    async (bus) => {
      const topic = await createTopic(bus, 2);
      const producers = await Promise.all(Array.from({ length: 6 }, () => bus.createProducer()));
      const positions = (
        await Promise.all(
          producers.map(async (producer, at) => {
            const own = [];
            for (let round = 0; round < 15; round += 1) {
              own.push(
                ...(await producer.send(numbers(0, 3).map((n) => ({ topic, key: n, value: `${at}/${round}` })))),
              );
            }
            return own;
          }),
        )
      ).flat();
      for (const partition of [0, 1]) {
        const offsets = positions
          .filter((position) => position.partition === partition)
          .map(({ offset }) => Number(offset));
        assert.deepEqual(
          offsets.sort((a, b) => a - b),
          offsets.map((_, index) => index),
        );
      }
    },
  );

  contractCase(context, 'a batch far larger than one request arrives whole and in order', async (bus) => {
    const topic = await createTopic(bus);
    const padding = 'x'.repeat(2_000);
    const positions = await send(
      bus,
      numbers(0, 5_000).map((value) => ({ topic, value: `${value}:${padding}` })),
    );
    assert.equal(positions.length, 5_000);
    const records = await take(await subscribe(bus, topic), 5_000);
    assert.deepEqual(
      texts(records).map((text) => text?.split(':')[0]),
      numbers(0, 5_000),
    );
  });

  contractCase(
    context,
    'a record at the limit passes; one byte more is refused before anything of its batch is stored',
    async (bus) => {
      const topic = await createTopic(bus);
      const largest = Buffer.alloc(recordBytesMaxDefault - 1, 0x61);
      await send(bus, [{ topic, key: 'k', value: largest }]);
      await rejectsWith(
        send(bus, [
          { topic, value: 'before' },
          { topic, key: 'kk', value: largest },
        ]),
        'BUS_RECORD_TOO_LARGE',
      );
      assert.deepEqual((await bus.admin.lag('nobody', [topic]))[0]?.end, 1n);
      const [record] = await take(await subscribe(bus, topic), 1);
      assert.ok(record?.value?.equals(largest));
    },
  );

  contractCase(context, 'one unknown topic fails the send and nothing of it is stored', async (bus) => {
    const topic = await createTopic(bus);
    await rejectsWith(
      send(bus, [
        { topic, value: 'a' },
        { topic: `${topic}-missing`, value: 'b' },
      ]),
      'BUS_TOPIC_UNKNOWN',
    );
    assert.equal((await bus.admin.lag('nobody', [topic]))[0]?.end, 0n);
  });

  contractCase(
    context,
    'of records that are sent each for itself one that fails costs the others nothing',
    async (bus) => {
      const topic = await createTopic(bus, 2);
      const producer = await bus.createProducer();
      const values = numbers(0, 30);
      const records = [
        ...values.map((value) => ({ topic, key: value, value })),
        { topic, value: Buffer.alloc(recordBytesMaxDefault + 1) },
        { topic: `${topic}-missing`, value: 'nowhere' },
        { topic, key: '0', value: 'last' },
      ];
      const settled: (Position | Error | undefined)[] = [];
      await producer.sendEach(records, (index, outcome) => {
        assert.equal(settled[index], undefined, 'each is settled once');
        settled[index] = outcome;
      });
      for (const [index, { value }] of records.entries()) {
        const outcome = settled[index]!;
        if (outcome instanceof Error) continue;
        const [record] = await bus.admin.read(outcome, 1);
        assert.equal(record?.value?.toString(), value);
      }
      const codes = settled.map((outcome) =>
        outcome instanceof Error ? (outcome as { code?: string }).code : 'stored',
      );
      assert.deepEqual(codes, [...values.map(() => 'stored'), 'BUS_RECORD_TOO_LARGE', 'BUS_TOPIC_UNKNOWN', 'stored']);
      await producer.close();
      await producer.sendEach([{ topic, value: 'late' }], (_, outcome) => {
        assert.equal(outcome instanceof Error && (outcome as { code?: string }).code, 'BUS_CLOSED');
        settled.length = 0;
      });
      assert.equal(settled.length, 0);
    },
  );

  contractCase(
    context,
    'a topic that does not exist is a clear error everywhere, and nobody makes it by asking',
    async (bus) => {
      const missing = `${await createTopic(bus)}-missing`;
      await rejectsWith(send(bus, [{ topic: missing, value: 'a' }]), 'BUS_TOPIC_UNKNOWN');
      await rejectsWith(subscribe(bus, missing), 'BUS_TOPIC_UNKNOWN');
      await rejectsWith(bus.admin.lag('nobody', [missing]), 'BUS_TOPIC_UNKNOWN');
      await rejectsWith(bus.admin.read({ topic: missing, partition: 0, offset: 0n }, 1), 'BUS_TOPIC_UNKNOWN');
      await rejectsWith(bus.admin.deleteTopic(missing), 'BUS_TOPIC_UNKNOWN');
      assert.ok(!(await bus.admin.listTopics()).includes(missing));
    },
  );

  contractCase(context, 'a topic that cannot be is refused before it is made', async (bus) => {
    for (const [name, partitions] of [
      ['two words', 1],
      ['x'.repeat(topicNameLengthMax + 1), 1],
      ['contract-without-partitions', 0],
    ] as const) {
      await rejectsWith(bus.admin.ensureTopics([{ name, partitions }]), 'BUS_INVALID');
    }
    const longest = `${await createTopic(bus)}-`.padEnd(topicNameLengthMax, 'x');
    await bus.admin.ensureTopics([{ name: longest, partitions: 1 }]);
    await rejectsWith(bus.admin.read({ topic: longest, partition: 1, offset: 0n }, 1), 'BUS_INVALID');
    await bus.admin.deleteTopic(longest);
  });

  contractCase(context, 'topics are made once, and left as they are after that', async (bus) => {
    const topic = await createTopic(bus, 2);
    await send(bus, numbered(topic, 0, 4));
    await bus.admin.ensureTopics([{ name: topic, partitions: 5, retentionMs: 3_600_000 }]);
    const lag = await bus.admin.lag('nobody', [topic]);
    assert.deepEqual(
      lag.map(({ partition, committed, start, end }) => ({ partition, committed, start, end })),
      [
        { partition: 0, committed: null, start: 0n, end: 2n },
        { partition: 1, committed: null, start: 0n, end: 2n },
      ],
    );
    assert.ok((await bus.admin.listTopics()).includes(topic));
    assert.ok((await bus.admin.retentionMs(topic)) > 3_600_000, 'that of the bus');
  });

  contractCase(context, 'how long a topic keeps records can be asked', async (bus) => {
    const topic = `${await createTopic(bus)}-kept`;
    await bus.admin.ensureTopics([{ name: topic, partitions: 1, retentionMs: 7_200_000 }]);
    assert.equal(await bus.admin.retentionMs(topic), 7_200_000);
    await bus.admin.deleteTopic(topic);
    await rejectsWith(bus.admin.retentionMs(topic), 'BUS_TOPIC_UNKNOWN');
  });

  contractCase(context, 'read gives a range without a group, and no more than asked for', async (bus) => {
    const topic = await createTopic(bus);
    await send(bus, numbered(topic, 0, 20));
    const at = (offset: bigint) => ({ topic, partition: 0, offset });
    const range = (records: readonly BusRecord[]) => texts(records);
    assert.deepEqual(range(await bus.admin.read(at(5n), 3)), ['5', '6', '7']);
    assert.deepEqual(range(await bus.admin.read(at(18n), 10)), ['18', '19']);
    assert.deepEqual(range(await bus.admin.read(at(20n), 10)), []);
    assert.deepEqual(range(await bus.admin.read(at(0n), 100)), numbers(0, 20));
  });
}
