/**
 * The service dies behind each of its effects, and a later run makes good: nothing is lost, a repeat carries the same id and the same
 * bytes, and what was certainly not sent is sent once. Then what else can go wrong between two effects: lost answers, two processes at
 * once, a process that wakes up after its lease (consumers.md 5.2).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createCrashingTelemetry,
  hourMs,
  passPauses,
  reportOf,
  type Timeline,
  testSettings,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';

const clusters = ['a', 'b', 'c'];
const bothTargets = ['notification-backend', 'service-log'] as const;

async function withReports(tell: (line: Timeline) => Promise<void>): Promise<void> {
  await withTimeline({ targets: bothTargets }, async (line) => {
    for (const cluster of clusters) await line.store(reportOf('CRITICAL', 'IMPORTANT'), { cluster });
    await tell(line);
  });
}

/** Everything was told, each issue of each cluster under one id; the books agree; and nothing more is told. */
async function assertSettled(line: Timeline): Promise<void> {
  for (const target of [line.kafka, line.serviceLog]) {
    const idsOf = new Map<string, Set<string>>();
    const bodyOf = new Map<string, string>();
    for (const { id, cluster, issues, body } of target.arrived) {
      assert.equal(bodyOf.get(id) ?? body, body);
      bodyOf.set(id, body);
      for (const { errorKey } of issues) {
        const ids = idsOf.get(`${cluster} ${errorKey}`) ?? new Set();
        idsOf.set(`${cluster} ${errorKey}`, ids.add(id));
      }
    }
    assert.deepEqual(
      [...idsOf.keys()].sort(),
      clusters.flatMap((cluster) => [`${cluster} CRITICAL`, `${cluster} IMPORTANT`]),
    );
    for (const [issue, ids] of idsOf) assert.equal(ids.size, 1, `${target.name} ${issue}`);
  }
  assert.deepEqual(await line.outboxStates(), { delivered: 9 });
  assert.ok((await line.ledger()).every(({ state }) => state === 'notified'));
  const sent = (await line.reported()).filter(({ state }) => state === 1);
  assert.equal(new Set(sent.map(({ cluster, target }) => `${cluster} ${target}`)).size, 6);
  const arrived = [line.kafka.arrived.length, line.serviceLog.arrived.length];
  await line.store(reportOf('CRITICAL', 'IMPORTANT'), { cluster: 'a' });
  await line.run();
  assert.deepEqual([line.kafka.arrived.length, line.serviceLog.arrived.length], arrived);
}

async function crashAndRestart(line: Timeline, event: string, nth: number): Promise<void> {
  const service = await line.another({}, createCrashingTelemetry(event, nth));
  await assert.rejects(service.runOnce(), { message: `crash at ${event} ${nth}` });
  await line.clock.advance(testSettings().delivery.leaseMs + 1);
  await line.run();
}

/** In the order of a run. What is behind the first attempt may have been sent when the process dies. */
const events = {
  'report-loaded': { timesSent: 1 },
  'issue-decided': { timesSent: 1 },
  'notification-enqueued': { timesSent: 1 },
  'notification-attempted': { timesSent: 2 },
  'notification-delivered': { timesSent: 2 },
  'outcome-recorded': { timesSent: 2 },
  'unsent-rows-written': { timesSent: 2 },
  'run-finished': { timesSent: 1 },
} as const;

for (const [event, { timesSent }] of Object.entries(events)) {
  test(`D2: after a death behind ${event} everything is told, and no repeat has another id`, async () => {
    for (const nth of event === 'run-finished' ? [1] : event === 'unsent-rows-written' ? [1, 2] : [1, 3]) {
      await withReports(async (line) => {
        await crashAndRestart(line, event, nth);
        const perId = Map.groupBy([...line.kafka.arrived, ...line.serviceLog.arrived], ({ id }) => id);
        for (const [id, messages] of perId)
          assert.ok(messages.length <= timesSent, `${id} was sent ${messages.length} times`);
        for (const target of [line.kafka, line.serviceLog]) {
          const attempted = new Set<string>();
          for (const { notification, mayHaveArrived } of target.attempts) {
            if (attempted.has(notification.id)) assert.equal(mayHaveArrived, true, 'a repeat is told to be one');
            attempted.add(notification.id);
          }
        }
        await assertSettled(line);
      });
    }
  });
}

test('F8: a commit whose answer is lost is neither done twice nor forgotten', async () => {
  for (let lost = 1; lost <= 4; lost += 1) {
    await withReports(async (line) => {
      const service = await line.another();
      line.faults.commitsLost = lost;
      await passPauses(line, service.runOnce());
      await line.clock.advance(testSettings().delivery.leaseMs + 1);
      await line.run();
      await assertSettled(line);
    });
  }
});

test('service Q25: runs that overlap share the work and send nothing twice', () =>
  withTimeline({ targets: bothTargets }, async (line) => {
    const names = Array.from({ length: 60 }, (_, index) => `cluster-${index}`);
    for (const cluster of names) await line.store(reportOf('CRITICAL', 'IMPORTANT'), { cluster });
    const delivery = { ...testSettings().delivery, claimMax: 7 };
    const services = await Promise.all([
      line.another({ delivery }),
      line.another({ delivery }),
      line.another({ delivery }),
    ]);
    await Promise.all(services.map((service) => service.runOnce()));
    await line.run();
    assert.equal(line.kafka.arrived.length, 60);
    assert.equal(line.serviceLog.arrived.length, 120);
    assert.equal(new Set(line.kafka.attempts.map(({ notification }) => notification.id)).size, 60);
    assert.equal(line.kafka.attempts.length, 60);
    const sent = (await line.reported()).filter(({ state, target }) => state === 1 && target === 1);
    assert.equal(sent.length, 60);
  }));

test('F7: a process that outlives its lease cannot record what another has taken over', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL'), { cluster: 'a' });
    const attempted = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    line.kafka.answer = async () => {
      attempted.resolve();
      await answer.promise;
      return { kind: 'delivered', detail: '' };
    };
    const slow = await line.another();
    const slowRun = slow.runOnce();
    await attempted.promise;
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await line.run();
    assert.equal(line.kafka.arrived.length, 0, 'the lease holds');
    await line.clock.advance(testSettings().delivery.leaseMs + 1);
    await line.run();
    assert.equal(line.kafka.arrived.length, 1);
    assert.equal(line.kafka.attempts.at(-1)!.mayHaveArrived, true);
    answer.resolve();
    await slowRun;
    assert.equal(new Set(line.kafka.arrived.map(({ id }) => id)).size, 1);
    assert.equal((await line.reported()).filter(({ state }) => state === 1).length, 1);
    assert.deepEqual(await line.outboxStates(), { delivered: 1 });
  }));

test('a stop during a batch finishes what is in flight and releases the rest untried', () =>
  withTimeline({ targets: ['service-log'] }, async (line) => {
    for (const cluster of ['a', 'b', 'c', 'd', 'e', 'f']) await line.store(reportOf('CRITICAL'), { cluster });
    const attempted = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    line.serviceLog.answer = async () => {
      attempted.resolve();
      await answer.promise;
      return { kind: 'delivered', detail: '' };
    };
    const service = await line.another();
    const running = service.runOnce();
    await attempted.promise;
    const stopping = service.stop();
    answer.resolve();
    await Promise.all([running, stopping]);
    assert.equal(line.serviceLog.arrived.length, 4, 'as many as were in flight');
    assert.deepEqual(await line.outboxStates(), { delivered: 4, pending: 2 });
    await line.run();
    assert.equal(line.serviceLog.arrived.length, 6);
    assert.ok(line.serviceLog.attempts.every(({ mayHaveArrived }) => !mayHaveArrived));
  }));

test('a target that throws has possibly sent', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => {
      throw new Error('a bug of the target');
    };
    await line.store(reportOf('CRITICAL'));
    await line.run();
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(
      line.kafka.attempts.map(({ mayHaveArrived }) => mayHaveArrived),
      [false, true],
    );
  }));
