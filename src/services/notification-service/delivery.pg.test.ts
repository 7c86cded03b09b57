/**
 * Who is tried, in which order, and when a run ends: an answer about one recipient stops nobody else, a target that is at fault is paused and
 * the pause is said, and no run waits for what nobody can take.
 */
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import {
  failure,
  hourMs,
  nextEvent,
  passPauses,
  reportOf,
  type Timeline,
  testSettings,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { createTestToken } from '../../../test/support/service-log-answers.ts';
import { listening } from '../../../test/support/test-server.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { leaseMarginMs } from './limits.ts';
import type { DeliveryAttempt, DeliveryResult, OutgoingNotification } from './ports.ts';
import { refusedRecipientsMin, unreachableMsMax } from './steps/deliver-notifications.ts';
import { nextDueMicros } from './store/reports.ts';
import { resultOfBusError } from './targets/kafka-target/kafka-target.ts';
import { createServiceLogTarget } from './targets/service-log-target/service-log-target.ts';

const accepted: DeliveryResult = { kind: 'delivered', detail: '' };
const serviceLogOnly = { targets: ['service-log'] } as const;

/** `bad-1` … and `good-1` …: in the order of their names the bad ones come first. */
const names = (kind: string, count: number) => Array.from({ length: count }, (_, index) => `${kind}-${index + 1}`);
const isBad = ({ notification }: Pick<DeliveryAttempt, 'notification'>) => notification.cluster.startsWith('bad');
const reached = (line: Timeline) => [...new Set(line.serviceLog.arrived.map(({ cluster }) => cluster))].sort();

/** A Service Log over HTTP that answers by cluster, with the real target in front of it. */
async function serveByCluster(
  t: TestContext,
  line: Timeline,
  answer: (response: ServerResponse, cluster: string) => void,
): Promise<{ readonly posts: string[] }> {
  const posts: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      response.setHeader('Content-Type', 'application/json');
      if (request.url === '/token') {
        response.end(JSON.stringify(createTestToken(line.clock)));
        return;
      }
      if (request.method === 'GET') {
        response.end('{"items":[]}');
        return;
      }
      const { cluster_uuid: cluster } = JSON.parse(body) as { cluster_uuid: string };
      posts.push(cluster);
      if (cluster.startsWith('bad')) answer(response, cluster);
      else response.writeHead(201).end(body);
    });
  });
  const { port, close } = await listening(server);
  const base = `http://127.0.0.1:${port}`;
  const constant = (value: string) => ({ setting: 'X', value: async () => value, reload: async () => value });
  const target = createServiceLogTarget(
    {
      ...{ url: `${base}/api/service_logs/v1/cluster_logs`, tokenUrl: `${base}/token`, timeoutMs: 1_500 },
      ...{ createdBy: '', username: '', ruleDetailsUri: '', rendererUrl: 'http://127.0.0.1:1' },
    },
    {
      clientId: constant('id'),
      clientSecret: constant('secret'),
      clock: line.clock,
      telemetry: createSilentTelemetry(),
    },
  );
  t.after(async () => {
    await target.close();
    close();
  });
  const compose = line.serviceLog.compose;
  Object.assign(line.serviceLog, {
    compose: async (...args: Parameters<typeof compose>) => (await compose(...args)).map(asEntry),
    reissue: target.reissue,
  });
  line.serviceLog.answer = (attempt) => target.deliver(attempt);
  return { posts };
}

function asEntry(notification: OutgoingNotification): OutgoingNotification {
  const body = JSON.stringify({
    ...{ cluster_uuid: notification.cluster, description: 'description', service_name: 'CCX Notification Service' },
    ...{ severity: 'Major', summary: 'summary', created_by: '', username: '', event_stream_id: notification.id },
  });
  return { ...notification, body };
}

const document = (status: number) =>
  `{"kind":"Error","id":"${status}","code":"SERVICE-LOGS-${status}","reason":"test"}`;
const answersOfOne: Record<string, (response: ServerResponse) => unknown> = {
  '403': (response) => response.writeHead(403).end(document(403)),
  '401': (response) => response.writeHead(401).end(document(401)),
  '404 with its document': (response) => response.writeHead(404).end(document(404)),
  '404 of something else': (response) => response.writeHead(404, { 'Content-Type': 'text/html' }).end('<html>'),
  '429 with a wait': (response) => response.writeHead(429, { 'Retry-After': '3' }).end(document(429)),
  '429 without one': (response) => response.writeHead(429).end(document(429)),
  '500': (response) => response.writeHead(500).end(document(500)),
  '502': (response) => response.writeHead(502).end('bad gateway'),
  '503': (response) => response.writeHead(503).end(document(503)),
  '302': (response) => response.writeHead(302, { Location: 'https://elsewhere.invalid/' }).end(),
  'no answer': () => undefined,
  'a connection that breaks': (response) => response.destroy(),
};
for (const [what, answer] of Object.entries(answersOfOne)) {
  test(`${what} for eight clusters of fourteen: the six others are told in the first run, and nothing is paused`, (t) =>
    withTimeline(serviceLogOnly, async (line) => {
      const delivery = { ...testSettings().delivery, concurrency: 8 };
      line.configure({ delivery });
      const { posts } = await serveByCluster(t, line, answer);
      for (const cluster of [...names('bad', 8), ...names('good', 6)])
        await line.store(reportOf('CRITICAL'), { cluster });
      const run = await line.run();
      const good = [...new Set(posts.filter((cluster) => cluster.startsWith('good')))].sort();
      assert.deepEqual(good, names('good', 6));
      assert.equal((await line.outboxStates())['delivered'], 6);
      assert.deepEqual(run.nothingDeliveredTo, []);
      const { rows } = await line.database.query('SELECT FROM ccx.notification_targets WHERE paused_until IS NOT NULL');
      assert.equal(rows.length, 0);
    }));
}

test('on Kafka a partition that takes no messages stops none of the others', () =>
  withTimeline({ settings: { delivery: { ...testSettings().delivery, concurrency: 8 } } }, async (line) => {
    // Topic, login and rights are those of all messages; a leader that is away, a record that is refused and an answer that is lost are not.
    for (const code of ['BUS_UNREACHABLE', 'BUS_RECORD_REFUSED', 'BUS_FAILED']) {
      const error = new CcxError('of one partition', { code, category: 'connection', retryable: true });
      line.kafka.answer = (attempt) => (isBad(attempt) ? resultOfBusError(error) : accepted);
      for (const cluster of [...names(`bad-${code}`, 8), ...names(`good-${code}`, 6)])
        await line.store(reportOf('CRITICAL'), { cluster: cluster.slice(0, 36) });
      await line.run();
      const good = line.kafka.arrived.filter(({ cluster }) => cluster.startsWith(`good-${code}`));
      assert.equal(good.length, 6, code);
      await line.clock.advance(hourMs);
    }
  }));

test('more refused recipients than a run tries cost the others a run and not their delivery', () =>
  withTimeline(serviceLogOnly, async (line) => {
    line.serviceLog.answer = (attempt) =>
      isBad(attempt) ? { kind: 'refused', error: failure('REFUSED'), afterMs: 300_000 } : accepted;
    line.serviceLog.isOver = async () => true;
    for (const cluster of [...names('bad', 25), ...names('good', 6)])
      await line.store(reportOf('CRITICAL'), { cluster });
    for (let run = 0; run < 4; run += 1) {
      await line.run();
      await line.clock.advance(hourMs);
    }
    assert.deepEqual(reached(line), names('good', 6));
  }));

test('the queue goes by the last attempt: who was not tried yet, or was tried longest ago, is first', () =>
  withTimeline(
    { settings: { delivery: { ...testSettings().delivery, concurrency: 1, claimMax: 2 } } },
    async (line) => {
      const order = () => line.kafka.attempts.map(({ notification }) => notification.cluster);
      line.kafka.answer = () => ({ kind: 'retry', error: failure(), afterMs: 0 });
      for (const cluster of ['a', 'b', 'c']) await line.store(reportOf('CRITICAL'), { cluster });
      await line.run();
      await line.clock.advance(hourMs);
      await line.store(reportOf('CRITICAL'), { cluster: '0' });
      await line.store(reportOf('CRITICAL'), { cluster: 'z' });
      await line.run();
      assert.deepEqual(order(), ['a', 'b', 'c', '0', 'z', 'a', 'b', 'c']);
    },
  ));

const refusals: Record<string, DeliveryResult> = {
  refused: { kind: 'refused', error: failure('REFUSED'), afterMs: hourMs },
  'rejected for its recipient': { kind: 'rejected', error: failure('NO_SUCH_CLUSTER'), pauseMs: hourMs },
};
for (const [what, result] of Object.entries(refusals)) {
  test(`F16, F17: every recipient is ${what}: the target is paused when several were, the rest is not tried and nothing more dies`, () =>
    withTimeline(serviceLogOnly, async (line) => {
      line.serviceLog.answer = () => result;
      const count = refusedRecipientsMin + 5;
      for (const cluster of names('bad', count)) await line.store(reportOf('CRITICAL'), { cluster });
      const paused = nextEvent('target-paused');
      const run = await line.run();
      assert.equal((await paused).fields['afterMs'], hourMs);
      const { concurrency } = testSettings().delivery;
      assert.ok(
        line.serviceLog.attempts.length < refusedRecipientsMin + concurrency,
        'what was in flight, and no more',
      );
      assert.ok(((await line.outboxStates())['dead'] ?? 0) < refusedRecipientsMin);
      assert.deepEqual(run.nothingDeliveredTo, ['service-log']);
      const tried = line.serviceLog.attempts.length;
      await line.run();
      assert.equal(line.serviceLog.attempts.length, tried, 'the pause holds for everybody');
    }));

  test(`one that went through shows that being ${what} is about the others`, () =>
    withTimeline(serviceLogOnly, async (line) => {
      let good = 0;
      line.configure({ delivery: { ...testSettings().delivery, concurrency: 1 } });
      const clusters = Array.from({ length: 3 * refusedRecipientsMin }, (_, index) => `cluster-${100 + index}`);
      const isGood = (cluster: string) => clusters.indexOf(cluster) % refusedRecipientsMin === refusedRecipientsMin - 1;
      line.serviceLog.answer = (attempt) => {
        if (!isGood(attempt.notification.cluster)) return result;
        good += 1;
        return accepted;
      };
      for (const cluster of clusters) await line.store(reportOf('CRITICAL'), { cluster });
      await line.run();
      assert.equal(line.serviceLog.attempts.length, clusters.length);
      assert.ok(good > 0);
    }));
}

test('a run says when nothing of what was due was delivered, and to which target', () =>
  withTimeline({ targets: ['notification-backend', 'service-log'] }, async (line) => {
    assert.deepEqual((await line.run()).nothingDeliveredTo, [], 'nothing to deliver');
    await line.store(reportOf('CRITICAL'));
    line.serviceLog.answer = () => ({ kind: 'unknown', error: failure(), afterMs: 0 });
    assert.deepEqual((await line.run()).nothingDeliveredTo, ['service-log']);
    line.serviceLog.answer = () => ({ kind: 'rejected', error: failure() });
    await line.clock.advance(hourMs);
    assert.deepEqual((await line.run()).nothingDeliveredTo, ['service-log'], 'refused for good');
    await line.clock.advance(hourMs);
    assert.deepEqual((await line.run()).nothingDeliveredTo, []);
    line.serviceLog.composing = async () => {
      throw failure('RENDERER_AWAY');
    };
    await line.store(reportOf('CRITICAL', 'IMPORTANT'));
    assert.deepEqual((await line.run()).nothingDeliveredTo, ['service-log'], 'not rendered');
  }));

test('a pause is said in every run, and ends as soon as its cause is over', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => ({ kind: 'paused', error: failure('NO_TOPIC'), afterMs: 10 * hourMs });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    for (let run = 0; run < 2; run += 1) {
      const said = nextEvent('target-still-paused');
      const { nothingDeliveredTo } = await line.run();
      assert.equal((await said).fields['code'], 'NO_TOPIC');
      assert.deepEqual(nothingDeliveredTo, ['notification-backend']);
    }
    assert.equal(line.kafka.attempts.length, 1);
    line.kafka.isOver = async (code) => code === 'NO_TOPIC';
    line.kafka.answer = () => accepted;
    await line.clock.advance(1_000);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

const leaseWatchMs = testSettings().delivery.leaseMs - leaseMarginMs;

/** Moves time over whatever the run sleeps for, a hanging target's answer included; fails when it goes round and round. */
async function pass(line: Timeline, work: Promise<unknown>, sleepsMax = 60): Promise<number[]> {
  const sleeps: number[] = [];
  const ended = work.then(() => undefined);
  for (;;) {
    const sleep = await Promise.race([ended, line.clock.nextSleep()]);
    if (sleep === undefined) return sleeps;
    // The watch over the lease is no pause.
    if (sleep === leaseWatchMs) continue;
    sleeps.push(sleep);
    if (sleeps.length > sleepsMax) {
      await line.clock.advance(2 * hourMs);
      await ended;
      assert.fail(`the run goes round: it slept ${sleeps.length} times`);
    }
    await line.clock.advance(sleep);
  }
}

const oneMinute = { ...testSettings().delivery, deadlineMs: 60_000 };

test('a target that hung for longer than a message is tried does not keep the run going round', () =>
  withTimeline({ targets: ['service-log'], settings: { delivery: oneMinute } }, async (line) => {
    line.serviceLog.answer = async (attempt) => {
      if (!isBad(attempt)) return { kind: 'retry', error: failure('BUSY'), afterMs: 0 };
      // The other has its answer before time moves.
      for (let turns = 0; turns < 20; turns += 1) await new Promise((resolve) => setImmediate(resolve));
      await line.clock.sleep(90_000);
      return { kind: 'unknown', error: failure('TIMEOUT'), afterMs: 0 };
    };
    for (const cluster of ['bad-1', 'good-1']) await line.store(reportOf('CRITICAL'), { cluster });
    const service = await line.another();
    const before = line.statements.count;
    await pass(line, service.runOnce());
    assert.ok(line.statements.count - before < 100, `${line.statements.count - before} statements`);
    assert.deepEqual(await line.outboxStates(), { pending: 1, unknown: 1 });
    const tries = line.serviceLog.attempts.filter((attempt) => !isBad(attempt)).length;
    assert.equal(tries, 2, 'it became due before its deadline, and waited in line for its second try');
  }));

test('a message that nobody may take before its deadline is nobody’s reason to wait, behind a pause too', () =>
  withTimeline({ settings: { delivery: oneMinute } }, async (line) => {
    line.kafka.answer = () => ({ kind: 'paused', error: failure('LIMITED'), afterMs: 59_999 });
    await line.store(reportOf('CRITICAL'));
    const service = await line.another();
    const sleeps = await pass(line, service.runOnce());
    assert.ok(sleeps.length < 10, String(sleeps));
  }));

test('who waits in line behind those that hang has a deadline of its own', () =>
  withTimeline({ targets: ['service-log'], settings: { delivery: oneMinute } }, async (line) => {
    const failed = new Set<string>();
    let hanging: Promise<void> | undefined;
    line.serviceLog.answer = async (attempt) => {
      if (isBad(attempt)) {
        hanging ??= line.clock.sleep(70_000);
        await hanging;
        return { kind: 'unknown', error: failure('TIMEOUT'), afterMs: 0 };
      }
      if (failed.has(attempt.notification.id)) return accepted;
      failed.add(attempt.notification.id);
      return { kind: 'retry', error: failure(), afterMs: 0 };
    };
    for (const cluster of [...names('bad', 4), ...names('good', 3)])
      await line.store(reportOf('CRITICAL'), { cluster });
    const service = await line.another();
    await pass(line, service.runOnce());
    assert.deepEqual(line.serviceLog.arrived.filter(({ cluster }) => cluster.startsWith('good')).length, 3);
  }));

test('who waits in line until the lease ends is taken again by the same run', () =>
  withTimeline({ settings: { delivery: oneMinute } }, async (line) => {
    line.kafka.answer = async (attempt) => {
      if (!isBad(attempt)) return accepted;
      await line.clock.sleep(200_000, attempt.signal).catch(() => undefined);
      return { kind: 'unknown', error: failure('TIMEOUT'), afterMs: 0 };
    };
    for (const cluster of [...names('bad', 4), ...names('good', 3)])
      await line.store(reportOf('CRITICAL'), { cluster });
    const service = await line.another();
    // The watch over the lease ends first: time moves by as much as that.
    const running = service.runOnce();
    while ((await Promise.race([running.then(() => undefined), line.clock.nextSleep()])) !== undefined) {
      await line.clock.advance(testSettings().delivery.leaseMs);
    }
    assert.deepEqual(line.kafka.arrived.filter(({ cluster }) => cluster.startsWith('good')).length, 3);
  }));

test('while no connection comes about a one-shot run ends after some seconds, and the next one sends the same id', () =>
  withTimeline({ settings: { delivery: oneMinute } }, async (line) => {
    line.kafka.answer = () => ({ kind: 'unreachable', error: failure('NOBODY_THERE'), afterMs: 1_000 });
    for (const cluster of names('good', 3)) await line.store(reportOf('CRITICAL'), { cluster });
    const service = await line.another();
    const pauses = (await passPauses(line, service.runOnce())).filter((ms) => ms < 60_000);
    const waited = pauses.reduce((sum, ms) => sum + ms, 0);
    assert.ok(waited <= unreachableMsMax, `${waited} ms`);
    assert.ok(line.kafka.attempts.length > 3, 'it was tried more than once');
    assert.deepEqual(await line.outboxStates(), { pending: 3 });
    const rows = await line.reported();
    assert.deepEqual(
      rows.map(({ state, errorLog }) => [state, errorLog.split(':')[0]]),
      Array.from({ length: 3 }, () => [4, 'NOBODY_THERE']),
    );
    line.kafka.answer = () => accepted;
    await line.clock.advance(hourMs);
    await line.run();
    assert.equal(new Set(line.kafka.attempts.map(({ notification }) => notification.id)).size, 3);
    assert.deepEqual(await line.outboxStates(), { delivered: 3 });
  }));

test('a target that answers in between is tried until each message’s deadline', () =>
  withTimeline({ settings: { delivery: oneMinute } }, async (line) => {
    let attempts = 0;
    line.kafka.answer = () => {
      attempts += 1;
      return attempts % 2 === 1
        ? { kind: 'unreachable', error: failure('NOBODY_THERE'), afterMs: 1_000 }
        : { kind: 'retry', error: failure('BUSY'), afterMs: 5_000 };
    };
    await line.store(reportOf('CRITICAL'));
    const service = await line.another();
    const pauses = (await passPauses(line, service.runOnce())).filter((ms) => ms < 60_000);
    assert.ok(pauses.reduce((sum, ms) => sum + ms, 0) > 10_000, String(pauses));
  }));

test('following, a cluster that is due and has no report any more is nobody’s reason to go round', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => ({ kind: 'rejected', error: failure() });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    await line.database.query('UPDATE ccx.notification_considered SET next_due_at = $1', ['2026-11-21 15:00:00']);
    const reports = {
      database: line.database,
      targets: [{ eventTargetId: line.kafka.eventTargetId, policyHash: '' }],
      nowMicros: () => line.clock.nowMicros(),
      ownersCount: false,
      requestIdsKept: false,
    };
    assert.ok((await nextDueMicros(reports)) !== undefined);
    await line.database.query('TRUNCATE new_reports CASCADE');
    assert.equal(await nextDueMicros(reports), undefined);
  }));
