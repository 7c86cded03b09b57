/** The gateway: an operator's token becomes an identity, and nobody else's word does. Source: ingress.md C.2. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, type TestContext, test } from 'node:test';
import {
  archiveKeys,
  filePart,
  form,
  type IngressBench,
  send,
  startIngressBench,
  userIdentity,
} from '../../../test/support/ingress-bench.ts';
import { agent, by, cluster, otherCluster, post, sha256, tokensFile } from '../../../test/support/operator-tokens.ts';
import { listening } from '../../../test/support/test-server.ts';
import { until } from '../../../test/support/until.ts';
import { encodeIdentity, type Identity } from '../../contracts/identity.ts';
import { TOPIC_UPLOAD_ANNOUNCE } from '../../contracts/topics.ts';
import { isLocalRequest } from '../../platform/auth/locality.ts';
import { tokenFileBytesMax } from '../../platform/auth/token-file.ts';
import { openTokenFile } from '../../platform/auth/token-table.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { identityWarnings } from './service.ts';

const entry = (token: string, more: object = {}) => ({
  sha256: sha256(token),
  org_id: '11',
  account_number: '22',
  ...more,
});

async function gateway(
  t: TestContext,
  tokens: readonly object[],
  env: Record<string, string> = {},
): Promise<IngressBench> {
  return await startIngressBench(t, { settings: { tokensFile: tokensFile({ tokens }) }, env });
}

function identities(bench: IngressBench): unknown[] {
  return bench.bus.of(TOPIC_UPLOAD_ANNOUNCE).map(({ value }) => {
    const { b64_identity } = JSON.parse(String(value)) as { b64_identity: string };
    return JSON.parse(Buffer.from(b64_identity, 'base64').toString());
  });
}

const requestIdHeader = 'x-rh-insights-request-id';
const systemIdentity = (orgId: string, clusterId: string) =>
  encodeIdentity({
    identity: { type: 'System', org_id: orgId, internal: { org_id: orgId }, system: { cluster_id: clusterId } },
  });

describe('with a token table', () => {
  test('an operator uploads with its own credentials', async (t) => {
    const bench = await gateway(t, [
      entry('good'),
      entry('bound', { cluster_id: cluster.toUpperCase(), account_number: undefined }),
    ]);
    const answer = await post(bench, by('good'));
    assert.equal(answer.status, 202);
    assert.match(answer.text, /"upload":\{"account_number":"22","org_id":"11"\}\}$/);
    assert.equal((await post(bench, { authorization: 'bearer bound', 'user-agent': agent(cluster) })).status, 202);
    const identity = { type: 'System', org_id: '11', internal: { org_id: '11' }, system: { cluster_id: cluster } };
    assert.deepEqual(identities(bench), [
      { identity: { ...identity, account_number: '22' } },
      { identity: { ...identity, account_number: '' } },
    ]);
  });

  test('an identity that the client brings counts for nothing', async (t) => {
    const bench = await gateway(t, [entry('good')]);
    const forged = encodeIdentity({ identity: { type: 'User', org_id: '99' } });
    const headers = { ...by('good'), 'x-rh-identity': forged };
    assert.equal((await post(bench, headers)).status, 202);
    assert.equal((identities(bench)[0] as { identity: { org_id: string } }).identity.org_id, '11');
    const without = await post(bench, { 'x-rh-identity': forged, 'user-agent': agent(cluster) });
    assert.equal(without.status, 401);
    assert.equal(without.headers['www-authenticate'], 'Bearer');
  });

  test('unless it is told that only a gateway can connect, which names the cluster', async (t) => {
    const bench = await gateway(t, [entry('good')], { CCX_INGRESS__GATEWAY__TRUST_IDENTITY_HEADER: 'true' });
    const vouched = await post(bench, { 'x-rh-identity': systemIdentity('11', cluster), [requestIdHeader]: 'given-1' });
    assert.deepEqual([vouched.status, vouched.headers[requestIdHeader]], [202, 'given-1']);
    assert.deepEqual(bench.ingress.warnings.filter((text) => text.includes('trust_identity_header')).length, 1);
    // Otherwise the pipeline would believe the archive's own config/id.
    const unnamed = await post(bench, { 'x-rh-identity': userIdentity });
    assert.deepEqual(
      [unnamed.status, unnamed.text],
      [400, 'Bad Request: x-rh-identity names no cluster (identity.system.cluster_id)\n'],
    );
    assert.equal(await bench.metric('ccx_ingress_refused_total', { code: 'CLUSTER_MISSING' }), 1);
    const bad = await post(bench, { 'x-rh-identity': userIdentity, ...by('bad') });
    assert.equal(bad.status, 401, 'a token that is given must be good');
  });

  for (const [title, headers, status] of [
    ['an unknown token', by('bad'), 401],
    ['a token of another cluster', by('bound', otherCluster), 401],
    ['an empty token', by(''), 401],
    ['another kind of credentials', { ...by('good'), authorization: 'Basic Z29vZA==' }, 401],
    ['the hash instead of the token', by(sha256('good')), 401],
    ['no User-Agent', { authorization: 'Bearer good' }, 400],
    ['a User-Agent of nobody we know', { ...by('good'), 'user-agent': `curl/8 cluster/${cluster}` }, 400],
    ['a cluster that is no UUID', by('good', '1; DROP'), 400],
  ] as const) {
    test(`${title}: ${status}`, async (t) => {
      const bench = await gateway(t, [entry('good'), entry('bound', { cluster_id: cluster })]);
      const answer = await post(bench, headers);
      assert.equal(answer.status, status);
      assert.equal(answer.text, status === 401 ? 'Could not authenticate\n' : 'Invalid user-agent\n');
      assert.deepEqual(bench.bus.records, []);
    });
  }
});

describe('a cluster that the token file binds', () => {
  const bound = { org_id: '22', cluster_id: cluster };

  test('is of the bound token, whoever else has a token: 403, counted, and nothing is stored', async (t) => {
    const bench = await gateway(t, [entry('foreign'), entry('bound', bound), entry('theirs', { org_id: '22' })]);
    const answer = await post(bench, by('foreign', cluster.toUpperCase()));
    assert.deepEqual(
      [answer.status, answer.text],
      [403, 'Upload denied: the cluster belongs to another organization\n'],
    );
    assert.equal(await bench.metric('ccx_ingress_refused_total', { code: 'CLUSTER_OF_ANOTHER_ORGANIZATION' }), 1);
    assert.deepEqual([await archiveKeys(bench.objects), bench.bus.records], [[], []]);
    for (const token of ['bound', 'theirs']) {
      assert.equal((await post(bench, by(token))).status, 202);
    }
    const unbound = await post(bench, by('foreign', otherCluster));
    assert.equal(unbound.status, 202, 'without a database only bound clusters are anybody’s');
    assert.match(
      bench.ingress.warnings.join('\n'),
      /no database: whose a cluster is counts only where a token is bound/,
    );
  });

  test('also when an identity that counts names it', async (t) => {
    const env = { CCX_INGRESS__GATEWAY__TRUST_IDENTITY_HEADER: 'true' };
    const bench = await gateway(t, [entry('bound', bound)], env);
    const upload = (orgId: string, id: string) => post(bench, { 'x-rh-identity': systemIdentity(orgId, id) });
    assert.equal((await upload('666', cluster)).status, 403);
    assert.equal((await upload('666', cluster.toUpperCase())).status, 403);
    assert.equal((await upload('22', cluster)).status, 202);
    // What the pipeline reads is what counts: `internal.org_id`.
    const mixed = encodeIdentity({
      identity: { type: 'System', org_id: '22', internal: { org_id: '666' }, system: { cluster_id: cluster } },
    });
    assert.equal((await post(bench, { 'x-rh-identity': mixed })).status, 403);
  });
});

describe('a request id that a client with a token names', () => {
  test('is not taken: nobody replaces an archive of somebody else, or gets into its trace', async (t) => {
    const bench = await gateway(t, [entry('one'), entry('other', { org_id: '666' })]);
    const first = await post(bench, by('one'));
    const id = String(first.headers[requestIdHeader]);
    for (const path of ['', '?test=test']) {
      const headers = { ...by('other', otherCluster), [requestIdHeader]: id };
      const second = await post(bench, headers, form([filePart('another archive')]), path);
      assert.match(String(second.headers[requestIdHeader]), /^[0-9a-f]{32}$/);
      assert.notEqual(second.headers[requestIdHeader], id);
      assert.doesNotMatch(second.text, new RegExp(id));
    }
    const stored = await bench.objects.get(id);
    assert.equal(String(await buffer(stored!.body)), 'x');
    const isOfTheFirst = ({ value }: { readonly value?: unknown }) => String(value).includes(id);
    await until(() => bench.bus.records.filter(isOfTheFirst).length >= 3);
    const ofTheFirst = bench.bus.records.filter(isOfTheFirst);
    for (const { value } of ofTheFirst) assert.match(String(value), /"org_id":"11"/);
  });

  test('is taken from a gateway that counts, but not beside a token', async (t) => {
    const bench = await gateway(t, [entry('one')], { CCX_INGRESS__GATEWAY__TRUST_IDENTITY_HEADER: 'true' });
    const both = { 'x-rh-identity': systemIdentity('11', cluster), [requestIdHeader]: 'given-2' };
    const answer = await post(bench, { ...both, ...by('one') });
    assert.equal(answer.status, 202);
    assert.notEqual(answer.headers[requestIdHeader], 'given-2');
  });
});

describe('the token of the process itself', () => {
  const ownToken = { token: 'made-at-the-start', orgId: '1', accountNumber: '1' };
  const own = { authorization: `Bearer ${ownToken.token}` };
  const start = async (t: TestContext, tokens?: readonly object[]) =>
    await startIngressBench(t, {
      settings: { ownToken, ...(tokens === undefined ? {} : { tokensFile: tokensFile({ tokens }) }) },
    });

  test('names organization and, where it likes, the cluster, with and without a token file', async (t) => {
    for (const bench of [await start(t), await start(t, [entry('good')])]) {
      assert.equal((await post(bench, own)).status, 202, 'the archive names the cluster then');
      assert.equal((await post(bench, { ...own, 'user-agent': agent(cluster) })).status, 202);
      const systems = identities(bench).map((document) => (document as { identity: Identity['identity'] }).identity);
      assert.deepEqual(
        systems.map(({ org_id, system }) => [org_id, system?.cluster_id]),
        [
          ['1', undefined],
          ['1', cluster],
        ],
      );
    }
  });

  test('is worth nothing to whom a proxy speaks for, and does not open a cluster of somebody else', async (t) => {
    const bench = await start(t, [entry('bound', { org_id: '22', cluster_id: cluster })]);
    for (const header of ['x-forwarded-for', 'x-forwarded-proto', 'forwarded', 'x-real-ip', 'via', 'cf-connecting-ip'])
      assert.equal((await post(bench, { ...own, [header]: '127.0.0.1' })).status, 401, header);
    assert.equal((await post(bench, { ...own, host: 'ingress.example.com' })).status, 401);
    assert.equal((await post(bench, { ...own, 'user-agent': agent(cluster) })).status, 403);
  });

  test('is good for whoever calls this machine by a name of its own, and behind no proxy that shows itself', () => {
    const direct = {
      ...{ headerNames: ['host'], httpVersion: '1.1', host: '0.0.0.0' },
      ...{ remoteAddress: '127.0.0.1', localAddress: '::ffff:10.0.0.5' },
    };
    for (const hostHeader of ['localhost:3000', '127.0.0.1', '[::1]:3000', '10.0.0.5:3000'])
      assert.equal(isLocalRequest({ ...direct, hostHeader }), true, hostHeader);
    assert.equal(isLocalRequest({ ...direct, hostHeader: 'CCX.lan:3000', host: 'ccx.lan' }), true);
    for (const hostHeader of [undefined, 'ingress.example.com', '127.evil.example', '10.0.0.50'])
      assert.equal(isLocalRequest({ ...direct, hostHeader }), false, hostHeader);
    const hostHeader = '127.0.0.1:3000';
    assert.equal(isLocalRequest({ ...direct, hostHeader, httpVersion: '1.0' }), false);
    for (const name of ['via', 'x-forwarded-host', 'x-original-forwarded-for', 'x-envoy-external-address'])
      assert.equal(isLocalRequest({ ...direct, hostHeader, headerNames: [name] }), false, name);
  });

  test('is worth nothing from elsewhere', () => {
    const arrival = {
      ...{ host: '0.0.0.0', remoteAddress: '127.0.0.1', localAddress: '127.0.0.1' },
      ...{ headerNames: ['host'], httpVersion: '1.1', hostHeader: 'localhost' },
    };
    assert.equal(isLocalRequest(arrival), true);
    assert.equal(isLocalRequest({ ...arrival, host: '::', remoteAddress: '::ffff:127.0.0.1' }), true);
    const outer = { ...arrival, remoteAddress: '10.0.0.5', localAddress: '10.0.0.5' };
    assert.equal(isLocalRequest(outer), false);
    assert.equal(isLocalRequest({ ...outer, host: '10.0.0.5' }), true, 'the only way there is to oneself');
    assert.equal(isLocalRequest({ ...outer, host: '10.0.0.5', remoteAddress: '10.0.0.6' }), false);
    assert.equal(isLocalRequest({ ...arrival, remoteAddress: undefined }), false);
  });
});

test('what is believed of whom is said where it matters', () => {
  const facts = { tokens: false, trustIdentityHeader: false, host: '127.0.0.1', database: true };
  assert.deepEqual(identityWarnings(facts), []);
  assert.match(identityWarnings({ ...facts, host: '0.0.0.0' })[0]!, /in the name of any organization/);
  assert.deepEqual(identityWarnings({ ...facts, host: '0.0.0.0', tokens: true }), []);
  assert.match(identityWarnings({ ...facts, tokens: true, trustIdentityHeader: true })[0]!, /x-rh-identity/);
});

describe('a token that an accounts service knows', () => {
  const service = { away: false, asked: 0 };
  const server = createServer((request, response) => {
    service.asked += 1;
    const isGood = request.headers.authorization === `AccessToken ${cluster}:theirs`;
    if (service.away) response.writeHead(500).end();
    else if (isGood) response.end('{"organization":{"external_id":"77","ebs_account_id":"8"}}');
    else response.writeHead(401).end();
  });
  let url: string;
  before(async () => {
    const { port } = await listening(server);
    url = `http://127.0.0.1:${port}/`;
  });
  after(() => void server.close().closeAllConnections());

  test('uploads for its cluster, beside those of the file; while it is away known ones go on', async (t) => {
    const bench = await gateway(t, [entry('ours')], { CCX_INGRESS__GATEWAY__ACCOUNTS_URL: url });
    const answer = await post(bench, by('theirs'));
    assert.equal(answer.status, 202, answer.text);
    assert.match(answer.text, /"account_number":"8","org_id":"77"/);
    assert.equal((await post(bench, by('theirs', otherCluster))).status, 401);
    service.away = true;
    const unknown = await post(bench, by('another'));
    assert.deepEqual([unknown.status, unknown.headers['retry-after']], [503, '30']);
    assert.equal(await bench.metric('ccx_ingress_refused_total', { code: 'ACCOUNTS_UNAVAILABLE' }), 1);
    assert.equal(await bench.metric('ccx_ingress_account_questions_total', { outcome: 'failed' }), 1);
    assert.match((await send(`${bench.ingress.baseUrl}/ready`)).text, /accounts service does not answer/);
    const asked = service.asked;
    for (const token of ['theirs', 'ours']) assert.equal((await post(bench, by(token))).status, 202, token);
    assert.equal(service.asked, asked, 'nobody was asked about them');
  });

  test('needs no file of tokens beside it, and is believed nothing without', async (t) => {
    service.away = false;
    const bench = await startIngressBench(t, { env: { CCX_INGRESS__GATEWAY__ACCOUNTS_URL: url } });
    assert.equal((await post(bench, by('theirs'))).status, 202);
    assert.equal((await post(bench, { 'x-rh-identity': systemIdentity('11', cluster) })).status, 401);
  });
});

test('without a token table a bearer token means nothing', async (t) => {
  const bench = await startIngressBench(t);
  assert.equal((await post(bench, by('good'))).status, 400);
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
    const path = tokensFile({ tokens: [entry('first')] });
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
  for (const [title, document] of [
    ['no JSON', `{"${secret}`],
    ['a token instead of its hash', { tokens: [{ ...entry('a'), sha256: secret }] }],
    ['an organization that is no number', { tokens: [entry('a', { org_id: secret })] }],
    ['an organization that no report can carry', { tokens: [entry('a', { org_id: '2147483648' })] }],
    ['no organization', { tokens: [{ sha256: sha256('a') }] }],
    ['a cluster that is no UUID', { tokens: [entry('a', { cluster_id: secret })] }],
    ['one token twice', { tokens: [entry('a'), entry('a')] }],
    ['too many bytes', ' '.repeat(tokenFileBytesMax + 1)],
  ] as const) {
    test(`with ${title} is refused, and shows nothing of it`, async () => {
      const path = tokensFile(document);
      await assert.rejects(open(path), (error: Error & { code?: string; hint?: string }) => {
        assert.equal(error.code, 'TOKENS_INVALID');
        assert.doesNotMatch(`${error.message} ${error.hint}`, new RegExp(secret));
        return true;
      });
    });
  }
});
