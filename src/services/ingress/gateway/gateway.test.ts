/** The gateway: an operator's token becomes an identity, and nobody else's word does. Source: ingress.md C.2. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import {
  BOUNDARY,
  type Exchange,
  filePart,
  form,
  type IngressBench,
  send,
  startIngressBench,
  userIdentity,
} from '../../../../test/support/ingress-bench.ts';
import { encodeIdentity } from '../../../contracts/identity.ts';
import { TOPIC_UPLOAD_ANNOUNCE } from '../../../contracts/topics.ts';
import { createManualClock } from '../../../platform/clock/manual-clock.ts';
import { tokenFileBytesMax } from '../limits.ts';
import { openTokenFile } from './token-table.ts';

const cluster = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
const otherCluster = '84ef291d-8f1b-4d28-ab34-cfddff941b85';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const agent = (id: string) => `insights-operator/4.19.0-abc cluster/${id}`;
const entry = (token: string, more: object = {}) => ({
  sha256: sha256(token),
  org_id: '11',
  account_number: '22',
  ...more,
});

async function tokensFile(t: TestContext, document: unknown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-tokens-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'tokens.json');
  await writeFile(path, typeof document === 'string' ? document : JSON.stringify(document));
  return path;
}

async function gateway(
  t: TestContext,
  tokens: readonly object[],
  env: Record<string, string> = {},
): Promise<IngressBench> {
  return await startIngressBench(t, { settings: { tokensFile: await tokensFile(t, { tokens }) }, env });
}

async function post(bench: IngressBench, headers: Record<string, string>): Promise<Exchange> {
  return await send(bench.ingress.uploadUrl, {
    method: 'POST',
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, ...headers },
    body: form([filePart('x')]),
  });
}

function identities(bench: IngressBench): unknown[] {
  return bench.bus.of(TOPIC_UPLOAD_ANNOUNCE).map(({ value }) => {
    const { b64_identity } = JSON.parse(String(value)) as { b64_identity: string };
    return JSON.parse(Buffer.from(b64_identity, 'base64').toString());
  });
}

describe('with a token table', () => {
  test('an operator uploads with its own credentials', async (t) => {
    const bench = await gateway(t, [
      entry('good'),
      entry('bound', { cluster_id: cluster.toUpperCase(), account_number: undefined }),
    ]);
    const answer = await post(bench, { authorization: 'Bearer good', 'user-agent': agent(cluster) });
    assert.equal(answer.status, 202);
    assert.match(answer.text, /"upload":\{"account_number":"22","org_id":"11"\}\}$/);
    assert.equal((await post(bench, { authorization: 'bearer bound', 'user-agent': agent(cluster) })).status, 202);
    assert.deepEqual(identities(bench), [
      {
        identity: {
          account_number: '22',
          org_id: '11',
          type: 'System',
          internal: { org_id: '11' },
          system: { cluster_id: cluster },
        },
      },
      {
        identity: {
          account_number: '',
          org_id: '11',
          type: 'System',
          internal: { org_id: '11' },
          system: { cluster_id: cluster },
        },
      },
    ]);
  });

  test('an identity that the client brings counts for nothing', async (t) => {
    const bench = await gateway(t, [entry('good')]);
    const forged = encodeIdentity({ identity: { type: 'User', org_id: '99' } });
    const headers = { authorization: 'Bearer good', 'user-agent': agent(cluster), 'x-rh-identity': forged };
    assert.equal((await post(bench, headers)).status, 202);
    assert.equal((identities(bench)[0] as { identity: { org_id: string } }).identity.org_id, '11');
    const without = await post(bench, { 'x-rh-identity': forged, 'user-agent': agent(cluster) });
    assert.equal(without.status, 401);
    assert.equal(without.headers['www-authenticate'], 'Bearer');
  });

  test('unless it is told that clients cannot connect', async (t) => {
    const bench = await gateway(t, [entry('good')], { CCX_INGRESS__GATEWAY__TRUST_IDENTITY_HEADER: 'true' });
    assert.equal((await post(bench, { 'x-rh-identity': userIdentity })).status, 202);
    const bad = await post(bench, {
      'x-rh-identity': userIdentity,
      authorization: 'Bearer bad',
      'user-agent': agent(cluster),
    });
    assert.equal(bad.status, 401, 'a token that is given must be good');
  });

  for (const [title, headers, status, text] of [
    [
      'an unknown token',
      { authorization: 'Bearer bad', 'user-agent': agent(cluster) },
      401,
      'Could not authenticate\n',
    ],
    [
      'a token of another cluster',
      { authorization: 'Bearer bound', 'user-agent': agent(otherCluster) },
      401,
      'Could not authenticate\n',
    ],
    ['an empty token', { authorization: 'Bearer ', 'user-agent': agent(cluster) }, 401, 'Could not authenticate\n'],
    [
      'another kind of credentials',
      { authorization: 'Basic Z29vZA==', 'user-agent': agent(cluster) },
      401,
      'Could not authenticate\n',
    ],
    [
      'the hash instead of the token',
      { authorization: `Bearer ${sha256('good')}`, 'user-agent': agent(cluster) },
      401,
      'Could not authenticate\n',
    ],
    ['no User-Agent', { authorization: 'Bearer good' }, 400, 'Invalid user-agent\n'],
    [
      'a User-Agent of nobody we know',
      { authorization: 'Bearer good', 'user-agent': `curl/8 cluster/${cluster}` },
      400,
      'Invalid user-agent\n',
    ],
    [
      'a cluster that is no UUID',
      { authorization: 'Bearer good', 'user-agent': agent('1; DROP') },
      400,
      'Invalid user-agent\n',
    ],
  ] as const) {
    test(`${title}: ${status}`, async (t) => {
      const bench = await gateway(t, [entry('good'), entry('bound', { cluster_id: cluster })]);
      const answer = await post(bench, headers);
      assert.equal(answer.status, status);
      assert.equal(answer.text, text);
      assert.deepEqual(bench.bus.records, []);
    });
  }
});

test('without a token table a bearer token means nothing', async (t) => {
  const bench = await startIngressBench(t);
  assert.equal((await post(bench, { authorization: 'Bearer good', 'user-agent': agent(cluster) })).status, 400);
});

describe('the token file', () => {
  const open = (path: string, failed: unknown[] = []) =>
    openTokenFile({
      path,
      clock: createManualClock(),
      onLoaded: () => undefined,
      onFailed: (error) => failed.push(error),
    });

  test('is read again when it changes, and stays as it was when it is broken', async (t) => {
    const path = await tokensFile(t, { tokens: [entry('first')] });
    const table = await open(path);
    t.after(() => table.close());
    assert.equal(table.find('first')?.orgId, '11');
    await writeFile(path, JSON.stringify({ tokens: [entry('first'), entry('second')] }));
    await table.reload();
    assert.equal(table.find('second')?.orgId, '11');
    await writeFile(path, '{');
    await assert.rejects(table.reload(), { code: 'TOKENS_INVALID' });
    assert.equal(table.find('second')?.orgId, '11');
    await rm(path);
    await assert.rejects(table.reload(), { code: 'TOKENS_UNREADABLE' });
    assert.equal(table.find('second')?.orgId, '11');
  });

  const secret = 'SECRET-THAT-MUST-NOT-BE-SHOWN';
  for (const [title, document, code] of [
    ['no JSON', `{"${secret}`, 'TOKENS_INVALID'],
    ['a token instead of its hash', { tokens: [{ ...entry('a'), sha256: secret }] }, 'TOKENS_INVALID'],
    ['an organization that is no number', { tokens: [entry('a', { org_id: secret })] }, 'TOKENS_INVALID'],
    ['no organization', { tokens: [{ sha256: sha256('a') }] }, 'TOKENS_INVALID'],
    ['a cluster that is no UUID', { tokens: [entry('a', { cluster_id: secret })] }, 'TOKENS_INVALID'],
    ['one token twice', { tokens: [entry('a'), entry('a')] }, 'TOKENS_INVALID'],
    ['too many bytes', ' '.repeat(tokenFileBytesMax + 1), 'TOKENS_INVALID'],
  ] as const) {
    test(`with ${title} is refused, and shows nothing of it`, async (t) => {
      const path = await tokensFile(t, document);
      await assert.rejects(open(path), (error: Error & { code?: string; hint?: string }) => {
        assert.equal(error.code, code);
        assert.doesNotMatch(`${error.message} ${error.hint}`, new RegExp(secret));
        return true;
      });
    });
  }
});
