/**
 * Rules that somebody disabled for a cluster or an organization: nothing of them goes out, and their end is decided at once, and notified
 * once. Source: consumers.md R7, G8; records.md, "Gone and resolved".
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createChance } from '../../../test/faults/seeded.ts';
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
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { until } from '../../../test/support/until.ts';
import { formatExplanation } from './format-explanation.ts';
import type { DeliveryResult } from './ports.ts';
import { readExplanation } from './store/explain.ts';

const otherCluster = testCluster.replace('5d', '6d');
const inHours = (line: Timeline, hours: number) =>
  new Date(line.clock.now().getTime() + hours * hourMs).toISOString().replace('T', ' ').slice(0, -1);

async function rowOf(line: Timeline, id: string) {
  const { rows } = await line.database.query<{
    ended_at: string | null;
    ended_reason: string | null;
    ended_by: string | null;
  }>('SELECT ended_at, ended_reason, ended_by FROM ccx.acknowledgements WHERE id = $1', [id]);
  return rows[0]!;
}

test('G8: an issue that is acknowledged until a date is notified once when the date has come, and nobody looks before', () =>
  withTimeline({}, async (line) => {
    const ends = inHours(line, 30);
    const id = await line.acknowledge({ until: ends });
    await line.store(reportOf('CRITICAL', 'MODERATE'));
    assert.deepEqual((await line.run()).decisions, { 'disabled-by-cluster': 1, new: 1 });
    assert.deepEqual(line.kafka.told(), ['MODERATE']);
    const { rows } = await line.database.query<{ report: string }>('SELECT report FROM reported');
    assert.deepEqual(rows, [{ report: reportOf('MODERATE') }], 'what is silent is in no row');
    await line.clock.advance(23 * hourMs);
    assert.equal((await line.run()).reports, 0);
    await line.clock.advance(6.5 * hourMs);
    assert.deepEqual((await line.run()).decisions, { 'disabled-by-cluster': 1, 'cooldown-over': 1 });
    assert.equal((await rowOf(line, id)).ended_at, null);
    await line.clock.advance(hourMs / 2);
    assert.deepEqual((await line.run()).decisions, { new: 1, 'already-notified': 1 });
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'MODERATE']);
    assert.deepEqual(await rowOf(line, id), {
      ended_at: ends.replace(/\.000$/, ''),
      ended_reason: 'date',
      ended_by: null,
    });
    for (let hour = 0; hour < 3; hour += 1) {
      await line.clock.advance(hourMs);
      await line.store(reportOf('CRITICAL'));
      await line.run();
    }
    assert.deepEqual(line.kafka.told(), []);
  }));

test('the end of an acknowledgement ends the cooldown of what it silenced, once', () =>
  withTimeline({ targets: ['notification-backend', 'service-log'] }, async (line) => {
    const told = () => [line.kafka.told(), line.serviceLog.told()];
    await line.store(reportOf('CRITICAL', 'IMPORTANT'));
    await line.run();
    assert.deepEqual(told(), [
      ['CRITICAL', 'IMPORTANT'],
      ['CRITICAL', 'IMPORTANT'],
    ]);
    await line.clock.advance(hourMs);
    const id = await line.acknowledge();
    assert.deepEqual((await line.run()).decisions, { 'disabled-by-cluster': 2, 'already-notified': 2 });
    await line.clock.advance(hourMs);
    assert.equal((await line.run()).reports, 0);
    await line.unacknowledge(id);
    assert.deepEqual((await line.run()).decisions, { 'acknowledgement-over': 2, 'already-notified': 2 });
    assert.deepEqual(told(), [['CRITICAL'], ['CRITICAL']]);
    assert.deepEqual([(await rowOf(line, id)).ended_reason, (await rowOf(line, id)).ended_by], ['removed', 'ben']);
    await line.clock.advance(dayMs - 1);
    await line.store(reportOf('CRITICAL'));
    await line.run();
    assert.deepEqual(told(), [[], []]);
    await line.clock.advance(2);
    assert.deepEqual((await line.run()).decisions, { 'cooldown-over': 2 });
  }));

test('what is acknowledged and enabled again before anybody looked is as if nothing had been', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL'));
    await line.run();
    line.kafka.told();
    await line.clock.advance(hourMs);
    await line.unacknowledge(await line.acknowledge());
    assert.deepEqual((await line.run()).decisions, { 'already-notified': 1 });
    assert.deepEqual(line.kafka.told(), []);
  }));

test('an organization’s acknowledgement of a rule silences every key of it in all its clusters, and in no other', () =>
  withTimeline({}, async (line) => {
    const id = await line.acknowledge({ cluster: null, errorKey: null });
    await line.store(reportOf('CRITICAL'));
    await line.store(reportOf('IMPORTANT'), { cluster: otherCluster });
    await line.store(reportOf('CRITICAL'), { cluster: testCluster.replace('5d', '7d'), orgId: 5 });
    assert.deepEqual((await line.run()).decisions, { 'disabled-by-org': 2, new: 1 });
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    await line.unacknowledge(id);
    assert.deepEqual((await line.run()).decisions, { new: 2 });
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'IMPORTANT']);
  }));

test('a cluster that goes to another organization takes no acknowledgement along', () =>
  withTimeline({}, async (line) => {
    await line.acknowledge();
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.clock.advance(1);
    await line.store(reportOf('CRITICAL'), { orgId: 5 });
    assert.deepEqual((await line.run()).decisions, { new: 1 });
  }));

test('of several acknowledgements, and rows of the aggregator, the last one to end ends the silence', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL'));
    await line.run();
    line.kafka.told();
    const ofCluster = await line.acknowledge();
    const ofRule = await line.acknowledge({ cluster: null, errorKey: null, until: inHours(line, 5) });
    assert.deepEqual((await line.run()).decisions, { 'disabled-by-cluster': 1 });
    await line.unacknowledge(ofCluster);
    line.disable([[{ scope: testCluster, rule: 'test_rule', errorKey: 'CRITICAL' }], []]);
    assert.deepEqual((await line.run()).decisions, { 'disabled-by-org': 1 });
    await line.clock.advance(5 * hourMs);
    assert.deepEqual((await line.run()).decisions, { 'disabled-by-cluster': 1 });
    assert.equal((await rowOf(line, ofRule)).ended_reason, 'date');
    line.disable([[], []]);
    assert.deepEqual((await line.run()).decisions, { 'acknowledgement-over': 1 });
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('a rule that is acknowledged between its decision and the send is not sent', () =>
  withTimeline({}, async (line) => {
    let id = '';
    line.kafka.composing = async () => {
      id = await line.acknowledge();
    };
    await line.store(reportOf('CRITICAL'));
    assert.equal((await line.run()).withdrawn, 1);
    assert.equal(line.kafka.attempts.length, 0);
    line.kafka.composing = undefined;
    assert.deepEqual((await line.run()).decisions, { 'disabled-by-cluster': 1 });
    await line.unacknowledge(id);
    assert.deepEqual((await line.run()).decisions, { new: 1 });
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('what waits when it is acknowledged is withdrawn, and due again at the end, whatever was notified before', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL'));
    await line.run();
    line.kafka.told();
    const first = await line.acknowledge();
    await line.run();
    await line.unacknowledge(first);
    line.kafka.answer = () => ({ kind: 'retry', error: failure('AWAY'), afterMs: 0 });
    assert.deepEqual((await line.run()).decisions, { 'acknowledgement-over': 1 });
    await line.clock.advance(hourMs);
    assert.equal((await line.run()).withdrawn, 0, 'it waits');
    const id = await line.acknowledge();
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await line.clock.advance(hourMs);
    assert.equal((await line.run()).withdrawn, 1);
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    await line.unacknowledge(id);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('without a cooldown, too, the end is notified', () =>
  withTimeline({ settings: { policies: policiesOf({ cooldown: '0' }) } }, async (line) => {
    const service = await line.another({ mode: 'follow' });
    await line.store(reportOf('CRITICAL'));
    await service.runOnce();
    const id = await line.acknowledge();
    await service.runOnce();
    await line.unacknowledge(id);
    await service.runOnce();
    await service.runOnce();
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'CRITICAL']);
  }));

test('a service that follows hears of a change at once, and wakes when a date has come', () =>
  withTimeline({}, async (line) => {
    const service = await line.another({ mode: 'follow' });
    await until(() => service.idle());
    const id = await line.acknowledge();
    await line.store(reportOf('CRITICAL'));
    await line.database.query('NOTIFY ccx_report_stored');
    await until(async () => (await line.ledger())[0]?.reason === 'disabled-by-cluster');
    await line.unacknowledge(id);
    await until(() => line.kafka.arrived.length === 1);
    await line.acknowledge({ until: inHours(line, 1) });
    await until(async () => (await line.ledger())[0]?.reason === 'disabled-by-cluster');
    // While it works time hardly goes on: a claim would have ended before its message is sent. What sleeps for a moment wakes.
    const isIdle = async () => {
      await line.clock.advance(1);
      return await service.idle();
    };
    for (let quarters = 0; quarters < 5; quarters += 1) {
      await until(isIdle);
      await line.clock.advance(hourMs / 4);
    }
    await until(() => line.kafka.arrived.length === 2);
  }));

test('explain says by which acknowledgement, by whom, until when and why, and when it is over', () =>
  withTimeline({}, async (line) => {
    const ends = inHours(line, 2);
    const id = await line.acknowledge({ until: ends, justification: 'replaced on Friday' });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    const explained = async () =>
      formatExplanation(
        testCluster,
        await readExplanation(line.database, testCluster, { now: line.clock.now().toISOString() }),
      );
    const date = `${ends.slice(0, 19)} UTC`;
    assert.match(
      await explained(),
      new RegExp(
        `disabled-by-cluster: Its rule is disabled for this cluster\\.\n    acknowledged by ada for this cluster, this key, until ${date}: replaced on Friday \\(${id}\\)\n.*\n.*\n    next possible ${date}, if it is still there`,
      ),
    );
    await line.clock.advance(2 * hourMs);
    assert.match(
      await explained(),
      new RegExp(`; over since ${date}, it is decided anew\n.*\n.*\n    next possible in the next run`),
    );
    await line.run();
    assert.doesNotMatch(await explained(), /acknowledged/);
  }));

const eventsOf = async (line: Timeline, ...names: string[]) => {
  const { rows } = await line.database.query<{
    event: string;
    error_key: string;
    cluster: string;
    detail: string | null;
  }>(
    `SELECT event, error_key, rtrim(cluster) AS cluster, detail FROM ccx.issue_events
      WHERE event = ANY($1) ORDER BY at, error_key, event`,
    [names.length === 0 ? ['acknowledged', 'acknowledgement-over'] : names],
  );
  return rows.map(({ event, error_key, cluster, detail }) =>
    [event, error_key, ...(cluster === testCluster ? [] : ['other']), ...(detail === null ? [] : [detail])].join(' '),
  );
};

/** A report an hour later, and a run. */
async function next(line: Timeline, keys: readonly string[], where: Parameters<Timeline['store']>[1] = {}) {
  await line.clock.advance(hourMs);
  await line.store(reportOf(...keys), where);
  return (await line.run()).decisions;
}

test('until it is resolved: gone once it is still silent, after the second report without it what comes back is notified', () =>
  withTimeline({ targets: ['notification-backend', 'service-log'] }, async (line) => {
    const id = await line.acknowledge({ untilResolved: true });
    assert.deepEqual(await next(line, ['CRITICAL']), { 'disabled-by-cluster': 2 });
    assert.deepEqual(await next(line, []), { gone: 2 });
    assert.deepEqual(await next(line, ['CRITICAL']), { 'disabled-by-cluster': 2 }, 'it flaps');
    await next(line, []);
    await next(line, []);
    assert.equal((await rowOf(line, id)).ended_reason, 'resolved');
    assert.deepEqual(await next(line, ['CRITICAL']), { new: 2 });
    assert.deepEqual([line.kafka.told(), line.serviceLog.told()], [['CRITICAL'], ['CRITICAL']]);
    assert.deepEqual(await eventsOf(line), [
      'acknowledged CRITICAL',
      'acknowledged CRITICAL',
      'acknowledgement-over CRITICAL resolved',
    ]);
  }));

test('what was notified, acknowledged until it is resolved, and comes back is notified within its old cooldown', () =>
  withTimeline({}, async (line) => {
    await next(line, ['CRITICAL']);
    await line.acknowledge({ untilResolved: true });
    assert.deepEqual(await next(line, ['CRITICAL']), { 'disabled-by-cluster': 1 });
    await next(line, []);
    await next(line, []);
    assert.deepEqual(await next(line, ['CRITICAL']), { 'acknowledgement-over': 1 });
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'CRITICAL']);
  }));

test('of a whole rule it is over when the last of its issues is resolved', () =>
  withTimeline({}, async (line) => {
    const id = await line.acknowledge({ untilResolved: true, errorKey: null });
    await next(line, ['CRITICAL', 'IMPORTANT']);
    await next(line, ['IMPORTANT']);
    await next(line, ['IMPORTANT']);
    assert.equal((await rowOf(line, id)).ended_at, null);
    assert.deepEqual(await next(line, ['CRITICAL']), { 'disabled-by-cluster': 1, gone: 1 });
    await next(line, []);
    assert.equal((await rowOf(line, id)).ended_at, null, 'one is only gone');
    await next(line, []);
    assert.equal((await rowOf(line, id)).ended_reason, 'resolved');
  }));

test('of an organization it is over in each cluster by itself, and as a whole with the last one', () =>
  withTimeline({}, async (line) => {
    const other = { cluster: otherCluster };
    const id = await line.acknowledge({ untilResolved: true, cluster: null });
    await next(line, ['CRITICAL']);
    await next(line, ['CRITICAL'], other);
    await next(line, []);
    await next(line, []);
    assert.deepEqual(await next(line, ['CRITICAL']), { new: 1 }, 'it is over there');
    assert.deepEqual(await next(line, ['CRITICAL'], other), { 'disabled-by-org': 1 }, 'and holds here');
    const third = { cluster: testCluster.replace('5d', '7d') };
    assert.deepEqual(
      await next(line, ['CRITICAL'], third),
      { 'disabled-by-org': 1 },
      'and where it is for the first time',
    );
    for (const where of [other, third, {}]) {
      await next(line, [], where);
      await next(line, [], where);
    }
    await line.run();
    assert.equal((await rowOf(line, id)).ended_reason, 'resolved');
    assert.deepEqual(await next(line, ['CRITICAL'], third), { new: 1 });
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'CRITICAL']);
  }));

test('a date that comes first ends it, too', () =>
  withTimeline({}, async (line) => {
    const id = await line.acknowledge({ untilResolved: true, until: inHours(line, 3) });
    await next(line, ['CRITICAL']);
    await next(line, ['CRITICAL']);
    assert.deepEqual(await next(line, ['CRITICAL']), { new: 1 });
    assert.equal((await rowOf(line, id)).ended_reason, 'date');
  }));

test('a rule that is switched off, or did not run, resolves nothing', () =>
  withTimeline({}, async (line) => {
    const module = 'ccx_rules_ocp.external.rules.test_rule';
    const id = await line.acknowledge({ untilResolved: true });
    await next(line, ['CRITICAL']);
    const facts = async (at: string, columns: Readonly<Record<string, unknown>>) => {
      const { did_not_run = null, version = null } = columns;
      await line.database.query(
        `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked, did_not_run, catalogue_version,
                catalogue_rules_sha256) VALUES ($1, $2, $3, '', $3, $4, $5, CASE WHEN $5::text IS NULL THEN NULL ELSE '\\x00'::bytea END)`,
        [testOrg, testCluster, at, did_not_run, version],
      );
    };
    for (let report = 0; report < 3; report += 1) {
      await line.clock.advance(hourMs);
      const at = await line.store(reportOf());
      await facts(at, { did_not_run: JSON.stringify({ [module]: { reason: 'RULE_FAILED', details: '' } }) });
      assert.deepEqual((await line.run()).decisions, { 'rule-did-not-run': 1 });
    }
    await line.database.query(
      `INSERT INTO ccx.catalogues (version, rules_sha256, rules) VALUES ('1', '\\x00', '{a.b}')`,
    );
    for (let report = 0; report < 3; report += 1) {
      await line.clock.advance(hourMs);
      await facts(await line.store(reportOf()), { version: '1' });
      await line.run();
    }
    const { rows } = await line.database.query<{ state: string }>('SELECT state FROM ccx.issues');
    assert.deepEqual(rows, [{ state: 'rule-removed' }]);
    assert.equal((await rowOf(line, id)).ended_at, null);
    assert.deepEqual(await next(line, ['CRITICAL']), { 'disabled-by-cluster': 1 });
  }));

test('events say when an issue became silent and when it was not any more, once for all targets', () =>
  withTimeline({ targets: ['notification-backend', 'service-log'] }, async (line) => {
    await next(line, ['CRITICAL']);
    const id = await line.acknowledge();
    await next(line, ['CRITICAL']);
    await next(line, ['CRITICAL']);
    await line.unacknowledge(id);
    await line.run();
    assert.deepEqual(await eventsOf(line), ['acknowledged CRITICAL', 'acknowledgement-over CRITICAL']);
    await line.acknowledge();
    await line.run();
    const nobody = { allowOnly: true, allowed: new Set<string>(), block: false, blocked: new Set<string>() };
    line.configure({ clusters: nobody });
    assert.deepEqual(await next(line, ['CRITICAL']), { 'cluster-not-allowed': 2 });
    assert.equal((await eventsOf(line)).length, 3, 'a cluster that is left out says nothing of it');
    const { rows } = await line.database.query<{ id: string }>(
      `SELECT DISTINCT acknowledgement_id AS id FROM ccx.issue_events WHERE acknowledgement_id IS NOT NULL`,
    );
    assert.equal(rows.length, 2);
    assert.ok(rows.some((row) => row.id === id));
  }));

const delivered: DeliveryResult = { kind: 'delivered', detail: '' };
const away: DeliveryResult = { kind: 'retry', error: failure('AWAY'), afterMs: 0 };

const counts = { endedSilences: 0 };
for (const seed of ['s0', 's3']) {
  test(`whatever happens, an issue is notified once per cooldown or silence, never while silent, and none is lost; seed ${seed}`, () =>
    withTimeline({}, async (line) => {
      const chance = createChance(seed);
      const keys = ['CRITICAL', 'IMPORTANT', 'MODERATE'];
      const made: string[] = [];
      let present: readonly string[] = [];
      let newestAt = '';
      /** As the test knows it: the key, or null for all of them, and its end by the clock. */
      const inForce = new Map<string, { readonly key: string | null; readonly endsMs: number }>();
      const isSilent = (key: string) => [...inForce.values()].some((one) => one.key === null || one.key === key);
      const forgetPassed = () => {
        for (const [id, { endsMs }] of inForce) if (endsMs <= line.clock.now().getTime()) inForce.delete(id);
      };
      /** A run saw it silent since it was delivered last. */
      const silenced = new Set<string>();
      /** Monotonic: a clock that is set back makes cooldowns longer, never shorter. */
      const deliveredMs = new Map<string, number>();
      let setBackMs = 0;
      const steps: Readonly<Record<string, () => Promise<unknown> | unknown>> = {
        async report() {
          const found = chance.shuffle(keys).slice(0, 1 + chance.below(3));
          const at = await line.store(reportOf(...found));
          // After a step of the clock it may be older than the one before.
          if (at > newestAt) [present, newestAt] = [found, at];
        },
        time: () => line.clock.advance(chance.pick([1, 5, 23, 30]) * hourMs),
        setBack() {
          const ms = chance.pick([1, 10]) * hourMs;
          setBackMs += ms;
          line.clock.setNow(new Date(line.clock.now().getTime() - ms));
        },
        answer() {
          const answer = chance.pick([delivered, delivered, away]);
          line.kafka.answer = () => answer;
        },
        async acknowledge() {
          forgetPassed();
          const key = chance.pick([...keys, null]);
          const hours = chance.pick([Number.POSITIVE_INFINITY, 2, 26]);
          const id = await line.acknowledge({
            ...{ cluster: chance.pick([testCluster, null]), errorKey: key },
            until: Number.isFinite(hours) ? inHours(line, hours) : null,
          });
          made.push(id);
          inForce.set(id, { key, endsMs: line.clock.now().getTime() + hours * hourMs });
        },
        async remove() {
          for (const id of made.splice(0)) {
            await line.unacknowledge(id);
            inForce.delete(id);
          }
        },
      };
      const runs: Readonly<Record<string, () => Promise<unknown>>> = {
        plain: () => line.run(),
        async 'two at once'() {
          const both = [await line.another(), await line.another()];
          await passPauses(line, Promise.all(both.map((service) => service.runOnce())));
          for (const service of both) await service.stop();
        },
        async 'commits lost'() {
          const service = await line.another();
          line.faults.commitsLost = 1 + chance.below(3);
          await passPauses(line, service.runOnce());
          line.faults.commitsLost = 0;
          await service.stop();
        },
      };
      for (let round = 0; round < 30; round += 1) {
        for (let count = 0; count <= chance.below(3); count += 1) await steps[chance.pick(Object.keys(steps))]!();
        const answersAll = line.kafka.answer({} as never) === delivered;
        // What was refused before a step of the clock waits some seconds longer.
        for (let run = 0; run < (answersAll ? 2 : 1); run += 1) {
          await line.clock.advance(120_000);
          forgetPassed();
          await runs[chance.pick(Object.keys(runs))]!();
          const nowMs = line.clock.monotonicMs();
          for (const key of line.kafka.told()) {
            const where = `round ${round}, ${key}`;
            assert.ok(!isSilent(key), `${where} was notified while it was acknowledged`);
            const sinceMs = nowMs - (deliveredMs.get(key) ?? Number.NEGATIVE_INFINITY);
            assert.ok(silenced.has(key) || sinceMs >= dayMs, `${where} was notified again after ${sinceMs / hourMs} h`);
            if (sinceMs < dayMs) counts.endedSilences += 1;
            silenced.delete(key);
            deliveredMs.set(key, nowMs);
          }
          for (const key of present) if (isSilent(key)) silenced.add(key);
        }
        for (const key of answersAll ? present.filter((one) => !isSilent(one)) : []) {
          const where = `round ${round}, ${key}`;
          assert.ok(!silenced.has(key), `${where} was not notified at the end of its silence`);
          const sinceMs = line.clock.monotonicMs() - (deliveredMs.get(key) ?? Number.NEGATIVE_INFINITY);
          assert.ok(sinceMs < dayMs + setBackMs, `${where} was lost`);
        }
      }
    }));
}
test('the histories above had silences that ended a cooldown', () => assert.ok(counts.endedSilences > 0));
