/** The routes beside the upload: who may fetch an archive, and who may ask what became of one. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, type TestContext, test } from 'node:test';
import {
  type BenchOptions,
  filePart,
  type IngressBench,
  send,
  startIngressBench,
  upload,
} from '../../../../test/support/ingress-bench.ts';
import { by, cluster, otherCluster, sha256, tokensFile } from '../../../../test/support/operator-tokens.ts';
import { listening } from '../../../../test/support/test-server.ts';
import { encodeIdentity, type Identity } from '../../../contracts/identity.ts';
import { TOPIC_UPLOAD_ANNOUNCE } from '../../../contracts/topics.ts';
import { createManualClock } from '../../../platform/clock/manual-clock.ts';
import { linkLifetimeMs } from '../config.ts';

describe('a download link', () => {
  async function uploaded(t: TestContext, options: BenchOptions = {}, id = 'id-1/2') {
    const bench = await startIngressBench(t, options);
    await upload(bench, [filePart('0123456789')], { headers: { 'x-rh-insights-request-id': id } });
    const [record] = bench.bus.of(TOPIC_UPLOAD_ANNOUNCE);
    return { bench, url: String((JSON.parse(String(record?.value)) as { url: string }).url) };
  }

  test('gives the archive to whoever has it', async (t) => {
    const { url } = await uploaded(t);
    const answer = await send(url);
    assert.equal(answer.status, 200);
    assert.equal(answer.text, '0123456789');
    assert.equal(answer.headers['content-type'], 'application/gzip');
    assert.equal(answer.headers['content-disposition'], 'attachment; filename=id12.tar.gz');
    assert.equal(answer.headers['content-length'], '10');
  });

  test('that was changed in any way is forbidden', async (t) => {
    const { bench, url } = await uploaded(t);
    await upload(bench, [filePart('other')], { headers: { 'x-rh-insights-request-id': 'id2' } });
    const { pathname, searchParams } = new URL(url);
    const expires = String(searchParams.get('expires'));
    const signature = String(searchParams.get('signature'));
    for (const changed of [
      pathname,
      `${pathname}?expires=${expires}`,
      `${pathname}?expires=${Number(expires) + 1}&signature=${signature}`,
      `${pathname}?expires=${expires}&signature=${signature.replace(/^./, (c) => (c === '0' ? '1' : '0'))}`,
      `${pathname}?expires=${expires}&signature=`,
      `/download/id2?expires=${expires}&signature=${signature}`,
    ]) {
      const answer = await send(`${bench.ingress.baseUrl}${changed}`);
      assert.equal(answer.status, 403, changed);
      assert.doesNotMatch(answer.text, /0123|other/);
    }
  });

  test('is valid for its time and not one second longer', async (t) => {
    const clock = createManualClock();
    const { url } = await uploaded(t, { clock });
    clock.setNow(new Date(clock.now().getTime() + linkLifetimeMs));
    assert.equal((await send(url)).status, 200);
    clock.setNow(new Date(clock.now().getTime() + 1_000));
    const late = await send(url);
    assert.equal(late.status, 403);
    assert.match(late.text, /expired/);
  });

  test('is still valid after a restart, also of another process on the same store', async (t) => {
    const { bench, url } = await uploaded(t);
    const { pathname, search } = new URL(url);
    await bench.restart();
    assert.equal((await send(`${bench.ingress.baseUrl}${pathname}${search}`)).status, 200);
  });

  test('is signed with a configured key where there is one', async (t) => {
    const { url } = await uploaded(t, { settings: { linksKey: 'secret' } });
    const other = await uploaded(t, { settings: { linksKey: 'another' } });
    const { pathname, search } = new URL(url);
    assert.equal((await send(url)).status, 200);
    assert.equal((await send(`${other.bench.ingress.baseUrl}${pathname}${search}`)).status, 403);
  });

  test('needs no signature where signing is off: then it is the reference’s', async (t) => {
    const { bench, url } = await uploaded(
      t,
      { settings: { linksSigned: false, baseUrl: 'http://ingress:3000' } },
      'id1',
    );
    assert.equal(url, 'http://ingress:3000/download/id1');
    const { baseUrl } = bench.ingress;
    assert.equal((await send(`${baseUrl}/download/id1`)).text, '0123456789');
    assert.equal((await send(`${baseUrl}/download/id2`)).status, 404);
    const invalid = await send(`${baseUrl}/download/---`);
    assert.equal(invalid.status, 400);
    assert.equal(invalid.text, 'Bad Request: Invalid request ID\n');
  });

  test('never leads to what ingress keeps for itself, signed or not', async (t) => {
    const { bench } = await uploaded(t, { settings: { linksSigned: false } });
    await bench.objects.put('outbox/1', Buffer.from('identity'));
    await bench.objects.put('ingress/signingkey1', Buffer.from('key'));
    for (const id of ['outbox%2F1', 'ingress%2Fsigningkey1', 'outbox/1']) {
      const answer = await send(`${bench.ingress.baseUrl}/download/${id}`);
      assert.ok(answer.status === 400 || answer.status === 404, `${id}: ${answer.status}`);
      assert.doesNotMatch(answer.text, /^(identity|key)$/);
    }
  });

  test('gives parts, and nothing where nothing has changed', async (t) => {
    const { url } = await uploaded(t);
    const cases: readonly [string, number, string, string | undefined][] = [
      ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
      ['bytes=7-', 206, '789', 'bytes 7-9/10'],
      ['bytes=-2', 206, '89', 'bytes 8-9/10'],
      ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
      ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
      ['bytes=0-1,4-5', 200, '0123456789', undefined],
      ['bytes=5-2', 200, '0123456789', undefined],
      ['bytes=-', 200, '0123456789', undefined],
      ['lines=1-2', 200, '0123456789', undefined],
    ];
    for (const [range, status, text, contentRange] of cases) {
      const answer = await send(url, { headers: { range } });
      assert.equal(answer.status, status, range);
      assert.equal(answer.text, text);
      assert.equal(answer.headers['content-range'], contentRange);
    }
    for (const range of ['bytes=10-', 'bytes=-0']) {
      const answer = await send(url, { headers: { range } });
      assert.equal(answer.status, 416, range);
      assert.equal(answer.headers['content-range'], 'bytes */10');
    }
    const { 'last-modified': modified } = (await send(url)).headers;
    assert.equal((await send(url, { headers: { 'if-modified-since': String(modified) } })).status, 304);
    const before = new Date(Date.parse(String(modified)) - 1_000).toUTCString();
    assert.equal((await send(url, { headers: { 'if-modified-since': before } })).status, 200);
    const stale = await send(url, { headers: { range: 'bytes=0-3', 'if-range': before } });
    assert.equal(stale.status, 200);
  });

  test('is not there where the store serves its objects itself', async (t) => {
    const { bench, url } = await uploaded(
      t,
      {
        objects: (store) => ({
          put: (key, body) => store.put(key, body),
          get: (key, range) => store.get(key, range),
          delete: (key) => store.delete(key),
          list: (prefix) => store.list(prefix),
          check: () => store.check(),
          signLink: async (key, lifeMs) => ({ url: `https://bucket.example/${key}?for=${lifeMs}`, lifeMs }),
        }),
      },
      'id1',
    );
    assert.equal(url, `https://bucket.example/id1?for=${linkLifetimeMs}`);
    assert.equal((await send(`${bench.ingress.baseUrl}/download/id1`)).status, 404);
  });
});

describe('tracking', () => {
  const id = '766bd49580ce4ed489ec04e35fc7edac';
  const entry = {
    id: 7,
    service: 'ingress',
    account: '1',
    org_id: '000001',
    request_id: id,
    inventory_id: '',
    status: 'received',
    status_msg: 'Payload <received>',
    date: '2026-11-21T16:00:00Z',
  };
  const found = JSON.stringify({ data: [entry, { ...entry, org_id: 'other' }], duration: {} });

  async function tracked(
    t: TestContext,
    answer: { status?: number; body: string } | 'none',
    options: BenchOptions = {},
  ) {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(String(request.url));
      if (answer === 'none') response.destroy();
      else response.writeHead(answer.status ?? 200).end(answer.body);
    });
    const { port, close } = await listening(server);
    t.after(close);
    const trackerUrl = `http://127.0.0.1:${port}/v1/payloads/`;
    const bench = await startIngressBench(t, { ...options, settings: { trackerUrl, ...options.settings } });
    return { bench, asked };
  }

  const as = (identity: Identity['identity']) => ({ 'x-rh-identity': encodeIdentity({ identity }) });
  const sameOrg = as({ type: 'User', account_number: '999', org_id: '000001' });
  const ask = (bench: IngressBench, question: string, headers: Record<string, string> = sameOrg) =>
    send(`${bench.ingress.baseUrl}/api/ingress/v1/track/${question}`, { headers });

  test('needs a UUID, in any of its forms', async (t) => {
    const { bench, asked } = await tracked(t, { body: found });
    const answer = await ask(bench, 'vm%2Fabc-000001');
    assert.equal(answer.status, 400);
    assert.equal(answer.text, 'request id is not an uuid');
    const dashed = '766bd495-80ce-4ed4-89ec-04e35fc7edac';
    for (const form of [id, dashed, `urn:uuid:${dashed}`, `{${dashed}}`, id.toUpperCase()]) {
      assert.equal((await ask(bench, encodeURIComponent(form))).status, 200, form);
    }
    assert.equal(asked[0], `/v1/payloads/${id}`);
    assert.equal(asked.length, 5);
  });

  test('is for the organization, for associates and for trusted certificates', async (t) => {
    const { bench } = await tracked(t, { body: found }, { settings: { trustedCertificates: ['cert-1'] } });
    const cases: readonly [string, Record<string, string>, number][] = [
      ['the same organization with another account', sameOrg, 200],
      ['another organization', as({ type: 'User', org_id: '7' }), 403],
      ['an associate', as({ type: 'Associate' }), 200],
      ['a service account of the organization', as({ type: 'ServiceAccount', org_id: '000001' }), 200],
      ['a service account of another one', as({ type: 'ServiceAccount', org_id: '7' }), 403],
      ['a trusted certificate', as({ type: 'X509', x509: { subject_dn: '/CN=cert-1' } }), 200],
      ['another certificate', as({ type: 'X509', x509: { subject_dn: '/CN=cert-2' } }), 403],
      ['a certificate without a name', as({ type: 'X509' }), 403],
    ];
    for (const [title, headers, status] of cases) {
      const answer = await ask(bench, id, headers);
      assert.equal(answer.status, status, title);
      if (status === 403) assert.equal(answer.text, '');
    }
  });

  test('is for no other cluster with a token, once it is known whose it is; a hub’s sees all of its organization', async (t) => {
    const tokens = [
      { sha256: sha256('cluster'), org_id: '1' },
      { sha256: sha256('hub'), org_id: '1', scopes: ['cluster', 'organization'] },
    ];
    const settings = { tokensFile: tokensFile({ tokens }) };
    const status = async (system_id: string, headers: Record<string, string>) => {
      const body = JSON.stringify({ data: [{ ...entry, org_id: '1', system_id }] });
      const { bench } = await tracked(t, { body }, { settings });
      return (await ask(bench, id, headers)).status;
    };
    assert.equal(await status('', by('cluster')), 200, 'an upload whose report was not read yet');
    assert.equal(await status(cluster.toUpperCase(), by('cluster')), 200);
    assert.equal(await status(otherCluster, by('cluster')), 403);
    assert.equal(await status(otherCluster, by('hub')), 200);
  });

  test('trusts no certificate unless it is told to', async (t) => {
    const { bench } = await tracked(t, { body: found });
    const builtIn = '68bdb922-9e82-445c-a457-f83c13d23e3d';
    assert.equal((await ask(bench, id, as({ type: 'X509', x509: { subject_dn: `/CN=${builtIn}` } }))).status, 403);
  });

  test('gives the newest entry, or with verbosity 2 all of them as they came', async (t) => {
    const { bench } = await tracked(t, { body: found });
    for (const query of ['', '?verbosity=1', '?verbosity=many', '?verbosity=-5']) {
      const answer = await ask(bench, `${id}${query}`);
      assert.equal(answer.headers['content-type'], 'application/json');
      assert.equal(
        answer.text,
        '{"status_msg":"Payload \\u003creceived\\u003e","date":"2026-11-21T16:00:00Z","service":"ingress","status":"received"}',
      );
    }
    assert.equal((await ask(bench, `${id}?verbosity=2`)).text, found);
  });

  for (const [title, answer, status] of [
    ['an unknown request', { status: 404, body: '{"data":[]}' }, 404],
    ['an answer without data', { body: '{}' }, 404],
    ['an answer that is null', { body: 'null' }, 404],
    ['an answer that is no JSON', { body: '<html>' }, 500],
    ['a tracker that hangs up', 'none', 500],
    ['an entry without organization', { body: '{"data":[{}]}' }, 403],
    ['an entry that is null', { body: '{"data":[null]}' }, 403],
  ] as const) {
    test(`${title}: ${status}`, async (t) => {
      const { bench } = await tracked(t, answer);
      const reply = await ask(bench, id);
      assert.equal(reply.status, status);
      assert.equal(reply.text, '');
    });
  }
});
