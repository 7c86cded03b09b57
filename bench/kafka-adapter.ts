/**
 * What the Kafka adapter costs: records through `producer.send` and through `poll` with commits, against the bare client library with the same
 * promises (idempotent, acks from all; offsets committed after each batch) on the same broker in the same rounds. Goal: at least 0.8.
 */
import { Consumer as BareConsumer, Producer as BareProducer, MessagesStreamModes } from '@platformatic/kafka';
import type { Bus, Consumer } from '../src/platform/bus/bus.ts';
import { createKafkaBus } from '../src/platform/bus/kafka/kafka-bus.ts';
import { plaintext } from '../src/platform/bus/kafka/kafka-security.ts';
import type { BenchContext, Benchmark } from './support/benchmark.ts';

const partitions = 3;
const recordsAtOnce = 500;
const sendsUnderWay = 4;
const valueBytes = 2_000;

interface Parts {
  readonly context: BenchContext;
  readonly brokers: readonly string[];
  readonly bus: Bus;
  readonly records: number;
  readonly value: Buffer;
}

export const benchmark: Benchmark = {
  description: 'records through the Kafka adapter against the bare client with the same promises',
  async missing({ engines }) {
    const missing = engines.missing('kafka');
    return missing === undefined ? undefined : `no Kafka can be started here: ${missing}`;
  },
  async run(context) {
    const { clock, lifecycle, engines } = context;
    const brokers = await engines.kafka();
    const bus = createKafkaBus({ brokers, clientId: 'bench', security: plaintext, clock });
    lifecycle.defer('bus', () => bus.close());
    const parts: Parts = {
      ...{ context, brokers, bus },
      records: context.size(20_000, 200),
      value: Buffer.alloc(valueBytes, 'x'),
    };
    return {
      comparisons: [await compareProducing(parts), await compareConsuming(parts)],
      figures: [
        { name: 'bytes of a value', value: valueBytes, unit: 'bytes' },
        { name: 'partitions', value: partitions, unit: 'partitions' },
      ],
    };
  },
};

async function compareProducing(parts: Parts) {
  const { context, bus, value, records } = parts;
  const topic = 'bench.produce';
  await bus.admin.ensureTopics([{ name: topic, partitions }]);
  const producer = await bus.createProducer();
  const bare = createBareProducer(parts);
  let key = 0;
  const message = () => {
    key += 1;
    return { topic, key: Buffer.from(`cluster-${key % 1_000}`), value };
  };
  return await context.compare({
    title: `producing, ${recordsAtOnce} at once, ${sendsUnderWay} sends under way`,
    unit: 'records',
    subject: {
      name: 'producer.send',
      run: () => sendAll(records, (count) => producer.send(Array.from({ length: count }, message))),
    },
    baselines: [
      {
        name: 'bare client, idempotent',
        run: () => sendAll(records, (count) => bare.send({ messages: Array.from({ length: count }, message) })),
      },
    ],
  });
}

/** The same groups read what was produced before the rounds, from the start, each round under a new name. */
async function compareConsuming(parts: Parts) {
  const { context, bus, value, records, brokers } = parts;
  const topic = 'bench.consume';
  await bus.admin.ensureTopics([{ name: topic, partitions }]);
  const producer = await bus.createProducer();
  await sendAll(records, (count) =>
    producer.send(Array.from({ length: count }, (_, index) => ({ topic, key: `cluster-${index}`, value }))),
  );
  const adapter: { consumer?: Consumer } = {};
  const bare: { consumer?: BareConsumer } = {};
  return await context.compare({
    title: `consuming, ${recordsAtOnce} at once, each batch committed`,
    unit: 'records',
    subject: {
      name: 'consumer.poll and commit',
      async prepare(round) {
        await adapter.consumer?.close();
        adapter.consumer = await bus.createConsumer({
          groupId: `adapter-${round}`,
          topics: [topic],
          startAt: 'earliest',
        });
        context.lifecycle.defer(`consumer ${round}`, () => adapter.consumer?.close());
      },
      run: () => pollAll(adapter.consumer!, records),
    },
    baselines: [
      {
        name: 'bare client, stream and commit',
        async prepare(round) {
          await bare.consumer?.close(true);
          const consumer = new BareConsumer({
            clientId: 'bare',
            groupId: `bare-${round}`,
            bootstrapBrokers: [...brokers],
          });
          bare.consumer = consumer;
          consumer.topics.trackAll(topic);
          await consumer.joinGroup({});
          context.lifecycle.defer(`bare consumer ${round}`, () => consumer.close(true).catch(() => undefined));
        },
        run: () => streamAll(bare.consumer!, topic, records),
      },
    ],
  });
}

function createBareProducer({ context, brokers }: Parts): BareProducer<Buffer, Buffer, Buffer, Buffer> {
  const producer = new BareProducer<Buffer, Buffer, Buffer, Buffer>({
    clientId: 'bare',
    bootstrapBrokers: [...brokers],
    idempotent: true,
  });
  context.lifecycle.defer('bare producer', () => producer.close());
  return producer;
}

/** Several senders, each waiting for its own acknowledgement before the next batch, as our services do. */
async function sendAll(records: number, send: (count: number) => Promise<unknown>): Promise<number> {
  let begun = 0;
  const sender = async () => {
    while (begun < records) {
      const count = Math.min(recordsAtOnce, records - begun);
      begun += count;
      await send(count);
    }
  };
  await Promise.all(Array.from({ length: sendsUnderWay }, sender));
  return records;
}

async function pollAll(consumer: Consumer, records: number): Promise<number> {
  for (let read = 0; read < records; ) {
    const polled = await consumer.poll({ recordsMax: recordsAtOnce, waitMs: 5_000 });
    if (polled.length === 0) throw new Error(`the adapter handed out ${read} of ${records}`);
    read += polled.length;
    const heads = new Map<number, bigint>();
    for (const { partition, offset } of polled) heads.set(partition, offset + 1n);
    const topic = polled[0]!.topic;
    await consumer.commit([...heads].map(([partition, offset]) => ({ topic, partition, offset })));
  }
  return records;
}

async function streamAll(consumer: BareConsumer, topic: string, records: number): Promise<number> {
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: 'earliest',
    autocommit: false,
    maxWaitTime: 500,
  });
  let read = 0;
  const heads = new Map<number, bigint>();
  const commit = async () => {
    const offsets = [...heads].map(([partition, offset]) => ({ topic, partition, offset, leaderEpoch: -1 }));
    heads.clear();
    await consumer.commit({ offsets });
  };
  for await (const { partition, offset } of stream) {
    read += 1;
    heads.set(partition, offset + 1n);
    if (read % recordsAtOnce === 0) await commit();
    if (read === records) break;
  }
  if (heads.size > 0) await commit();
  return read;
}
