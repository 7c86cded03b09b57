/** The tracker as a whole on the embedded bus: statuses go in, the table and the document come out. */

import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { startTcpProxy, type TcpProxy } from '../../../test/support/tcp-proxy.ts';
import { until } from '../../../test/support/until.ts';
import { parseDeadLetterHeaders } from '../../contracts/dead-letter.ts';
import { headerText } from '../../platform/bus/bus.ts';
import { createPostgresBus, type PostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { settingsOf } from '../../platform/config/options.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { readTrace } from '../../platform/records/trace-log.ts';
import {
  BUSINESS_EVENT_CHANNEL,
  type BusinessEvent,
  createSilentTelemetry,
} from '../../platform/telemetry/telemetry.ts';
import { payloadTrackerOptions } from './config.ts';
import type { TrackerDocument } from './decide/tracker-document.ts';
import { type RunningPayloadTracker, requestIdCharactersMax, startPayloadTracker } from './service.ts';

const clock = createSystemClock();
const request = '766bd49580ce4ed489ec04e35fc7edac';
const shared: { base?: TestDatabase; proxy?: TcpProxy } = {};
interface Bench {
  readonly topics: { readonly in: string; readonly dead: string };
  readonly database: Database;
  readonly bus: PostgresBus;
  readonly events: BusinessEvent[];
  readonly tracker: RunningPayloadTracker;
}
let bench: Bench;
let tests = 0;

before(async () => {
  shared.base = await createTestDatabase();
  const { hostname, port } = new URL(shared.base.url);
  shared.proxy = await startTcpProxy({ host: hostname, port: Number(port) });
});
after(async () => {
  await shared.proxy?.close();
  await shared.base?.drop();
});

beforeEach(async () => {
  tests += 1;
  const topics = { in: `in-${tests}`, dead: `dead-${tests}` };
  const url = new URL(shared.base!.url);
  url.port = String(shared.proxy!.port);
  const database = connectDatabase({ url: url.toString(), applicationName: 'tracker test' });
  const bus = await createPostgresBus({ database: shared.base!.database, clock, pollEveryMs: 50, leaseMs: 3_000 });
  const settings = settingsOf(payloadTrackerOptions, loadConfig(payloadTrackerOptions, { env: {} }).config);
  const tracker = await startPayloadTracker(
    { ...settings, topic: topics.in, deadLettersTopic: topics.dead, http: { host: '127.0.0.1', port: 0 } },
    { bus, database, telemetry: createSilentTelemetry('tracker'), clock },
  );
  bench = { topics, database, bus, tracker, events: [] };
  subscribe(BUSINESS_EVENT_CHANNEL, onEvent);
});
afterEach(async () => {
  unsubscribe(BUSINESS_EVENT_CHANNEL, onEvent);
  shared.proxy!.restore();
  await bench.tracker.stop();
  await bench.bus.close();
  await bench.database.close();
  await shared.base!.database.query('DELETE FROM ccx.trace');
});

function onEvent(message: unknown): void {
  bench.events.push(message as BusinessEvent);
}

async function send(...values: (string | object)[]): Promise<void> {
  const producer = await bench.bus.createProducer();
  const text = (value: string | object) => (typeof value === 'string' ? value : JSON.stringify(value));
  await producer.send(values.map((value) => ({ topic: bench.topics.in, value: text(value) })));
  await producer.close();
}

async function process(...values: (string | object)[]): Promise<void> {
  await send(...values);
  await until(() => bench.tracker.idle());
}

async function ask(requestId: string): Promise<{ status: number; body: TrackerDocument & { message?: string } }> {
  const answer = await fetch(`${bench.tracker.url}/v1/payloads/${encodeURIComponent(requestId)}`);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  return { status: answer.status, body: (await answer.json()) as TrackerDocument };
}

const fromIngress = {
  service: 'ingress',
  account: '0000001',
  org_id: '000001',
  request_id: request,
  status: 'received',
  status_msg: 'Payload received by ingress',
  date: '2026-11-21T16:00:03.5Z',
};
const announced = {
  ...fromIngress,
  status: 'success',
  status_msg: 'Sent to validation service: openshift',
  date: '2026-11-21T16:00:04Z',
};
const fromWriter = {
  service: 'ccx-notification-writer',
  request_id: request,
  status: 'received',
  date: '2026-11-21 16:00:05.25',
};

test('statuses become events of the trace, with the hops that they finish', async () => {
  await process(fromIngress, fromWriter, { ...fromWriter, status: 'error', date: '2026-11-21T16:00:06Z' }, announced);
  const trace = await readTrace(shared.base!.database, request);
  assert.deepEqual(
    trace.map(({ service, status, hop, detail, orgId, at }) => [service, status, hop, detail, orgId, at]),
    [
      ['ingress', 'received', 1, 'Payload received by ingress', '000001', '2026-11-21T16:00:03.5Z'],
      ['ingress', 'success', 2, 'Sent to validation service: openshift', '000001', '2026-11-21T16:00:04Z'],
      ['ccx-notification-writer', 'received', 7, undefined, undefined, '2026-11-21T16:00:05.25Z'],
      ['ccx-notification-writer', 'error', undefined, undefined, undefined, '2026-11-21T16:00:06Z'],
    ],
  );
  assert.equal(bench.events.filter(({ event }) => event === 'status-stored').length, 4);
});

test('the document has the newest status first and says of each whose payload it is', async () => {
  await process(fromIngress, fromWriter, announced);
  const { status, body } = await ask(request);
  assert.equal(status, 200);
  assert.deepEqual(
    body.data.map(({ service, status: word, date }) => [service, word, date]),
    [
      ['ccx-notification-writer', 'received', '2026-11-21T16:00:05.25Z'],
      ['ingress', 'success', '2026-11-21T16:00:04Z'],
      ['ingress', 'received', '2026-11-21T16:00:03.5Z'],
    ],
  );
  const { id, created_at, ...newest } = body.data[0]!;
  assert.match(id, /^\d+$/);
  assert.match(created_at, /^\d{4}-.*Z$/);
  assert.deepEqual(newest, {
    service: 'ccx-notification-writer',
    source: '',
    account: '0000001',
    org_id: '000001',
    request_id: request,
    inventory_id: '',
    system_id: '',
    status: 'received',
    status_msg: '',
    date: '2026-11-21T16:00:05.25Z',
  });
  assert.deepEqual(body.duration, { ingress: '0.5s', total_time: '1.75s', 'ccx-notification-writer': '0s' });
});

test('nobody can take a payload over by telling of it later', async () => {
  await process(announced);
  await process({ ...fromIngress, org_id: 'thief', account: 'thief', date: '2000-01-01T00:00:00Z' });
  const { body } = await ask(request);
  assert.deepEqual([...new Set(body.data.map(({ org_id }) => org_id))], ['000001']);
});

test('a request is found in other spellings, with anything in its name, or said to be unknown', async () => {
  await process(fromIngress, { ...fromIngress, request_id: 'a/b %?#' });
  assert.equal((await ask('766bd495-80ce-4ed4-89ec-04e35fc7edac')).body.data.length, 1);
  assert.equal((await ask('a/b %?#')).body.data.length, 1);
  const { status, body } = await ask('nobody-knows');
  assert.equal(status, 404);
  assert.deepEqual(body, {
    title: 'Not Found',
    message: 'payload with id: nobody-knows not found',
    status: 404,
    data: [],
  });
  assert.equal((await ask('')).status, 400);
  assert.equal((await ask('a'.repeat(requestIdCharactersMax))).status, 404);
  assert.equal((await ask('a'.repeat(requestIdCharactersMax + 1))).status, 400);
});

test('what cannot be read is dead-lettered with its reason, and the rest is stored', async () => {
  await process('not json', fromIngress, { ...fromIngress, date: 'soon' }, announced);
  assert.equal((await ask(request)).body.data.length, 2);
  const letters = await bench.bus.admin.read({ topic: bench.topics.dead, partition: 0, offset: 0n }, 10);
  assert.deepEqual(
    letters.map((letter) => {
      const info = parseDeadLetterHeaders((name) => headerText(letter, name));
      return [info?.code, info?.step, info?.service, info?.sourceOffset];
    }),
    [
      ['STATUS_NOT_JSON', 'parse-status', 'ccx-payload-tracker', 0n],
      ['STATUS_DATE', 'parse-status', 'ccx-payload-tracker', 2n],
    ],
  );
});

test('the same status twice is one event', async () => {
  await process(fromIngress, fromIngress);
  await process(fromIngress);
  assert.equal((await ask(request)).body.data.length, 1);
});

test('a database that goes away loses nothing; readiness and questions say so meanwhile', async () => {
  await process(fromIngress);
  shared.proxy!.cut();
  await send(announced);
  await until(async () => !(await bench.tracker.readiness()).ready);
  assert.equal((await fetch(`${bench.tracker.url}/ready`)).status, 503);
  assert.equal((await fetch(`${bench.tracker.url}/v1/payloads/${request}`)).status, 503);
  shared.proxy!.restore();
  await until(() => bench.tracker.idle());
  assert.equal((await ask(request)).body.data.length, 2);
  assert.equal((await fetch(`${bench.tracker.url}/ready`)).status, 200);
});

test('metrics count what was taken, stored and dead-lettered', async () => {
  await process(fromIngress, 'bad', announced);
  const text = await (await fetch(`${bench.tracker.url}/metrics`)).text();
  assert.match(text, /^ccx_tracker_consumed_messages_total 3$/m);
  assert.match(text, /^ccx_tracker_stored_statuses_total 2$/m);
  assert.match(text, /^ccx_tracker_dead_letters_total\{step="parse-status",code="STATUS_NOT_JSON"\} 1$/m);
});
