/** What is claimed with its decision: sent right behind it, or put back into the line as if nothing had happened to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  failure,
  reportOf,
  type Timeline,
  testSettings,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { setClustersMax } from './store/reports.ts';

async function storeMany(line: Timeline, count: number): Promise<void> {
  await line.database.query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at)
     SELECT 1, 7, 'cluster-' || n, $2, '2026-11-21 15:00:00'::timestamp + n * interval '1 microsecond' FROM generate_series(1, $1::int) AS n`,
    [count, reportOf('CRITICAL')],
  );
}

async function attemptsOf(line: Timeline): Promise<readonly { state: string; attempts: number; first: boolean }[]> {
  const { rows } = await line.database.query<{ state: string; attempts: number; first: boolean }>(
    `SELECT state, attempts, first_attempt_at IS NOT NULL AS first FROM ccx.notification_outbox ORDER BY cluster`,
  );
  return rows;
}

test('what is sent right behind its decision was never in the line: one attempt, one row each, and nothing is claimed', () =>
  withTimeline({}, async (line) => {
    await storeMany(line, 3);
    line.kafka.answer = async () => {
      const states = (await attemptsOf(line)).map(({ state, attempts }) => `${state} ${attempts}`);
      assert.deepEqual(
        states,
        ['claimed 1', 'claimed 1', 'claimed 1'],
        'a death from here on means that it may have arrived',
      );
      return { kind: 'delivered', detail: '' };
    };
    const { delivered } = await line.run();
    assert.equal(delivered, 3);
    assert.deepEqual(await line.outboxStates(), { delivered: 3 });
    assert.equal((await line.reported()).filter(({ state }) => state === 1).length, 3);
  }));

test('what is silenced between decision and send goes back into the line untried, and is withdrawn there', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL', 'IMPORTANT'));
    line.kafka.composing = async () => {
      line.kafka.composing = undefined;
      await line.acknowledge();
    };
    await line.run();
    assert.deepEqual(line.kafka.told(), ['IMPORTANT']);
    assert.deepEqual(await attemptsOf(line), [{ state: 'delivered', attempts: 1, first: true }]);
  }));

test('when the target stops taking them the sets behind wait in line, as if they had not been claimed', () =>
  withTimeline({}, async (line) => {
    const clusters = 3 * setClustersMax;
    await storeMany(line, clusters);
    line.kafka.answer = () => ({ kind: 'paused', error: failure(), afterMs: 60_000 });
    const { delivered, failed } = await line.run();
    assert.equal(delivered, 0);
    const rows = await attemptsOf(line);
    assert.equal(failed, setClustersMax, 'one set has met it');
    assert.equal(rows.filter(({ attempts, first }) => attempts === 1 && first).length, setClustersMax);
    assert.equal(rows.filter(({ attempts, first }) => attempts === 0 && !first).length, 2 * setClustersMax);
    assert.deepEqual(await line.outboxStates(), { pending: clusters });
    await line.clock.advance(61_000);
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await line.run();
    assert.deepEqual(await line.outboxStates(), { delivered: clusters });
    assert.equal(new Set(line.kafka.arrived.map(({ id }) => id)).size, clusters);
    assert.equal(line.kafka.arrived.length, clusters);
  }));

const { concurrency } = testSettings().delivery;
const ofServiceLog = [
  { what: 'as many as go out side by side, following', mode: 'follow', clusters: concurrency, waited: 0 },
  { what: 'one more than that', mode: 'follow', clusters: concurrency + 1, waited: concurrency + 1 },
  { what: 'those of a one-shot run', mode: 'once', clusters: 1, waited: 1 },
] as const;
for (const { what, mode, clusters, waited } of ofServiceLog) {
  test(`Service Log, which takes messages one by one: of ${what}, ${waited} wait in line`, () =>
    withTimeline({ targets: ['service-log'], settings: { mode } }, async (line) => {
      await storeMany(line, clusters);
      const { reissue } = line.serviceLog;
      // What has waited in line gets the time of its first attempt.
      let looked = 0;
      line.serviceLog.reissue = (...how) => {
        looked += 1;
        return reissue(...how);
      };
      await line.run();
      assert.equal(looked, waited);
      assert.equal(line.serviceLog.arrived.length, clusters);
      assert.deepEqual(await line.outboxStates(), { delivered: clusters });
      assert.ok((await attemptsOf(line)).every(({ attempts, first }) => attempts === 1 && first));
    }));
}

test('what Service Log did not take of that waits in line, and goes out under its id', () =>
  withTimeline({ targets: ['service-log'], settings: { mode: 'follow' } }, async (line) => {
    await storeMany(line, 2);
    line.serviceLog.answer = () => ({ kind: 'unknown', error: failure(), afterMs: 1_000 });
    await line.run();
    assert.deepEqual(await line.outboxStates(), { unknown: 2 });
    const ids = line.serviceLog.attempts.map(({ notification }) => notification.id);
    line.serviceLog.answer = () => ({ kind: 'delivered', detail: '' });
    await line.clock.advance(testSettings().delivery.backoffMaxMs);
    await line.run();
    assert.deepEqual(await line.outboxStates(), { delivered: 2 });
    const repeats = line.serviceLog.attempts.slice(ids.length);
    assert.deepEqual(repeats.map(({ notification }) => notification.id).sort(), ids.sort());
    assert.ok(repeats.every(({ mayHaveArrived }) => mayHaveArrived));
  }));

test('a target that does not answer holds up the outcomes of no other', () =>
  withTimeline({ targets: ['notification-backend', 'service-log'], settings: { mode: 'follow' } }, async (line) => {
    await storeMany(line, 1);
    let recorded: unknown;
    line.serviceLog.answer = async () => {
      recorded = await untilDelivered(line);
      return { kind: 'delivered', detail: '' };
    };
    await line.run();
    assert.deepEqual(recorded, { claimed: 1, delivered: 1 });
  }));

/** Polls until one of the messages is delivered, or fails as a test does. */
async function untilDelivered(line: Timeline): Promise<Record<string, number>> {
  for (const startedMs = performance.now(); ; ) {
    const states = await line.outboxStates();
    if (states['delivered'] === 1) return states;
    assert.ok(performance.now() - startedMs < 60_000, JSON.stringify(states));
  }
}
