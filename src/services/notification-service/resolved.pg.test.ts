/** Entries that say that an issue is resolved: when one is sent, when none is, and that nothing else changes by them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  dayMs,
  failure,
  hourMs,
  policiesOf,
  reportOf,
  type Timeline,
  testCluster,
  testOrg,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import type { DeliveryResult } from './ports.ts';

const options = (sendResolved = true) => ({
  targets: ['notification-backend', 'service-log'] as const,
  settings: { policies: policiesOf({ sendResolved: false }, { sendResolved }) },
});

/** What Service Log took since the last call: `+KEY` that it is there, `-KEY` that it is resolved. */
function told(line: Timeline): string {
  const entries = line.serviceLog.arrived.splice(0).map(({ body, issues }) => {
    return `${body.includes('"resolved"') ? '-' : '+'}${issues[0]!.errorKey}`;
  });
  return entries.sort().join(' ');
}

async function report(line: Timeline, ...keys: string[]): Promise<string> {
  await line.clock.advance(hourMs);
  await line.store(reportOf(...keys));
  await line.run();
  return told(line);
}

const later: DeliveryResult = { kind: 'retry', error: failure('AWAY'), afterMs: 0 };
const lost: DeliveryResult = { kind: 'unknown', error: failure('ANSWER_LOST'), afterMs: 0 };
const accepted: DeliveryResult = { kind: 'delivered', detail: '' };

test('the second report in a row without an issue resolves it, once, in Service Log and not on Kafka', () =>
  withTimeline(options(), async (line) => {
    assert.equal(await report(line, 'CRITICAL', 'IMPORTANT'), '+CRITICAL +IMPORTANT');
    const rows = await line.reported();
    const ledger = await line.ledger();
    assert.equal(await report(line, 'IMPORTANT'), '');
    const kafkaBefore = line.kafka.arrived.length;
    assert.equal(await report(line, 'IMPORTANT'), '-CRITICAL');
    assert.equal(await report(line, 'IMPORTANT'), '');
    assert.equal(line.kafka.arrived.length, kafkaBefore);
    const after = await line.reported();
    assert.equal(after.filter(({ state }) => state === 1).length, rows.filter(({ state }) => state === 1).length);
    assert.ok(after.every(({ state }) => state !== 3));
    const states = (all: typeof ledger) => all.map(({ key, target, state }) => `${key} ${target} ${state}`);
    assert.deepEqual(states(await line.ledger()), states(ledger));
    const { rows: events } = await line.database.query<{ event: string; detail: string | null }>(
      `SELECT event, detail FROM ccx.issue_events WHERE error_key = 'CRITICAL' AND event_type_id = 2 ORDER BY at`,
    );
    assert.deepEqual(events, [
      { event: 'notified', detail: null },
      { event: 'notified', detail: 'resolved' },
    ]);
  }));

test('off, nothing is sent', () =>
  withTimeline(options(false), async (line) => {
    await report(line, 'CRITICAL');
    await report(line);
    assert.equal(await report(line), '');
  }));

test('one that flaps is not resolved; one that comes back and goes again within its cooldown was not notified of again', () =>
  withTimeline(options(), async (line) => {
    assert.equal(await report(line, 'CRITICAL'), '+CRITICAL');
    for (let flaps = 0; flaps < 3; flaps += 1) {
      assert.equal(await report(line), '');
      assert.equal(await report(line, 'CRITICAL'), '');
    }
    await report(line);
    assert.equal(await report(line), '-CRITICAL');
    assert.equal(await report(line, 'CRITICAL'), '');
    await report(line);
    assert.equal(await report(line), '');
    await line.clock.advance(dayMs);
    assert.equal(await report(line, 'CRITICAL'), '+CRITICAL');
    await report(line);
    assert.equal(await report(line), '-CRITICAL');
  }));

test('only of what was really notified: not below the threshold, not withdrawn, not refused', () =>
  withTimeline(options(), async (line) => {
    assert.equal(await report(line, 'LOW'), '');
    line.serviceLog.answer = () => later;
    await report(line, 'LOW', 'CRITICAL');
    line.serviceLog.answer = ({ notification }) =>
      notification.issues[0]!.errorKey === 'IMPORTANT' ? { kind: 'rejected', error: failure('REJECTED') } : accepted;
    assert.equal(await report(line, 'IMPORTANT'), '');
    await report(line);
    assert.equal(await report(line), '');
  }));

test('of one whose notification turns out to have arrived when it is resolved already', () =>
  withTimeline(options(), async (line) => {
    line.serviceLog.answer = () => lost;
    await report(line, 'CRITICAL');
    await report(line);
    await report(line);
    told(line);
    line.serviceLog.answer = () => accepted;
    await line.clock.advance(hourMs);
    await line.run();
    assert.equal(told(line), '+CRITICAL -CRITICAL');
  }));

test('of one that was notified of, although another message of it waits, or was refused', async () => {
  for (const waits of [true, false]) {
    await withTimeline(options(), async (line) => {
      await report(line, 'CRITICAL');
      await line.clock.advance(dayMs);
      line.serviceLog.answer = () =>
        waits
          ? { kind: 'paused', error: failure('PAUSED'), afterMs: 5 * hourMs }
          : { kind: 'rejected', error: failure('REJECTED') };
      await report(line, 'CRITICAL');
      await report(line);
      line.serviceLog.answer = () => accepted;
      const heard = await report(line);
      await line.clock.advance(5 * hourMs);
      await line.run();
      assert.equal(heard + told(line), '-CRITICAL');
      assert.equal((await line.outboxStates())['pending'], undefined);
    });
  }
});

test('each target may have a process of its own, in any order; a dry run of it says the same', async () => {
  for (const first of ['notification-backend', 'service-log'] as const) {
    await withTimeline(options(), async (line) => {
      const processes = {
        'notification-backend': await line.another({}, undefined, ['notification-backend']),
        'service-log': await line.another({}, undefined, ['service-log']),
      };
      const found: string[] = [];
      for (const keys of [['CRITICAL'], [], [], []]) {
        await line.clock.advance(hourMs);
        await line.store(reportOf(...keys));
        if (first === 'notification-backend') await processes[first].runOnce();
        const { 'service-log': own } = processes;
        await own.preview({}, (item) => void (item.kind === 'resolved' && found.push(item.body)));
        await own.runOnce();
        if (first === 'service-log') await processes['notification-backend'].runOnce();
      }
      assert.equal(told(line), '+CRITICAL -CRITICAL');
      assert.equal(found.length, 1);
    });
  }
});

test('of one that the reference notified of', () =>
  withTimeline(options(), async (line) => {
    await line.store(reportOf('CRITICAL'));
    await line.clock.advance(hourMs);
    await line.storeSent(reportOf('CRITICAL'), { target: 2, hoursAgo: 0.5 });
    await line.run();
    assert.equal(told(line), '');
    await report(line);
    assert.equal(await report(line), '-CRITICAL');
  }));

const comesBetween: Readonly<Record<string, (line: Timeline) => unknown>> = {
  back: (line) => line.store(reportOf('CRITICAL')),
  'below-threshold': (line) =>
    line.configure({ policies: policiesOf({}, { totalRiskThreshold: 5, sendResolved: true }) }),
  'disabled-by-cluster': (line) =>
    line.disable([[{ scope: testCluster, rule: 'ccx_rules_ocp.external.rules.test_rule', errorKey: 'CRITICAL' }], []]),
  'disabled-by-org': (line) =>
    line.disable([
      [],
      [{ scope: String(testOrg), rule: 'ccx_rules_ocp.external.rules.test_rule', errorKey: 'CRITICAL' }],
    ]),
};
for (const [reason, change] of Object.entries(comesBetween)) {
  test(`one that waits is withdrawn as ${reason} when that came between`, () =>
    withTimeline(options(), async (line) => {
      await report(line, 'CRITICAL');
      await report(line);
      line.serviceLog.answer = () => later;
      await report(line);
      line.serviceLog.answer = () => accepted;
      await line.clock.advance(hourMs);
      await change(line);
      await line.run();
      assert.equal(told(line), '');
      const { rows } = await line.database.query<{ state: string; error_text: string }>(
        `SELECT state, error_text FROM ccx.notification_outbox WHERE about = 'resolved'`,
      );
      assert.deepEqual(rows, [{ state: 'withdrawn', error_text: reason }]);
    }));
}

test('a rule that did not run, or that was removed, resolves nothing', () =>
  withTimeline(options(), async (line) => {
    await report(line, 'CRITICAL', 'IMPORTANT');
    const notRun = async (didNotRun: object | null, rules: readonly string[]) => {
      await line.clock.advance(hourMs);
      const at = await line.store(reportOf());
      await line.database.query(
        `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked, catalogue_version, catalogue_rules_sha256, did_not_run)
         VALUES ($1, $2, $3::timestamp, '', $3::timestamp, 'v', sha256('v'), $4)`,
        [testOrg, testCluster, at, didNotRun === null ? null : JSON.stringify(didNotRun)],
      );
      await line.database.query(
        `INSERT INTO ccx.catalogues (version, rules_sha256, rules) VALUES ('v', sha256('v'), $1) ON CONFLICT DO NOTHING`,
        [rules],
      );
      await line.run();
      return told(line);
    };
    const broken = { 'ccx_rules_ocp.external.rules.test_rule': { reason: 'RULE_FAILED', details: '' } };
    for (let count = 0; count < 3; count += 1) assert.equal(await notRun(broken, ['other']), '');
    for (let count = 0; count < 3; count += 1) assert.equal(await notRun(null, ['other']), '');
  }));
