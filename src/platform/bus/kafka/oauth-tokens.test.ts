/** The client credentials grant against a local token service. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { test } from 'node:test';
import { listening } from '../../../../test/support/test-server.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { oauthToken } from './oauth-tokens.ts';

async function withTokenService(
  answer: (request: IncomingMessage, body: string, response: ServerResponse) => void,
  run: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    answer(request, body, response);
  });
  const { port, close } = await listening(server);
  try {
    await run(`http://127.0.0.1:${port}/token`);
  } finally {
    close();
  }
}

test('credentials go in the header, grant and scope in the body, the token comes back', async () => {
  await withTokenService(
    (request, body, response) => {
      assert.equal(request.headers.authorization, `Basic ${Buffer.from('an%20id:s%3Aecret').toString('base64')}`);
      assert.equal(body, 'grant_type=client_credentials&scope=kafka');
      response.end(JSON.stringify({ access_token: 'the-token', expires_in: 60 }));
    },
    async (url) => {
      const token = () => oauthToken({ url, clientId: 'an id', clientSecret: 's:ecret', scope: 'kafka' });
      assert.equal(await token(), 'the-token');
    },
  );
});

for (const [status, body] of [
  [401, '{"error":"invalid_client"}'],
  [200, 'not json'],
  [200, '{"token_type":"bearer"}'],
] as const) {
  test(`an answer ${status} ${body} is a clear error`, async () => {
    await withTokenService(
      (_request, _body, response) => {
        response.statusCode = status;
        response.end(body);
      },
      async (url) => {
        const token = () => oauthToken({ url, clientId: 'a', clientSecret: 'b', scope: '' });
        await assert.rejects(token(), { code: 'BUS_AUTH' });
      },
    );
  });
}

for (const status of [408, 429, 500, 502, 503]) {
  test(`an answer ${status} says nothing about the credentials: BUS_UNREACHABLE, which is tried again`, async () => {
    await withTokenService(
      (_request, _body, response) => {
        response.statusCode = status;
        response.end();
      },
      async (url) => await assert.rejects(oauthToken({ url, clientId: 'a', clientSecret: 'b', scope: '' }), isAway),
    );
  });
}

test('a token service that is away, or goes away in the middle, is BUS_UNREACHABLE', async () => {
  await assert.rejects(
    oauthToken({ url: 'http://127.0.0.1:1/token', clientId: 'a', clientSecret: 'b', scope: '' }),
    isAway,
  );
  await withTokenService(
    (request) => request.socket.destroy(),
    async (url) => await assert.rejects(oauthToken({ url, clientId: 'a', clientSecret: 'b', scope: '' }), isAway),
  );
});

function isAway(error: unknown): boolean {
  assert.ok(error instanceof CcxError);
  assert.deepEqual([error.code, error.retryable], ['BUS_UNREACHABLE', true]);
  assert.match(error.hint ?? '', /bus\.oauth_token_url/);
  return true;
}
