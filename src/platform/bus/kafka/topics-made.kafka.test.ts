/**
 * A broker that makes topics by itself: our roles leave it no chance to make a mistyped one, the drop-in programs let it make theirs, as the
 * originals do.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { KafkaCluster } from '../../../../scripts/kafka/start-kafka.ts';
import { startTestKafka } from '../../../../test/support/kafka.ts';
import { createSystemClock } from '../../clock/clock.ts';
import type { Bus } from '../bus.ts';
import { rejectsWith, send, subscribe, take, texts, uniqueGroup } from '../contract/bus-harness.contract.ts';
import { requireTopics } from '../require-topics.ts';
import { createKafkaBus } from './kafka-bus.ts';
import { plaintext } from './kafka-security.ts';

const clock = createSystemClock();
const state: { cluster?: KafkaCluster; bus?: Bus; role?: Bus } = {};
const dropIn = (): Bus => state.bus!;
const role = (): Bus => state.role!;
const newName = (): string => `made-${randomUUID()}`;
const makers = { 'auto.create.topics.enable': 'true' };

function open(cluster: KafkaCluster, mayMakeTopics: boolean): Bus {
  const brokers = cluster.addresses;
  return createKafkaBus({
    brokers,
    clientId: 'topics-made',
    security: plaintext,
    clock,
    sessionMs: 3_000,
    mayMakeTopics,
  });
}

describe('a broker that makes topics', () => {
  before(async () => {
    const cluster = await startTestKafka({ properties: makers });
    Object.assign(state, { cluster, bus: open(cluster, true), role: open(cluster, false) });
  });
  after(async () => {
    await state.bus?.close();
    await state.role?.close();
    await state.cluster?.stop();
  });

  test('makes the topic that a drop-in program sends to', async () => {
    const topic = newName();
    await send(dropIn(), [{ topic, value: 'first' }]);
    assert.deepEqual(texts(await take(await subscribe(role(), topic), 1)), ['first']);
  });

  test('makes the topic that a drop-in program reads', async () => {
    const topic = newName();
    const consumer = await subscribe(dropIn(), topic);
    await send(role(), [{ topic, value: 'first' }]);
    assert.deepEqual(texts(await take(consumer, 1)), ['first']);
  });

  test('makes the topic that a drop-in program looks for', async () => {
    const topic = newName();
    await requireTopics(dropIn(), [{ name: topic, setting: 'kafka_broker.topic' }]);
    assert.ok((await role().admin.listTopics()).includes(topic));
  });

  test('makes nothing for a role of ours, whatever it does with the name', async () => {
    const topic = newName();
    await rejectsWith(send(role(), [{ topic, value: 'v' }]), 'BUS_TOPIC_UNKNOWN');
    await rejectsWith(subscribe(role(), topic), 'BUS_TOPIC_UNKNOWN');
    await rejectsWith(role().admin.lag(uniqueGroup(), [topic]), 'BUS_TOPIC_UNKNOWN');
    await rejectsWith(requireTopics(role(), [{ name: topic, setting: 's' }]), 'BUS_TOPIC_UNKNOWN');
    assert.ok(!(await role().admin.listTopics()).includes(topic));
  });

  test('does not make a topic again that was deleted, and makes ours with the partitions that we want', async () => {
    const topic = newName();
    await dropIn().admin.ensureTopics([{ name: topic, partitions: 1 }]);
    assert.equal((await role().admin.lag(uniqueGroup(), [topic])).length, 1);
    await dropIn().admin.deleteTopic(topic);
    assert.ok(!(await role().admin.listTopics()).includes(topic));
  });
});

test('a broker that makes none leaves the error that names the topic and its setting', async () => {
  const cluster = await startTestKafka();
  const bus = open(cluster, true);
  const topic = newName();
  try {
    await rejectsWith(send(bus, [{ topic, value: 'v' }]), 'BUS_TOPIC_UNKNOWN');
    await assert.rejects(requireTopics(bus, [{ name: topic, setting: 'kafka_broker.topic' }]), (error: unknown) => {
      assert.match(String(error), new RegExp(topic));
      assert.match((error as { hint: string }).hint, /kafka_broker\.topic/);
      return true;
    });
  } finally {
    await bus.close();
    await cluster.stop();
  }
});
