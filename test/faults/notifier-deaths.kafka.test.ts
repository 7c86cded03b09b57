/**
 * The notification service dies, or is stopped and wakes up too late, at each place of its way from decision to record: what it left is
 * made good by the next run, under the same ids and with the same bytes, and every invariant holds (consumers.md 5.1, 5.2: F1 to F7, F12,
 * F21). Real processes, a real Kafka behind a proxy, a real PostgreSQL.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Bus } from '../../src/platform/bus/bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { type FaultyKafka, openTestKafkaBus, startFaultyKafka } from '../support/kafka.ts';
import { until } from '../support/until.ts';
import {
  type NotifierUnderFault,
  type NotifierUnderFaultOptions,
  onKafka,
  onServiceLog,
  withNotifier,
} from './notifier-under-fault.ts';
import { isStopped } from './processes.ts';

const clock = createSystemClock();
const clusterOf = (number: number) => `fa11ed00-0000-4000-8000-${String(number).padStart(12, '0')}`;
/** What the default of `delivery.lease` promises: minutes, not hours. */
const leaseMsMax = 120_000;
/** Of the shortest lease, 30 s, an attempt may use this much; who sleeps longer has to notice. */
const usableLeaseMs = 10_000;
const oneAtATime = { DELIVERY__CONCURRENCY: '1' };

let kafka: FaultyKafka;
let bus: Bus;

before(async () => {
  kafka = await startFaultyKafka();
  bus = await openTestKafkaBus(kafka.cluster.addresses);
});
after(async () => {
  await bus.close();
  await kafka.proxy.close();
});

const withClusters = (
  count: number,
  check: (notifier: NotifierUnderFault) => Promise<void>,
  options: Partial<NotifierUnderFaultOptions> = {},
) =>
  withNotifier({ kafka: { brokers: kafka.cluster.addresses, bus }, ...options }, async (notifier) => {
    for (let number = 0; number < count; number += 1) await notifier.store(clusterOf(number), 'CRITICAL');
    await check(notifier);
  });

const told = (count: number, targets = [onKafka, onServiceLog]) =>
  Array.from({ length: count }, (_, number) => ({ cluster: clusterOf(number), findings: ['CRITICAL'], targets }));

const idsOf = (messages: readonly { readonly id: string }[]) => messages.map(({ id }) => id).sort();

async function assertKilled(notifier: NotifierUnderFault, killAt: string, how: object = {}): Promise<void> {
  const { signal, output } = await notifier.run({ killAt, ...how });
  assert.equal(signal, 'SIGKILL', output);
}

async function assertEndsWell(notifier: NotifierUnderFault, how: object = {}): Promise<void> {
  const { code, output } = await notifier.run(how);
  assert.equal(code, 0, output);
}

/** What lets a frozen way go on is the same for all, so these come one after the other. */
describe('the way to the broker fails', () => {
  test('F3: killed between send and acknowledgement, the same bytes go out under the same id, at most twice', () =>
    withClusters(
      1,
      async (notifier) => {
        await sendSecondWithoutAnswer(notifier, async (process) => {
          process.kill('SIGKILL');
          await process.exited(usableLeaseMs);
          kafka.proxy.restore();
        });
        const [first, second] = await notifier.arrived(onKafka);
        await notifier.endLeases();
        await assertEndsWell(notifier, { targets: [onKafka] });
        assert.deepEqual(await notifier.arrived(onKafka), [first, second, second]);
        assert.deepEqual(await notifier.complaints({ told: told(2, [onKafka]) }), []);
      },
      { kafka: { brokers: kafka.proxiedBrokers, bus } },
    ));

  test('F12: the broker stores and its acknowledgement is lost: the same process sends the same id again, which an idempotent broker knows', () =>
    withClusters(
      1,
      async (notifier) => {
        const process = await sendSecondWithoutAnswer(notifier, async () => {
          kafka.proxy.cut();
          kafka.proxy.restore();
        });
        await until(async () => (await notifier.outbox()).every(({ state }) => state === 'delivered'));
        process.kill('SIGTERM');
        assert.equal((await process.exited(60_000)).code, 0, process.stderr());
        const arrived = await notifier.arrived(onKafka);
        assert.equal(new Set(idsOf(arrived)).size, 2);
        assert.ok(arrived.length <= 3, `${arrived.length} messages`);
        assert.deepEqual(await notifier.complaints({ told: told(2, [onKafka]) }), []);
      },
      { kafka: { brokers: kafka.proxiedBrokers, bus } },
    ));

  /** The first message is through; of the second the broker has the bytes and the process has no answer when `disturb` is called. */
  async function sendSecondWithoutAnswer(
    notifier: NotifierUnderFault,
    disturb: (process: ReturnType<NotifierUnderFault['start']>) => Promise<void>,
  ) {
    const stopAt = 'notifier/notification-attempted:2';
    const process = notifier.start({ stopAt, targets: [onKafka], follows: true });
    await until(async () => (await notifier.outbox()).some(({ state }) => state === 'delivered'));
    await notifier.store(clusterOf(1), 'CRITICAL');
    await until(() => isStopped(process.child.pid!));
    kafka.proxy.freezeAnswers();
    try {
      process.kill('SIGCONT');
      await until(async () => (await notifier.arrived(onKafka)).length === 2);
      await disturb(process);
    } finally {
      kafka.proxy.restore();
    }
    return process;
  }
});

describe('a notifier that dies', { concurrency: 2 }, () => {
  test('F1: before its decisions are committed: nothing is on the wire, the next run decides anew and sends once', () =>
    withClusters(1, async (notifier) => {
      let victim: ReturnType<NotifierUnderFault['start']> | undefined;
      await notifier.database.transaction(async (tx) => {
        await tx.query('LOCK TABLE ccx.notification_outbox IN SHARE MODE');
        victim = notifier.start();
        await until(async () => {
          const { rowCount } = await notifier.database.query(
            `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ~* 'insert into ccx.notification_outbox'`,
          );
          return rowCount! > 0;
        });
        victim.kill('SIGKILL');
        await victim.exited(usableLeaseMs);
        await tx.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
      });
      assert.deepEqual(await notifier.outbox(), []);
      assert.deepEqual(await notifier.complaints({ told: [] }), []);
      await assertEndsWell(notifier);
      assert.equal((await notifier.arrived(onKafka)).length, 1);
      assert.deepEqual(await notifier.complaints({ told: told(1) }), []);
    }));

  test('F2: behind the commit and before the send: sent once after the restart, under the ids that were stored', () =>
    withClusters(2, async (notifier) => {
      await assertKilled(notifier, 'notifier/notification-enqueued:1');
      const stored = await notifier.outbox();
      assert.equal(stored.length, 4);
      // What goes to the broker was claimed with its decision: it is tried again when that claim has ended.
      assert.deepEqual(await notifier.complaints({ told: [], endings: { claimed: 2, pending: 2 } }), []);
      await notifier.endLeases();
      await assertEndsWell(notifier);
      const arrived = [...(await notifier.arrived(onKafka)), ...(await notifier.arrived(onServiceLog))];
      assert.deepEqual(idsOf(arrived), idsOf(stored));
      assert.deepEqual(await notifier.complaints({ told: told(2) }), []);
    }));

  test('F3: between a POST and its answer: the entry is looked up and not posted again', () =>
    withClusters(1, async (notifier) => {
      notifier.serviceLog.inject('post', { kind: 'commit-then-hang' });
      const victim = notifier.start({ targets: [onServiceLog] });
      await until(() => notifier.serviceLog.entries().length === 1);
      victim.kill('SIGKILL');
      await victim.exited(usableLeaseMs);
      await notifier.endLeases();
      await assertEndsWell(notifier, { targets: [onServiceLog] });
      assert.deepEqual(await notifier.complaints({ told: told(1, [onServiceLog]) }), []);
      assert.equal(notifier.posts(), 1);
    }));

  test('F4: behind the acknowledgement and before the record, on Kafka: the same id once more, the same bytes', () =>
    withClusters(1, async (notifier) => {
      const targets = [onKafka];
      await assertKilled(notifier, 'notifier/notification-delivered:1', { targets });
      assert.equal((await notifier.outbox())[0]!.state, 'claimed');
      await notifier.endLeases();
      await assertEndsWell(notifier, { targets });
      const [first, second, ...more] = await notifier.arrived(onKafka);
      assert.deepEqual(second, first);
      assert.deepEqual(more, []);
      assert.deepEqual(await notifier.complaints({ told: told(1, targets) }), []);
    }));

  test('F5: behind three of five entries of a batch (F4 for each of them): all are there once, none was posted twice', () =>
    withClusters(5, async (notifier) => {
      const targets = [onServiceLog];
      await assertKilled(notifier, 'notifier/notification-delivered:3', { targets, env: oneAtATime });
      const before = notifier.serviceLog.entries().map(({ id }) => id);
      assert.equal(before.length, 3);
      await notifier.endLeases();
      await assertEndsWell(notifier, { targets });
      const entries = notifier.serviceLog.entries().map(({ id }) => id);
      assert.deepEqual(entries.slice(0, 3), before);
      assert.equal(entries.length, 5);
      assert.equal(notifier.posts(), 5);
      assert.deepEqual(await notifier.complaints({ told: told(5, targets) }), []);
    }));
});

describe('several notifiers', { concurrency: 2 }, () => {
  test('F6: two at once on the same due set: every id is sent by one of them', () =>
    withClusters(20, async (notifier) => {
      const env = { DELIVERY__CLAIM: '3' };
      const both = await Promise.all([notifier.run({ env }), notifier.run({ env })]);
      for (const { code, output } of both) assert.equal(code, 0, output);
      // What the one that ended first left in the hands of the other is delivered by now.
      assert.equal((await notifier.arrived(onKafka)).length, 20);
      assert.equal(notifier.posts(), 20);
      assert.deepEqual(await notifier.complaints({ told: told(20) }), []);
    }));

  test('F6: the claim of a dead one ends within minutes, and another takes its messages', () =>
    withClusters(1, async (notifier) => {
      await assertKilled(notifier, 'notifier/notification-attempted:1', { targets: [onKafka] });
      const { rows } = await notifier.database.query<{ ms: number }>(
        `SELECT extract(epoch FROM next_attempt_at - clock_timestamp() AT TIME ZONE 'UTC')::float * 1000 AS ms
           FROM ccx.notification_outbox WHERE state = 'claimed'`,
      );
      assert.equal(rows.length, 1);
      assert.ok(rows[0]!.ms <= leaseMsMax, `${rows[0]!.ms} ms`);
      await assertEndsWell(notifier, { targets: [onKafka] });
      assert.deepEqual(await notifier.arrived(onKafka), [], 'nobody takes it before');
      await notifier.endLeases();
      await assertEndsWell(notifier, { targets: [onKafka] });
      assert.deepEqual(await notifier.complaints({ told: told(1, [onKafka]) }), []);
    }));

  test('F7: one that sleeps past its lease neither sends nor records what another has taken over', () =>
    withClusters(4, async (notifier) => {
      const targets = [onServiceLog];
      const env = { ...oneAtATime, DELIVERY__LEASE: '30s' };
      const sleeper = notifier.start({ stopAt: 'notifier/notification-attempted:2', targets, env });
      await until(() => isStopped(sleeper.child.pid!));
      const asleepSinceMs = clock.monotonicMs();
      await notifier.endLeases();
      await assertEndsWell(notifier, { targets });
      assert.deepEqual(await notifier.complaints({ told: told(4, targets) }), []);
      const before = { outbox: await notifier.outbox(), entries: notifier.serviceLog.entries().map(({ id }) => id) };
      await clock.sleep(Math.max(0, usableLeaseMs - (clock.monotonicMs() - asleepSinceMs)));
      sleeper.kill('SIGCONT');
      const { code } = await sleeper.exited(60_000);
      assert.equal(code, 0, sleeper.stdout() + sleeper.stderr());
      // The attempt that it was in the middle of may come again under its id; the two behind it may not.
      const entries = notifier.serviceLog.entries();
      const streams = Map.groupBy(entries, ({ event_stream_id: stream }) => stream);
      assert.equal(streams.size, 4);
      assert.ok(entries.length <= 5, `${entries.length} entries`);
      assert.deepEqual(await notifier.outbox(), before.outbox);
      assert.equal(notifier.posts(), entries.length);
    }));

  test('F21: SIGTERM in the middle of a batch: what is in flight ends, the rest is released, code 0', () =>
    withClusters(8, async (notifier) => {
      const targets = [onServiceLog];
      notifier.serviceLog.inject('post', { kind: 'delay', ms: 1_500 }, 8);
      const process = notifier.start({ targets, follows: true, env: { DELIVERY__CONCURRENCY: '2' } });
      await until(() => notifier.posts() >= 1);
      process.kill('SIGTERM');
      const { code } = await process.exited(30_000);
      assert.equal(code, 0, 'a stop that takes longer than its ten seconds has another one');
      const sent = notifier.serviceLog.entries().length;
      assert.ok(sent >= 1 && sent < 8, `${sent} entries`);
      const states = Map.groupBy(await notifier.outbox(), ({ state }) => state);
      assert.deepEqual([states.get('delivered')?.length, states.get('pending')?.length], [sent, 8 - sent]);
      await assertEndsWell(notifier, { targets });
      assert.equal(notifier.posts(), 8);
      assert.deepEqual(await notifier.complaints({ told: told(8, targets) }), []);
    }));
});
