/** The token stand-in, over the wire: consumers.md 2.5, and the mock of the black-box suite. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createManualClock } from '../../../platform/clock/manual-clock.ts';
import { callHttp } from '../../../platform/http/http-client.ts';
import { readClaims } from '../json-web-token.ts';
import { startFakeTokenEndpoint } from './fake-token-endpoint.ts';

const form = 'client_id=CLIENT_ID&grant_type=client_credentials&scope=openid';

async function setUp(t: TestContext, clientSecret?: string) {
  const clock = createManualClock('2026-11-21T16:00:00Z');
  const endpoint = await startFakeTokenEndpoint(clock, clientSecret);
  t.after(() => endpoint.stop());
  const ask = async (body: string, authorization?: string) => {
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      ...(authorization ? { authorization } : {}),
    };
    const answer = await callHttp(endpoint.tokenUrl, { method: 'POST', headers, body });
    return { status: answer.status, body: JSON.parse(answer.body.toString('utf8')) as Record<string, unknown> };
  };
  return { clock, endpoint, ask };
}

test('client credentials get a token that says when it ends', async (t) => {
  const { ask, endpoint } = await setUp(t);
  const { status, body } = await ask(form);
  assert.equal(status, 200);
  assert.equal(body['token_type'], 'Bearer');
  assert.equal(body['expires_in'], 900);
  const claims = readClaims(String(body['access_token']));
  assert.equal(claims?.['exp'], Date.parse('2026-11-21T16:15:00Z') / 1000);
  assert.deepEqual(endpoint.tokens(), [body['access_token']]);
  assert.equal(endpoint.requests()[0]?.body, form);
});

test('other forms are refused as the mock of the black-box suite does', async (t) => {
  const { ask } = await setUp(t);
  assert.equal((await ask(form.replace('client_credentials', 'refresh_token'))).status, 501);
  assert.equal((await ask(form.replace('CLIENT_ID', 'other'))).status, 401);
  assert.equal((await ask(form.replace('openid', 'profile'))).status, 501);
  assert.equal((await ask('client_id=CLIENT_ID&scope=openid')).status, 422);
});

test('the secret is taken from the header or the body, where one is wanted', async (t) => {
  const { ask } = await setUp(t, 'hunter2');
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  assert.equal((await ask(form)).status, 401);
  assert.equal((await ask(form, basic('CLIENT_ID:wrong'))).status, 401);
  assert.equal((await ask(form, basic('other:hunter2'))).status, 401);
  assert.equal((await ask(form, basic('CLIENT_ID:hunter2'))).status, 200);
  assert.equal((await ask(`${form}&client_secret=hunter2`)).status, 200);
});
