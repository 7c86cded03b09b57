/** Follow mode: a stored report is told without being asked for, and `reported` gets a row for new reports only. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  dayMs,
  failure,
  hourMs,
  nextEvent,
  reportOf,
  type Timeline,
  type TimelineOptions,
  testOrg,
  testSettings,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { CHANNEL_REPORT_STORED } from '../../contracts/tables.ts';
import { leaseMarginMs } from './limits.ts';
import type { NotificationService } from './service.ts';

async function following(
  options: TimelineOptions,
  tell: (line: Timeline, service: NotificationService) => Promise<void>,
): Promise<void> {
  await withTimeline({ ...options, settings: { mode: 'follow', ...options.settings } }, async (line) => {
    const finished = nextEvent('run-finished');
    const service = await line.another();
    await finished;
    await asleep(line);
    await tell(line, service);
  });
}

/** Waits for the cycle that the work sets off, until the service sleeps again. */
async function cycle(line: Timeline, work: () => Promise<unknown>): Promise<void> {
  const finished = nextEvent('run-finished');
  await work();
  await finished;
  await asleep(line);
}

/** Each claimed batch is watched for the end of its lease, which is no pause of the service. */
const leaseWatchMs = testSettings().delivery.leaseMs - leaseMarginMs;

async function asleep(line: Timeline): Promise<void> {
  while ((await line.clock.nextSleep()) === leaseWatchMs);
}

async function storeAndHint(line: Timeline, report: string): Promise<void> {
  await line.store(report);
  await line.database.query(`NOTIFY ${CHANNEL_REPORT_STORED}`);
}

test('a hint sets off a cycle, a repeated report leaves one row more, and time alone leaves none', () =>
  following({}, async (line) => {
    await cycle(line, () => storeAndHint(line, reportOf('CRITICAL')));
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    await cycle(line, () => storeAndHint(line, reportOf('CRITICAL')));
    await cycle(line, () => line.clock.advance(10_000));
    await cycle(line, () => line.clock.advance(10_000));
    assert.deepEqual(line.kafka.told(), []);
    assert.deepEqual(
      (await line.reported()).map(({ state }) => state),
      [1, 2],
    );
  }));

test('without a hint polling finds the report', () =>
  following({}, async (line) => {
    await line.store(reportOf('CRITICAL'));
    await cycle(line, () => line.clock.advance(10_000));
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('the end of a cooldown is told at its moment, from the old report, with a row of its own', () =>
  following({ settings: { follow: { pollMs: 100 * dayMs, minGapMs: 0, fullSweepMs: 100 * dayMs } } }, async (line) => {
    await cycle(line, () => storeAndHint(line, reportOf('CRITICAL')));
    await line.clock.advance(dayMs - 1_000);
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    await cycle(line, () => line.clock.advance(1_001));
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    assert.deepEqual(
      (await line.reported()).map(({ state }) => state),
      [1, 1],
    );
  }));

test('a failed delivery is retried with back-off, and leaves no row before it is final', () =>
  following({ targets: ['service-log'] }, async (line) => {
    line.serviceLog.answer = () => ({ kind: 'retry', error: failure(), afterMs: 5_000 });
    await cycle(line, () => storeAndHint(line, reportOf('CRITICAL')));
    assert.equal(line.serviceLog.attempts.length, 1);
    assert.deepEqual(await line.reported(), []);
    line.serviceLog.answer = () => ({ kind: 'rejected', error: failure('REFUSED') });
    await cycle(line, () => line.clock.advance(5_001));
    const [row] = await line.reported();
    assert.deepEqual([row!.state, row!.errorLog.startsWith('REFUSED')], [4, true]);
    assert.equal(line.serviceLog.attempts.length, 2);
  }));

test('entries of one decision that are delivered later share its row', () =>
  following({ targets: ['service-log'] }, async (line) => {
    line.serviceLog.answer = ({ notification }) =>
      notification.issues[0]!.errorKey === 'CRITICAL'
        ? { kind: 'retry', error: failure(), afterMs: 5_000 }
        : { kind: 'delivered', detail: '' };
    await cycle(line, () => storeAndHint(line, reportOf('CRITICAL', 'IMPORTANT')));
    line.serviceLog.answer = () => ({ kind: 'delivered', detail: '' });
    await cycle(line, () => line.clock.advance(5_001));
    assert.deepEqual(line.serviceLog.told(), ['CRITICAL', 'IMPORTANT']);
    assert.deepEqual(
      (await line.reported()).map(({ state }) => state),
      [1],
    );
  }));

test('it is idle when everything is told, and not while something waits', () =>
  following({}, async (line, service) => {
    assert.equal(await service.idle(), true);
    await line.store(reportOf('CRITICAL'));
    assert.equal(await service.idle(), false);
    line.kafka.answer = () => ({ kind: 'retry', error: failure(), afterMs: 0 });
    await cycle(line, () => line.clock.advance(10_000));
    assert.equal(await service.idle(), false);
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await cycle(line, () => line.clock.advance(10_000));
    assert.equal(await service.idle(), true);
    assert.equal(service.summary?.delivered, 1);
  }));

test('a cycle that fails says so in readiness, and the next one makes good', () =>
  following({}, async (line, service) => {
    assert.deepEqual(await service.readiness(), { ready: true, reasons: [] });
    await line.database.query('ALTER TABLE new_reports RENAME TO hidden');
    const failed = nextEvent('run-failed');
    await line.clock.advance(10_000);
    await failed;
    await asleep(line);
    assert.match((await service.readiness()).reasons[0]!, /last run failed/);
    await line.database.query('ALTER TABLE hidden RENAME TO new_reports');
    await line.store(reportOf('CRITICAL'));
    await cycle(line, () => line.clock.advance(10_000));
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    assert.equal((await service.readiness()).ready, true);
  }));

test('G9: while the content cannot be renewed the last good one is used', () =>
  following({}, async (line) => {
    line.failContent(true);
    const told = nextEvent('content-unavailable');
    await cycle(line, () => storeAndHint(line, reportOf('CRITICAL')));
    assert.deepEqual((await told).fields, { code: 'CONTENT_UNAVAILABLE', known: true });
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('a full sweep finds what the recent reports do not show', () =>
  following({ settings: { follow: { pollMs: 10_000, minGapMs: 0, fullSweepMs: hourMs } } }, async (line) => {
    await line.store(reportOf('IMPORTANT'), { cluster: 'of another writer' });
    await cycle(line, () => line.clock.advance(10_000));
    line.kafka.told();
    await line.store(reportOf('CRITICAL'), { at: '2026-11-20 00:00:00' });
    await cycle(line, () => line.clock.advance(10_000));
    assert.deepEqual(line.kafka.told(), [], 'stored with an old time, as a writer with a wrong clock would');
    await cycle(line, () => line.clock.advance(hourMs));
    await cycle(line, () => line.clock.advance(10_000));
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('who empties reported gets everything once more, without a sweep', () =>
  following({}, async (line) => {
    await cycle(line, () => storeAndHint(line, reportOf('CRITICAL')));
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    await line.database.query('TRUNCATE reported');
    await passUntil(line, 20 * 60_000, () => line.kafka.arrived.length > 1);
    await cycle(line, () => line.clock.advance(10_000));
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('a run that is asked for takes its turn between two cycles', () =>
  following({ settings: { delivery: testSettings().delivery } }, async (line, service) => {
    await line.store(reportOf('CRITICAL'));
    await Promise.all([service.runOnce(), service.runOnce()]);
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

/** Full sweeps never come by themselves here. */
const noSweeps = { follow: { pollMs: 10_000, minGapMs: 0, fullSweepMs: 100 * dayMs } };

for (const stepMs of [-2 * hourMs, 2 * hourMs]) {
  const direction = stepMs < 0 ? 'back' : 'forward';

  test(`F24: after a step of the clock by two hours ${direction} a report is told at the next look, for as long as the process lives`, () =>
    following({ settings: noSweeps }, async (line, service) => {
      await cycle(line, () => storeAndHint(line, reportOf('CRITICAL')));
      assert.deepEqual(line.kafka.told(), ['CRITICAL']);
      line.clock.setNow(new Date(line.clock.now().getTime() + stepMs));
      const stepped = nextEvent('clock-stepped');
      await line.store(reportOf('CRITICAL', 'MODERATE'), { cluster: 'first-after', at: wallText(line) });
      await cycle(line, () => line.clock.advance(10_000));
      assert.ok(Math.abs(Number((await stepped).fields['seconds']) - stepMs / 1_000) <= 1);
      assert.deepEqual(line.kafka.told(), ['CRITICAL', 'MODERATE']);
      for (const cluster of ['second-after', 'third-after']) {
        await cycle(line, () => line.clock.advance(60_000));
        await line.store(reportOf('IMPORTANT'), { cluster, at: wallText(line) });
        await cycle(line, () => line.clock.advance(10_000));
        assert.deepEqual(line.kafka.told(), ['IMPORTANT'], cluster);
      }
      assert.equal((await service.readiness()).ready, true);
    }));

  test(`F24: after a step of the clock by two hours ${direction} neither a retry nor the end of a cooldown is late`, () =>
    following({ settings: noSweeps }, async (line) => {
      await cycle(line, () => storeAndHint(line, reportOf('CRITICAL')));
      assert.deepEqual(line.kafka.told(), ['CRITICAL']);
      line.kafka.answer = () => ({ kind: 'retry', afterMs: 60_000, error: failure() });
      await line.store(reportOf('MODERATE'), { cluster: 'to-be-retried' });
      await cycle(line, () => line.database.query(`NOTIFY ${CHANNEL_REPORT_STORED}`));
      line.kafka.answer = () => ({ kind: 'delivered', detail: 'accepted' });
      line.clock.setNow(new Date(line.clock.now().getTime() + stepMs));
      await passUntil(line, 2 * 60_000, () => line.kafka.arrived.length > 1);
      assert.deepEqual(line.kafka.told(), ['MODERATE']);
      // Its cooldown of a day began before the step.
      await passUntil(line, dayMs, () => line.kafka.arrived.length > 2);
      assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    }));
}

test('reports of writers whose clocks are hours behind are found without a step and without a sweep', () =>
  following({ settings: noSweeps }, async (line) => {
    const behind = new Date(line.clock.now().getTime() - 5 * hourMs);
    const at = (minutes: number) =>
      new Date(behind.getTime() + minutes * 60_000).toISOString().replace('T', ' ').slice(0, -1);
    await line.store(reportOf('CRITICAL'), { cluster: 'one', at: at(0) });
    await cycle(line, () => line.clock.advance(10_000));
    line.kafka.told();
    await line.store(reportOf('MODERATE'), { cluster: 'two', at: at(1) });
    await cycle(line, () => line.clock.advance(10_000));
    assert.deepEqual(line.kafka.told(), ['MODERATE']);
  }));

test('a report that its transaction stores a minute late is found without a sweep', () =>
  following({ settings: noSweeps }, async (line) => {
    const ending = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const late = line.database.transaction(async (tx) => {
      await tx.query(
        `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at) VALUES ($1, 7, 'late', $2, $3::timestamp)`,
        [testOrg, reportOf('MODERATE'), wallText(line)],
      );
      begun.resolve();
      await ending.promise;
    });
    await begun.promise;
    for (let seconds = 0; seconds < 60; seconds += 10) {
      await cycle(line, () => line.clock.advance(10_000));
      await cycle(line, () => storeAndHint(line, reportOf('CRITICAL')));
    }
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    ending.resolve();
    await late;
    await passUntil(line, 5 * 60_000, () => line.kafka.arrived.length > 1);
    assert.deepEqual(line.kafka.told(), ['MODERATE']);
  }));

test('of two writers whose clocks are apart the one behind is waited for once, and not again', () =>
  following({ settings: noSweeps }, async (line) => {
    const behind = (seconds: number) =>
      new Date(line.clock.now().getTime() - seconds * 1000).toISOString().replace('T', ' ').slice(0, -1);
    await cycle(line, () => storeAndHint(line, reportOf('CRITICAL')));
    await line.store(reportOf('MODERATE'), { cluster: 'first', at: behind(40) });
    await cycle(line, () => line.database.query(`NOTIFY ${CHANNEL_REPORT_STORED}`));
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    await passUntil(line, 5 * 60_000, () => line.kafka.arrived.length > 1);
    assert.deepEqual(line.kafka.told(), ['MODERATE']);
    await cycle(line, () => storeAndHint(line, reportOf('CRITICAL')));
    await line.store(reportOf('MODERATE'), { cluster: 'second', at: behind(40) });
    await cycle(line, () => line.database.query(`NOTIFY ${CHANNEL_REPORT_STORED}`));
    assert.deepEqual(line.kafka.told(), ['MODERATE'], 'at once');
  }));

test('F24: a service that starts after the clock was set back moves along what lies ahead', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL'));
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    line.clock.setNow(new Date(line.clock.now().getTime() - 2 * hourMs));
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    await line.clock.advance(dayMs - 60_000);
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    await line.clock.advance(2 * 60_000);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL'], 'a day after it was told, as far as anybody can know');
  }));

test('a process that sees two steps of the clock as one moves what others wrote between them once', () =>
  withTimeline({}, async (line) => {
    const seldom = await line.another();
    await seldom.runOnce();
    line.clock.setNow(new Date(line.clock.now().getTime() - 30 * hourMs));
    await line.store(reportOf('CRITICAL'), { at: wallText(line) });
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    line.clock.setNow(new Date(line.clock.now().getTime() - 5 * hourMs));
    await seldom.runOnce();
    await line.clock.advance(dayMs - 60_000);
    await seldom.runOnce();
    assert.deepEqual(line.kafka.told(), []);
    await line.clock.advance(2 * 60_000);
    await seldom.runOnce();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('processes that start together after the clock was set back move what lies ahead once', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL'));
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    line.clock.setNow(new Date(line.clock.now().getTime() - 30 * hourMs));
    const both = [await line.another(), await line.another(), await line.another()];
    await Promise.all(both.map((service) => service.runOnce()));
    await line.store(reportOf('CRITICAL', 'MODERATE'));
    await line.run();
    await line.clock.advance(dayMs - 60_000);
    await line.store(reportOf('CRITICAL'), { at: '2026-11-21 16:00:01' });
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    await line.clock.advance(2 * 60_000);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

/** As a writer stores it whose clock was set as well. */
function wallText(line: Timeline): string {
  return line.clock.now().toISOString().replace('T', ' ').slice(0, -1);
}

/** Moves time on, pause by pause of the service, until it holds; a failure when it does not within that time. */
async function passUntil(line: Timeline, withinMs: number, holds: () => boolean): Promise<void> {
  const untilMs = line.clock.monotonicMs() + withinMs;
  while (!holds()) {
    assert.ok(line.clock.monotonicMs() <= untilMs, `not within ${withinMs} ms`);
    await cycle(line, () => line.clock.advance(Math.max(10_000, withinMs / 100)));
  }
}
