/** What a webhook is posted and how, with real servers: signatures, formats, authorization, certificates, proxies, and what is never done. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { firstCertificate, secondCertificate, writeCertificate } from '../../../../../test/support/certificates.ts';
import { clusterId, dueIssue } from '../../../../../test/support/due-cluster.ts';
import { temporaryFile, temporaryFolder } from '../../../../../test/support/temporary-folder.ts';
import { listening } from '../../../../../test/support/test-server.ts';
import { openTestReceivers, receiversToml, webhookEntry } from '../../../../../test/support/webhook-receiver.ts';
import {
  isSignedWith,
  oldSigningKey,
  startWebhookSink,
  testSigningKey,
} from '../../../../../test/support/webhook-sink.ts';
import { parseReceiverEvent } from '../../../../contracts/receiver-event.ts';
import { createSystemClock } from '../../../../platform/clock/clock.ts';
import { callHttp } from '../../../../platform/http/http-client.ts';
import type { DeliveryResult, ReceiverTarget } from '../../ports.ts';
import { goneAfterMs, resultOfStatus } from './classify-answer.ts';
import { issuesPerMessageMax } from './compose-events.ts';

const clock = createSystemClock();
const context = { now: new Date('2026-11-21T16:00:00Z'), uuid: () => clock.uuid() };

async function open(url: string, changes: Parameters<typeof webhookEntry>[1] = {}): Promise<ReceiverTarget> {
  const [receiver] = await openTestReceivers(receiversToml([webhookEntry(url, changes)]), clock);
  return receiver!.target;
}

function clusterOf(...issues: ReturnType<typeof dueIssue>[]) {
  const about = { orgId: 7, accountNumber: 7, cluster: clusterId, reportUpdatedAt: '2026-11-21 16:00:00' };
  return { ...about, requestId: undefined, issues };
}

async function send(target: ReceiverTarget): Promise<DeliveryResult> {
  const [notification] = await target.compose(clusterOf(dueIssue()), context);
  const { signal } = new AbortController();
  return await target.deliver({ notification: notification!, mayHaveArrived: false, signal });
}

test('a message is signed with both keys while they are exchanged, and a key in a file is read again', async () => {
  const sink = await startWebhookSink();
  try {
    const keyFile = temporaryFile('key', testSigningKey);
    const entry = { signing_key_file: keyFile, signing_key_old: oldSigningKey };
    const { signing_key: _, ...unsigned } = webhookEntry(sink.url, entry);
    const [receiver] = await openTestReceivers(receiversToml([unsigned]), clock);
    assert.equal((await send(receiver!.target)).kind, 'delivered');
    const [first] = sink.taken;
    assert.ok(isSignedWith(testSigningKey, first!) && isSignedWith(oldSigningKey, first!));
    const next = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
    const { writeFile } = await import('node:fs/promises');
    await writeFile(keyFile, next);
    await send(receiver!.target);
    assert.ok(isSignedWith(next, sink.taken[1]!) && !isSignedWith(testSigningKey, sink.taken[1]!));
    await writeFile(keyFile, 'no key');
    const refused = await send(receiver!.target);
    assert.equal(refused.kind === 'paused' && refused.error.code, 'RECEIVER_KEY');
    assert.equal(sink.taken.length, 2);
  } finally {
    sink.close();
  }
});

test('a signature is the one that the standard’s own example has', async () => {
  const { signatureHeaders } = await import('./sign.ts');
  // Source: the test vector of the libraries of Standard Webhooks.
  const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
  const message = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    body: '{"test": 2432232314}',
    now: new Date(1_614_265_330_000),
  };
  assert.deepEqual(signatureHeaders({ ...message, keys: [key] }), {
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('authorization and headers go along; nobody sees more of the address than its host', async () => {
  const sink = await startWebhookSink();
  try {
    const basic = await open(sink.url, { username: 'ada', password: 'hunter2', headers: ['X-Team: fleet'] });
    await send(basic);
    const { headers } = sink.taken[0]!;
    assert.equal(headers.authorization, `Basic ${Buffer.from('ada:hunter2').toString('base64')}`);
    assert.equal(headers['x-team'], 'fleet');
    await send(await open(sink.url, { bearer_token: 't0ken' }));
    assert.equal(sink.taken[1]!.headers.authorization, 'Bearer t0ken');
    assert.doesNotMatch(basic.address, /s3cret/);
    sink.answer = () => ({ status: 302, headers: { location: `${sink.url}/elsewhere` } });
    const moved = await send(basic);
    assert.equal(moved.kind === 'paused' && moved.error.code, 'RECEIVER_REFUSED');
    assert.equal(sink.taken.length, 3, 'redirects are not followed');
    assert.doesNotMatch(JSON.stringify(moved), /s3cret|hunter2/);
  } finally {
    sink.close();
  }
});

test('a certificate is trusted by its own authority, a client certificate is shown, and one that is not trusted pauses', async () => {
  const sink = await startWebhookSink({ ...firstCertificate, ca: secondCertificate.cert });
  try {
    const server = writeCertificate(temporaryFolder(), firstCertificate);
    const client = writeCertificate(temporaryFolder(), secondCertificate);
    const shown = { client_cert_file: client.certFile, client_key_file: client.keyFile };
    assert.equal((await send(await open(sink.url, { ca_file: server.certFile, ...shown }))).kind, 'delivered');
    assert.equal((await send(await open(sink.url, shown))).kind, 'paused', 'an authority that nobody knows');
    const missing = await send(await open(sink.url, { ca_file: '/nowhere' }));
    assert.equal(missing.kind === 'paused' && missing.error.code, 'RECEIVER_FILE');
    assert.equal(sink.taken.length, 1);
  } finally {
    sink.close();
  }
});

test('a proxy is used where one is set', async () => {
  const sink = await startWebhookSink();
  const asked: string[] = [];
  const proxy = createServer(async (request, response) => {
    asked.push(request.url ?? '');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = 'POST', headers } = request;
    const answer = await fetch(request.url!, {
      method,
      headers: { 'webhook-id': String(headers['webhook-id']) },
      body: Buffer.concat(chunks),
    });
    response.writeHead(answer.status).end();
  });
  proxy.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    const [host, port] = String(request.url).split(':');
    const to = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      to.pipe(socket).pipe(to);
    });
    to.on('error', () => socket.destroy());
    socket.on('error', () => to.destroy());
  });
  const { port, close } = await listening(proxy);
  try {
    assert.equal((await send(await open(sink.url, { proxy_url: `http://127.0.0.1:${port}` }))).kind, 'delivered');
    assert.equal(asked.length, 1);
    assert.equal(sink.taken.length, 1);
  } finally {
    close();
    sink.close();
  }
});

test('a name that resolves to a link-local address is refused at the connection, unless that is meant', async () => {
  const way = { tls: {}, proxyUrl: undefined, allowLinkLocal: false };
  await assert.rejects(callHttp('http://169.254.169.254/', { way }), { code: 'HTTP_ADDRESS_REFUSED' });
  await assert.rejects(callHttp('http://[fe80::1]/', { way }), { code: 'HTTP_ADDRESS_REFUSED' });
  const { lookUpGuarded } = await import('../../../../platform/http/guarded-call.ts');
  const refusal = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    lookUpGuarded('169.254.169.254', { all: true }, resolve);
  });
  assert.equal(refusal?.code, 'HTTP_ADDRESS_REFUSED');
  const fine = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    lookUpGuarded('localhost', { all: true }, resolve);
  });
  assert.equal(fine, null);
});

const answers: Readonly<Record<number, DeliveryResult['kind']>> = {
  ...{ 200: 'delivered', 201: 'delivered', 202: 'delivered', 204: 'delivered' },
  ...{ 301: 'paused', 307: 'paused', 401: 'paused', 403: 'paused', 404: 'paused', 405: 'paused', 407: 'paused' },
  ...{ 400: 'rejected', 413: 'rejected', 422: 'rejected' },
  ...{ 408: 'unknown', 409: 'unknown', 500: 'unknown', 502: 'unknown', 504: 'unknown' },
  ...{ 410: 'gone', 425: 'retry', 429: 'paused', 503: 'retry' },
};

test('what each answer means', () => {
  for (const [status, kind] of Object.entries(answers))
    assert.equal(resultOfStatus(Number(status), undefined).kind, kind, status);
  const limited = resultOfStatus(429, 5_000);
  assert.equal('afterMs' in limited && limited.afterMs, 5_000);
  assert.equal(resultOfStatus(503, 5_000).kind, 'paused', 'it has said for how long');
  const gone = resultOfStatus(410, undefined);
  assert.equal('afterMs' in gone && gone.afterMs, goneAfterMs);
});

test('a message holds at most so many issues; a repeat for a person has another id and time, and the same news', async () => {
  const target = await open('http://127.0.0.1/');
  const issues = Array.from({ length: issuesPerMessageMax + 1 }, (_, index) => dueIssue({ errorKey: `KEY_${index}` }));
  const messages = await target.compose(clusterOf(...issues), context);
  assert.deepEqual(
    messages.map((message) => message.issues.length),
    [issuesPerMessageMax, 1],
  );
  const again = target.reissue(messages[1]!, { ...context, now: new Date('2026-11-22T16:00:00Z') });
  const [before, after] = [messages[1]!, again].map(({ body }) => parseReceiverEvent(body));
  assert.notEqual(after!.id, before!.id);
  assert.equal(after!.id, again.id);
  assert.equal(again.headers['webhook-id'], again.id);
  assert.equal(after!.time, '2026-11-22T16:00:00.000Z');
  assert.deepEqual(after!.data, before!.data);
});

test('whatever a rule is called, a chat shows it as text: no link, mention or emphasis of its own', async () => {
  const { signing_key: _, ...entry } = webhookEntry('http://127.0.0.1/', { format: 'slack' });
  const [receiver] = await openTestReceivers(receiversToml([entry]), clock);
  const text = async (description: string) => {
    const [message] = await receiver!.target.compose(clusterOf(dueIssue({ description })), context);
    return (JSON.parse(message!.body) as { readonly text: string }).text;
  };
  assert.match(
    await text('A node is not ready'),
    /^New recommendations for cluster <https:\S+\|5d5892d3-[^>]+>\n• <https:\S+\|A node is not ready> \(important\)$/,
  );
  await fc.assert(
    fc.asyncProperty(fc.stringMatching(/^[<>&|*_~`@![\]()\n a-z]{1,40}$/), async (description) => {
      const line = (await text(`x ${description}`)).split('\n').slice(1).join('\n');
      const shown = /^• <https:[^|<>\s]+\|([^<>|]*)> \(important\)$/.exec(line)?.[1];
      assert.ok(shown !== undefined, line);
      assert.doesNotMatch(shown, /(?<!\u200b)[*_~`]|@[a-z]/);
    }),
    { numRuns: 200 },
  );
});

test('a test message says that it is one, and is about no issue', async () => {
  const sink = await startWebhookSink();
  try {
    const target = await open(sink.url);
    const notification = await target.composeTest(context);
    const { signal } = new AbortController();
    assert.equal((await target.deliver({ notification, mayHaveArrived: false, signal })).kind, 'delivered');
    const event = parseReceiverEvent(sink.taken[0]!.body);
    assert.equal(event.type, 'com.ccx-notifications.test');
    assert.deepEqual(event.data.issues, []);
  } finally {
    sink.close();
  }
});
