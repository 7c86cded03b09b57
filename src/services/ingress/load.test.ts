/** Many uploads at once: bounded in number and in what they leave behind (memory: commands.process.test.ts). What is logged of them tells nobody's secrets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, type TestContext, test } from 'node:test';
import {
  BOUNDARY,
  filePart,
  form,
  metadataPart,
  send,
  startIngressBench,
  TEST_ORG,
  unfinishedFiles,
  upload,
  userIdentity,
} from '../../../test/support/ingress-bench.ts';
import { createRecordingBus } from '../../../test/support/recording-bus.ts';
import { until } from '../../../test/support/until.ts';
import { encodeIdentity } from '../../contracts/identity.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import type { DirectoryObjectStore } from '../../platform/objects/directory/directory-store.ts';
import type { ObjectStore } from '../../platform/objects/object-store.ts';
import { createTelemetry } from '../../platform/telemetry/telemetry.ts';
import { gatheredBytesMax } from './archive-staging.ts';
import { bodyFirstMsMax, bodyIdleMsMax } from './request-body.ts';
import { startIngress } from './service.ts';
import { admittedPerSlotMax, sweepBodiesEveryMs, uploadArrivedBytesMin, uploadQueueMsMax } from './upload-slots.ts';

describe('uploads at once', () => {
  /** An object store that takes its time: an upload keeps its slot until `goOn`. */
  function slowStore() {
    const goOn = Promise.withResolvers<void>();
    const keys: string[] = [];
    const objects = (store: DirectoryObjectStore): ObjectStore => ({
      put: async (key, body) => {
        keys.push(key);
        if (key.startsWith('slow')) await goOn.promise;
        return await store.put(key, body);
      },
      get: (key, range) => store.get(key, range),
      delete: (key) => store.delete(key),
      list: (prefix) => store.list(prefix),
      check: () => store.check(),
    });
    return { goOn: () => goOn.resolve(), keys, objects };
  }
  const withId = (id: string, orgId = TEST_ORG) => ({
    headers: {
      'x-rh-insights-request-id': id,
      'x-rh-identity': encodeIdentity({ identity: { type: 'User', org_id: orgId } }),
    },
  });

  test('beyond the number of slots wait for their turn, and are told after 20 s when to come again', async (t) => {
    const clock = createManualClock();
    const slow = slowStore();
    const bench = await startIngressBench(t, {
      clock,
      objects: slow.objects,
      settings: { concurrentUploadsMax: 2 },
    });
    const working = ['slow1', 'slow2'].map((id) => upload(bench, [filePart('x')], withId(id)));
    await until(async () => (await bench.metric('ccx_ingress_upload_slots_taken')) === 2);
    assert.equal(await bench.ingress.idle(), false);

    const refused = upload(bench, [filePart('x')], withId('late'));
    await until(async () => (await bench.metric('ccx_ingress_uploads_waiting')) === 1);
    const tested = await send(`${bench.ingress.uploadUrl}?test=test`, {
      method: 'POST',
      headers: { 'x-rh-identity': userIdentity },
    });
    assert.equal(tested.status, 200, 'a test is answered all the same');
    await clock.advance(uploadQueueMsMax - sweepBodiesEveryMs);
    assert.equal(await bench.metric('ccx_ingress_uploads_waiting'), 1, 'it is not told before its time');
    await clock.advance(2 * sweepBodiesEveryMs);
    const answer = await refused;
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '30']);
    assert.equal(await bench.metric('ccx_ingress_refused_total', { code: 'TOO_MANY_UPLOADS' }), 1);

    const patient = upload(bench, [filePart('x')], withId('patient'));
    await until(async () => (await bench.metric('ccx_ingress_uploads_waiting')) === 1);
    await clock.advance(uploadQueueMsMax / 2);
    slow.goOn();
    assert.equal((await patient).status, 202, 'who waits less gets the next free slot');
    for (const one of working) assert.equal((await one).status, 202);
    assert.deepEqual(await unfinishedFiles(bench.path), []);
  });

  test('of one organization do not keep another one waiting behind all of them', async (t) => {
    const slow = slowStore();
    const bench = await startIngressBench(t, { objects: slow.objects, settings: { concurrentUploadsMax: 2 } });
    const answers = ['slow1', 'slow2'].map((id) => upload(bench, [filePart('x')], withId(id, '1')));
    await until(async () => (await bench.metric('ccx_ingress_upload_slots_taken')) === 2);
    for (const [id, orgId] of [
      ['own1', '1'],
      ['own2', '1'],
      ['other', '2'],
    ] as const) {
      answers.push(upload(bench, [filePart('x')], withId(id, orgId)));
      await until(async () => (await bench.metric('ccx_ingress_uploads_waiting')) === answers.length - 2);
    }
    slow.goOn();
    for (const answer of await Promise.all(answers)) assert.equal(answer.status, 202);
    const order = slow.keys.filter((key) => !key.includes('/'));
    assert.deepEqual(order.slice(0, 3), ['slow1', 'slow2', 'other'], 'the last to come is the next to go');
  });

  test('that wait for their clients hold no slot: others go through beside them', async (t) => {
    const bench = await startIngressBench(t, { settings: { concurrentUploadsMax: 1 } });
    const sockets = await Promise.all([begin(bench.ingress.baseUrl), begin(bench.ingress.baseUrl)]);
    await until(async () => (await bench.metric('ccx_ingress_uploads_in_flight')) === 2);
    await until(async () => (await bench.metric('ccx_ingress_upload_slots_taken')) === 0);
    assert.equal(await bench.metric('ccx_ingress_uploads_in_flight'), 2);
    assert.equal((await upload(bench, [filePart('x')])).status, 202);

    sockets[0]!.write(`\r\n--${BOUNDARY}--\r\n`);
    const [answer] = (await once(sockets[0]!, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 202 /);
    sockets[1]!.destroy();
    await until(() => bench.ingress.idle());
    assert.deepEqual(await unfinishedFiles(bench.path), []);
  });

  test('that have begun and wait for their clients are bounded, too: the slowest gives way', async (t) => {
    const clock = createManualClock();
    const bench = await startIngressBench(t, { clock, settings: { concurrentUploadsMax: 1 } });
    const slow = await begin(bench.ingress.baseUrl, uploadArrivedBytesMin + 1_000);
    const told = once(slow, 'data') as Promise<[Buffer]>;
    await until(async () => (await bench.metric('ccx_ingress_uploads_in_flight')) === 1);
    await until(async () => (await bench.metric('ccx_ingress_upload_slots_taken')) === 0);
    await clock.advance(bodyFirstMsMax);
    const others: Socket[] = [];
    for (let n = 0; n < admittedPerSlotMax; n += 1) others.push(await begin(bench.ingress.baseUrl, 200_000));
    await until(async () => (await bench.metric('ccx_ingress_refused_total', { code: 'TOO_MANY_UPLOADS' })) === 1);
    // What it may still be sending is waited for.
    await clock.advance(bodyFirstMsMax);
    assert.match((await told)[0].toString(), /^HTTP\/1\.1 503 (.+\r\n)*retry-after: 30\r\n/);
    await until(async () => (await bench.metric('ccx_ingress_uploads_in_flight')) === admittedPerSlotMax);
    for (const socket of others) socket.destroy();
    await until(() => bench.ingress.idle());
  });
});

describe('a client that', () => {
  /** Starts an upload and tells how it is answered; `send` sends more of it. */
  async function trickle(t: TestContext, firstBytes: number) {
    const clock = createManualClock();
    const bench = await startIngressBench(t, { clock });
    const socket = await begin(bench.ingress.baseUrl, firstBytes);
    const answered = once(socket, 'data') as Promise<[Buffer]>;
    const settled = answered.then(() => true);
    await until(async () => (await bench.metric('ingress_requests')) === 1);
    const sendMore = async (bytes: number) => {
      await new Promise<void>((resolve) => socket.write(Buffer.alloc(bytes), () => resolve()));
    };
    return { clock, bench, socket, settled, sendMore, text: async () => (await answered)[0].toString() };
  }

  test('sends a byte a second is given up after the first seconds, and has cost neither slot nor file', async (t) => {
    const it = await trickle(t, 300);
    for (let ms = 0; ms <= bodyFirstMsMax + 1_000; ms += 1_000) {
      assert.deepEqual(await unfinishedFiles(it.bench.path), []);
      assert.equal(await it.bench.metric('ccx_ingress_upload_slots_taken'), 0);
      await it.sendMore(1);
      await it.clock.advance(1_000);
    }
    assert.match(await it.text(), /^HTTP\/1\.1 408 Request Timeout\r\n(.+\r\n)*connection: close\r\n/);
    assert.equal(await it.bench.metric('ccx_ingress_refused_total', { code: 'BODY_TOO_SLOW' }), 1);
    assert.equal((await upload(it.bench, [filePart('x')])).status, 202);
  });

  test('falls silent in the middle is given up after 20 s, and leaves no file', async (t) => {
    const it = await trickle(t, gatheredBytesMax + 100_000);
    await until(async () => (await unfinishedFiles(it.bench.path)).length === 1);
    await until(async () => (await it.bench.metric('ccx_ingress_upload_slots_taken')) === 0);
    await it.clock.advance(bodyIdleMsMax - 1_000);
    assert.equal((await unfinishedFiles(it.bench.path)).length, 1, 'a pause is nothing yet');
    while (!(await it.bench.ingress.idle())) await it.clock.advance(1_000);
    assert.match(await it.text(), /^HTTP\/1\.1 408 /);
    assert.deepEqual(await unfinishedFiles(it.bench.path), []);
  });
});

test('no identity, token or body appears in the log, whatever is wrong with them', async (t) => {
  const bench = await startIngressBench(t);
  const destination = new PassThrough();
  const log: Buffer[] = [];
  destination.on('data', (line: Buffer) => log.push(line));
  const ingress = await startIngress(bench.settings, {
    bus: createRecordingBus(),
    objects: bench.objects,
    clock: bench.clock,
    telemetry: createTelemetry({ service: 'ingress', level: 'debug', destination }),
  });
  t.after(() => ingress.stop());
  const secret = 'SECRETSECRET';
  const withSecret = encodeIdentity({ identity: { type: 'User', org_id: '1', user: { email: secret } } });
  const parts = form([filePart(secret), metadataPart({ fqdn: secret, bad: 1, custom_metadata: { [secret]: 1 } })]);
  const credentials: readonly Readonly<Record<string, string>>[] = [
    { 'x-rh-identity': withSecret },
    { 'x-rh-identity': `${withSecret}x` },
    { 'x-rh-identity': Buffer.from(`{"identity":${secret}`).toString('base64') },
    { 'x-rh-identity': secret, authorization: `Bearer ${secret}` },
  ];
  for (const headers of credentials) {
    for (const body of [parts, parts.subarray(0, -20), Buffer.from(secret)]) {
      await send(ingress.uploadUrl, {
        method: 'POST',
        headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, ...headers },
        body,
      });
    }
  }
  const lines = Buffer.concat(log).toString();
  const received = lines.split('\n').find((line) => line.includes('Payload received')) ?? '';
  assert.deepEqual(
    received.match(/"service":"[^"]*"/g),
    ['"service":"openshift"'],
    'once, and as the reference has it',
  );
  assert.match(received, /"name":"ingress"/);
  assert.match(lines, /"service":"ingress"/, 'other lines say who writes');
  assert.match(lines, /Payload received/);
  assert.match(lines, /File or upload field not found/);
  for (const text of [secret, withSecret, Buffer.from(secret).toString('base64').slice(0, 12)]) {
    assert.ok(!lines.includes(text), `the log holds ${text}`);
  }
});

/** A form whose file has begun and does not end; the request says that more will come. */
async function begin(baseUrl: string, bytes = 100_000): Promise<Socket> {
  const end = `\r\n--${BOUNDARY}--\r\n`;
  const whole = form([filePart(Buffer.alloc(Math.max(bytes, 100_000)))]);
  const socket = connect(Number(new URL(baseUrl).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write(
    `POST /api/ingress/v1/upload HTTP/1.1\r\nHost: x\r\nx-rh-identity: ${userIdentity}\r\nConnection: close\r\n` +
      `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${whole.length}\r\n\r\n`,
  );
  socket.write(whole.subarray(0, bytes < 100_000 ? bytes : -end.length));
  return socket;
}
