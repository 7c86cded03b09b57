/** What an upload looks like on the wire, and what becomes of answers and failures. Source: ingress.md A.5, B.3. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { listening } from '../../../test/support/test-server.ts';
import { archiveBytesMax, type UploadOptions, uploadArchive } from './upload-archive.ts';

const clusterId = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
const gatheredAt = new Date('2026-11-21T16:00:00.987Z');

async function listen(context: TestContext, server: Server): Promise<string> {
  const { port, close } = await listening(server);
  context.after(close);
  return `http://127.0.0.1:${port}/api/ingress/v1/upload`;
}

const upload = (url: string, more: Partial<UploadOptions> = {}) =>
  uploadArchive({ url, archive: Buffer.from('archive bytes'), clusterId, gatheredAt, ...more });

test('the request is what the operator sends, header for header and byte for byte', async (context) => {
  let received = '';
  const server = createTcpServer((socket) => {
    socket.on('data', (data) => {
      received += data.toString('latin1');
      if (received.endsWith('0\r\n\r\n')) {
        socket.end(
          'HTTP/1.1 202 Accepted\r\nx-rh-insights-request-id: r1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}',
        );
      }
    });
  });
  const url = await listen(context, server);
  const answer = await upload(url, { token: 'secret', operatorVersion: '4.19.0-abc' });
  assert.deepEqual(answer, { status: 202, requestId: 'r1', body: '{}' });

  const [head = '', ...rest] = received.split('\r\n\r\n');
  const boundary = /boundary=([0-9a-f]{60})/.exec(head)?.[1];
  assert.deepEqual(head.split('\r\n'), [
    'POST /api/ingress/v1/upload HTTP/1.1',
    `Host: ${new URL(url).host}`,
    `User-Agent: insights-operator/4.19.0-abc cluster/${clusterId}`,
    'Transfer-Encoding: chunked',
    'Authorization: Bearer secret',
    `Content-Type: multipart/form-data; boundary=${boundary}`,
    'Accept-Encoding: gzip',
    'Connection: close',
  ]);
  assert.equal(
    unchunked(rest.join('\r\n\r\n')),
    [
      `--${boundary}`,
      'Content-Disposition: form-data; name="file"; filename="payload.tar.gz"',
      'Content-Type: application/vnd.redhat.openshift.periodic',
      '',
      'archive bytes',
      `--${boundary}`,
      'Content-Disposition: form-data; name="metadata"; filename="metadata.json"',
      'Content-Type: application/octet-stream',
      '',
      '{"custom_metadata":{"gathering_time":"2026-11-21T16:00:00Z"}}',
      `--${boundary}--`,
      '',
    ].join('\r\n'),
  );
});

/** The content of a chunked body. */
function unchunked(body: string): string {
  let content = '';
  let at = 0;
  for (;;) {
    const end = body.indexOf('\r\n', at);
    const length = Number.parseInt(body.slice(at, end), 16);
    if (length === 0) return content;
    content += body.slice(end + 2, end + 2 + length);
    at = end + 2 + length + 2;
  }
}

async function serve(context: TestContext, listener: RequestListener): Promise<string> {
  return listen(context, createServer(listener));
}

async function drained(request: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) bytes += chunk.length;
  return bytes;
}

test('an identity and a request id are sent where no gateway adds them', async (context) => {
  const seen: unknown[] = [];
  const url = await serve(context, async (request, response) => {
    await drained(request);
    const identity = String(request.headers['x-rh-identity']);
    seen.push(identity, request.headers['x-rh-insights-request-id'], request.headers.authorization);
    response.writeHead(202).end();
  });
  await upload(url, { identity: { identity: { org_id: '1', type: 'System' } }, requestId: 'abc' });
  await upload(url, { identity: 'as it is' });
  assert.deepEqual(seen, [
    Buffer.from('{"identity":{"org_id":"1","type":"System"}}').toString('base64'),
    'abc',
    undefined,
    'as it is',
    undefined,
    undefined,
  ]);
});

test('any answer is told, and redirects are not followed', async (context) => {
  for (const status of [200, 307, 400, 401, 413, 503]) {
    const url = await serve(context, async (request, response) => {
      await drained(request);
      response.writeHead(status, { location: '/elsewhere' }).end(`answer ${status}`);
    });
    assert.deepEqual(await upload(url), { status, requestId: undefined, body: `answer ${status}` });
  }
});

test('a compressed answer is read', async (context) => {
  const url = await serve(context, async (request, response) => {
    await drained(request);
    response.writeHead(202, { 'content-encoding': 'gzip' }).end(gzipSync('{"request_id":"r"}'));
  });
  assert.equal((await upload(url)).body, '{"request_id":"r"}');
});

test('an answer that comes before the archive was taken is told', async (context) => {
  const url = await serve(context, (_request, response) => {
    response.writeHead(413, { connection: 'close' }).end('too large');
  });
  assert.equal((await upload(url, { archive: Buffer.alloc(archiveBytesMax - 1) })).status, 413);
});

test('an archive of one byte less than the limit is sent whole, one of the limit is broken off', async (context) => {
  const sizes: number[] = [];
  const url = await serve(context, async (request, response) => {
    request.on('error', () => sizes.push(-1));
    sizes.push(await drained(request).catch(() => -1));
    response.writeHead(202).end();
  });
  assert.equal((await upload(url, { archive: Buffer.alloc(archiveBytesMax - 1) })).status, 202);
  assert.ok(sizes[0]! > archiveBytesMax - 1);
  await assert.rejects(upload(url, { archive: Buffer.alloc(archiveBytesMax) }), { code: 'UPLOAD_TOO_LARGE' });
});

test('no answer is a failure that may pass', async (context) => {
  const failed = { code: 'UPLOAD_FAILED', retryable: true };
  const closing = await listen(
    context,
    createTcpServer((socket) => socket.destroy()),
  );
  await assert.rejects(upload(closing), failed);
  const silent = await listen(
    context,
    createTcpServer((socket) => {
      socket.on('error', () => undefined).resume();
      context.after(() => socket.destroy());
    }),
  );
  await assert.rejects(upload(silent, { deadlineMs: 50 }), failed);
  await assert.rejects(upload('http://127.0.0.1:1/upload'), failed);
});
