/** Calls are bounded in time and size, and failures say what happened without showing the link. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { test } from 'node:test';
import { listening } from '../../../test/support/test-server.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { callHttp } from './http-client.ts';

async function withServer<T>(handler: RequestListener, work: (base: string) => Promise<T>): Promise<T> {
  const { port, close } = await listening(createServer(handler));
  try {
    return await work(`http://127.0.0.1:${port}`);
  } finally {
    close();
  }
}

function hasCode(code: string) {
  return (error: unknown) => error instanceof CcxError && error.code === code && !error.message.includes('signature');
}

test('an answer comes back with its status and bytes', async () => {
  await withServer(
    (_, response) => response.writeHead(418).end('tea'),
    async (base) => {
      const answer = await callHttp(`${base}/`);
      assert.equal(answer.status, 418);
      assert.equal(answer.body.toString(), 'tea');
    },
  );
});

test('a server that never answers costs the deadline and no more', async () => {
  await withServer(
    () => undefined,
    async (base) => assert.rejects(callHttp(`${base}/?signature=1`, { deadlineMs: 50 }), hasCode('HTTP_TIMEOUT')),
  );
});

test('an answer at the limit is read, one byte more is refused', async () => {
  await withServer(
    (_, response) => response.end(Buffer.alloc(100)),
    async (base) => {
      assert.equal((await callHttp(base, { answerBytesMax: 100 })).body.length, 100);
      await assert.rejects(callHttp(base, { answerBytesMax: 99 }), hasCode('HTTP_ANSWER_TOO_LARGE'));
    },
  );
});

test('nobody listening is a connection error that may be tried again', async () => {
  await assert.rejects(callHttp('http://127.0.0.1:1/?signature=1'), (error: unknown) => {
    assert.ok(error instanceof CcxError);
    return error.code === 'HTTP_UNREACHABLE' && error.retryable && !error.message.includes('signature');
  });
});

test('redirects are not followed unless asked for', async () => {
  await withServer(
    (request, response) => {
      if (request.url === '/') response.writeHead(302, { location: '/there' }).end();
      else response.end('there');
    },
    async (base) => {
      assert.equal((await callHttp(`${base}/`)).status, 302);
      assert.equal((await callHttp(`${base}/`, { followRedirects: true })).body.toString(), 'there');
    },
  );
});
