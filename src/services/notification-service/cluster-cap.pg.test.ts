/** The cap on the issues of a cluster in a day: what goes out, what waits, how that is seen, and that two processes keep to it together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultRisks } from '../../../test/support/notification-content.ts';
import {
  dayMs,
  failure,
  hourMs,
  policiesOf,
  reportOf,
  type Timeline,
  testCluster,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { formatExplanation } from './format-explanation.ts';
import { readExplanation } from './store/explain.ts';
import { eachMessage } from './store/messages.ts';
import { claimMessages } from './store/outbox.ts';

const both = { targets: ['notification-backend', 'service-log'] } as const;
const capped = (clusterCap: number) => ({
  ...both,
  settings: { policies: policiesOf({ clusterCap, totalRiskThreshold: 0 }, { clusterCap, totalRiskThreshold: 0 }) },
});

async function waiting(line: Timeline) {
  const found: {
    readonly target: number;
    readonly keys: string;
    readonly due: string;
    readonly reason: string | null;
  }[] = [];
  for await (const message of eachMessage(
    line.database,
    { states: ['pending'], reason: 'cluster-cap' },
    { messagesMax: 100 },
  )) {
    const keys = message.issues.map(({ errorKey }) => errorKey).join();
    found.push({ target: message.event_type_id, keys, due: message.due_at, reason: message.error_code });
  }
  return found.sort((left, right) => left.target - right.target || (left.keys < right.keys ? -1 : 1));
}

const told = (line: Timeline) => [line.kafka.told().join(' '), line.serviceLog.told().join(' ')];

test('the highest total risks go out first, the others wait for the next days, each target by itself', () =>
  withTimeline(capped(2), async (line) => {
    await line.store(reportOf('LOW', 'MODERATE', 'IMPORTANT'));
    const first = await line.run();
    assert.deepEqual(told(line), ['IMPORTANT MODERATE', 'IMPORTANT MODERATE']);
    // One of them is to be sent, and nothing of what was due today is left.
    assert.deepEqual(first.nothingDeliveredTo, []);
    const midnight = '2026-11-22 00:00:00';
    assert.deepEqual(await waiting(line), [
      { target: 1, keys: 'LOW', due: midnight, reason: 'CLUSTER_CAP' },
      { target: 2, keys: 'LOW', due: midnight, reason: 'CLUSTER_CAP' },
    ]);
    const shown = formatExplanation(testCluster, await readExplanation(line.database, testCluster));
    assert.match(shown, /LOW .*\n {4}cluster-cap: It is due, but as many issues of its cluster/);
    await line.clock.advance(7.5 * hourMs);
    await line.run();
    assert.deepEqual(told(line), ['', '']);
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(told(line), ['LOW', 'LOW']);
    const after = formatExplanation(testCluster, await readExplanation(line.database, testCluster));
    assert.match(after, /LOW .*\n {4}(already-)?notified: /);
    assert.deepEqual(await waiting(line), []);
  }));

test('a critical issue never waits, and takes room; what comes later in the day does', () =>
  withTimeline(capped(1), async (line) => {
    await line.store(reportOf('CRITICAL', 'IMPORTANT'));
    await line.run();
    assert.deepEqual(told(line), ['CRITICAL', 'CRITICAL']);
    await line.clock.advance(hourMs);
    await line.store(reportOf('CRITICAL', 'IMPORTANT', 'MODERATE'));
    await line.run();
    assert.deepEqual(told(line), ['', '']);
    await line.clock.advance(9 * hourMs);
    await line.run();
    // Kafka's message of the evening before holds the important one, which goes before the moderate one.
    assert.deepEqual(
      told(line),
      ['CRITICAL IMPORTANT', 'CRITICAL IMPORTANT'].map((keys) => keys.replace('CRITICAL ', '')),
    );
  }));

test('what waits is decided once more on its day: what is gone is withdrawn, and takes no room', () =>
  withTimeline(capped(1), async (line) => {
    await line.store(reportOf('IMPORTANT', 'MODERATE', 'LOW'));
    await line.run();
    assert.deepEqual(told(line), ['IMPORTANT', 'IMPORTANT']);
    await line.store(reportOf('IMPORTANT', 'LOW'));
    await line.clock.advance(9 * hourMs);
    await line.run();
    assert.deepEqual(told(line), ['LOW', 'LOW']);
  }));

test('the retry window of what waited begins when it is due, and a message that is tried again takes no room again', () =>
  withTimeline(
    { ...capped(1), settings: { ...capped(1).settings, delivery: { ...deliveryOf(), retryWindowMs: 2 * hourMs } } },
    async (line) => {
      await line.store(reportOf('IMPORTANT', 'MODERATE'));
      await line.run();
      told(line);
      const away = { kind: 'retry', error: failure('AWAY'), afterMs: 0 } as const;
      line.kafka.answer = () => away;
      await line.clock.advance(9 * hourMs);
      await line.run();
      assert.equal((await line.outboxStates())['dead'], undefined);
      line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
      await line.clock.advance(hourMs);
      await line.run();
      assert.equal(told(line)[0], 'MODERATE');
    },
  ));

test('two processes keep to it together: whoever comes second finds the day full', () =>
  withTimeline(capped(2), async (line) => {
    const keys = ['IMPORTANT', 'MODERATE', 'LOW'];
    // Decided, and nothing sent.
    line.serviceLog.answer = () => ({ kind: 'paused', error: failure('PAUSED'), afterMs: 0 });
    await line.store(reportOf(...keys));
    await line.run();
    line.serviceLog.answer = () => ({ kind: 'delivered', detail: '' });
    await line.database.query(
      `UPDATE ccx.notification_outbox SET first_attempt_at = NULL, last_attempt_at = NULL, attempts = 0 WHERE event_type_id = 2`,
    );
    await line.clock.advance(hourMs);
    told(line);
    const services = await Promise.all(
      [1, 2, 3].map(() => line.another({ delivery: { ...deliveryOf(), claimMax: 1, concurrency: 1 } })),
    );
    await Promise.all(services.map((service) => service.runOnce()));
    assert.equal(told(line)[1]!.split(' ').length, 2);
    assert.equal((await waiting(line)).filter(({ target }) => target === 2).length, 1);
  }));

test('what is due is ranked together, however many messages are claimed at once', () =>
  withTimeline(capped(1), async (line) => {
    line.configure({ delivery: { ...deliveryOf(), claimMax: 2, concurrency: 1 } });
    const low = { risk: 1, tags: [] };
    line.setRisks({ A: low, B: low, C: low, E: low, F: low, D: { risk: 3, tags: [] } });
    await line.store(reportOf('A', 'B', 'C', 'E', 'F'));
    await line.run();
    assert.deepEqual(told(line), ['A', 'A']);
    await line.store(reportOf('A', 'B', 'C', 'E', 'F', 'D'));
    await line.run();
    await line.clock.advance(9 * hourMs);
    await line.run();
    assert.deepEqual(told(line), ['D', 'D']);
  }));

test('of one risk the message that has waited longest goes first', () =>
  withTimeline(capped(1), async (line) => {
    await line.store(reportOf('IMPORTANT', 'LOW'));
    await line.run();
    told(line);
    await line.clock.advance(9 * hourMs);
    line.setRisks({ ...defaultRisks, NEW: { risk: 1, tags: [] } });
    await line.store(reportOf('IMPORTANT', 'LOW', 'NEW'));
    await line.run();
    assert.deepEqual(told(line), ['LOW', 'LOW']);
  }));

test('a process that died between claim and first attempt made none: its message waits for room as before', () =>
  withTimeline(capped(1), async (line) => {
    await line.store(reportOf('IMPORTANT', 'MODERATE'));
    await line.run();
    await line.clock.advance(9 * hourMs);
    const access = { database: line.database, clock: line.clock, nowMicros: line.clock.nowMicros };
    for (const target of [line.kafka, line.serviceLog]) {
      const claim = { target, runId: line.clock.uuid(), token: line.clock.uuid(), messagesMax: 100 };
      const claimed = await claimMessages(access, { ...claim, leaseMs: 120_000, wholeClusters: true });
      assert.equal(claimed.length, 1);
    }
    await line.clock.advance(hourMs);
    told(line);
    await line.store(reportOf('IMPORTANT', 'MODERATE', 'CRITICAL'));
    await line.run();
    assert.deepEqual(told(line), ['CRITICAL', 'CRITICAL']);
    assert.equal((await waiting(line)).length, 2);
    await line.clock.advance(dayMs);
    const started = line.clock.now().toISOString().slice(0, 13);
    await line.store(reportOf('MODERATE'));
    await line.run();
    assert.deepEqual(told(line), ['MODERATE', 'MODERATE']);
    assert.equal(JSON.parse(line.kafka.arrived.at(-1)!.body).timestamp.slice(0, 13), started);
  }));

function deliveryOf() {
  return {
    ...{ concurrency: 4, claimMax: 100, deadlineMs: 0, runDeadlineMs: hourMs, leaseMs: 120_000 },
    ...{ retryWindowMs: 3 * dayMs, backoffMinMs: 1_000, backoffMaxMs: 60_000 },
  };
}
