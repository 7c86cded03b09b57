/** Three brokers of which some die, other clients on the same topics, compression and transactions of others. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import {
  Admin,
  allowedCompressionsAlgorithms,
  type CompressionAlgorithmValue,
  Producer as OtherProducer,
  stringSerializers,
} from '@platformatic/kafka';
import type { KafkaCluster } from '../../../../scripts/kafka/start-kafka.ts';
import { startTestKafka } from '../../../../test/support/kafka.ts';
import { createSystemClock } from '../../clock/clock.ts';
import type { Bus, BusRecord, Consumer } from '../bus.ts';
import { headerText } from '../bus.ts';
import {
  commitAfter,
  createTopic,
  numbered,
  numbers,
  pollUntil,
  rejectsWith,
  send,
  subscribe,
  take,
  texts,
  uniqueGroup,
  waitMsMax,
} from '../contract/bus-harness.contract.ts';
import { partitionOfKey } from '../partitioner.ts';
import { KafkaCluster as ClusterView } from './cluster.ts';
import { createKafkaBus } from './kafka-bus.ts';
import { busSettingNames, plaintext } from './kafka-security.ts';

const clock = createSystemClock();
const state: { cluster?: KafkaCluster } = {};
const cluster = (): KafkaCluster => state.cluster!;

function open({ sessionMs = 6_000, deliveryMsMax = 60_000 } = {}): Bus {
  const brokers = cluster().addresses;
  return createKafkaBus({ brokers, clientId: 'brokers-test', security: plaintext, clock, sessionMs, deliveryMsMax });
}

/** Index of the broker that leads partition 0 of the topic. */
async function leaderOf(topic: string): Promise<number> {
  const brokers = cluster().addresses;
  const options = { clientId: 'look', security: plaintext, settingNames: busSettingNames, clock };
  const view = new ClusterView({ brokers, ...options });
  try {
    return (await view.topic(topic)).partitions[0]!.leader - 1;
  } finally {
    await view.close();
  }
}

/** Sends `total` records one after the other and says how far it is. */
function steadySender(bus: Bus, topic: string, total: number) {
  const progress = { sent: 0, done: Promise.resolve() };
  progress.done = (async () => {
    const producer = await bus.createProducer();
    for (; progress.sent < total; progress.sent += 1) {
      await producer.send([{ topic, key: `k${progress.sent % 7}`, value: `${progress.sent}` }]);
    }
    await producer.close();
  })();
  return progress;
}

/** Consumes and commits as a service does, through whatever fails, until all came. */
async function consumeAll(consumer: Consumer, total: number): Promise<BusRecord[]> {
  const seen = new Map<string, BusRecord>();
  const deadline = performance.now() + 2 * waitMsMax;
  while (seen.size < total) {
    assert.ok(performance.now() < deadline, `only ${seen.size} of ${total} came`);
    const records = await consumer.poll({ recordsMax: 50, waitMs: 500 }).catch((error: { retryable?: boolean }) => {
      if (error.retryable !== true) throw error;
      return [];
    });
    for (const record of records) seen.set(`${record.partition}/${record.offset}`, record);
    await commitAfter(consumer, records).catch((error: { code?: string; retryable?: boolean }) => {
      if (error.code !== 'BUS_FENCED' && error.retryable !== true) throw error;
    });
  }
  return [...seen.values()];
}

function assertEachOnceInOrder(records: readonly BusRecord[], total: number): void {
  const stored = texts(records).map(Number).sort(ascending);
  assert.deepEqual(stored, numbers(0, total).map(Number), 'every record was stored, and stored once');
  for (const ofKey of Map.groupBy(records, ({ key }) => key!.toString()).values()) {
    const values = ofKey.map(({ value }) => Number(value));
    assert.deepEqual(values, values.toSorted(ascending));
  }
}

const ascending = (a: number, b: number): number => a - b;

describe('Kafka brokers that come and go', () => {
  before(async () => {
    state.cluster = await startTestKafka({ brokers: 3 });
  });
  after(async () => {
    await state.cluster?.stop();
  });

  test('a leader that is killed costs a pause: nothing is lost, nothing is stored twice, order holds', async () => {
    const bus = open();
    const topic = await createTopic(bus, 2);
    const total = 400;
    const consumer = await subscribe(bus, topic);
    const sender = steadySender(bus, topic, total);
    const consumed = consumeAll(consumer, total);
    while (sender.sent < 100) await clock.sleep(5);
    const leader = await leaderOf(topic);
    await cluster().stopBroker(leader, 'SIGKILL');
    await sender.done;
    assertEachOnceInOrder(await consumed, total);
    assert.notEqual(await leaderOf(topic), leader);
    await cluster().startBroker(leader);
    await bus.close();
  });

  test('a rolling restart of all brokers loses nothing, neither records nor positions', async () => {
    const bus = open();
    const topic = await createTopic(bus, 3);
    const groupId = uniqueGroup();
    const total = 600;
    const consumers = [await subscribe(bus, topic, { groupId }), await subscribe(bus, topic, { groupId })];
    const sender = steadySender(bus, topic, total);
    const seen = new Map<string, BusRecord>();
    const consuming = consumers.map(async (consumer) => {
      const deadline = performance.now() + 3 * waitMsMax;
      while (seen.size < total && performance.now() < deadline) {
        const records = await consumer.poll({ recordsMax: 50, waitMs: 200 }).catch(() => []);
        for (const record of records) seen.set(`${record.partition}/${record.offset}`, record);
        await commitAfter(consumer, records).catch(() => undefined);
      }
    });
    for (const index of [0, 1, 2]) {
      await cluster().stopBroker(index, 'SIGTERM');
      await cluster().startBroker(index);
    }
    await sender.done;
    await Promise.all(consuming);
    assertEachOnceInOrder(
      [...seen.values()].sort((a, b) => Number(a.offset - b.offset)),
      total,
    );
    for (const consumer of consumers) await consumer.close();
    const next = await subscribe(bus, topic, { groupId });
    await pollUntil([next], async () =>
      (await bus.admin.lag(groupId, [topic])).every((lag) => lag.committed === lag.end),
    );
    await bus.close();
  });

  test('D4: what only one of three brokers has is not acknowledged: without a quorum a send ends at its deadline with a clear error, and works again afterwards', async () => {
    const bus = open({ deliveryMsMax: 3_000 });
    const topic = await createTopic(bus);
    await send(bus, [{ topic, value: 'before' }]);
    const leader = await leaderOf(topic);
    const others = [0, 1, 2].filter((index) => index !== leader);
    for (const index of others) await cluster().stopBroker(index, 'SIGKILL');
    const startedMs = performance.now();
    await rejectsWith(send(bus, [{ topic, value: 'unacknowledged' }]), 'BUS_UNREACHABLE');
    assert.ok(performance.now() - startedMs < 10_000);
    for (const index of others) await cluster().startBroker(index);
    for (let isSent = false; !isSent; ) {
      try {
        await send(bus, [{ topic, value: 'after' }]);
        isSent = true;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'BUS_UNREACHABLE');
      }
    }
    const records = texts(await bus.admin.read({ topic, partition: 0, offset: 0n }, 10));
    assert.equal(records[0], 'before');
    assert.ok(records.includes('after'));
    await bus.close();
  });
});

describe('Kafka topics that others use too', () => {
  before(async () => {
    state.cluster = await startTestKafka();
  });
  after(async () => {
    await state.cluster?.stop();
  });

  for (const compression of allowedCompressionsAlgorithms) {
    test(`records that others compressed with ${compression} are read`, async () => {
      const bus = open();
      const topic = await createTopic(bus);
      const other = new OtherProducer({
        clientId: 'other',
        bootstrapBrokers: [...cluster().addresses],
        serializers: stringSerializers,
        compression: compression as CompressionAlgorithmValue,
      });
      const values = numbers(0, 50).map((number) => `${number}:${'same text '.repeat(50)}`);
      await other.send({
        messages: values.map((value) => ({ topic, key: 'k', value, headers: { service: 'openshift' } })),
      });
      await other.close();
      const records = await take(await subscribe(bus, topic), 50);
      assert.deepEqual(texts(records), values);
      assert.equal(headerText(records[0]!, 'service'), 'openshift');
      await bus.close();
    });
  }

  test('what another producer aborted is never handed out, and the group is not held up by it', async () => {
    const bus = open();
    const topic = await createTopic(bus);
    const other = new OtherProducer({
      clientId: 'other',
      bootstrapBrokers: [...cluster().addresses],
      serializers: stringSerializers,
      idempotent: true,
      transactionalId: `transaction-of-${topic}`,
    });
    for (const [value, end] of [
      ['taken back', 'abort'],
      ['kept', 'commit'],
    ] as const) {
      const transaction = await other.beginTransaction();
      await transaction.send({ messages: [{ topic, key: 'k', value }] });
      await transaction[end]();
    }
    await other.close();
    await send(bus, [{ topic, value: 'ours' }]);
    assert.deepEqual(texts(await take(await subscribe(bus, topic), 2)), ['kept', 'ours']);
    assert.deepEqual(texts(await bus.admin.read({ topic, partition: 0, offset: 0n }, 10)), ['kept', 'ours']);
    await bus.close();
  });

  const kcat = (args: string) => promisify(execFile)('kcat', ['-b', cluster().addresses.join(','), ...args.split(' ')]);
  const noKcat = kcatMissing() ? 'kcat is not installed' : false;

  test('kcat and this adapter read each other, and put a key into the same partition', { skip: noKcat }, async () => {
    const bus = open();
    const topic = await createTopic(bus, 5);
    const keys = numbers(0, 30).map((number) => `cluster-${number}`);
    await send(
      bus,
      keys.map((key) => ({ topic, key, value: `ours ${key}`, headers: { service: 'openshift' } })),
    );
    const { stdout } = await kcat(`-C -t ${topic} -e -q -f %p|%k|%s|%h\n`);
    const lines = stdout.trim().split('\n');
    assert.deepEqual(
      lines.sort(),
      keys.map((key) => `${partitionOfKey(Buffer.from(key), 5)}|${key}|ours ${key}|service=openshift`).sort(),
    );
    // librdkafka's `murmur2_random` is Java's default partitioner.
    const producing = kcat(`-P -t ${topic} -X partitioner=murmur2_random -z zstd -K | -H from=kcat`);
    producing.child.stdin?.end(keys.map((key) => `${key}|theirs ${key}\n`).join(''));
    await producing;
    const records = await take(await subscribe(bus, topic), 60);
    const theirs = records.filter((record) => headerText(record, 'from') === 'kcat');
    assert.equal(theirs.length, 30);
    for (const record of theirs) assert.equal(record.partition, partitionOfKey(record.key!, 5));
    await bus.close();
  });

  test('a consumer of another kind in the same group shares the work', { skip: noKcat }, async () => {
    const bus = open();
    const topic = await createTopic(bus, 4);
    const groupId = uniqueGroup();
    const ours = await subscribe(bus, topic, { groupId });
    const likeReference = '-X auto.offset.reset=earliest -X partition.assignment.strategy=range';
    const theirs = kcat(`-G ${groupId} -q -u ${likeReference} ${topic}`);
    const lines: string[] = [];
    theirs.child.stdout?.on('data', (chunk: Buffer | string) => lines.push(...String(chunk).trim().split('\n')));
    await pollUntil([ours], () => ours.assignment().length === 2);
    await send(
      bus,
      numbers(0, 40).map((value) => ({ topic, key: value, value })),
    );
    const seen = new Set<string>();
    await pollUntil([], async () => {
      for (const text of texts(await ours.poll({ recordsMax: 50, waitMs: 100 }))) seen.add(text ?? '');
      return new Set([...seen, ...lines]).size >= 40;
    });
    assert.ok(lines.length > 0 && seen.size > 0);
    theirs.child.kill('SIGTERM');
    await theirs.catch(() => undefined);
    await bus.close();
  });

  test('a topic that gets more partitions is read whole', async () => {
    const bus = open({ sessionMs: 3_000 });
    const topic = await createTopic(bus, 1);
    const consumer = await subscribe(bus, topic);
    await addPartitions(topic, 3);
    await pollUntil([consumer], () => consumer.assignment().length === 3);
    await send(bus, numbered(topic, 0, 9));
    assert.equal((await take(consumer, 9)).length, 9);
    await bus.close();
  });
});

function kcatMissing(): boolean {
  try {
    execFileSync('kcat', ['-V'], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
}

async function addPartitions(topic: string, count: number): Promise<void> {
  const admin = new Admin({ clientId: 'test-admin', bootstrapBrokers: [...cluster().addresses] });
  await admin.createPartitions({ topics: [{ name: topic, count, assignments: null }] });
  await admin.close();
}
