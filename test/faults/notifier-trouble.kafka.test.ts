/**
 * What the notification service works with is away, full, missing or enormous: nothing is sent whose outcome could not be recorded, what is
 * due waits and goes out later, and every invariant holds (consumers.md 5.1, 5.2, 5.3: F8 to F11, F13, F14, F25, G23). Real processes, a real Kafka, a
 * real PostgreSQL.
 */
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import { after, before, describe, test } from 'node:test';
import type { KafkaCluster } from '../../scripts/kafka/start-kafka.ts';
import type { Bus } from '../../src/platform/bus/bus.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { openTestKafkaBus, startTestKafka } from '../support/kafka.ts';
import { listening, unusedPort } from '../support/test-server.ts';
import { until } from '../support/until.ts';
import { onKafka, onServiceLog, withNotifier } from './notifier-under-fault.ts';

const clusterOf = (number: number) => `fa11ed00-0000-4000-8000-${String(number).padStart(12, '0')}`;
const cluster = clusterOf(0);
const told = [{ cluster, findings: ['CRITICAL'] }];
/** `CCX_TEST_CLUSTERS` gives another number. */
const manyClusters = Number(readProcessInput().env['CCX_TEST_CLUSTERS'] ?? 3_000);
/** Of a run over as many clusters as one likes. */
const heapMibMax = 96;

let kafka: KafkaCluster;
let bus: Bus;

before(async () => {
  kafka = await startTestKafka();
  bus = await openTestKafkaBus(kafka.addresses);
});
after(() => bus.close());

describe('trouble with the database', { concurrency: 2 }, () => {
  test('F9: away at the start, the run ends with a code of its own and one clear line, and counts as no success', () =>
    withNotifier({ kafka: { brokers: kafka.addresses, bus } }, async (notifier) => {
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

  test('F8: its sessions end again and again, in the middle of transactions: it goes on by itself, and what is in doubt keeps its id', () =>
    withNotifier({ kafka: { brokers: kafka.addresses, bus } }, async (notifier) => {
      const process = notifier.start({ follows: true });
      const numbers = Array.from({ length: 6 }, (_, number) => number);
      await notifier.store(clusterOf(0), 'CRITICAL');
      await until(async () => (await deliveredTo(notifier, onKafka)) === 1);
      for (const number of numbers.slice(1)) {
        await notifier.store(clusterOf(number), 'CRITICAL');
        const before = (await notifier.outbox()).length;
        await notifier.database.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ccx-notifier'`,
        );
        await until(async () => (await notifier.outbox()).length > before);
      }
      process.kill('SIGTERM');
      assert.equal((await process.exited(30_000)).code, 0, process.stderr());
      await notifier.endLeases();
      await notifier.endWaits();
      const { code, output } = await notifier.run();
      assert.equal(code, 0, output);
      const all = numbers.map((number) => ({ cluster: clusterOf(number), findings: ['CRITICAL'] }));
      assert.deepEqual(await notifier.complaints({ told: all }), []);
    }));

  for (const [what, event, condition, targets] of [
    // What goes to the broker is claimed with its decision.
    ['claim', 'INSERT', `NEW.state = 'claimed'`, [onKafka, onServiceLog]],
    ['later claim', 'UPDATE', `NEW.state = 'claimed' AND OLD.state = 'pending'`, [onServiceLog]],
    ['first attempt', 'UPDATE', 'NEW.first_attempt_at IS NOT NULL AND OLD.first_attempt_at IS NULL', [onServiceLog]],
  ] as const) {
    test(`F10: out of space when a ${what} is to be written, nothing is sent, and all of it once there is room`, () =>
      withNotifier({ kafka: { brokers: kafka.addresses, bus } }, async (notifier) => {
        await notifier.store(cluster, 'CRITICAL');
        await notifier.database.query(
          `CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$`,
        );
        await notifier.database.query(
          `CREATE TRIGGER no_room BEFORE ${event} ON ccx.notification_outbox FOR EACH ROW WHEN (${condition}) EXECUTE FUNCTION no_room()`,
        );
        const { code, output } = await notifier.run({ targets });
        assert.equal(code, 3, output);
        assert.match(output, /No space left on device/);
        assert.equal(notifier.serviceLog.requests().length, 0, 'nobody was asked for anything');
        const [message] = await notifier.outbox();
        const endings = message === undefined ? {} : { [message.state]: 1 };
        assert.deepEqual(await notifier.complaints({ told: [], endings }), []);

        await notifier.database.query('DROP TRIGGER no_room ON ccx.notification_outbox');
        await notifier.endLeases();
        assert.equal((await notifier.run({ targets })).code, 0);
        assert.deepEqual(await notifier.complaints({ told: [{ ...told[0]!, targets }] }), []);
      }));
  }
});

describe('trouble around it', { concurrency: 2 }, () => {
  test('G23: a Pushgateway that never answers holds up no message, and one that refuses changes no exit code', () =>
    withNotifier({ kafka: { brokers: kafka.addresses, bus } }, async (notifier) => {
      const asked: ServerResponse[] = [];
      let refuses = false;
      const refuse = (response: ServerResponse) => response.writeHead(503).end();
      const gateway = createServer((_request, response) => {
        if (refuses) refuse(response);
        else asked.push(response);
      });
      const { port, close } = await listening(gateway);
      try {
        await notifier.store(cluster, 'CRITICAL');
        const process = notifier.start({
          env: {
            METRICS__GATEWAY_URL: `127.0.0.1:${port}`,
            METRICS__GATEWAY_AUTH_TOKEN: 'token',
            METRICS__GATEWAY_TIME_BETWEEN_PUSH: '20ms',
            METRICS__RETRIES: '1',
            METRICS__RETRY_AFTER: '10ms',
          },
        });
        await until(async () => asked.length > 0 && (await deliveredTo(notifier, onKafka)) === 1);
        await until(async () => (await deliveredTo(notifier, onServiceLog)) === 1);
        refuses = true;
        asked.forEach(refuse);
        assert.equal((await process.exited(60_000)).code, 0, process.stderr());
        assert.deepEqual(await notifier.complaints({ told }), []);
      } finally {
        close();
      }
    }));

  test(`F25: a first run over ${manyClusters} clusters keeps to its cap and to little memory, and drops nothing`, () =>
    withNotifier({ kafka: { brokers: kafka.addresses, bus } }, async (notifier) => {
      const cap = 500;
      await notifier.storeMany(manyClusters, 'CRITICAL');
      const how = {
        targets: [onKafka],
        heapMibMax,
        env: { FIRST_RUN__MESSAGES: String(cap) },
      };
      for (const when of ['first', 'second']) {
        const { code, signal, output } = await notifier.run(how);
        assert.deepEqual([code, signal], [0, null], `${when} run: ${output}`);
        const outbox = await notifier.outbox();
        const told = outbox
          .filter(({ state }) => state === 'delivered')
          .map((message) => ({ cluster: message.cluster, findings: ['CRITICAL'], targets: [onKafka] }));
        assert.equal(told.length, cap, 'the rest becomes due in portions, and not with the next run');
        assert.deepEqual(await notifier.complaints({ told, endings: { pending: manyClusters - cap } }), []);
      }
    }));
});

describe('trouble with the brokers', () => {
  test('F13: a topic is missing on brokers that make none: the target is paused with the reason, the other goes on, and the topic is not hammered', () =>
    withNotifier({ kafka: { brokers: kafka.addresses, bus }, hasTopic: false }, async (notifier) => {
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
    return withNotifier({ kafka: { brokers: kafka.addresses, bus }, risks }, async (notifier) => {
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
    withNotifier({ kafka: { brokers: kafka.addresses, bus }, partitions: 3 }, async (notifier) => {
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
