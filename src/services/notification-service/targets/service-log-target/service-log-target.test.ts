/**
 * The Service Log target against the stand-ins, over real HTTP: every fault of consumers.md 5.2 F15 to F20, and that neither tokens nor
 * secrets nor bodies are ever told.
 */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { clusterId, dueCluster, dueIssue } from '../../../../../test/support/due-cluster.ts';
import { createWatchedClock } from '../../../../../test/support/watched-clock.ts';
import type { Fault } from '../../../../all-in-one/stand-ins/fault-plan.ts';
import { startFakeServiceLog } from '../../../../all-in-one/stand-ins/service-log/fake-service-log.ts';
import { startFakeTokenEndpoint } from '../../../../all-in-one/stand-ins/token-endpoint/fake-token-endpoint.ts';
import { parseServiceLogEntry } from '../../../../contracts/service-log-entry.ts';
import { errorText } from '../../../../encoding/ccx-error.ts';
import { openSecretSource } from '../../../../platform/secrets/open-secret-source.ts';
import { createSilentTelemetry, createTelemetry } from '../../../../platform/telemetry/telemetry.ts';
import type { DeliveryResult, OutgoingNotification } from '../../ports.ts';
import { pausedMisconfiguredMs } from '../transport-failure.ts';
import { pausedLimitedMs, pausedUnavailableMs } from './deliver-entry.ts';
import { lookUpPageSize, lookUpPagesMax } from './service-log-api.ts';
import { createServiceLogTarget } from './service-log-target.ts';

const secret = 'hunter2-client-secret';
/** Real time: how long the target waits for an answer that never comes. */
const timeoutMs = 500;

async function setUp(t: TestContext, change: { url?: string } = {}) {
  const clock = createWatchedClock();
  const log = await startFakeServiceLog({ clock });
  const endpoint = await startFakeTokenEndpoint(clock, secret);
  let told = '';
  const destination = new Writable({
    write(chunk, _encoding, done) {
      told += String(chunk);
      done();
    },
  });
  const telemetry = createTelemetry({ service: 'test', level: 'debug', destination });
  const secrets = openSecretSource({ vault: undefined, clock, telemetry });
  const target = createServiceLogTarget(
    {
      url: change.url ?? log.postUrl,
      tokenUrl: endpoint.tokenUrl,
      timeoutMs,
      createdBy: 'service-account-ccx-notification-service',
      username: 'insights-advisor',
      ruleDetailsUri: 'https://c/{module}|{error_key}',
      // No renderer listens there: these tests are about delivery.
      rendererUrl: `${log.url}/rendered_reports`,
    },
    {
      clientId: secrets.secret({ setting: 'ID', configured: 'CLIENT_ID' }),
      clientSecret: secrets.secret({ setting: 'SECRET', configured: secret }),
      clock,
      telemetry,
    },
  );
  t.after(async () => {
    await target.close();
    await log.stop();
    await endpoint.stop();
    for (const token of endpoint.tokens()) assert.ok(!told.includes(token));
    assert.doesNotMatch(told, /hunter2|Bearer|Basic |A node is not ready/);
  });
  const notification = (change: Partial<OutgoingNotification> = {}): OutgoingNotification => {
    const id = clock.uuid();
    const body = JSON.stringify({
      cluster_uuid: clusterId,
      description: 'Node worker-1 is not ready.\n\n[More details](https://c/x|NODE_NOT_READY).',
      service_name: 'CCX Notification Service',
      severity: 'Major',
      summary: 'A node is not ready',
      created_by: 'service-account-ccx-notification-service',
      username: 'insights-advisor',
      event_stream_id: id,
    });
    return { id, target: 'service-log', cluster: clusterId, issues: [], body, headers: {}, ...change };
  };
  const deliver = async (
    message: OutgoingNotification = notification(),
    options: { mayHaveArrived?: boolean; signal?: AbortSignal } = {},
  ): Promise<DeliveryResult> => {
    const signal = options.signal ?? new AbortController().signal;
    const result = await target.deliver({
      notification: message,
      mayHaveArrived: options.mayHaveArrived ?? false,
      signal,
    });
    if (result.kind !== 'delivered') {
      telemetry.log.warn(
        { error: errorText(result.error), hint: result.error.hint, stack: result.error.stack },
        'failed',
      );
    }
    return result;
  };
  const posts = () => log.requests().filter((request) => request.startsWith('POST')).length;
  const lookUps = () => log.requests().filter((request) => request.startsWith('GET')).length;
  return { clock, log, endpoint, target, notification, deliver, posts, lookUps };
}

function told(result: DeliveryResult): string {
  return result.kind === 'delivered' ? 'delivered' : `${result.kind} ${result.error.code}`;
}

test('an entry is posted once and the server’s id is kept', async (t) => {
  const { deliver, log, notification, posts } = await setUp(t);
  const message = notification();
  const result = await deliver(message);
  assert.deepEqual(result, { kind: 'delivered', detail: log.entries()[0]!.id });
  assert.equal(log.entries()[0]!.event_stream_id, message.id);
  assert.equal(log.entries()[0]!.summary, 'A node is not ready');
  assert.equal(posts(), 1);
});

test('composed entries are what is delivered, and a server that is no renderer gives none', async (t) => {
  const { target, clock } = await setUp(t);
  const context = { now: clock.now(), uuid: () => clock.uuid() };
  await assert.rejects(target.compose(dueCluster([dueIssue()]), context), { code: 'RENDERER_UNAVAILABLE' });
  assert.deepEqual(await target.compose(dueCluster([]), context), []);
});

test('a manual retry has a new stream id and the same texts', async (t) => {
  const { target, clock, notification, deliver, log } = await setUp(t);
  const message = notification();
  await deliver(message);
  const again = target.reissue(message, { now: clock.now(), uuid: () => clock.uuid() });
  assert.notEqual(again.id, message.id);
  const [old, fresh] = [parseServiceLogEntry(message.body), parseServiceLogEntry(again.body)];
  assert.deepEqual(fresh, { ...old, event_stream_id: again.id });
  await deliver(again, { mayHaveArrived: true });
  assert.equal(log.entries().length, 2);
});

test('F15: a refused entry is rejected, its neighbours are delivered', async (t) => {
  const { deliver, log } = await setUp(t);
  log.inject('post', {
    kind: 'status',
    status: 400,
    body: '{"kind":"Error","code":"X","reason":"summary is too long"}',
  });
  const [first, second] = [await deliver(), await deliver()];
  assert.equal(told(first), 'rejected SERVICE_LOG_REJECTED');
  assert.match(first.kind === 'rejected' ? first.error.message : '', /400 Bad Request: summary is too long/);
  assert.equal(told(second), 'delivered');
});

test('a stored body that is no entry, or another’s, is rejected without a call', async (t) => {
  const { deliver, notification, posts } = await setUp(t);
  const other = notification();
  assert.equal(told(await deliver(notification({ body: other.body }))), 'rejected SERVICE_LOG_ENTRY_INVALID');
  assert.equal(told(await deliver(notification({ body: '{"broken' }))), 'rejected SERVICE_LOG_ENTRY_INVALID');
  assert.equal(posts(), 0);
});

test('F16: one 401 costs a new token and nothing else', async (t) => {
  const { deliver, log, endpoint, posts } = await setUp(t);
  log.inject('post', { kind: 'status', status: 401 });
  assert.equal(told(await deliver()), 'delivered');
  assert.equal(posts(), 2);
  assert.equal(endpoint.requests().length, 2);
});

test('D5, service Q4, F16: 401 for ever is exactly two calls for an entry, and says nothing about the next one', async (t) => {
  const { deliver, log, posts } = await setUp(t);
  log.inject('post', { kind: 'status', status: 401 }, 2);
  const result = await deliver();
  assert.equal(told(result), 'refused SERVICE_LOG_UNAUTHORIZED');
  assert.equal(result.kind === 'refused' && result.afterMs, pausedMisconfiguredMs);
  assert.equal(posts(), 2);
  assert.equal(told(await deliver()), 'delivered');
});

test('a token that is over after some calls is replaced on the way', async (t) => {
  const { deliver, log, endpoint } = await setUp(t);
  log.behaviour.tokenUsesMax = 2;
  for (let i = 0; i < 5; i += 1) assert.equal(told(await deliver()), 'delivered');
  assert.equal(log.entries().length, 5);
  assert.equal(endpoint.requests().length, 3);
});

test('many entries at once with a token that is refused share one replacement', async (t) => {
  const { deliver, log, endpoint } = await setUp(t);
  await deliver();
  log.inject('post', { kind: 'status', status: 401 }, 4);
  const results = await Promise.all([deliver(), deliver(), deliver(), deliver()]);
  assert.deepEqual(results.map(told), ['delivered', 'delivered', 'delivered', 'delivered']);
  assert.equal(endpoint.requests().length, 2);
});

test('F17: an entry that gets 429 waits for as long as that says, and the next one is posted', async (t) => {
  const { deliver, log } = await setUp(t);
  log.inject('post', { kind: 'status', status: 429, retryAfter: '70' });
  const result = await deliver();
  assert.equal(told(result), 'refused SERVICE_LOG_LIMITED');
  assert.equal(result.kind === 'refused' && result.afterMs, 70_000);
  assert.equal(told(await deliver()), 'delivered');
  log.inject('post', { kind: 'status', status: 429 });
  const own = await deliver();
  assert.equal(own.kind === 'refused' && own.afterMs, pausedLimitedMs);
});

test('403, a wrong address and a page of something else refuse the entry with a hint, and stop no other', async (t) => {
  const { deliver, log } = await setUp(t);
  const faults: Fault[] = [
    { kind: 'status', status: 403 },
    { kind: 'html', status: 404 },
    { kind: 'html', status: 301 },
    { kind: 'status', status: 405 },
  ];
  for (const fault of faults) {
    log.inject('post', fault);
    const result = await deliver();
    assert.equal(told(result), 'refused SERVICE_LOG_REFUSED');
    assert.match(result.kind === 'refused' ? (result.error.hint ?? '') : '', /service_log\.url/);
    assert.equal(told(await deliver()), 'delivered');
  }
});

test('a cluster that Service Log does not know is rejected', async (t) => {
  const { deliver, log } = await setUp(t);
  log.inject('post', { kind: 'status', status: 404, body: '{"kind":"Error","reason":"no such cluster"}' });
  const result = await deliver();
  assert.equal(told(result), 'rejected SERVICE_LOG_REJECTED');
  assert.equal(result.kind === 'rejected' && result.pauseMs, pausedMisconfiguredMs, 'if nobody is known');
});

test('503 and nobody listening are certain: tried again without a look-up', async (t) => {
  const { deliver, log, lookUps } = await setUp(t);
  log.inject('post', { kind: 'status', status: 503, retryAfter: '7' });
  const result = await deliver();
  assert.equal(told(result), 'retry SERVICE_LOG_UNAVAILABLE');
  assert.equal(result.kind === 'retry' && result.afterMs, 7000);
  assert.equal(lookUps(), 0);
  await log.stop();
  assert.equal(told(await deliver()), 'unreachable HTTP_UNREACHABLE');
});

const lostAnswers: Fault[] = [
  { kind: 'commit-then-status', status: 500 },
  { kind: 'commit-then-status', status: 502 },
  { kind: 'commit-then-status', status: 200 },
  { kind: 'commit-then-reset' },
  { kind: 'commit-then-hang' },
  { kind: 'commit-then-slow-body' },
];
for (const fault of lostAnswers) {
  const name = 'status' in fault ? `${fault.kind} ${fault.status}` : fault.kind;
  test(`F18: ${name} is found by a look-up, and there is one entry in the end`, async (t) => {
    const { deliver, log, posts, notification } = await setUp(t);
    log.inject('post', fault);
    const result = await deliver(notification());
    assert.deepEqual(result, { kind: 'delivered', detail: `${log.entries()[0]!.id} (found by look-up)` });
    assert.equal(log.entries().length, 1);
    assert.equal(posts(), 1);
  });
}

const lostRequests: Fault[] = [
  { kind: 'html', status: 502 },
  { kind: 'reset' },
  { kind: 'hang' },
  { kind: 'status', status: 408 },
];
for (const fault of lostRequests) {
  const name = 'status' in fault ? `${fault.kind} ${fault.status}` : fault.kind;
  test(`F18: ${name} without an effect is unknown; the next attempt looks first, then posts`, async (t) => {
    const { deliver, log, lookUps, notification } = await setUp(t);
    const message = notification();
    log.inject('post', fault);
    const result = await deliver(message);
    assert.equal(result.kind, 'unknown');
    const before = lookUps();
    assert.ok(before > 0);
    assert.equal(told(await deliver(message, { mayHaveArrived: true })), 'delivered');
    assert.ok(lookUps() > before);
    assert.equal(log.entries().length, 1);
  });
}

test('service Q3: a call that is not answered ends when the configured time is over', async (t) => {
  const { deliver, log } = await setUp(t);
  log.inject('post', { kind: 'hang' });
  log.inject('look-up', { kind: 'hang' });
  const result = await deliver();
  assert.equal(told(result), 'unknown HTTP_TIMEOUT');
  assert.match(result.kind === 'delivered' ? '' : result.error.message, /within 500 ms/);
});

test('F19: while the look-up is down too nothing is posted blindly', async (t) => {
  const { deliver, log, posts, notification } = await setUp(t);
  const message = notification();
  log.inject('post', { kind: 'commit-then-reset' });
  log.inject('look-up', { kind: 'status', status: 500 }, 1);
  assert.equal((await deliver(message)).kind, 'unknown');
  for (const fault of [{ kind: 'html', status: 200 }, { kind: 'reset' }, { kind: 'hang' }] as const) {
    log.inject('look-up', fault);
    assert.equal((await deliver(message, { mayHaveArrived: true })).kind, 'unknown', fault.kind);
  }
  assert.equal(posts(), 1);
  assert.equal(told(await deliver(message, { mayHaveArrived: true })), 'delivered');
  assert.equal(posts(), 1);
  assert.equal(log.entries().length, 1);
});

test('F4: an entry of a process that died is found and not posted again', async (t) => {
  const { deliver, posts, notification } = await setUp(t);
  const message = notification();
  await deliver(message);
  assert.equal(told(await deliver(message, { mayHaveArrived: true })), 'delivered');
  assert.equal(posts(), 1);
});

for (const dropped of [true, false]) {
  test(`a server that ${dropped ? 'forgets' : 'does not search for'} the stream id is asked by content`, async (t) => {
    const { deliver, log, posts, notification } = await setUp(t);
    log.behaviour.dropEventStreamId = dropped;
    log.behaviour.refuseStreamIdSearch = !dropped;
    const message = notification();
    log.inject('post', { kind: 'commit-then-reset' });
    assert.equal(told(await deliver(message)), 'delivered');
    assert.equal(told(await deliver(message, { mayHaveArrived: true })), 'delivered');
    assert.equal(posts(), 1);
  });
}

test('an equal text under another of our ids is another notification', async (t) => {
  const { deliver, log, notification } = await setUp(t);
  await deliver(notification());
  assert.equal(told(await deliver(notification(), { mayHaveArrived: true })), 'delivered');
  assert.equal(log.entries().length, 2);
});

test('a cluster with more recent entries than are looked through stays unknown, one fewer is looked through', async (t) => {
  const { deliver, log, notification, posts } = await setUp(t);
  const fill = lookUpPageSize * lookUpPagesMax - 1;
  for (let i = 0; i < fill; i += 1) await deliver(notification());
  const before = posts();
  assert.equal(told(await deliver(notification(), { mayHaveArrived: true })), 'delivered');
  assert.equal(log.entries().length, fill + 1);
  assert.equal(told(await deliver(notification(), { mayHaveArrived: true })), 'unknown SERVICE_LOG_LOOK_UP');
  assert.equal(posts(), before + 1);
});

test('a post address that is not the known one leaves an ambiguous outcome unknown', async (t) => {
  const { log, endpoint, clock, notification } = await setUp(t);
  const constant = (value: string) => ({ setting: 'X', value: async () => value, reload: async () => value });
  const target = createServiceLogTarget(
    {
      url: `${log.url}/else`,
      tokenUrl: endpoint.tokenUrl,
      timeoutMs,
      createdBy: '',
      username: '',
      ruleDetailsUri: '',
      rendererUrl: 'http://x',
    },
    {
      clientId: constant('CLIENT_ID'),
      clientSecret: constant(secret),
      clock,
      telemetry: createSilentTelemetry(),
    },
  );
  const { signal } = new AbortController();
  const result = await target.deliver({ notification: notification(), mayHaveArrived: true, signal });
  assert.equal(told(result), 'unknown SERVICE_LOG_LOOK_UP');
  assert.match(result.kind === 'unknown' ? (result.error.hint ?? '') : '', /service_log\.url must end in/);
  await target.close();
});

test('the address may lack its scheme or end in a slash', async (t) => {
  const plain = await setUp(t);
  const { host } = new URL(plain.log.url);
  const slashed = await setUp(t, { url: `${host}/api/service_logs/v1/cluster_logs/` });
  // Its token endpoint is its own; the entries go to the first log.
  assert.equal(told(await slashed.deliver()), 'delivered');
  assert.equal(plain.log.entries().length, 1);
  const message = slashed.notification();
  plain.log.inject('post', { kind: 'commit-then-reset' });
  assert.equal(told(await slashed.deliver(message)), 'delivered');
});

test('F20: a token endpoint that is down pauses; one that refuses pauses for longer; nothing is posted', async (t) => {
  const { deliver, endpoint, posts, clock, target } = await setUp(t);
  endpoint.inject({ kind: 'status', status: 503 }, 5);
  const delivering = deliver();
  for (let i = 0; i < 4; i += 1) await clock.passNextSleep();
  const down = await delivering;
  assert.equal(told(down), 'paused TOKEN_UNAVAILABLE');
  assert.equal(down.kind === 'paused' && down.afterMs, pausedUnavailableMs);
  await clock.advance(pausedUnavailableMs);
  endpoint.inject({ kind: 'status', status: 400, body: '{"error":"invalid_client"}' }, 2);
  const refused = await deliver();
  assert.equal(told(refused), 'paused TOKEN_REFUSED');
  assert.equal(refused.kind === 'paused' && refused.afterMs, pausedMisconfiguredMs);
  await assert.rejects(target.check(), { code: 'TOKEN_REFUSED' });
  assert.equal(posts(), 0);
  await clock.advance(pausedMisconfiguredMs);
  assert.equal(told(await deliver()), 'delivered');
  await target.check();
});

test('an outcome that is unknown stays so while tokens cannot be had', async (t) => {
  const { deliver, endpoint, notification, posts } = await setUp(t);
  endpoint.inject({ kind: 'status', status: 400 });
  assert.equal(told(await deliver(notification(), { mayHaveArrived: true })), 'paused TOKEN_REFUSED');
  assert.equal(posts(), 0);
});

test('a delivery that is called off before it begins changes nothing, one under way is unknown', async (t) => {
  const { deliver, log, notification, posts } = await setUp(t);
  assert.equal(told(await deliver(notification(), { signal: AbortSignal.abort() })), 'retry DELIVERY_ABORTED');
  const again = await deliver(notification(), { signal: AbortSignal.abort(), mayHaveArrived: true });
  assert.equal(told(again), 'unknown DELIVERY_ABORTED');
  assert.equal(posts(), 0);
  log.inject('post', { kind: 'commit-then-hang' });
  const controller = new AbortController();
  const message = notification();
  const delivering = deliver(message, { signal: controller.signal });
  while (log.entries().length === 0) await new Promise((resolve) => setImmediate(resolve));
  controller.abort();
  assert.equal((await delivering).kind, 'unknown');
  assert.equal(told(await deliver(message, { mayHaveArrived: true })), 'delivered');
  assert.equal(log.entries().length, 1);
});
