/** What leaves for the bus, and what its failures mean. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dueCluster } from '../../../../../test/support/due-cluster.ts';
import { createWatchedClock } from '../../../../../test/support/watched-clock.ts';
import { parseNotificationMessage } from '../../../../contracts/notification-message.ts';
import { TOPIC_NOTIFICATIONS } from '../../../../contracts/topics.ts';
import { CcxError, type CcxErrorOptions } from '../../../../encoding/ccx-error.ts';
import type { OutgoingRecord, Position, SettleRecord } from '../../../../platform/bus/bus.ts';
import type { DeliveryResult, OutgoingNotification } from '../../ports.ts';
import { busSendMsMax, createKafkaTarget, pausedTopicMissingMs } from './kafka-target.ts';

const anywhere: Position = { topic: TOPIC_NOTIFICATIONS, partition: 0, offset: 0n };

async function setUp(
  /** What becomes of each record. */
  answer: (record: OutgoingRecord) => Promise<Position> = async () => anywhere,
  { check }: { readonly check: () => Promise<void> } = { check: async () => undefined },
) {
  const sent: OutgoingRecord[] = [];
  const clock = createWatchedClock();
  const producer = {
    async sendEach(records: readonly OutgoingRecord[], settle: SettleRecord) {
      sent.push(...records);
      await Promise.all(
        records.map((record, index) =>
          answer(record).then(
            (position) => settle(index, position),
            (error) => settle(index, error),
          ),
        ),
      );
    },
    close: async () => undefined,
  };
  const target = await createKafkaTarget(
    {
      topic: TOPIC_NOTIFICATIONS,
      ...{
        clusterDetailsUri: 'https://c/{cluster_id}',
        ruleDetailsUri: 'https://c/{module}',
        recordBytesMax: 1_000_000,
      },
    },
    { bus: { createProducer: async () => producer, check }, clock },
  );
  const context = { now: clock.now(), uuid: () => clock.uuid() };
  const [notification] = await target.compose(dueCluster(), context);
  const deliver = (change: Partial<OutgoingNotification> = {}, signal = new AbortController().signal) =>
    target.deliver({ notification: { ...notification!, ...change }, mayHaveArrived: false, signal });
  return { clock, sent, target, context, notification: notification!, deliver };
}

test('D3: the record has the cluster as key, the body as it was stored, and its id as header', async () => {
  const place = { topic: TOPIC_NOTIFICATIONS, partition: 2, offset: 41n };
  const { deliver, sent, notification, target } = await setUp(async () => place);
  assert.equal(target.eventTargetId, 1);
  assert.deepEqual(await deliver(), { kind: 'delivered', detail: `${TOPIC_NOTIFICATIONS}/2@41` });
  assert.deepEqual(sent, [
    {
      topic: TOPIC_NOTIFICATIONS,
      key: notification.cluster,
      value: notification.body,
      headers: { 'rh-message-id': notification.id },
    },
  ]);
});

test('whom the target takes no message about is exactly whom none can be composed for', async () => {
  const { target, context } = await setUp();
  const numbers = [-2_147_483_648, -1, 0, 1, 2_147_483_647];
  for (const orgId of numbers) {
    for (const accountNumber of numbers) {
      for (const cluster of [
        '',
        ' ',
        'c',
        '5d5892d31f744ccf91af548dfc9767aa',
        '5D5892D3-1F74-4CCF-91AF-548DFC9767AA',
      ]) {
        const about = { ...dueCluster(), orgId, accountNumber, cluster };
        const composing = target.compose(about, context).then(
          () => true,
          (error: CcxError) => error.code !== 'NOTIFICATION_INVALID',
        );
        assert.equal(target.hasRecipient(about), await composing, JSON.stringify([orgId, accountNumber, cluster]));
      }
    }
  }
});

test('a stored message whose ids differ, or that is none, is rejected and not sent', async () => {
  const { deliver, sent, notification } = await setUp();
  const wrong: Partial<OutgoingNotification>[] = [
    { id: '00000000-0000-4000-8000-999999999999' },
    { headers: {} },
    { body: notification.body.replace('"org_id":"7654321"', '"org_id":"x"') },
    { body: 'nothing' },
  ];
  for (const change of wrong) {
    const result = await deliver(change);
    assert.equal(result.kind === 'rejected' && result.error.code, 'NOTIFICATION_INVALID');
  }
  assert.deepEqual(sent, []);
});

test('a new issue of the same message has a new id everywhere and the time of now', async () => {
  const { target, clock, notification, deliver } = await setUp();
  await clock.advance(90_000_000);
  const again = target.reissue(notification, { now: clock.now(), uuid: () => clock.uuid() });
  assert.notEqual(again.id, notification.id);
  const [old, fresh] = [parseNotificationMessage(notification.body), parseNotificationMessage(again.body)];
  assert.equal(fresh.id, again.id);
  assert.equal(again.headers['rh-message-id'], again.id);
  assert.equal(fresh.timestamp, '2026-11-22T17:00:00Z');
  assert.deepEqual({ ...fresh, id: old.id, timestamp: old.timestamp }, old);
  assert.equal((await deliver(again)).kind, 'delivered');
});

const system = (code: string) => Object.assign(new Error(code), { code });
const failures: readonly [CcxErrorOptions | Error, DeliveryResult['kind']][] = [
  [{ code: 'BUS_RECORD_TOO_LARGE', category: 'limit' }, 'rejected'],
  [{ code: 'BUS_RECORD_REFUSED', category: 'input' }, 'rejected'],
  [{ code: 'BUS_INVALID', category: 'internal' }, 'rejected'],
  [{ code: 'BUS_TOPIC_UNKNOWN', category: 'configuration' }, 'paused'],
  [{ code: 'BUS_TOPIC_PERMISSION', category: 'configuration' }, 'paused'],
  [{ code: 'BUS_AUTH', category: 'configuration' }, 'paused'],
  [{ code: 'BUS_TLS', category: 'configuration' }, 'paused'],
  [{ code: 'BUS_CLOSED', category: 'internal' }, 'retry'],
  [{ code: 'BUS_UNREACHABLE', category: 'connection', retryable: true, cause: system('ECONNREFUSED') }, 'unreachable'],
  [{ code: 'BUS_UNREACHABLE', category: 'connection', retryable: true, cause: system('ENOTFOUND') }, 'unreachable'],
  [{ code: 'BUS_UNREACHABLE', category: 'connection', retryable: true, cause: system('ECONNRESET') }, 'unknown'],
  [{ code: 'BUS_UNREACHABLE', category: 'connection', retryable: true }, 'unknown'],
  [{ code: 'BUS_UNREACHABLE', category: 'connection', cause: system('CERT_HAS_EXPIRED') }, 'paused'],
  [{ code: 'BUS_FENCED', category: 'connection' }, 'unknown'],
  [{ code: 'DATABASE_DISK_FULL', category: 'storage', retryable: true }, 'unknown'],
  [{ code: 'SOMETHING_NEW', category: 'internal' }, 'unknown'],
  [new Error('a bug'), 'unknown'],
];

for (const [failure, kind] of failures) {
  const name = failure instanceof Error ? 'an unexpected error' : failure.code;
  const cause = !(failure instanceof Error) && failure.cause instanceof Error ? ` after ${failure.cause.message}` : '';
  test(`${name}${cause} from the bus means ${kind}`, async () => {
    const { deliver } = await setUp(async () => {
      throw failure instanceof Error ? failure : new CcxError('x', failure);
    });
    const result = await deliver();
    assert.equal(result.kind, kind);
    assert.ok(result.kind !== 'delivered' && result.error instanceof CcxError);
  });
}

test('a bus that never answers costs its deadline, and the outcome is unknown', async () => {
  const { deliver, clock } = await setUp(() => new Promise(() => undefined));
  const delivering = deliver();
  assert.equal(await clock.passNextSleep(), busSendMsMax);
  const result = await delivering;
  assert.equal(result.kind === 'unknown' && result.error.code, 'BUS_TIMEOUT');
});

test('a call that is given up before the send is a retry, during the send it is unknown', async () => {
  const { deliver, sent } = await setUp(() => new Promise(() => undefined));
  assert.equal((await deliver({}, AbortSignal.abort())).kind, 'retry');
  assert.deepEqual(sent, []);
  const controller = new AbortController();
  const delivering = deliver({}, controller.signal);
  controller.abort();
  assert.equal((await delivering).kind, 'unknown');
});

test('of many at once each has the outcome of its own record, and what is not known by the deadline is unknown', async () => {
  const { target, clock, context, sent } = await setUp(async ({ key }) => {
    if (key === 'too large') throw new CcxError('x', { code: 'BUS_RECORD_TOO_LARGE', category: 'limit' });
    if (key === 'away') return await new Promise(() => undefined);
    return { ...anywhere, offset: 7n };
  });
  const composed = async (cluster: string) => (await target.compose(dueCluster(undefined, { cluster }), context))[0]!;
  const names = ['one', 'too large', 'away', 'two'];
  const notifications = await Promise.all(names.map(composed));
  const { signal } = new AbortController();
  const attempts = notifications.map((notification) => ({
    ...{ notification, signal },
    mayHaveArrived: false,
    composedHere: true,
  }));
  const broken = { notification: { ...notifications[0]!, body: '{}' }, mayHaveArrived: false, signal };
  const delivering = target.deliverAll!([...attempts, broken]);
  await clock.passNextSleep();
  const results = await delivering;
  assert.deepEqual(
    results.map(({ kind }) => kind),
    ['delivered', 'rejected', 'unknown', 'delivered', 'rejected'],
  );
  assert.deepEqual(
    sent.map(({ key }) => key),
    names,
  );
});

test('a missing topic is looked for soon, and a pause for it ends when the topic is found', async () => {
  const { deliver } = await setUp(async () => {
    throw new CcxError('x', { code: 'BUS_TOPIC_UNKNOWN', category: 'configuration' });
  });
  const result = await deliver();
  assert.equal(result.kind === 'paused' && result.afterMs, pausedTopicMissingMs);
  const missing = { check: () => Promise.reject(new Error('missing')) };
  for (const started of [false, true]) {
    assert.equal(await (await setUp(undefined, missing)).target.isOver('BUS_TOPIC_UNKNOWN', { started }), false);
    assert.equal(await (await setUp()).target.isOver('BUS_TOPIC_UNKNOWN', { started }), true);
    // Looking a topic up does not say who may write to it.
    assert.equal(await (await setUp()).target.isOver('BUS_TOPIC_PERMISSION', { started }), started);
  }
});
