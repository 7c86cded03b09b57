/** Simulated clusters on both targets: nobody but a stand-in is notified about them, also of what waited when its place was taken. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure, hourMs, reportOf, withTimeline } from '../../../test/support/notification-timeline.ts';
import { SIMULATED_CLUSTER_PREFIX } from '../../contracts/identifiers.ts';
import type { DeliveryResult } from './ports.ts';

const cluster = `${SIMULATED_CLUSTER_PREFIX}123-8abc-0123456789ab`;
const bothTargets = { targets: ['notification-backend', 'service-log'] } as const;
const delivered: DeliveryResult = { kind: 'delivered', detail: '' };

test('configured targets hear of the real cluster alone, and the ledger says why', () =>
  withTimeline(bothTargets, async (line) => {
    await line.store(reportOf('CRITICAL'), { cluster });
    await line.store(reportOf('IMPORTANT'));
    assert.deepEqual((await line.run()).decisions, { 'simulated-cluster': 2, new: 2 });
    assert.deepEqual([line.kafka.told(), line.serviceLog.told()], [['IMPORTANT'], ['IMPORTANT']]);
    const { rows } = await line.database.query<{ state: string; last_reason: string }>(
      'SELECT state, last_reason FROM ccx.notification_ledger WHERE cluster = $1 ORDER BY event_type_id',
      [cluster],
    );
    const kept = { state: 'open', last_reason: 'simulated-cluster' };
    assert.deepEqual(rows, [kept, kept]);
  }));

test('stand-ins hear of it, and a target that becomes one hears of what it was kept from', () =>
  withTimeline(bothTargets, async (line) => {
    await line.store(reportOf('CRITICAL'), { cluster });
    line.kafka.isStandIn = true;
    assert.deepEqual((await line.run()).decisions, { new: 1, 'simulated-cluster': 1 });
    assert.deepEqual([line.kafka.told(), line.serviceLog.told()], [['CRITICAL'], []]);
    line.serviceLog.isStandIn = true;
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual([line.kafka.told(), line.serviceLog.told()], [[], ['CRITICAL']]);
  }));

for (const kind of ['retry', 'unknown'] as const) {
  test(`what ended as ${kind} at a stand-in is withdrawn when a configured target takes its place`, () =>
    withTimeline(bothTargets, async (line) => {
      await line.store(reportOf('CRITICAL'), { cluster });
      for (const target of [line.kafka, line.serviceLog]) {
        target.isStandIn = true;
        target.answer = () => ({ kind, error: failure('AWAY'), afterMs: 0 });
      }
      await line.run();
      for (const target of [line.kafka, line.serviceLog]) {
        target.told();
        target.isStandIn = false;
        target.answer = () => delivered;
      }
      await line.clock.advance(hourMs);
      assert.equal((await line.run()).withdrawn, 2);
      assert.deepEqual([line.kafka.told(), line.serviceLog.told()], [[], []]);
      const { rows } = await line.database.query<{ state: string; error_text: string }>(
        'SELECT state, error_text FROM ccx.notification_outbox',
      );
      const withdrawn = { state: 'withdrawn', error_text: 'simulated-cluster' };
      assert.deepEqual(rows, [withdrawn, withdrawn]);
    }));
}
