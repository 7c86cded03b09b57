/** The Pushgateway: what is pushed, how often it is tried, and that failing changes nothing (notification-service.md 12). */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { listening } from '../../../test/support/test-server.ts';
import { createWatchedClock } from '../../../test/support/watched-clock.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { createMetrics } from './metrics.ts';
import { startPushing } from './push-metrics.ts';
import { createEvents } from './telemetry.ts';

interface Push {
  readonly request: IncomingMessage;
  readonly body: string;
}

async function withGateway(
  statuses: number[],
  use: (how: { address: string; pushes: Push[] }) => Promise<void>,
): Promise<void> {
  const pushes: Push[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      pushes.push({ request, body });
      response.writeHead(statuses.shift() ?? 200).end();
    });
  });
  const { port, close } = await listening(server);
  try {
    await use({ address: `127.0.0.1:${port}/`, pushes });
  } finally {
    close();
  }
}

function pusherOf(address: string, changes: Partial<Parameters<typeof startPushing>[0]> = {}) {
  const clock = createWatchedClock();
  const registry = new Registry();
  const metrics = createMetrics(registry, { namespace: 'ccx_notification_service', subsystem: 'notification_backend' });
  metrics.sent.inc(3);
  const events = createEvents({ telemetry: createSilentTelemetry(), clock, metrics });
  const settings = {
    gatewayUrl: address,
    jobName: 'job',
    gatewayAuthToken: 'dXNlcjpwYXNz',
    retries: 2,
    retryAfterMs: 60_000,
    gatewayTimeBetweenPushMs: 0,
    ...changes,
  };
  const signal = new AbortController().signal;
  return { clock, pusher: startPushing(settings, { registry, clock, events, signal }) };
}

test('the last push is a PUT of the text format under the job, with the token as it is', () =>
  withGateway([202], async ({ address, pushes }) => {
    await pusherOf(address, { jobName: 'a/b' }).pusher.final();
    const { request, body } = pushes[0]!;
    assert.equal(request.method, 'PUT');
    assert.equal(request.url, `/metrics/job@base64/${Buffer.from('a/b').toString('base64url')}`);
    assert.equal(request.headers.authorization, 'Basic dXNlcjpwYXNz');
    assert.match(body, /^ccx_notification_service_notification_backend_notification_sent 3$/m);
    assert.ok(!body.includes('nodejs_') && !body.includes('go_'));
  }));

test('G23: a push that fails is tried again after the pause, one more time than there are retries', () =>
  withGateway([500, 403, 200], async ({ address, pushes }) => {
    const { clock, pusher } = pusherOf(address);
    const ended = pusher.final();
    assert.equal(await clock.passNextSleep(), 60_000);
    assert.equal(await clock.passNextSleep(), 60_000);
    await ended;
    assert.equal(pushes.length, 3);
  }));

test('service Q9: without a time between pushes there is the last one only, and nothing breaks', () =>
  withGateway([], async ({ address, pushes }) => {
    const { clock, pusher } = pusherOf(address, { gatewayTimeBetweenPushMs: 0 });
    await clock.advance(3_600_000);
    assert.equal(pushes.length, 0);
    await pusher.final();
    pusher.stop();
    assert.equal(pushes.length, 1);
  }));

test('without a pause between tries there is one try', () =>
  withGateway([500], async ({ address, pushes }) => {
    await pusherOf(address, { retryAfterMs: 0 }).pusher.final();
    assert.equal(pushes.length, 1);
  }));

test('service Q10: all series of the reference are there, and ours beside them', async () => {
  const registry = new Registry();
  createMetrics(registry, { namespace: 'n', subsystem: 's' });
  const names = (await registry.getMetricsAsJSON()).map(({ name }) => name);
  const expected = [
    'fetch_content_errors',
    'read_cluster_list_errors',
    'read_reported_errors',
    'producer_setup_errors',
    'storage_setup_errors',
    'read_report_for_cluster_errors',
    'deserialize_report_errors',
    'report_with_high_impact',
    'notification_not_sent_same_state',
    'notification_not_sent_error_state',
    'notification_sent',
    'total_risk_no_severity',
    'operation_duration_seconds',
    'service_status',
  ].map((name) => `n_s_${name}`);
  assert.deepEqual(names.slice(0, 14).sort(), expected.sort());
  assert.ok(names.slice(14).every((name) => name.startsWith('ccx_notification_')));
  const bare = new Registry();
  createMetrics(bare, { namespace: '', subsystem: '' });
  assert.ok((await bare.getMetricsAsJSON()).some(({ name }) => name === 'notification_sent'));
});
