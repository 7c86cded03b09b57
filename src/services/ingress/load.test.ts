/** Many uploads at once: bounded in number and in what they leave behind (memory: commands.pg.test.ts). What is logged of them tells nobody's secrets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import {
  BOUNDARY,
  filePart,
  form,
  metadataPart,
  send,
  startIngressBench,
  unfinishedFiles,
  upload,
  userIdentity,
} from '../../../test/support/ingress-bench.ts';
import { createRecordingBus } from '../../../test/support/recording-bus.ts';
import { encodeIdentity } from '../../contracts/identity.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { createTelemetry } from '../../platform/telemetry/telemetry.ts';
import { bodyIdleMsMax, drainMsMax } from './limits.ts';
import { startIngress } from './service.ts';

describe('uploads at once', () => {
  test('are taken up to a number; the next one is told when to come again, before its body is read', async (t) => {
    const bench = await startIngressBench(t, { settings: { concurrentUploadsMax: 2 } });
    const open = await Promise.all([begin(bench.ingress.baseUrl), begin(bench.ingress.baseUrl)]);
    while ((await unfinishedFiles(bench.path)).length < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await bench.metric('ccx_ingress_uploads_in_flight'), 2);
    assert.equal(await bench.ingress.idle(), false);

    const refused = await upload(bench, [filePart('x')]);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '30');
    const tested = await send(`${bench.ingress.uploadUrl}?test=test`, {
      method: 'POST',
      headers: { 'x-rh-identity': userIdentity },
    });
    assert.equal(tested.status, 200, 'a test is answered all the same');

    open[0]!.write(`\r\n--${BOUNDARY}--\r\n`);
    const [answer] = (await once(open[0]!, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 202 /);
    assert.equal((await upload(bench, [filePart('x')])).status, 202);
    open[1]!.destroy();
    while (!(await bench.ingress.idle())) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await unfinishedFiles(bench.path), []);
  });
});

test('a client that falls silent gives its place to another one', async (t) => {
  const clock = createManualClock();
  const bench = await startIngressBench(t, { clock, settings: { concurrentUploadsMax: 1 } });
  const socket = await begin(bench.ingress.baseUrl);
  while ((await unfinishedFiles(bench.path)).length < 1) await new Promise((resolve) => setImmediate(resolve));
  // What was sent has to be read first: the clock starts with the last byte.
  const answered = once(socket, 'data') as Promise<[Buffer]>;
  while (!(await bench.ingress.idle())) await clock.advance(bodyIdleMsMax);
  await clock.advance(drainMsMax);
  const [answer] = await answered;
  assert.match(answer.toString(), /^HTTP\/1\.1 400 Bad Request\r\n(.+\r\n)*connection: close\r\n/);
  assert.equal(await bench.metric('ccx_ingress_refused_total', { code: 'BODY_STALLED' }), 1);
  assert.deepEqual(await unfinishedFiles(bench.path), []);
  assert.equal((await upload(bench, [filePart('x')])).status, 202);
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
  assert.match(lines, /Payload received/);
  assert.match(lines, /File or upload field not found/);
  for (const text of [secret, withSecret, Buffer.from(secret).toString('base64').slice(0, 12)]) {
    assert.ok(!lines.includes(text), `the log holds ${text}`);
  }
});

/** A form whose file has begun and does not end. */
async function begin(baseUrl: string): Promise<Socket> {
  const end = `\r\n--${BOUNDARY}--\r\n`;
  const whole = form([filePart(Buffer.alloc(100_000))]);
  const socket = connect(Number(new URL(baseUrl).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write(
    `POST /api/ingress/v1/upload HTTP/1.1\r\nHost: x\r\nx-rh-identity: ${userIdentity}\r\nConnection: close\r\n` +
      `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${whole.length}\r\n\r\n`,
  );
  socket.write(whole.subarray(0, -end.length));
  return socket;
}
