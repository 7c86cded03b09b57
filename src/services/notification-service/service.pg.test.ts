/** Timelines: reports arrive, runs happen, and this and nothing else is told. One-shot runs, as cron does them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultRisks } from '../../../test/support/notification-content.ts';
import {
  dayMs,
  failure,
  hourMs,
  passPauses,
  policiesOf,
  reportOf,
  type Timeline,
  testCluster,
  testOrg,
  testSettings,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';

const bothTargets = { targets: ['notification-backend', 'service-log'] } as const;

async function states(line: Timeline): Promise<number[]> {
  return (await line.reported()).map(({ state }) => state);
}

const componentOfRule = 'ccx_rules_ocp.external.rules.test_rule.report';

test('the same report twice is one notification, and each run leaves its row', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL', 'LOW'));
    const first = await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    assert.deepEqual(first.decisions, { new: 1, 'below-threshold': 1 });
    await line.clock.advance(hourMs);
    const second = await line.run();
    assert.equal(second.reports, 0);
    await line.store(reportOf('CRITICAL', 'LOW'));
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    assert.deepEqual(await states(line), [1, 2, 2]);
  }));

test('D7: a new issue tells only itself and leaves the clocks of the others alone', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.clock.advance(20 * hourMs);
    await line.store(reportOf('CRITICAL', 'MODERATE'));
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'MODERATE']);
    assert.equal(line.kafka.arrived.length, 2, 'one message each time');
    await line.clock.advance(4 * hourMs - 1);
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    await line.clock.advance(2);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL'], '24 h after the first, although the report is old');
    await line.clock.advance(20 * hourMs);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['MODERATE']);
  }));

test('D12, G6: an issue that vanishes is gone; back within the cooldown it stays quiet, after it it is told as recurred', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL', 'MODERATE'));
    await line.run();
    line.kafka.told();
    await line.clock.advance(hourMs);
    await line.store(reportOf('MODERATE'));
    const gone = await line.run();
    assert.equal(gone.decisions['gone'], 1);
    assert.deepEqual(
      (await line.ledger()).map(({ key, closed }) => [key, closed]),
      [
        ['CRITICAL', true],
        ['MODERATE', false],
      ],
    );
    await line.clock.advance(hourMs);
    await line.store(reportOf());
    await line.run();
    assert.deepEqual(
      (await line.ledger()).map(({ closed }) => closed),
      [true, true],
    );
    await line.clock.advance(hourMs);
    await line.store(reportOf('CRITICAL'));
    assert.deepEqual((await line.run()).decisions, { 'already-notified': 1 });
    await line.clock.advance(hourMs);
    await line.store(reportOf());
    await line.run();
    await line.clock.advance(dayMs);
    await line.store(reportOf('CRITICAL'));
    assert.deepEqual((await line.run()).decisions, { recurred: 1 });
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('an empty report and one that cannot be read leave no row; the latter is listed once', () =>
  withTimeline({}, async (line) => {
    await line.store('{"reports":[]}', { cluster: 'empty' });
    await line.store('{"reports":[1]}', { cluster: 'wrong' });
    await line.store('', { cluster: 'nothing' });
    await line.store(reportOf('CRITICAL'), { cluster: 'right' });
    await line.run();
    await line.run();
    assert.deepEqual(
      (await line.reported()).map(({ cluster }) => cluster),
      ['right', 'right'],
    );
    const { rows } = await line.database.query<{ cluster: string; error_text: string }>(
      'SELECT rtrim(cluster) AS cluster, error_text FROM read_errors ORDER BY cluster',
    );
    assert.deepEqual(
      rows.map(({ cluster }) => cluster),
      ['nothing', 'wrong'],
    );
    assert.match(rows[1]!.error_text, /^REPORT_UNREADABLE: .*reports\[0\]/);
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('several reports of a cluster count as their newest, also when it moved to another organization', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL'));
    await line.store(reportOf('MODERATE'), { orgId: 5 });
    await line.run();
    assert.deepEqual(line.kafka.told(), ['MODERATE']);
    const { rows } = await line.database.query<{ org_id: number }>('SELECT org_id FROM reported');
    assert.deepEqual(rows, [{ org_id: 5 }]);
    await line.store(reportOf('MODERATE'));
    await line.run();
    assert.deepEqual(line.kafka.told(), ['MODERATE'], 'the new owner was not told yet');
  }));

test('reports that differ by a microsecond are two reports, and their time stays exact', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL'), { at: '2026-11-21 15:59:59.123456' });
    await line.run();
    await line.store(reportOf('CRITICAL', 'MODERATE'), { at: '2026-11-21 15:59:59.123457' });
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'MODERATE']);
    const { rows } = await line.database.query<{ updated_at: string }>('SELECT updated_at FROM reported ORDER BY 1');
    assert.deepEqual(
      rows.map(({ updated_at }) => updated_at),
      ['2026-11-21 15:59:59.123456', '2026-11-21 15:59:59.123457'],
    );
  }));

test('rows that the reference sent count, as far as they reach into the cooldown', () =>
  withTimeline({}, async (line) => {
    await line.storeSent(reportOf('CRITICAL'), { hoursAgo: 2 });
    await line.storeSent(reportOf('MODERATE'), { hoursAgo: 20 });
    await line.storeSent(reportOf('IMPORTANT'), { hoursAgo: 25 });
    await line.storeSent('not a report', { hoursAgo: 1 });
    await line.storeSent(reportOf('IMPORTANT'), { hoursAgo: 3, target: 2 });
    await line.store(reportOf('CRITICAL', 'MODERATE', 'IMPORTANT'));
    const run = await line.run();
    assert.deepEqual(line.kafka.told(), ['IMPORTANT']);
    assert.deepEqual(run.decisions, { 'already-notified': 2, new: 1 });
    await line.clock.advance(5 * hourMs);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['MODERATE'], 'each by its own row');
  }));

test('a row that the reference sends between our runs counts as well', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL'));
    await line.run();
    line.kafka.told();
    await line.clock.advance(23 * hourMs);
    await line.storeSent(reportOf('CRITICAL', 'MODERATE'), { hoursAgo: 1 });
    await line.store(reportOf('CRITICAL', 'MODERATE'));
    await line.run();
    await line.clock.advance(2 * hourMs);
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    await line.clock.advance(22 * hourMs);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'MODERATE']);
  }));

test('who empties reported gets everything once more', () =>
  withTimeline(bothTargets, async (line) => {
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.run();
    line.kafka.told();
    line.serviceLog.told();
    await line.database.query('TRUNCATE reported');
    assert.deepEqual((await line.run()).decisions, { 'record-removed': 2 });
    assert.deepEqual([line.kafka.told(), line.serviceLog.told()], [['CRITICAL'], ['CRITICAL']]);
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
  }));

test('removing the rows of one target tells that target alone once more', () =>
  withTimeline(bothTargets, async (line) => {
    await line.store(reportOf('CRITICAL'));
    await line.run();
    line.kafka.told();
    line.serviceLog.told();
    await line.database.query('DELETE FROM reported WHERE event_type_id = 2');
    await line.run();
    assert.deepEqual([line.kafka.told(), line.serviceLog.told()], [[], ['CRITICAL']]);
  }));

test('both targets have their own threshold, tags, cooldown and rows', () =>
  withTimeline(
    {
      ...bothTargets,
      settings: {
        policies: policiesOf(
          { totalRiskThreshold: 3 },
          {
            totalRiskThreshold: 0,
            tagFilterEnabled: true,
            tags: ['osd_customer'],
            cooldown: '1 hour',
          },
        ),
      },
    },
    async (line) => {
      await line.store(reportOf('CRITICAL', 'IMPORTANT', 'MODERATE'));
      const run = await line.run();
      assert.deepEqual(line.kafka.told(), ['CRITICAL', 'IMPORTANT']);
      assert.deepEqual(line.serviceLog.told(), ['IMPORTANT']);
      assert.deepEqual(run.decisions, { new: 3, 'below-threshold': 1, 'filtered-by-tag': 2 });
      await line.clock.advance(2 * hourMs);
      await line.run();
      assert.deepEqual(line.kafka.told(), []);
      assert.deepEqual(line.serviceLog.told(), ['IMPORTANT']);
      const rows = await line.reported();
      assert.deepEqual(rows.map(({ target, state }) => `${target}:${state}`).sort(), ['1:1', '1:2', '2:1', '2:1']);
      assert.equal(new Set(rows.map(({ notifiedAt }) => notifiedAt)).size, 4);
    },
  ));

test('Service Log has one message per issue, and one row per cluster and run', () =>
  withTimeline({ targets: ['service-log'] }, async (line) => {
    await line.store(reportOf('CRITICAL', 'IMPORTANT', 'MODERATE'));
    await line.run();
    assert.equal(line.serviceLog.arrived.length, 3);
    assert.deepEqual(await states(line), [1]);
  }));

test('D1, service Q5: what fails stays due under its id, what was delivered is not repeated', () =>
  withTimeline({ targets: ['service-log'] }, async (line) => {
    line.serviceLog.answer = ({ notification }) =>
      notification.issues[0]!.errorKey === 'CRITICAL'
        ? { kind: 'retry', error: failure(), afterMs: 0 }
        : { kind: 'delivered', detail: '' };
    await line.store(reportOf('CRITICAL', 'IMPORTANT'));
    await line.run();
    assert.deepEqual(line.serviceLog.told(), ['IMPORTANT']);
    const failed = line.serviceLog.attempts.find(
      ({ notification }) => notification.issues[0]!.errorKey === 'CRITICAL',
    )!;
    line.serviceLog.answer = () => ({ kind: 'delivered', detail: '' });
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(line.serviceLog.told(), ['CRITICAL']);
    assert.equal(line.serviceLog.arrived.at(-1)!.id, failed.notification.id);
    assert.equal(line.serviceLog.attempts.at(-1)!.mayHaveArrived, false);
    const rows = await line.reported();
    assert.deepEqual(
      rows.map(({ state }) => state),
      [1, 1],
    );
    assert.match(rows[0]!.errorLog, /TEST_FAILURE/);
  }));

test('D1, service Q5: a run that delivers nothing leaves an error row, and the next one sends the same id', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => ({ kind: 'retry', error: failure('BROKER_AWAY'), afterMs: 0 });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.clock.advance(hourMs);
    assert.deepEqual((await line.run()).decisions, {}, 'nothing is decided anew');
    assert.deepEqual(await states(line), [4, 4]);
    assert.match((await line.reported())[0]!.errorLog, /^BROKER_AWAY: /);
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(await states(line), [4, 4, 1]);
    assert.equal(new Set(line.kafka.attempts.map(({ notification }) => notification.id)).size, 1);
    assert.equal(new Set(line.kafka.attempts.map(({ notification }) => notification.body)).size, 1);
    await line.clock.advance(23 * hourMs);
    await line.run();
    assert.equal(line.kafka.arrived.length, 1, 'the cooldown counts from the delivery');
    await line.clock.advance(hourMs + 1);
    await line.run();
    assert.equal(line.kafka.arrived.length, 2);
  }));

test('a one-shot run retries until the deadline of the message', () =>
  withTimeline({}, async (line) => {
    line.configure({ delivery: { ...testSettings().delivery, deadlineMs: 60_000, backoffMinMs: 1_000 } });
    let failures = 3;
    line.kafka.answer = () =>
      failures-- > 0 ? { kind: 'retry', error: failure(), afterMs: 0 } : { kind: 'delivered', detail: '' };
    await line.store(reportOf('CRITICAL'));
    const service = await line.another();
    const waits = (await passPauses(line, service.runOnce())).filter((ms) => ms > 10);
    assert.equal(waits.length, 3);
    assert.ok(waits[0]! <= 1_000 && waits[1]! > waits[0]! && waits[2]! > waits[1]!, String(waits));
    assert.equal(line.kafka.attempts.length, 4);
    assert.deepEqual(await states(line), [1]);
  }));

test('F19, F22: an answer that was lost is tried again as such, and past 20 hours only listed', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => ({ kind: 'unknown', error: failure('ANSWER_LOST'), afterMs: 0 });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.clock.advance(10 * hourMs);
    await line.run();
    assert.deepEqual(
      line.kafka.attempts.map(({ mayHaveArrived }) => mayHaveArrived),
      [false, true],
    );
    await line.clock.advance(10 * hourMs + 1);
    await line.run();
    await line.run();
    assert.equal(line.kafka.attempts.length, 2, 'not sent again');
    assert.deepEqual(await line.outboxStates(), { unknown: 1 });
    await line.store(reportOf('CRITICAL'));
    assert.deepEqual((await line.run()).decisions, { 'arrival-unknown': 1 });
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await line.clock.advance(dayMs + 1);
    assert.deepEqual((await line.run()).decisions, { 'tried-again': 1 });
    const ids = new Set(line.kafka.arrived.map(({ id }) => id));
    assert.equal(ids.size, 2, 'a new notification has a new id');
  }));

test('a refused message is dead with its reason, its issue waits, and a manual retry has a new id', () =>
  withTimeline({ targets: ['service-log'] }, async (line) => {
    line.serviceLog.answer = ({ notification }) =>
      notification.issues[0]!.errorKey === 'CRITICAL'
        ? { kind: 'rejected', error: failure('REFUSED') }
        : { kind: 'delivered', detail: '' };
    await line.store(reportOf('CRITICAL', 'IMPORTANT'));
    const run = await line.run();
    assert.equal(run.dead, 1);
    assert.deepEqual(await line.outboxStates(), { dead: 1, delivered: 1 });
    await line.clock.advance(hourMs);
    await line.store(reportOf('CRITICAL', 'IMPORTANT'));
    assert.deepEqual((await line.run()).decisions, { 'given-up': 1, 'already-notified': 1 });
    line.serviceLog.answer = () => ({ kind: 'delivered', detail: '' });
    await line.database.query(`UPDATE ccx.notification_outbox SET retry_requested_at = now() WHERE state = 'dead'`);
    await line.run();
    assert.deepEqual(line.serviceLog.told(), ['CRITICAL', 'IMPORTANT']);
    const [refused] = line.serviceLog.attempts;
    assert.ok(line.serviceLog.arrived.every(({ id }) => id !== refused!.notification.id));
    await line.run();
    assert.deepEqual(line.serviceLog.told(), [], 'retried once');
    await line.clock.advance(23 * hourMs + 1);
    await line.run();
    assert.deepEqual(line.serviceLog.told(), ['IMPORTANT'], 'the retried one counts from its own delivery');
  }));

test('a message that could not be delivered within the retry window is dead, and its issue decided anew', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => ({ kind: 'retry', error: failure(), afterMs: 0 });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.clock.advance(3 * dayMs - 1);
    await line.run();
    assert.deepEqual(await line.outboxStates(), { pending: 1 }, 'before the end of the window it is still tried');
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(await line.outboxStates(), { dead: 1 });
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    assert.deepEqual((await line.run()).decisions, { 'tried-again': 1 });
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('a paused target is left alone until the pause ends, also by other processes', () =>
  withTimeline(bothTargets, async (line) => {
    line.serviceLog.answer = () => ({ kind: 'paused', error: failure('TOO_MANY'), afterMs: 2 * hourMs });
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await line.store(reportOf('CRITICAL'), { cluster: name });
    await line.run();
    assert.equal(line.kafka.arrived.length, 6);
    assert.ok(line.serviceLog.attempts.length <= 4, 'what was in flight, and no more');
    line.serviceLog.answer = () => ({ kind: 'delivered', detail: '' });
    await line.clock.advance(2 * hourMs - 1);
    const before = line.serviceLog.attempts.length;
    await line.run();
    assert.equal(line.serviceLog.attempts.length, before);
    await line.clock.advance(2);
    await line.run();
    assert.equal(line.serviceLog.arrived.length, 6);
    const serviceLogRows = (await line.reported()).filter(({ target }) => target === 2);
    assert.deepEqual(
      serviceLogRows.map(({ state }) => state),
      [...Array(12).fill(4), ...Array(6).fill(1)],
    );
  }));

test('D15, service Q1, G8: a rule that is disabled is not told, and the row leaves it out; enabled again it is told', () =>
  withTimeline({}, async (line) => {
    line.disable([[{ scope: testCluster, rule: 'test_rule', errorKey: 'CRITICAL' }], []]);
    await line.store(reportOf('CRITICAL', 'MODERATE'));
    assert.deepEqual((await line.run()).decisions, { 'disabled-by-cluster': 1, new: 1 });
    assert.deepEqual(line.kafka.told(), ['MODERATE']);
    const { rows } = await line.database.query<{ report: string }>('SELECT report FROM reported');
    assert.equal(rows[0]!.report, reportOf('MODERATE'));
    await line.clock.advance(hourMs);
    assert.equal((await line.run()).reports, 0);
    line.disable([[], []]);
    await line.clock.advance(hourMs);
    assert.deepEqual((await line.run()).decisions, { new: 1, 'already-notified': 1 });
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    line.disable([[], [{ scope: String(testOrg), rule: componentOfRule, errorKey: 'CRITICAL' }]]);
    await line.clock.advance(dayMs);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['MODERATE']);
    assert.equal((await line.ledger())[0]!.reason, 'disabled-by-org');
  }));

test('a cluster whose issues are all disabled gets a row with an empty list', () =>
  withTimeline({}, async (line) => {
    line.disable([[], [{ scope: String(testOrg), rule: 'test_rule', errorKey: 'CRITICAL' }]]);
    await line.store(reportOf('CRITICAL'));
    await line.run();
    const { rows } = await line.database.query<{ report: string; state: number }>('SELECT report, state FROM reported');
    assert.deepEqual(rows, [{ report: '{"reports":[]}', state: 2 }]);
  }));

test('of a message whose rule was disabled while it waited the rest goes out, under its id', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => ({ kind: 'retry', error: failure(), afterMs: 0 });
    await line.store(reportOf('CRITICAL', 'MODERATE'));
    await line.run();
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    line.disable([[{ scope: testCluster, rule: 'test_rule', errorKey: 'CRITICAL' }], []]);
    await line.clock.advance(hourMs);
    assert.equal((await line.run()).withdrawn, 0);
    assert.deepEqual(line.kafka.told(), ['MODERATE']);
    assert.deepEqual(new Set(line.kafka.attempts.map(({ notification }) => notification.id)).size, 1);
    await line.run();
    assert.deepEqual(await line.outboxStates(), { delivered: 1 });
    assert.equal((await line.ledger())[0]!.reason, 'disabled-by-cluster');
  }));

test('F26: a threshold that was raised while a message waited withdraws it', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => ({ kind: 'retry', error: failure(), afterMs: 0 });
    await line.store(reportOf('MODERATE'));
    await line.run();
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    line.configure({ policies: policiesOf({ totalRiskThreshold: 3 }) });
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    assert.deepEqual(
      (await line.ledger()).map(({ state, reason }) => [state, reason]),
      [['open', 'below-threshold']],
    );
  }));

test('D8, F26: a change of settings or content is looked at in the next run, and repeats nothing', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL', 'LOW', 'UNKNOWN'));
    assert.deepEqual((await line.run()).decisions, { new: 1, 'below-threshold': 1, 'content-missing': 1 });
    line.setRisks({ ...defaultRisks, UNKNOWN: { risk: 3 } });
    assert.deepEqual((await line.run()).decisions, { new: 1, 'below-threshold': 1, 'already-notified': 1 });
    line.setRisks({ ...defaultRisks, UNKNOWN: { risk: 3 }, LOW: { risk: 2 } });
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'LOW', 'UNKNOWN']);
    assert.equal((await line.run()).reports, 0);
  }));

test('G9: without any content a run fails, and nothing is taken for a risk of zero', () =>
  withTimeline({}, async (line) => {
    await line.run();
    line.failContent(true);
    await line.store(reportOf('CRITICAL'));
    await assert.rejects(line.run(), { code: 'CONTENT_UNAVAILABLE' });
    assert.deepEqual(await line.ledger(), []);
  }));

test('clusters that are not allowed get neither messages nor rows', () =>
  withTimeline({}, async (line) => {
    line.configure({ clusters: { allowOnly: true, allowed: new Set(['a']), block: false, blocked: new Set() } });
    await line.store(reportOf('CRITICAL'), { cluster: 'a' });
    await line.store(reportOf('CRITICAL'), { cluster: 'b' });
    assert.deepEqual((await line.run()).decisions, { new: 1, 'cluster-not-allowed': 1 });
    assert.deepEqual(
      (await line.reported()).map(({ cluster }) => cluster),
      ['a'],
    );
  }));

test('a cluster that cannot be rendered is an error, the others go on, and it is tried again', () =>
  withTimeline(bothTargets, async (line) => {
    line.serviceLog.composing = async ({ cluster }) => {
      if (cluster === 'b') throw failure('RENDERER_AWAY');
    };
    for (const name of ['a', 'b', 'c']) await line.store(reportOf('CRITICAL'), { cluster: name });
    assert.equal((await line.run()).decisions['render-failed'], 1);
    assert.equal(line.serviceLog.arrived.length, 2);
    const row = (await line.reported()).find(({ cluster, target }) => cluster === 'b' && target === 2)!;
    assert.deepEqual([row.state, /^RENDERER_AWAY/.test(row.errorLog)], [4, true]);
    line.serviceLog.composing = undefined;
    await line.run();
    assert.equal(line.serviceLog.arrived.length, 3);
    assert.equal(line.kafka.arrived.length, 3);
  }));

test('without a cooldown each one-shot run tells everything again', () =>
  withTimeline({}, async (line) => {
    const policies = policiesOf({ cooldown: '0 hours' });
    line.configure({ policies });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'CRITICAL']);
  }));

test('a cooldown that is no interval is refused with the name of its setting', () =>
  withTimeline({}, async (line) => {
    line.configure({ policies: policiesOf({ cooldown: 'soon' }) });
    await assert.rejects(line.run(), { code: 'COOLDOWN_INVALID', hint: /kafka_broker\.cooldown/ });
  }));

for (const cooldown of ['-1 week', '1 day -30 hours', '-0.5 s']) {
  test(`a negative cooldown, ${cooldown}, is refused with the name of its setting, or is none where it is taken`, () =>
    withTimeline({}, async (line) => {
      const policies = (negativeCooldown: 'none' | 'refused') => policiesOf({ cooldown, negativeCooldown });
      line.configure({ policies: policies('refused') });
      await assert.rejects(line.run(), { code: 'COOLDOWN_INVALID', hint: /kafka_broker\.cooldown/ });
      line.configure({ policies: policies('none') });
      await line.store(reportOf('CRITICAL'));
      await line.run();
      await line.run();
      assert.deepEqual(line.kafka.told(), ['CRITICAL', 'CRITICAL']);
    }));
}

test('a negative age of deletion is refused by name: it would delete what has just arrived', () =>
  withTimeline({}, async (line) => {
    const retention = { outboxMs: hourMs, issuesMs: hourMs, eventsMs: 400 * dayMs, everyMs: hourMs };
    for (const reportsMaxAge of ['-1 day', '1 hour -90 minutes']) {
      line.configure({ retention: { ...retention, reportsMaxAge } });
      await line.store(reportOf('CRITICAL'));
      await assert.rejects(line.run(), { code: 'MAX_AGE_INVALID', hint: /cleaner\.max_age/ });
    }
  }));

test('a service that follows refuses a wrong cooldown at its start, not in each run', () =>
  withTimeline({ settings: { mode: 'follow' } }, async (line) => {
    for (const cooldown of ['soon', '-1 week']) {
      line.configure({ policies: policiesOf({ cooldown }) });
      await assert.rejects(line.run(), { code: 'COOLDOWN_INVALID', hint: /kafka_broker\.cooldown/ });
    }
  }));

test('F25: a first run past the cap delivers portion by portion and drops nothing', () =>
  withTimeline({ settings: { firstRun: { messagesMax: 2, everyMs: hourMs } } }, async (line) => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await line.store(reportOf('CRITICAL'), { cluster: name });
    await line.run();
    assert.equal(line.kafka.arrived.length, 2);
    assert.deepEqual(await line.outboxStates(), { delivered: 2, pending: 3 });
    const held = (await line.reported()).filter(({ state }) => state === 4);
    assert.equal(held.length, 3);
    assert.match(held[0]!.errorLog, /^HELD_BACK: /);
    await line.run();
    assert.equal(line.kafka.arrived.length, 2);
    await line.clock.advance(hourMs + 1);
    await line.run();
    assert.equal(line.kafka.arrived.length, 4);
    await line.clock.advance(hourMs + 1);
    await line.run();
    assert.equal(line.kafka.arrived.length, 5);
    await line.store(reportOf('CRITICAL'), { cluster: 'f' });
    await line.run();
    assert.equal(line.kafka.arrived.length, 6, 'later runs are not held back');
  }));

test('details reach the target byte for byte', () =>
  withTimeline({}, async (line) => {
    const details = '{ "n": 12345678901234567890, "f": 1.0 }';
    await line.store(
      `{"reports":[{"type":"rule","component":"${componentOfRule}","key":"CRITICAL","details":${details}}]}`,
    );
    await line.run();
    assert.equal((JSON.parse(line.kafka.arrived[0]!.body) as { issues: string[][] }).issues[0]![1], details);
  }));
