/**
 * Webhooks behind the decision, the outbox and the ledger, with a real server: what is told to whom, that a repeat has the same id and bytes,
 * and that whatever a receiver does is its own trouble.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createCrashingTelemetry,
  dayMs,
  hourMs,
  reportOf,
  type Timeline,
  type TimelineOptions,
  testCluster,
  testOrg,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { unusedPort } from '../../../test/support/test-server.ts';
import { until } from '../../../test/support/until.ts';
import { openTestReceivers, receiversToml, webhookEntry } from '../../../test/support/webhook-receiver.ts';
import {
  isSignedWith,
  startWebhookSink,
  testSigningKey,
  type WebhookSink,
} from '../../../test/support/webhook-sink.ts';
import { parseReceiverEvent, type ReceiverEvent } from '../../contracts/receiver-event.ts';
import { auditOnce } from './auditor.ts';
import { explanationAsJson, formatExplanation } from './format-explanation.ts';
import { readExplanation } from './store/explain.ts';
import { listReceivers, resumeReceiver } from './store/receivers.ts';

type Entries = Parameters<typeof receiversToml>[0];

interface Scene {
  readonly line: Timeline;
  readonly sink: WebhookSink;
  /** What the sink took since the last call: `type:KEY,KEY`. */
  told(): string[];
  report(...keys: string[]): Promise<void>;
}

async function withWebhooks(
  entries: (sink: WebhookSink) => Entries,
  check: (scene: Scene) => Promise<void>,
  options: TimelineOptions = { targets: [] },
): Promise<void> {
  const sink = await startWebhookSink();
  try {
    await withTimeline(options, async (line) => {
      line.setReceivers(await openTestReceivers(receiversToml(entries(sink)), line.clock));
      await check({
        line,
        sink,
        told: () => sink.taken.splice(0).map(({ body }) => saidBy(parseReceiverEvent(body))),
        async report(...keys) {
          await line.clock.advance(hourMs);
          await line.store(reportOf(...keys));
          await line.run();
        },
      });
    });
  } finally {
    sink.close();
  }
}

function saidBy({ type, data }: ReceiverEvent): string {
  return `${type.split('.').at(-1)}:${data.issues.map(({ error_key }) => error_key).join(',')}`;
}

const tickets =
  (changes: Entries[number] = {}) =>
  (sink: WebhookSink) => [webhookEntry(sink.url, changes)];

test('an issue is told once within the cooldown, signed, and neither reported nor event_targets get a row', () =>
  withWebhooks(tickets(), async ({ line, sink, told, report }) => {
    await report('CRITICAL', 'IMPORTANT', 'LOW');
    const [request] = sink.taken;
    const event = parseReceiverEvent(request!.body);
    assert.ok(isSignedWith(testSigningKey, request!));
    assert.ok(!isSignedWith(testSigningKey, { ...request!, body: `${request!.body} ` }));
    assert.equal(request!.id, event.id);
    assert.equal(event.subject, testCluster);
    assert.equal(event.data.org_id, testOrg);
    assert.deepEqual(
      event.data.issues.map(({ error_key, risk }) => `${error_key} ${risk}`),
      ['CRITICAL critical', 'IMPORTANT important'],
    );
    assert.equal(request!.headers['content-type'], 'application/cloudevents+json; charset=utf-8');
    assert.deepEqual(told(), ['new:CRITICAL,IMPORTANT']);
    await report('CRITICAL', 'IMPORTANT');
    assert.deepEqual(told(), [], 'within its cooldown');
    await line.clock.advance(dayMs);
    await line.run();
    assert.deepEqual(told(), ['new:CRITICAL,IMPORTANT']);
    assert.deepEqual(await line.reported(), []);
    const { rows } = await line.database.query<{ id: number }>('SELECT id FROM event_targets ORDER BY id');
    assert.deepEqual(rows, [{ id: 1 }, { id: 2 }]);
    const states = (await line.ledger()).map(({ key, target, state }) => `${key} ${target} ${state}`);
    assert.deepEqual(states, ['CRITICAL 1000 notified', 'IMPORTANT 1000 notified', 'LOW 1000 open']);
  }));

test('each receiver is told by its own filter, cooldown, organizations and clusters', () =>
  withWebhooks(
    ({ url }) => [
      webhookEntry(`${url}/all`, { name: 'all' }),
      webhookEntry(`${url}/critical`, { name: 'critical', total_risk_threshold: 4, cooldown: '30 minutes' }),
      webhookEntry(`${url}/others`, { name: 'others', organizations: ['1'] }),
      webhookEntry(`${url}/named`, {
        name: 'named',
        clusters: [testCluster.toUpperCase()],
        organizations: [String(testOrg)],
      }),
    ],
    async ({ line, sink, report }) => {
      const toldWhere = () =>
        sink.taken
          .splice(0)
          .map(({ path, body }) => `${path.split('/').at(-1)} ${saidBy(parseReceiverEvent(body))}`)
          .sort();
      await report('CRITICAL', 'MODERATE');
      assert.deepEqual(toldWhere(), [
        'all new:CRITICAL,MODERATE',
        'critical new:CRITICAL',
        'named new:CRITICAL,MODERATE',
      ]);
      await report('CRITICAL', 'MODERATE');
      assert.deepEqual(toldWhere(), ['critical new:CRITICAL']);
      const { receivers, ...explanation } = await readExplanation(line.database, testCluster);
      assert.deepEqual([...receivers.values()], ['all', 'critical', 'others', 'named']);
      const outside = explanation.issues.filter(({ event_type_id }) => event_type_id === 1002);
      assert.deepEqual([...new Set(outside.map(({ last_reason }) => last_reason))], ['not-for-receiver']);
    },
  ));

test('resolved is told where it is wanted, of what was told, once', () =>
  withWebhooks(
    ({ url }) => [webhookEntry(url, { send_resolved: true }), webhookEntry(url, { name: 'quiet' })],
    async ({ told, report }) => {
      await report('CRITICAL', 'LOW');
      assert.deepEqual(told(), ['new:CRITICAL', 'new:CRITICAL']);
      await report();
      assert.deepEqual(told(), []);
      await report();
      assert.deepEqual(told(), ['resolved:CRITICAL']);
      await report();
      assert.deepEqual(told(), []);
    },
  ));

test('an acknowledgement silences it, and its end is told at once', () =>
  withWebhooks(tickets(), async ({ line, told, report }) => {
    await report('CRITICAL');
    assert.deepEqual(told(), ['new:CRITICAL']);
    const id = await line.acknowledge();
    await line.clock.advance(2 * dayMs);
    await line.run();
    assert.deepEqual(told(), []);
    await line.unacknowledge(id);
    await line.run();
    assert.deepEqual(told(), ['new:CRITICAL']);
    assert.deepEqual(
      (await line.ledger()).map(({ reason }) => reason),
      ['acknowledgement-over'],
    );
  }));

test('killed between send and record, and with the answer lost, the same id and bytes come again', () =>
  withWebhooks(tickets(), async ({ line, sink, report }) => {
    const crashing = await line.another({}, createCrashingTelemetry('notification-delivered'));
    await line.store(reportOf('CRITICAL'));
    await assert.rejects(crashing.runOnce(), /crash at/);
    await line.clock.advance(hourMs);
    await line.run();
    sink.answer = () => ({ status: 0, breaks: true });
    await report('CRITICAL', 'IMPORTANT');
    sink.answer = () => ({ status: 200 });
    await line.clock.advance(hourMs);
    await line.run();
    const ids = sink.taken.map(({ id }) => id);
    assert.equal(ids.length, 4);
    assert.equal(ids[0], ids[1]);
    assert.equal(ids[2], ids[3]);
    assert.equal(sink.taken[0]!.body, sink.taken[1]!.body);
    assert.equal(sink.taken[2]!.body, sink.taken[3]!.body);
    assert.notEqual(sink.taken[0]!.headers['webhook-timestamp'], sink.taken[1]!.headers['webhook-timestamp']);
    assert.deepEqual(await line.outboxStates(), { delivered: 2 });
  }));

test('down for a day, nothing is lost, and what is not true any more is not told', () =>
  withWebhooks(
    tickets(),
    async ({ line, sink, told, report }) => {
      sink.answer = () => ({ status: 503 });
      await report('CRITICAL', 'IMPORTANT');
      for (let hours = 0; hours < 24; hours += 1) {
        await line.clock.advance(hourMs);
        await line.run();
      }
      await report('CRITICAL');
      sink.taken.length = 0;
      sink.answer = () => ({ status: 200 });
      await line.clock.advance(hourMs);
      await line.run();
      assert.deepEqual(told(), ['new:CRITICAL']);
    },
    { targets: [] },
  ));

test('beyond the retry window it is dead with its reason, and decided again', () =>
  withWebhooks(
    tickets(),
    async ({ line, sink, told, report }) => {
      sink.answer = () => ({ status: 503 });
      await report('CRITICAL');
      await line.clock.advance(2 * dayMs);
      sink.answer = () => ({ status: 200 });
      sink.taken.length = 0;
      await line.run();
      await line.run();
      assert.deepEqual(told(), ['new:CRITICAL']);
      assert.deepEqual(await line.outboxStates(), { dead: 1, delivered: 1 });
    },
    { targets: [], settings: { delivery: { ...deliveryOf(), retryWindowMs: dayMs } } },
  ));

function deliveryOf() {
  return {
    ...{ concurrency: 4, claimMax: 100, deadlineMs: 0, runDeadlineMs: hourMs, leaseMs: 120_000 },
    ...{ retryWindowMs: 3 * dayMs, backoffMinMs: 1_000, backoffMaxMs: 60_000 },
  };
}

test('Retry-After holds for every message, and 400 for its own', () =>
  withWebhooks(tickets(), async ({ line, sink, told, report }) => {
    sink.answer = () => ({ status: 429, headers: { 'retry-after': '600' } });
    await report('CRITICAL');
    sink.taken.length = 0;
    await line.clock.advance(300_000);
    await line.store(reportOf('CRITICAL'), { cluster: testCluster.replace('5', '6') });
    await line.run();
    assert.deepEqual(told(), [], 'not before');
    sink.answer = ({ body }) => ({ status: body.includes(testCluster) ? 400 : 202 });
    await line.clock.advance(300_001);
    await line.run();
    assert.equal(sink.taken.length, 2);
    assert.deepEqual(await line.outboxStates(), { dead: 1, delivered: 1 });
  }));

test('410 three times over an hour holds it until a person resumes it, whoever starts anew', () =>
  withWebhooks(tickets(), async ({ line, sink, told, report }) => {
    sink.answer = () => ({ status: 410 });
    await report('CRITICAL');
    const pauseOf = async () => (await listReceivers(line.database, line.clock.now().toISOString()))[0]!;
    for (let tries = 1; tries < 3; tries += 1) {
      assert.equal((await pauseOf()).held, false);
      await line.clock.advance(31 * 60_000);
      await line.run();
    }
    assert.equal(sink.taken.length, 3);
    assert.equal((await pauseOf()).held, true);
    sink.answer = () => ({ status: 200 });
    await line.clock.advance(30 * dayMs);
    await line.store(reportOf('CRITICAL'));
    const service = await line.another();
    await service.runOnce();
    assert.equal(sink.taken.length, 3, 'a restart does not resume');
    const readiness = await service.readiness();
    assert.deepEqual(readiness.notes, ['receiver tickets is held until ccx receivers resume tickets']);
    assert.equal(readiness.ready, true);
    assert.match(
      formatExplanation(testCluster, await readExplanation(line.database, testCluster)),
      /paused until ccx receivers resume tickets: the receiver answers 410 Gone/,
    );
    sink.taken.length = 0;
    const by = { actor: 'ada', origin: 'test' };
    const now = line.clock.now().toISOString();
    assert.equal((await resumeReceiver(line.database, 'tickets', { by, now }))?.held, true);
    await line.run();
    assert.deepEqual(told(), ['new:CRITICAL']);
    assert.equal((await pauseOf()).paused_until, null);
    const { rows } = await line.database.query<{ actor: string; action: string; subject: string }>(
      'SELECT actor, action, subject FROM ccx.audit',
    );
    assert.deepEqual(rows, [{ actor: 'ada', action: 'receivers resume', subject: 'receivers/tickets' }]);
    assert.equal(await resumeReceiver(line.database, 'nobody', { by, now }), undefined);
  }));

test('one that hangs holds up no other, and no run that follows', () =>
  withWebhooks(
    ({ url }) => [webhookEntry(`${url}/hangs`, { name: 'hangs', timeout: '60s' }), webhookEntry(url)],
    async ({ line, sink }) => {
      sink.answer = ({ path }) => ({ status: 200, hangs: path.endsWith('/hangs') });
      const service = await line.another({
        mode: 'follow',
        follow: { pollMs: hourMs, minGapMs: 0, fullSweepMs: hourMs },
      });
      const others = () => sink.taken.filter(({ path }) => !path.endsWith('/hangs')).length;
      await line.store(reportOf('CRITICAL'));
      const first = service.runOnce();
      await until(() => others() === 1);
      await until(() => sink.taken.length === 2);
      // A run waits for it by the clock, and not by its answer.
      await line.clock.advance(1_000);
      await first;
      await line.store(reportOf('CRITICAL', 'IMPORTANT'));
      await service.runOnce();
      await until(() => others() === 2);
      assert.equal(sink.taken.length, 3, 'nothing more is sent to one that hangs');
      let stopped = false;
      const stopping = service.stop().then(() => {
        stopped = true;
      });
      // What hangs is cut short.
      await until(async () => {
        await line.clock.advance(1_000);
        return stopped;
      });
      await stopping;
    },
  ));

test('one where nobody listens rests, the longer the more often, and one message finds that it is well again', () =>
  withWebhooks(
    () => [webhookEntry('http://127.0.0.1:9/x')],
    async ({ line, sink, told }) => {
      const port = await unusedPort();
      line.setReceivers(
        await openTestReceivers(receiversToml([webhookEntry(`http://127.0.0.1:${port}/`)]), line.clock),
      );
      for (let clusters = 0; clusters < 20; clusters += 1)
        await line.store(reportOf('CRITICAL'), { cluster: testCluster.slice(0, -2) + String(10 + clusters) });
      const service = await line.another();
      await service.runOnce();
      const { rows } = await line.database.query<{ attempts: number }>(
        'SELECT sum(attempts)::int AS attempts FROM ccx.notification_outbox',
      );
      assert.ok(rows[0]!.attempts <= 4, `${rows[0]!.attempts} attempts, no more than go out together`);
      line.setReceivers(await openTestReceivers(receiversToml([webhookEntry(sink.url)]), line.clock));
      await line.clock.advance(hourMs);
      await line.run();
      assert.equal(told().length, 20);
    },
  ));

test('of a receiver that is not configured any more what waits is withdrawn; back, it is told what is still there', () =>
  withWebhooks(tickets(), async ({ line, sink, told, report }) => {
    const configured = await openTestReceivers(receiversToml(tickets()(sink)), line.clock);
    sink.answer = () => ({ status: 503 });
    await report('CRITICAL', 'IMPORTANT');
    line.setReceivers(await openTestReceivers(receiversToml([webhookEntry(sink.url, { name: 'other' })]), line.clock));
    sink.answer = () => ({ status: 200 });
    sink.taken.length = 0;
    await line.run();
    assert.deepEqual(told(), ['new:CRITICAL,IMPORTANT'], 'another name is another receiver');
    assert.deepEqual(await line.outboxStates(), { delivered: 1, withdrawn: 1 });
    const { rows } = await line.database.query<{ id: number; name: string }>(
      'SELECT event_type_id AS id, name FROM ccx.notification_targets WHERE event_type_id >= 1000 ORDER BY 1',
    );
    assert.deepEqual(rows, [
      { id: 1000, name: 'tickets' },
      { id: 1001, name: 'other' },
    ]);
    await line.store(reportOf('CRITICAL'));
    line.setReceivers(configured);
    await line.run();
    assert.deepEqual(told(), ['new:CRITICAL'], 'under the number that it had');
  }));

test('a new receiver on a filled database is told the first portion, and what the other was told stays', () =>
  withWebhooks(
    tickets(),
    async ({ line, sink, told, report }) => {
      await report('CRITICAL');
      for (let clusters = 0; clusters < 4; clusters += 1)
        await line.store(reportOf('CRITICAL'), { cluster: testCluster.slice(0, -2) + String(10 + clusters) });
      await line.run();
      assert.equal(told().length, 5);
      const both = [...tickets()(sink), webhookEntry(sink.url, { name: 'second' })];
      line.setReceivers(await openTestReceivers(receiversToml(both), line.clock));
      await line.run();
      assert.equal(told().length, 2);
      await line.clock.advance(hourMs + 1);
      await line.run();
      assert.equal(told().length, 2);
    },
    { targets: [], settings: { firstRun: { messagesMax: 2, everyMs: hourMs } } },
  ));

test('the two targets of the platform go on beside it as they are, and the auditor finds nothing', () =>
  withWebhooks(
    tickets({ send_resolved: true }),
    async ({ line, told, report }) => {
      await report('CRITICAL');
      await report('CRITICAL', 'IMPORTANT');
      assert.deepEqual(told(), ['new:CRITICAL', 'new:IMPORTANT']);
      assert.deepEqual(line.kafka.told(), ['CRITICAL', 'IMPORTANT']);
      assert.ok((await line.reported()).every(({ target }) => target === 1));
      const result = await auditOnce(line.database, {
        ...{ overdueMs: 0, retryWindowMs: dayMs, nowMicros: line.clock.nowMicros(), clock: line.clock },
        ...{ msMax: 60_000, findingsMax: 10, readsBodies: false },
      });
      assert.deepEqual(result.findings, []);
      const explained = JSON.parse(
        explanationAsJson(testCluster, await readExplanation(line.database, testCluster)),
      ) as {
        readonly targets: readonly { readonly event_type_id: number; readonly receiver?: string }[];
      };
      assert.deepEqual(
        explained.targets.map(({ event_type_id, receiver }) => [event_type_id, receiver]),
        [
          [1, undefined],
          [1000, 'tickets'],
        ],
      );
    },
    { targets: ['notification-backend'] },
  ));
