/**
 * Messages that waited: looked at again before they go out for the first time, composed from what is true then, and from then on repeated
 * as they are. Windows count from that attempt.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createCrashingTelemetry,
  dayMs,
  failure,
  hourMs,
  passPauses,
  policiesOf,
  reportOf,
  type Timeline,
  type TimelineOptions,
  testCluster,
  testOrg,
  testSettings,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { retireCluster } from '../../platform/records/clusters.ts';
import type { DeliveryResult } from './ports.ts';
import { readExplanation } from './store/explain.ts';

const away: DeliveryResult = { kind: 'retry', error: failure('AWAY'), afterMs: 0 };
const lost: DeliveryResult = { kind: 'unknown', error: failure('ANSWER_LOST'), afterMs: 0 };
const accepted: DeliveryResult = { kind: 'delivered', detail: '' };
const bothTargets = { targets: ['notification-backend', 'service-log'] } as const;

/** The reports are decided and their messages wait: the receivers are away. */
async function waiting(
  options: TimelineOptions,
  reports: readonly string[],
  check: (line: Timeline) => Promise<void>,
): Promise<void> {
  await withTimeline(options, async (line) => {
    line.kafka.answer = () => away;
    line.serviceLog.answer = () => away;
    for (const report of reports) await line.store(report);
    await line.run();
    line.kafka.answer = () => accepted;
    line.serviceLog.answer = () => accepted;
    await line.clock.advance(hourMs);
    await check(line);
  });
}

async function outbox(line: Timeline) {
  const { rows } = await line.database.query<{
    id: string;
    state: string;
    error_text: string | null;
    attempts: number;
  }>('SELECT id, state, error_text, attempts FROM ccx.notification_outbox ORDER BY decided_at, id');
  return rows;
}

const timestampOf = (body: string) => (JSON.parse(body) as { timestamp: string }).timestamp;

test('39 messages whose issue is gone when the receiver is back are withdrawn, and none goes out', () =>
  withTimeline(bothTargets, async (line) => {
    line.kafka.answer = () => away;
    line.serviceLog.answer = () => away;
    const clusters = Array.from({ length: 13 }, (_, index) => `cluster-${index}`);
    for (const cluster of clusters) await line.store(reportOf('CRITICAL', 'IMPORTANT'), { cluster });
    await line.run();
    assert.deepEqual(await line.outboxStates(), { pending: 39 });
    line.kafka.answer = () => accepted;
    line.serviceLog.answer = () => accepted;
    await line.clock.advance(hourMs);
    for (const cluster of clusters) await line.store(reportOf(), { cluster });
    const run = await line.run();
    assert.deepEqual([line.kafka.told(), line.serviceLog.told()], [[], []]);
    assert.equal(run.withdrawn, 39);
    assert.deepEqual(await line.outboxStates(), { withdrawn: 39 });
    assert.deepEqual(new Set((await outbox(line)).map(({ error_text }) => error_text)), new Set(['gone']));
    const ledger = await line.ledger();
    assert.deepEqual(
      new Set(ledger.map(({ state, reason, closed }) => `${state} ${reason} ${closed}`)),
      new Set(['open gone true']),
    );
    await line.clock.advance(hourMs);
    for (const cluster of clusters) await line.store(reportOf('CRITICAL'), { cluster });
    assert.deepEqual((await line.run()).decisions, { new: 26 }, 'no cooldown was started');
  }));

test('what is left of a message goes out under its id, composed anew', () =>
  waiting({}, [reportOf('CRITICAL', 'MODERATE')], async (line) => {
    const [before] = await outbox(line);
    const at = await line.store(reportOf('MODERATE').replace('{"of":"MODERATE"}', '{"of":"now"}'));
    await line.run();
    const [message] = line.kafka.arrived;
    assert.equal(message!.id, before!.id);
    assert.deepEqual((JSON.parse(message!.body) as { issues: unknown }).issues, [['MODERATE', '{"of":"now"}']]);
    assert.deepEqual(
      (await line.ledger()).map(({ key, state, reason }) => [key, state, reason]),
      [
        ['CRITICAL', 'open', 'gone'],
        ['MODERATE', 'notified', 'pending'],
      ],
    );
    const { rows } = await line.database.query<{ updated_at: string; report: string }>(
      'SELECT updated_at, report FROM reported WHERE state = 1',
    );
    assert.deepEqual(rows, [
      {
        updated_at: at.replace(/\.?0+$/, ''),
        report: reportOf('MODERATE').replace('{"of":"MODERATE"}', '{"of":"now"}'),
      },
    ]);
    const { rows: stored } = await line.database.query<{ body: string }>('SELECT body FROM ccx.notification_outbox');
    assert.equal(stored[0]!.body, message!.body, 'what went out is stored');
  }));

test('of a message that is withdrawn for several reasons each issue has its own', () =>
  waiting({}, [reportOf('CRITICAL', 'MODERATE')], async (line) => {
    await line.store(reportOf('MODERATE'));
    line.configure({ policies: policiesOf({ totalRiskThreshold: 3 }) });
    await line.run();
    assert.deepEqual(
      (await outbox(line)).map(({ state, error_text }) => [state, error_text]),
      [['withdrawn', 'below-threshold, gone']],
    );
    assert.deepEqual(
      (await line.ledger()).map(({ key, reason }) => [key, reason]),
      [
        ['CRITICAL', 'gone'],
        ['MODERATE', 'below-threshold'],
      ],
    );
  }));

test('in Service Log the entry of an issue that is gone is withdrawn, the other goes out with the newest details', () =>
  waiting({ targets: ['service-log'] }, [reportOf('CRITICAL', 'IMPORTANT')], async (line) => {
    await line.store(reportOf('IMPORTANT').replace('{"of":"IMPORTANT"}', '{"of":"now"}'));
    await line.run();
    assert.deepEqual(line.serviceLog.told(), ['IMPORTANT']);
    assert.match(line.serviceLog.arrived[0]!.body, /now/);
    assert.deepEqual(await line.outboxStates(), { delivered: 1, withdrawn: 1 });
    assert.deepEqual(
      (await line.reported()).map(({ state }) => state),
      [4, 1],
    );
  }));

const fallsOut: Record<string, { readonly happens: (line: Timeline) => Promise<unknown>; readonly reason: string }> = {
  'its rule is disabled for the cluster': {
    happens: async (line) => line.disable([[{ scope: testCluster, rule: 'test_rule', errorKey: 'CRITICAL' }], []]),
    reason: 'disabled-by-cluster',
  },
  'its rule is disabled for the organization': {
    happens: async (line) => line.disable([[], [{ scope: String(testOrg), rule: 'test_rule', errorKey: 'CRITICAL' }]]),
    reason: 'disabled-by-org',
  },
  'its rule is acknowledged for the cluster': {
    happens: (line) => line.acknowledge(),
    reason: 'disabled-by-cluster',
  },
  'its rule is acknowledged for the organization': {
    happens: (line) => line.acknowledge({ cluster: null, errorKey: null }),
    reason: 'disabled-by-org',
  },
  'the threshold is raised': {
    happens: async (line) => line.configure({ policies: policiesOf({ totalRiskThreshold: 5 }) }),
    reason: 'below-threshold',
  },
  'the tags no longer fit': {
    happens: async (line) => line.configure({ policies: policiesOf({ tagFilterEnabled: true, tags: ['other'] }) }),
    reason: 'filtered-by-tag',
  },
  'the content no longer knows it': {
    happens: async (line) => line.setRisks({ MODERATE: { risk: 2 } }),
    reason: 'content-missing',
  },
  'its cluster is blocked': {
    happens: async (line) =>
      line.configure({
        clusters: { allowOnly: false, allowed: new Set(), block: true, blocked: new Set([testCluster]) },
      }),
    reason: 'cluster-not-allowed',
  },
  'the newest report is without it': { happens: (line) => line.store(reportOf('MODERATE')), reason: 'gone' },
  'the newest report is empty': { happens: (line) => line.store('{"reports":[]}'), reason: 'gone' },
  'the newest report is of another organization': {
    happens: (line) => line.store(reportOf('CRITICAL'), { orgId: 5 }),
    reason: 'cluster-moved',
  },
  'its cluster is retired': {
    happens: (line) =>
      retireCluster(
        line.database,
        { cluster: testCluster, nowMicros: line.clock.nowMicros() },
        { actor: 'ada', origin: '' },
      ),
    reason: 'cluster-retired',
  },
  'there is no report any more': {
    happens: (line) => line.database.query('TRUNCATE new_reports CASCADE'),
    reason: 'report-removed',
  },
};
for (const [what, { happens, reason }] of Object.entries(fallsOut)) {
  test(`a message is withdrawn, with the reason, when ${what}`, () =>
    waiting({}, [reportOf('CRITICAL')], async (line) => {
      const [before] = await outbox(line);
      await happens(line);
      const run = await line.run();
      assert.equal(run.withdrawn, 1);
      const after = (await outbox(line)).find(({ id }) => id === before!.id);
      assert.deepEqual([after!.state, after!.error_text], ['withdrawn', reason]);
      assert.ok(line.kafka.arrived.every(({ id }) => id !== before!.id));
      const issue = (await readExplanation(line.database, testCluster)).issues.find(
        ({ org_id, error_key }) => org_id === testOrg && error_key === 'CRITICAL',
      );
      assert.equal(issue!.state, 'open');
    }));
}

for (const [how, decides] of [
  ['before any decision saw its row', async () => undefined],
  ['and a decision took its row in', async (line: Timeline) => void (await line.store(reportOf('CRITICAL')))],
] as const) {
  test(`what somebody else notified while the message waited is not notified again, ${how}`, () =>
    waiting({}, [reportOf('CRITICAL')], async (line) => {
      await line.storeSent(reportOf('CRITICAL'), { hoursAgo: 0.5 });
      await decides(line);
      await line.run();
      assert.deepEqual(line.kafka.told(), []);
      assert.equal((await outbox(line))[0]!.error_text, 'already-notified');
      await line.run();
      assert.deepEqual(
        (await line.ledger()).map(({ state, reason }) => [state, reason]),
        [['notified', 'already-notified']],
      );
      await line.clock.advance(dayMs);
      await line.run();
      assert.deepEqual(line.kafka.told(), ['CRITICAL'], 'behind the cooldown of that row');
    }));
}

test('of what somebody else notified the rest goes out; rows older than the cooldown and of the other target say nothing', () =>
  waiting(bothTargets, [reportOf('CRITICAL', 'IMPORTANT')], async (line) => {
    await line.storeSent(reportOf('CRITICAL'), { hoursAgo: 0.5 });
    await line.storeSent(reportOf('IMPORTANT'), { hoursAgo: 25 });
    await line.run();
    assert.deepEqual([line.kafka.told(), line.serviceLog.told().sort()], [['IMPORTANT'], ['CRITICAL', 'IMPORTANT']]);
  }));

test('after the clock was set back a message that was decided before is looked at again', () =>
  waiting({}, [reportOf('CRITICAL')], async (line) => {
    line.clock.setNow(new Date(line.clock.now().getTime() - 3 * hourMs));
    line.configure({ policies: policiesOf({ totalRiskThreshold: 5 }) });
    await line.run();
    await line.clock.advance(hourMs / 60);
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    assert.deepEqual(await line.outboxStates(), { withdrawn: 1 });
  }));

test('a newest report that cannot be read says nothing: the message goes out as it was decided', () =>
  waiting({}, [reportOf('CRITICAL')], async (line) => {
    await line.store('no report');
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('an issue whose message is withdrawn goes back to what it was before, whatever that was', async () => {
  const before: Record<string, (line: Timeline) => Promise<unknown>> = {
    open: async () => undefined,
    notified: async (line) => {
      await line.run();
      await line.clock.advance(dayMs + 1);
    },
    removed: async (line) => {
      await line.run();
      await line.database.query('TRUNCATE reported');
    },
    dead: async (line) => {
      line.kafka.answer = () => ({ kind: 'rejected', error: failure('REFUSED') });
      await line.run();
      await line.clock.advance(dayMs + 1);
    },
    unknown: async (line) => {
      line.kafka.answer = () => lost;
      await line.run();
      await line.clock.advance(20 * hourMs + 1);
      await line.run();
      await line.clock.advance(dayMs + 1);
    },
  };
  for (const [state, happens] of Object.entries(before)) {
    await withTimeline({}, async (line) => {
      await line.store(reportOf('CRITICAL'));
      await happens(line);
      const clock = async () =>
        (
          await line.database.query<{ clock: string | null; told: string | null }>(
            'SELECT clock_at AS clock, last_notified_at AS told FROM ccx.notification_ledger',
          )
        ).rows[0];
      const clockBefore = state === 'open' ? undefined : await clock();
      line.kafka.answer = () => away;
      await line.run();
      assert.equal((await line.ledger())[0]!.state, 'pending', state);
      line.kafka.answer = () => accepted;
      const arrived = line.kafka.arrived.length;
      await line.store(reportOf());
      await line.clock.advance(hourMs);
      await line.run();
      assert.equal(line.kafka.arrived.length, arrived, state);
      assert.deepEqual(
        (await line.ledger()).map((issue) => [issue.state, issue.closed]),
        [[state, true]],
      );
      if (state !== 'open') assert.deepEqual(await clock(), clockBefore, state);
    });
  }
});

test('from the first attempt that may have arrived the bytes stay, whatever happens to the issue', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => lost;
    await line.store(reportOf('CRITICAL', 'MODERATE'));
    await line.run();
    line.disable([[{ scope: testCluster, rule: 'test_rule', errorKey: 'MODERATE' }], []]);
    await line.store(reportOf());
    await line.clock.advance(hourMs);
    line.kafka.answer = () => accepted;
    await line.run();
    assert.equal(line.kafka.attempts.length, 2);
    assert.deepEqual(line.kafka.attempts[1]!.notification, line.kafka.attempts[0]!.notification);
    assert.equal(line.kafka.attempts[1]!.mayHaveArrived, true);
  }));

test('an attempt that certainly did not arrive freezes nothing: the issue that goes then is not notified', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => away;
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.clock.advance(hourMs);
    await line.run();
    assert.equal(line.kafka.attempts.length, 2);
    await line.store(reportOf());
    await line.clock.advance(hourMs);
    await line.run();
    assert.equal(line.kafka.attempts.length, 2);
    assert.deepEqual(await line.outboxStates(), { withdrawn: 1 });
  }));

test('the time in the body is that of the first attempt, also for what was held back, and stays', () =>
  withTimeline({ settings: { firstRun: { messagesMax: 1, everyMs: hourMs } } }, async (line) => {
    for (const cluster of ['a', 'b']) await line.store(reportOf('CRITICAL'), { cluster });
    await line.run();
    await line.clock.advance(hourMs + 1);
    const before = line.clock.now();
    line.kafka.answer = () => away;
    await line.run();
    line.kafka.answer = () => accepted;
    const [, held] = line.kafka.attempts;
    const first = new Date(timestampOf(held!.notification.body)).getTime();
    assert.ok(first - before.getTime() < 1_000 && first >= before.getTime(), `${first} at ${before.getTime()}`);
    await line.clock.advance(hourMs);
    await line.run();
    assert.equal(line.kafka.attempts[2]!.notification.body, held!.notification.body);
  }));

test('F22: the retry window counts from the first attempt: held back for longer than it, a message is tried all the same', () =>
  withTimeline({ settings: { firstRun: { messagesMax: 1, everyMs: 5 * dayMs } } }, async (line) => {
    for (const cluster of ['a', 'b']) await line.store(reportOf('CRITICAL'), { cluster });
    await line.run();
    await line.clock.advance(5 * dayMs + 1);
    line.kafka.answer = (attempt) => (attempt.notification.cluster === 'b' ? away : accepted);
    await line.run();
    await line.clock.advance(testSettings().delivery.retryWindowMs - hourMs);
    await line.run();
    assert.equal((await line.outboxStates())['dead'], undefined);
    await line.clock.advance(2 * hourMs);
    await line.run();
    assert.equal((await line.outboxStates())['dead'], 1);
  }));

test('a message that ran out of time and is not due any more is withdrawn, and lists nothing as dead', () =>
  waiting({}, [reportOf('CRITICAL')], async (line) => {
    await line.store(reportOf());
    await line.clock.advance(testSettings().delivery.retryWindowMs + hourMs);
    await line.run();
    assert.deepEqual(await line.outboxStates(), { withdrawn: 1 });
  }));

test('neither does a pause count towards the retry window', () =>
  withTimeline({}, async (line) => {
    const { retryWindowMs } = testSettings().delivery;
    line.kafka.answer = () => ({ kind: 'paused', error: failure('LIMITED'), afterMs: 2 * retryWindowMs });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.clock.advance(2 * retryWindowMs + hourMs);
    line.kafka.answer = () => accepted;
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('F22: the 20 hours of an unknown outcome count from the first attempt, not from the decision', () =>
  withTimeline({ settings: { firstRun: { messagesMax: 1, everyMs: 19 * hourMs } } }, async (line) => {
    for (const cluster of ['a', 'b']) await line.store(reportOf('CRITICAL'), { cluster });
    await line.run();
    await line.clock.advance(19 * hourMs + 1);
    line.kafka.answer = () => lost;
    const attempts = () => line.kafka.attempts.filter(({ notification }) => notification.cluster === 'b').length;
    await line.run();
    await line.clock.advance(19 * hourMs);
    await line.run();
    assert.equal(attempts(), 2, 'tried again, 38 h after the decision');
    await line.clock.advance(2 * hourMs);
    await line.run();
    assert.equal(attempts(), 2, '21 h after the first attempt it is only listed');
  }));

test('a message whose process died before anything was sent is looked at again; behind that it is repeated as it was', async () => {
  await withTimeline({}, async (line) => {
    line.kafka.answer = () => away;
    await line.store(reportOf('CRITICAL'));
    await line.run();
    // A claim that ended with its process before the message was looked at.
    await line.database.query(
      `UPDATE ccx.notification_outbox SET state = 'claimed', lease_token = $1, untried_lease = $1, attempts = attempts + 1`,
      [line.clock.uuid()],
    );
    line.kafka.answer = () => accepted;
    await line.store(reportOf());
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    assert.deepEqual(await line.outboxStates(), { withdrawn: 1 });
  });
  await withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL'));
    const service = await line.another({}, createCrashingTelemetry('notification-attempted'));
    await assert.rejects(service.runOnce());
    await line.store(reportOf());
    await line.clock.advance(testSettings().delivery.leaseMs + 1);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL'], 'it may have been sent, so it is repeated');
  });
});

test('G25: a claim that an older release left may have been sent', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => away;
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.database.query(
      `UPDATE ccx.notification_outbox SET state = 'claimed', lease_token = $1, untried_lease = NULL, first_attempt_at = NULL`,
      [line.clock.uuid()],
    );
    line.kafka.answer = () => accepted;
    await line.store(reportOf());
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    assert.equal(line.kafka.attempts.at(-1)!.mayHaveArrived, true);
  }));

test('a text that cannot be rendered at the first attempt is no attempt: it waits, and nothing is sent', () =>
  waiting({ targets: ['service-log'] }, [reportOf('CRITICAL')], async (line) => {
    line.serviceLog.composing = async () => {
      throw failure('RENDERER_AWAY');
    };
    await line.store(reportOf('CRITICAL'));
    const attempts = line.serviceLog.attempts.length;
    await passPauses(line, line.run());
    assert.equal(line.serviceLog.attempts.length, attempts);
    assert.match((await outbox(line))[0]!.error_text!, /as the test wants it/);
    line.serviceLog.composing = undefined;
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(line.serviceLog.told(), ['CRITICAL']);
  }));
