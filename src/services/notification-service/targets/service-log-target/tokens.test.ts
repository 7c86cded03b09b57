/** The token dance with the stand-in endpoint: exact request, caching, sharing, faults, rotation, and nothing secret told. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createWatchedClock } from '../../../../../test/support/watched-clock.ts';
import { issueToken } from '../../../../all-in-one/stand-ins/json-web-token.ts';
import { startFakeTokenEndpoint } from '../../../../all-in-one/stand-ins/token-endpoint/fake-token-endpoint.ts';
import { type CcxError, errorText } from '../../../../encoding/ccx-error.ts';
import type { Secret } from '../../../../platform/secrets/secret-source.ts';
import { createTokenSource, tokenMarginMs } from './tokens.ts';

const clientSecret = 'hunter2';

/** A secret whose newest value is seen only after a reload, as one from Vault. */
function rotatingSecret(first: string) {
  const state = { newest: first, known: first, reloads: 0 };
  const secret: Secret = {
    setting: 'X',
    value: async () => state.known,
    reload: async () => {
      state.reloads += 1;
      state.known = state.newest;
      return state.known;
    },
  };
  return { secret, state };
}

async function setUp(t: TestContext) {
  const clock = createWatchedClock();
  const endpoint = await startFakeTokenEndpoint(clock, clientSecret);
  const id = rotatingSecret('CLIENT_ID');
  const secret = rotatingSecret(clientSecret);
  const source = createTokenSource({
    tokenUrl: endpoint.tokenUrl,
    clientId: id.secret,
    clientSecret: secret.secret,
    clock,
  });
  t.after(async () => {
    source.close();
    await endpoint.stop();
  });
  return { clock, endpoint, source, secret };
}

function isError(code: string, retryable: boolean) {
  return (error: CcxError) => {
    assert.equal(error.code, code);
    assert.equal(error.retryable, retryable);
    const told = `${errorText(error)} ${error.hint} ${error.stack}`;
    assert.doesNotMatch(told, /hunter2|eyJ|Basic /);
    return true;
  };
}

test('the request is the reference library’s, byte for byte', async (t) => {
  const { source, endpoint } = await setUp(t);
  const token = await source.token();
  assert.equal(token, endpoint.tokens()[0]);
  assert.deepEqual(endpoint.requests(), [
    {
      body: 'client_id=CLIENT_ID&grant_type=client_credentials&scope=openid',
      authorization: `Basic ${Buffer.from('CLIENT_ID:hunter2').toString('base64')}`,
      contentType: 'application/x-www-form-urlencoded',
      accept: 'application/json',
    },
  ]);
});

test('a token is used until a minute before its end', async (t) => {
  const { source, endpoint, clock } = await setUp(t);
  const first = await source.token();
  await clock.advance(900_000 - tokenMarginMs - 1);
  assert.equal(await source.token(), first);
  await clock.advance(1);
  assert.notEqual(await source.token(), first);
  assert.equal(endpoint.requests().length, 2);
});

test('F20: a short-lived token is used for half its life, one that is over at once for one call', async (t) => {
  const { source, endpoint, clock } = await setUp(t);
  endpoint.behaviour.lifeSeconds = 60;
  const first = await source.token();
  await clock.advance(29_999);
  assert.equal(await source.token(), first);
  await clock.advance(1);
  endpoint.behaviour.lifeSeconds = 0;
  await source.token();
  await source.token();
  assert.equal(endpoint.requests().length, 3);
});

test('a token without an end is kept, and a clock that is off does no harm', async (t) => {
  const { source, endpoint, clock } = await setUp(t);
  endpoint.behaviour.accessToken = issueToken({ sub: 'x' });
  endpoint.behaviour.lifeSeconds = 1e9;
  await source.token();
  await clock.advance(86_400_000);
  await source.token();
  assert.equal(endpoint.requests().length, 1);

  const skewed = await setUp(t);
  // The endpoint's clock is a day behind ours: by our clock its tokens are over when they arrive.
  const issuedAt = skewed.clock.now().getTime() / 1000 - 86_400;
  skewed.endpoint.behaviour.accessToken = issueToken({ iat: issuedAt, exp: issuedAt + 900 });
  await skewed.source.token();
  await skewed.source.token();
  assert.equal(skewed.endpoint.requests().length, 1);
});

test('concurrent callers share one request, also for a replacement', async (t) => {
  const { source, endpoint } = await setUp(t);
  const tokens = await Promise.all([source.token(), source.token(), source.token()]);
  assert.equal(new Set(tokens).size, 1);
  assert.equal(endpoint.requests().length, 1);
  const replaced = await Promise.all([source.replace(tokens[0]!), source.replace(tokens[0]!)]);
  assert.equal(new Set(replaced).size, 1);
  assert.notEqual(replaced[0], tokens[0]);
  // Somebody who was refused with the old token later gets the new one without another request.
  assert.equal(await source.replace(tokens[0]!), replaced[0]);
  assert.equal(endpoint.requests().length, 2);
});

test('F20: 5xx is tried again with growing pauses', async (t) => {
  const { source, endpoint, clock } = await setUp(t);
  endpoint.inject({ kind: 'status', status: 503 }, 3);
  const asking = source.token();
  assert.deepEqual(
    [await clock.passNextSleep(), await clock.passNextSleep(), await clock.passNextSleep()],
    [1000, 2000, 4000],
  );
  assert.equal(await asking, endpoint.tokens()[0]);
});

test('F20: 5xx for ever ends after 15 seconds', async (t) => {
  const { source, endpoint, clock } = await setUp(t);
  endpoint.inject({ kind: 'html', status: 502 }, 10);
  const failing = assert.rejects(source.token(), isError('TOKEN_UNAVAILABLE', true));
  let slept = 0;
  for (let i = 0; i < 4; i += 1) slept += await clock.passNextSleep();
  await failing;
  assert.equal(slept, 15_000);
  assert.equal(endpoint.requests().length, 5);
});

test('F20: a refused client is told at once, without its secret', async (t) => {
  const { source, endpoint, secret } = await setUp(t);
  secret.state.newest = 'hunter22';
  secret.state.known = 'hunter22';
  await assert.rejects(source.token(), (error: CcxError) => {
    assert.match(error.message, /401 \(invalid_client\)/);
    assert.match(error.hint ?? '', /service_log\.client_secret/);
    return isError('TOKEN_REFUSED', false)(error);
  });
  assert.equal(endpoint.requests().length, 1);
  endpoint.inject({ kind: 'status', status: 400, body: '{"error":"invalid_client","error_description":"hunter2"}' });
  await assert.rejects(source.token(), isError('TOKEN_REFUSED', false));
});

test('a secret that was rotated is read anew when the old one is refused', async (t) => {
  const { source, endpoint, secret } = await setUp(t);
  endpoint.behaviour.clientSecret = 'hunter3';
  secret.state.newest = 'hunter3';
  await source.token();
  assert.equal(endpoint.requests().length, 2);
  assert.equal(secret.state.reloads, 1);
});

test('a token that the API refused is replaced with credentials read anew', async (t) => {
  const { source, secret } = await setUp(t);
  await source.replace(await source.token());
  assert.equal(secret.state.reloads, 1);
});

test('F20: an answer without a usable token is told as such, and a later one is taken', async (t) => {
  const { source, endpoint } = await setUp(t);
  const cases: [Partial<typeof endpoint.behaviour>, RegExp][] = [
    [{ contentType: 'text/html' }, /is not JSON/],
    [{ contentType: 'application/json', tokenType: 'mac' }, /a token whose token_type is not bearer/],
    [{ tokenType: 'bearer', accessToken: 'not-a-jwt' }, /no JWT/],
    [{ accessToken: 'a\nb.e30.c' }, /no JWT/],
    [{ accessToken: 'a.bm90anNvbg.c' }, /no JWT/],
  ];
  for (const [change, message] of cases) {
    Object.assign(endpoint.behaviour, change);
    await assert.rejects(source.token(), (error: CcxError) => {
      assert.match(error.message, message);
      return isError('TOKEN_ANSWER', true)(error);
    });
  }
  Object.assign(endpoint.behaviour, { accessToken: undefined });
  assert.equal(await source.token(), endpoint.tokens().at(-1));
});

test('an end that is no number is named, and nothing else of the answer', async (t) => {
  const { source, endpoint } = await setUp(t);
  Object.assign(endpoint.behaviour, { lifeSeconds: '900' });
  await assert.rejects(source.token(), (error: CcxError) => {
    assert.equal(error.message, 'the answer of the token endpoint holds an expires_in that is no number');
    return isError('TOKEN_ANSWER', true)(error);
  });
});

test('a null in the answer is the same as nothing, as Go’s library reads it', async (t) => {
  const { source, endpoint } = await setUp(t);
  Object.assign(endpoint.behaviour, { lifeSeconds: null });
  assert.equal(await source.token(), endpoint.tokens()[0]);
});

test('an endpoint that is not there, breaks or throttles is unavailable', async (t) => {
  const { source, endpoint } = await setUp(t);
  endpoint.inject({ kind: 'reset' });
  await assert.rejects(source.token(), isError('TOKEN_UNAVAILABLE', true));
  endpoint.inject({ kind: 'status', status: 429 });
  await assert.rejects(source.token(), isError('TOKEN_UNAVAILABLE', true));
  await endpoint.stop();
  await assert.rejects(source.token(), isError('TOKEN_UNAVAILABLE', true));
});

test('closing ends a request that is waiting for its next try', async (t) => {
  const { source, endpoint, clock } = await setUp(t);
  endpoint.inject({ kind: 'status', status: 503 }, 10);
  const asking = assert.rejects(source.token(), isError('TOKEN_UNAVAILABLE', true));
  await clock.nextSleep();
  source.close();
  await asking;
});
