/**
 * What the notification service works with is away, full, refuses or is missing: nothing is sent whose outcome could not be recorded, what is
 * due waits and goes out later, and every invariant holds (consumers.md 5.1, 5.2: F9 to F11, F13, F14). Real processes, a real Kafka, a
 * real PostgreSQL.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KafkaCluster } from '../../scripts/kafka/start-kafka.ts';
import type { Bus } from '../../src/platform/bus/bus.ts';
import { openTestKafkaBus, startTestKafka } from '../support/kafka.ts';
import { unusedPort } from '../support/test-server.ts';
import { until } from '../support/until.ts';
import { onKafka, onServiceLog, withNotifier } from './notifier-under-fault.ts';

const clusterOf = (number: number) => `fa11ed00-0000-4000-8000-${String(number).padStart(12, '0')}`;
const cluster = clusterOf(0);
const told = [{ cluster, findings: ['CRITICAL'] }];

let kafka: KafkaCluster;
let bus: Bus;

before(async () => {
  kafka = await startTestKafka();
  bus = await openTestKafkaBus(kafka.addresses);
});
after(() => bus.close());

describe('trouble with the database', { concurrency: 2 }, () => {
  test('F9: away at the start, the run ends with a code of its own and one clear line, and counts as no success', () =>
    withNotifier({ brokers: kafka.addresses, bus }, async (notifier) => {
      await notifier.store(cluster, 'CRITICAL');
      const away = new URL(notifier.databaseUrl);
      away.port = String(await unusedPort());
      for (const follows of [false, true]) {
        const { code, output } = await notifier.run({ databaseUrl: away.href, follows });
        assert.equal(code, 3, output);
        assert.match(output, /DATABASE_UNREACHABLE|cannot be reached/);
        assert.doesNotMatch(output, /run finished/);
      }
      assert.deepEqual(await notifier.complaints({ told: [] }), []);
      assert.equal((await notifier.run()).code, 0);
      assert.deepEqual(await notifier.complaints({ told }), []);
    }));

  for (const [what, when] of [
    ['claim', `NEW.state = 'claimed' AND OLD.state = 'pending'`],
    ['first attempt', 'NEW.first_attempt_at IS NOT NULL AND OLD.first_attempt_at IS NULL'],
  ] as const) {
    test(`F10: out of space when a ${what} is to be written, nothing is sent, and all of it once there is room`, () =>
      withNotifier({ brokers: kafka.addresses, bus }, async (notifier) => {
        await notifier.store(cluster, 'CRITICAL');
        await notifier.database.query(
          `CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$`,
        );
        await notifier.database.query(
          `CREATE TRIGGER no_room BEFORE UPDATE ON ccx.notification_outbox FOR EACH ROW WHEN (${when}) EXECUTE FUNCTION no_room()`,
        );
        const { code, output } = await notifier.run();
        assert.equal(code, 3, output);
        assert.match(output, /No space left on device/);
        assert.equal(notifier.serviceLog.requests().length, 0, 'nobody was asked for anything');
        const [state] = new Set((await notifier.outbox()).map((message) => message.state));
        assert.deepEqual(await notifier.complaints({ told: [], endings: { [state!]: 2 } }), []);

        await notifier.database.query('DROP TRIGGER no_room ON ccx.notification_outbox');
        await notifier.endLeases();
        assert.equal((await notifier.run()).code, 0);
        assert.equal((await notifier.arrived(onKafka)).length, 1);
        assert.deepEqual(await notifier.complaints({ told }), []);
      }));
  }
});

describe('trouble with the brokers', () => {
  test('F13: a topic is missing on brokers that make none: the target is paused with the reason, the other goes on, and the topic is not hammered', () =>
    withNotifier({ brokers: kafka.addresses, bus, hasTopic: false }, async (notifier) => {
      for (const number of [0, 1, 2]) await notifier.store(clusterOf(number), 'CRITICAL');
      const all = [0, 1, 2].map((number) => ({ cluster: clusterOf(number), findings: ['CRITICAL'] }));
      const onlyServiceLog = all.map((one) => ({ ...one, targets: [onServiceLog] }));
      for (const attempts of [1, 1]) {
        const { code, output } = await notifier.run();
        assert.equal(code, 13, output);
        assert.match(output, new RegExp(`there is no topic ${notifier.topic}`));
        assert.match(output, /kafka_broker\.topic/);
        assert.deepEqual(await notifier.complaints({ told: onlyServiceLog, endings: { pending: 3 } }), []);
        assert.ok((await attemptsMade(notifier)) <= attempts * 8, 'those that were under way at once, at most');
      }
      assert.deepEqual(
        (await bus.admin.listTopics()).filter((name) => name === notifier.topic),
        [],
        'nobody made it',
      );
      await bus.admin.ensureTopics([{ name: notifier.topic, partitions: 1 }]);
      const { code, output } = await notifier.run();
      assert.equal(code, 0, output);
      assert.deepEqual(await notifier.complaints({ told: all }), []);
    }));

  test('F14: a cluster with five thousand issues is told in several messages that a broker takes, each with an id that stays', () => {
    const keys = Array.from({ length: 5_000 }, (_, index) => `ISSUE_${index}`);
    const risks = Object.fromEntries(keys.map((key) => [key, { risk: 4 }]));
    return withNotifier({ brokers: kafka.addresses, bus, risks }, async (notifier) => {
      await notifier.store(cluster, ...keys);
      const targets = [onKafka];
      const killed = await notifier.run({
        targets,
        killAt: 'notifier/notification-delivered:1',
        env: { DELIVERY__CONCURRENCY: '1' },
      });
      assert.equal(killed.signal, 'SIGKILL', killed.output);
      const stored = await notifier.outbox();
      assert.ok(stored.length > 1, `${stored.length} messages`);
      await notifier.endLeases();
      const { code, output } = await notifier.run({ targets });
      assert.equal(code, 0, output);
      const arrived = await notifier.arrived(onKafka);
      assert.deepEqual([...new Set(arrived.map(({ id }) => id))].sort(), stored.map(({ id }) => id).sort());
      for (const { body } of arrived) assert.ok(Buffer.byteLength(body) < 1024 * 1024);
      assert.deepEqual(await notifier.complaints({ told: [{ cluster, findings: keys, targets }] }), []);
    });
  });

  test('F11: the broker dies and comes back: what is due for it waits, Service Log is told, and each cluster’s messages keep their order', () =>
    withNotifier({ brokers: kafka.addresses, bus, partitions: 3 }, async (notifier) => {
      const process = notifier.start({ follows: true });
      await notifier.store(cluster, 'CRITICAL');
      await until(async () => (await deliveredTo(notifier, onKafka)) === 1);
      await kafka.stopBroker(0, 'SIGKILL');
      await notifier.store(cluster, 'CRITICAL', 'IMPORTANT');
      for (const number of [1, 2]) await notifier.store(clusterOf(number), 'CRITICAL');
      await until(async () => (await deliveredTo(notifier, onServiceLog)) === 4);
      assert.equal(await deliveredTo(notifier, onKafka), 1);
      assert.ok(
        (await notifier.outbox()).filter(({ target }) => target === onKafka).every(({ state }) => state !== 'dead'),
      );
      await kafka.startBroker(0);
      await until(async () => (await deliveredTo(notifier, onKafka)) === 4);
      process.kill('SIGTERM');
      assert.equal((await process.exited(30_000)).code, 0, process.stderr());
      const ofFirst = (await notifier.arrived(onKafka)).filter((message) => message.cluster === cluster);
      assert.deepEqual(
        [...new Set(ofFirst.flatMap(({ issues }) => issues))],
        ['CRITICAL', 'IMPORTANT'],
        'acks of all: none lost, in order',
      );
      const all = [
        { cluster, findings: ['CRITICAL', 'IMPORTANT'] },
        ...[1, 2].map((number) => ({ cluster: clusterOf(number), findings: ['CRITICAL'] })),
      ];
      assert.deepEqual(await notifier.complaints({ told: all }), []);
    }));
});

type Notifier = Parameters<Parameters<typeof withNotifier>[1]>[0];

async function deliveredTo(notifier: Notifier, target: number): Promise<number> {
  return (await notifier.outbox()).filter((message) => message.target === target && message.state === 'delivered')
    .length;
}

async function attemptsMade({ database }: Notifier): Promise<number> {
  const { rows } = await database.query<{ attempts: number }>(
    'SELECT sum(attempts)::int AS attempts FROM ccx.notification_outbox WHERE event_type_id = $1',
    [onKafka],
  );
  return rows[0]!.attempts;
}
