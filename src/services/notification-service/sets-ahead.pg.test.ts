/** What is claimed with its decision: sent right behind it, or put back into the line as if nothing had happened to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure, reportOf, type Timeline, withTimeline } from '../../../test/support/notification-timeline.ts';
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
