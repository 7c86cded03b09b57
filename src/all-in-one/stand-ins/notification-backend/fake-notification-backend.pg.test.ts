/**
 * From due issues to the mail, over a real bus: the bytes on the topic, the strict reading, repeats, and what a restart remembers.
 */
import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { clusterId, dueCluster, dueIssue } from '../../../../test/support/due-cluster.ts';
import { createTestDatabase } from '../../../../test/support/postgres.ts';
import { temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { notificationMessageExamples } from '../../../contracts/notification-message.ts';
import { TOPIC_NOTIFICATIONS } from '../../../contracts/topics.ts';
import { type Bus, headerText } from '../../../platform/bus/bus.ts';
import { createPostgresBus } from '../../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../../platform/clock/clock.ts';
import { createKafkaTarget } from '../../../services/notification-service/targets/kafka-target/kafka-target.ts';
import { type ReceivedNotification, startFakeNotificationBackend } from './fake-notification-backend.ts';

const clock = createSystemClock();

async function setUp(t: TestContext) {
  const { database, drop } = await createTestDatabase();
  const bus = await createPostgresBus({ database, clock, pollEveryMs: 20, retentionEveryMs: 0 });
  const folder = temporaryFolder();
  t.after(async () => {
    await bus.close();
    await drop();
  });
  return { bus, file: join(folder, 'notifications.jsonl') };
}

/** A backend that a test can wait on. */
async function start(bus: Bus, file: string) {
  const waiting: (() => void)[] = [];
  const backend = await startFakeNotificationBackend({
    bus,
    clock,
    file,
    onReceived: () => {
      for (const wake of waiting.splice(0)) wake();
    },
    onTrouble: (error) => assert.fail(String(error)),
  });
  const received = async (count: number): Promise<readonly ReceivedNotification[]> => {
    while (backend.received().length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    return backend.received();
  };
  return { backend, received };
}

async function openTarget(bus: Bus) {
  return createKafkaTarget(
    {
      topic: TOPIC_NOTIFICATIONS,
      clusterDetailsUri: 'https://console/{cluster_id}#insights',
      ruleDetailsUri: 'https://console/{cluster_id}/insights/{module}/{error_key}',
      recordBytesMax: 1_000_000,
    },
    { bus, clock },
  );
}

test('a message is mailed once, however often it is sent, and again only under a new id', async (t) => {
  const { bus, file } = await setUp(t);
  const { backend, received } = await start(bus, file);
  const target = await openTarget(bus);
  const context = { now: clock.now(), uuid: () => clock.uuid() };
  const { signal } = new AbortController();
  const [notification] = await target.compose(dueCluster([dueIssue(), dueIssue({ errorKey: 'OTHER' })]), context);
  assert.equal(
    (await target.deliver({ notification: notification!, mayHaveArrived: false, signal })).kind,
    'delivered',
  );
  assert.equal((await target.deliver({ notification: notification!, mayHaveArrived: true, signal })).kind, 'delivered');
  const again = target.reissue(notification!, context);
  assert.equal((await target.deliver({ notification: again, mayHaveArrived: false, signal })).kind, 'delivered');

  const arrived = await received(3);
  assert.deepEqual(
    arrived.map(({ outcome, id, note }) => [outcome, id, note]),
    [
      ['mailed', notification!.id, undefined],
      ['duplicate', notification!.id, undefined],
      ['mailed', again.id, undefined],
    ],
  );
  assert.match(arrived[0]!.mail!.text, /has 2 new recommendations/);
  assert.deepEqual(new Set(arrived.map(({ key, partition }) => `${key} ${partition}`)).size, 1);

  // The bytes on the topic, not what the code meant to send.
  const [record] = await bus.admin.read(
    { topic: TOPIC_NOTIFICATIONS, partition: arrived[0]!.partition, offset: 0n },
    1,
  );
  assert.equal(record!.key!.toString('latin1'), clusterId);
  assert.equal(record!.value!.toString('utf8'), notification!.body);
  const header = headerText(record!, 'rh-message-id')!;
  assert.match(header, /^[\x20-\x7e]{36}$/);
  assert.equal(header[14], '4');
  assert.equal(header, JSON.parse(record!.value!.toString('utf8')).id);

  await target.close();
  await backend.stop();
});

test('what was mailed is there after a restart, repeats are still recognised, and bad messages hold nothing up', async (t) => {
  const { bus, file } = await setUp(t);
  const producer = await bus.createProducer();
  const first = await start(bus, file);
  const target = await openTarget(bus);
  const context = { now: clock.now(), uuid: () => clock.uuid() };
  const { signal } = new AbortController();
  const [notification] = await target.compose(dueCluster(), context);
  await target.deliver({ notification: notification!, mayHaveArrived: false, signal });
  await first.received(1);
  await first.backend.stop();

  for (const { value } of notificationMessageExamples.invalid.slice(0, 1)) {
    await producer.send([{ topic: TOPIC_NOTIFICATIONS, key: clusterId, value: JSON.stringify(value) }]);
  }
  await producer.send([{ topic: TOPIC_NOTIFICATIONS, key: clusterId, value: null }]);
  const weekly = JSON.stringify({ ...notificationMessageExamples.valid[0]!, event_type: 'weekly-digest' });
  await producer.send([{ topic: TOPIC_NOTIFICATIONS, key: clusterId, value: weekly }]);
  await target.deliver({ notification: notification!, mayHaveArrived: true, signal });

  const odd = { outcome: 'mailed', topic: 'x', partition: 0, offset: '0', body: 'no action', receivedAt: 'never' };
  await appendFile(file, `null\n[1]\n{}\n${JSON.stringify(odd)}\n`);
  const second = await start(bus, file);
  assert.equal(second.backend.notifications()[0]?.id, notification!.id);
  const outcomes = (await second.received(5)).map(({ outcome, note }) => [outcome, note]);
  assert.deepEqual(outcomes, [
    ['mailed', undefined],
    ['refused', 'the message is no object'],
    ['refused', 'it is no JSON'],
    ['refused', 'no event type openshift/advisor/weekly-digest'],
    ['duplicate', undefined],
  ]);
  assert.equal(second.backend.notifications().length, 1);
  while (!(await second.backend.idle())) await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([target.close(), producer.close()]);
  await second.backend.stop();
});
