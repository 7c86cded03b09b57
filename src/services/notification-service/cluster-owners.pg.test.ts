/** Whose report of a cluster counts: its owner's where it has one; in the drop-in whoever's is newest, as in the reference, which is said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  failure,
  hourMs,
  nextEvent,
  reportOf,
  type Timeline,
  testCluster,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { readExplanation } from './store/explain.ts';

const owner = 1;
const stranger = 666;

async function own(line: Timeline, orgId = owner, cluster = testCluster): Promise<void> {
  await line.database.query(
    `INSERT INTO ccx.cluster_owners (cluster, org_id, since) VALUES ($1, $2, now())
     ON CONFLICT (cluster) DO UPDATE SET org_id = excluded.org_id`,
    [cluster, orgId],
  );
}

async function told(line: Timeline): Promise<string[]> {
  const { rows } = await line.database.query<{ told: string }>(
    `SELECT DISTINCT l.org_id || ' ' || l.error_key AS told FROM ccx.notification_ledger AS l WHERE l.state = 'notified' ORDER BY 1`,
  );
  return rows.map(({ told: issue }) => issue);
}

test('a newer report of another organization hides nothing of a cluster that has an owner, however often it comes', () =>
  withTimeline({}, async (line) => {
    await own(line);
    await line.store(reportOf('CRITICAL'), { orgId: owner });
    await line.store(reportOf(), { orgId: stranger });
    await line.run();
    await line.clock.advance(hourMs);
    await line.store(reportOf('CRITICAL', 'MODERATE'), { orgId: owner });
    await line.store(reportOf('IMPORTANT'), { orgId: stranger });
    await line.run();
    assert.deepEqual(await told(line), ['1 CRITICAL', '1 MODERATE']);
    const [target] = (await readExplanation(line.database, testCluster)).targets;
    assert.deepEqual([target!.org_id, target!.newest_report_at], [owner, target!.report_updated_at]);
  }));

test('what only another organization reports is told to nobody, and is nobody’s reason to wait', () =>
  withTimeline({}, async (line) => {
    await own(line);
    await line.store(reportOf('CRITICAL'), { orgId: stranger });
    const run = await line.run();
    assert.equal(run.reports, 0);
    assert.deepEqual(await told(line), []);
  }));

test('clusters without an owner go by their newest report, and a move is followed', () =>
  withTimeline({}, async (line) => {
    await own(line, owner, 'another');
    await line.store(reportOf('CRITICAL'), { orgId: owner });
    await line.store(reportOf('MODERATE'), { orgId: stranger });
    await line.run();
    assert.deepEqual(await told(line), [`${stranger} MODERATE`]);
    await own(line);
    await line.run();
    assert.deepEqual(await told(line), ['1 CRITICAL', `${stranger} MODERATE`]);
  }));

test('a message that waits is looked at again by the owner’s newest report, not by a stranger’s', () =>
  withTimeline({}, async (line) => {
    await own(line);
    line.kafka.answer = () => ({ kind: 'retry', error: failure(), afterMs: 0 });
    await line.store(reportOf('CRITICAL'), { orgId: owner });
    await line.run();
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await line.store(reportOf(), { orgId: stranger });
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(await told(line), ['1 CRITICAL']);
  }));

test('following, a stranger’s report sets off nothing either, and the loop has nothing to wait for', () =>
  withTimeline({ settings: { mode: 'follow' } }, async (line) => {
    await own(line);
    let finished = nextEvent('run-finished');
    const service = await line.another();
    await finished;
    await line.clock.nextSleep();
    await line.store(reportOf('CRITICAL'), { orgId: owner });
    await service.runOnce();
    await line.store(reportOf('IMPORTANT'), { orgId: stranger });
    finished = nextEvent('run-finished');
    await line.clock.advance(10_000);
    await finished;
    await service.runOnce();
    assert.deepEqual(await told(line), ['1 CRITICAL']);
    assert.equal(await service.idle(), true);
  }));

test('the drop-in takes the newest of all, as the reference does, and names the conflict once per cluster', () =>
  withTimeline({ settings: { reportsOf: 'anybody' } }, async (line) => {
    await own(line);
    const telemetry = createSilentTelemetry();
    const said: unknown[] = [];
    const announce: typeof telemetry.announce = (name, fields) => {
      if (name === 'cluster-contested') said.push(fields);
      telemetry.announce(name, fields);
    };
    await line.store(reportOf('CRITICAL'), { orgId: owner });
    await line.store(reportOf('MODERATE'), { orgId: stranger });
    await line.store(reportOf('MODERATE'), { orgId: 7, cluster: 'of one organization' });
    const service = await line.another({}, { ...telemetry, announce });
    await service.runOnce();
    await line.store(reportOf('MODERATE'), { orgId: stranger });
    await service.runOnce();
    assert.deepEqual(said, [{ cluster: testCluster, orgIds: '1, 666' }]);
    assert.deepEqual(await told(line), [`${stranger} MODERATE`, '7 MODERATE']);
  }));
