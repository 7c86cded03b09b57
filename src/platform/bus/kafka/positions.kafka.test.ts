/** Where a group reads on, on a real Kafka: partitions that are added, records that are cut off, and ends that nobody can read. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Admin, Producer, stringSerializers } from '@platformatic/kafka';
import { testKafkaBrokers } from '../../../../test/support/kafka.ts';
import { createSystemClock } from '../../clock/clock.ts';
import type { Bus, Consumer, OutgoingRecord } from '../bus.ts';
import {
  assertDrained,
  commitAfter,
  createTopic,
  numbered,
  numbers,
  pollUntil,
  send,
  subscribe,
  take,
  texts,
  uniqueGroup,
} from '../contract/bus-harness.contract.ts';
import { createKafkaBus } from './kafka-bus.ts';
import { plaintext } from './kafka-security.ts';

const clock = createSystemClock();
const state: { bus?: Bus; admin?: Admin; brokers: readonly string[] } = { brokers: [] };
const bus = (): Bus => state.bus!;
const newBus = (): Bus =>
  createKafkaBus({ brokers: state.brokers, clientId: 'positions-test', security: plaintext, clock, sessionMs: 3_000 });

async function addPartitions(topic: string, count: number): Promise<void> {
  await state.admin!.createPartitions({ topics: [{ name: topic, count }] });
}

/** From a bus that has not seen the topic before, so that it knows all of its partitions. */
async function sendFresh(records: readonly OutgoingRecord[]): Promise<void> {
  const other = newBus();
  await send(other, records);
  await other.close();
}

async function transaction(topic: string, end: 'commit' | 'abort', values: readonly string[]): Promise<void> {
  const producer = new Producer({
    clientId: 'positions-test-other',
    bootstrapBrokers: [...state.brokers],
    idempotent: true,
    transactionalId: `transaction-of-${topic}-${clock.uuid()}`,
    serializers: stringSerializers,
  });
  try {
    const running = await producer.beginTransaction();
    await running.send({ messages: values.map((value) => ({ topic, key: 'k', value })) });
    await running[end]();
  } finally {
    await producer.close();
  }
}

const lagOf = async (groupId: string, topic: string) => (await bus().admin.lag(groupId, [topic]))[0]!;
const isAtEnd = async (groupId: string, topic: string) => {
  const { committed, end } = await lagOf(groupId, topic);
  return committed === end;
};

describe('Kafka positions', () => {
  before(async () => {
    state.brokers = await testKafkaBrokers();
    state.bus = newBus();
    state.admin = new Admin({ clientId: 'positions-test-admin', bootstrapBrokers: [...state.brokers] });
  });
  after(async () => {
    await state.admin?.close();
    await state.bus?.close();
  });

  for (const startAt of ['latest', 'earliest'] as const) {
    test(`a partition that is added while a group that starts at ${startAt} reads loses nothing`, async () => {
      const topic = await createTopic(bus());
      const consumer = await subscribe(bus(), topic, { startAt });
      await addPartitions(topic, 3);
      await sendFresh(numbered(topic, 0, 30));
      assert.deepEqual(
        texts(await take(consumer, 30))
          .map(Number)
          .sort((a, b) => a - b),
        numbers(0, 30).map(Number),
      );
      await consumer.close();
    });

    test(`a partition that is added while a group that starts at ${startAt} is away loses nothing`, async () => {
      const topic = await createTopic(bus());
      const groupId = uniqueGroup();
      await (await subscribe(bus(), topic, { groupId, startAt })).close();
      await sendFresh([{ topic, value: 'old' }]);
      const first = await subscribe(bus(), topic, { groupId, startAt });
      await commitAfter(first, await take(first, 1));
      await first.close();
      await addPartitions(topic, 2);
      await sendFresh(numbered(topic, 0, 20));
      const again = await subscribe(bus(), topic, { groupId, startAt });
      assert.equal((await take(again, 20)).length, 20);
      await assertDrained(again);
      await again.close();
    });
  }

  test('records that are cut off before a group that started at the newest read them: it goes on at the oldest', async () => {
    const topic = await createTopic(bus());
    const groupId = uniqueGroup();
    await (await subscribe(bus(), topic, { groupId, startAt: 'latest' })).close();
    await send(bus(), numbered(topic, 0, 10));
    await state.admin!.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 6n }] }] });
    const consumer = await subscribe(bus(), topic, { groupId, startAt: 'latest' });
    assert.deepEqual(texts(await take(consumer, 4)), numbers(6, 10));
    await consumer.close();
  });

  test('a group that has done everything lags behind nothing, whatever stands at the end of a topic', async () => {
    const topic = await createTopic(bus());
    const groupId = uniqueGroup();
    const consumer: Consumer = await subscribe(bus(), topic, { groupId });
    await transaction(topic, 'abort', ['taken back before anything was read']);
    await pollUntil([consumer], () => isAtEnd(groupId, topic));
    await transaction(topic, 'commit', ['a', 'b']);
    const records = await take(consumer, 2);
    assert.deepEqual(texts(records), ['a', 'b']);
    await commitAfter(consumer, records.slice(0, 1));
    await assertDrained(consumer);
    assert.equal((await lagOf(groupId, topic)).committed, records[0]!.offset + 1n, 'work that is not done stays due');
    await commitAfter(consumer, records);
    await pollUntil([consumer], () => isAtEnd(groupId, topic));
    await transaction(topic, 'abort', ['taken back']);
    await transaction(topic, 'abort', ['taken back as well']);
    await pollUntil([consumer], () => isAtEnd(groupId, topic));
    await send(bus(), [{ topic, value: 'c' }]);
    const last = await take(consumer, 1);
    assert.deepEqual(texts(last), ['c']);
    await commitAfter(consumer, last);
    assert.ok(await isAtEnd(groupId, topic));
    await consumer.close();
    const again = await subscribe(bus(), topic, { groupId });
    await assertDrained(again);
    await again.close();
  });
});
