/** Ingress on a server that it shares: its manners and its limits are its own, and those of its neighbour are the neighbour's. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import {
  type BenchOptions,
  BOUNDARY,
  filePart,
  form,
  type IngressBench,
  send,
  startIngressBench,
  upload,
  userIdentity,
} from '../../../../test/support/ingress-bench.ts';
import { until } from '../../../../test/support/until.ts';
import type { HttpServer } from '../../../platform/http/http-server.ts';

/** 12 for uploads, 2 for reads, 1 for the neighbour's streams. */
const connectionsMax = 17;
const uploadsMax = 12;
const readsMax = 2;

/** A service that reads JSON, answers in Fastify's words, and has room for one live stream. */
function mountNeighbour(
  server: HttpServer,
  streams: { readonly begun: () => void; readonly end: Promise<void> },
): void {
  const room = server.room({ connectionsMax: 1 });
  server.mount({
    prefixes: ['/api/neighbour'],
    plugin: (scope) => {
      scope.get('/', async () => ({ here: true }));
      scope.post('/echo', { bodyLimit: 100 }, async (request) => ({ read: request.body }));
      scope.get('/stream', async (request, reply) => {
        if (!room.admit(request.raw, reply.raw)) return reply.code(503).send({ busy: true });
        streams.begun();
        await streams.end;
        return 'ended';
      });
      scope.setNotFoundHandler((_request, reply) => reply.code(404).send({ nothing: 'here' }));
    },
  });
}

async function sharing(t: TestContext, options: BenchOptions = {}) {
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const bench = await startIngressBench(t, {
    beside: (server) => mountNeighbour(server, { begun: () => begun.resolve(), end: end.promise }),
    ...options,
    settings: { connectionsMax, linksSigned: false, ...options.settings },
  });
  const ask = (path: string, request: Parameters<typeof send>[1] = {}) =>
    send(`${bench.ingress.baseUrl}${path}`, request);
  return { bench, ask, streamBegun: begun.promise, endStreams: () => end.resolve() };
}

describe('the manners of ingress on a shared server', () => {
  test('hold below its own paths', async (t) => {
    const { bench, ask } = await sharing(t);
    assert.equal((await upload(bench, [filePart('archive')])).status, 202);
    for (const prefix of ['/api/ingress/v1', '/r/insights/platform/ingress/v1']) {
      const unknown = await ask(`${prefix}/nothing`);
      assert.equal(unknown.status, 404);
      assert.equal(unknown.text, '404 page not found\n');
      assert.match(String(unknown.headers['x-rh-insights-request-id']), /^[0-9a-f]{32}$/);
      const head = await ask(`${prefix}/version`, { method: 'HEAD' });
      assert.equal(head.status, 405);
      assert.equal(head.headers.allow, 'GET');
      assert.equal((await ask(`${prefix}/%zz`)).text, '400 Bad Request');
      for (const root of [prefix, `${prefix}/`]) assert.equal((await ask(root)).status, 400, 'no identity');
    }
    assert.equal((await ask('/download/none')).text, '404 page not found\n');
    assert.equal((await ask('/download/none', { method: 'POST' })).headers.allow, 'GET');
  });

  test('hold nowhere else', async (t) => {
    const { ask } = await sharing(t);
    const json = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const read = await ask('/api/neighbour/echo', { ...json, body: Buffer.from('{"a":1}') });
    assert.equal(read.text, '{"read":{"a":1}}');
    assert.equal(read.headers['x-rh-insights-request-id'], undefined);
    const waiting = { ...json, headers: { ...json.headers, expect: '100-continue' } };
    assert.equal(
      (await ask('/api/neighbour/echo', { ...waiting, body: Buffer.from('{"b":2}') })).text,
      '{"read":{"b":2}}',
    );
    assert.equal(
      (await ask('/api/neighbour/echo', { ...json, body: Buffer.from(`"${'a'.repeat(100)}"`) })).status,
      413,
    );
    assert.equal((await ask('/api/neighbour/echo', { ...json, body: Buffer.from('{') })).status, 400);
    assert.equal((await ask('/api/neighbour/none')).text, '{"nothing":"here"}');
    assert.equal((await ask('/api/neighbour/echo')).text, '{"nothing":"here"}', 'no 405 of chi');
    assert.match((await ask('/api/neighbour/%zz')).text, /FST_ERR_BAD_URL/);
    for (const path of ['/', '/ready', '/elsewhere', '/api/ingress/v10', '/downloads/x']) {
      const answer = await ask(path);
      assert.equal(answer.status, 404, path);
      assert.equal(answer.headers['x-rh-insights-request-id'], undefined, path);
    }
  });

  test('count for requests that name no host, or expect what nobody does, and for no neighbour’s', async (t) => {
    const { bench } = await sharing(t);
    const raw = async (lines: string) => {
      const socket = connect(Number(new URL(bench.ingress.baseUrl).port), '127.0.0.1');
      socket.write(`${lines}\r\n\r\n`);
      return await text(socket);
    };
    const id = /\r\nx-rh-insights-request-id: [0-9a-f]{32}\r\n/;
    for (const path of [
      '/api/ingress/v1/version',
      '/api/ingress/v1/nothing',
      '/download/none',
      'http://x/api/ingress/v1/',
    ]) {
      const hostless = await raw(`GET ${path} HTTP/1.1`);
      assert.match(hostless, /^HTTP\/1\.1 400 /, path);
      assert.match(hostless, /400 Bad Request: missing required Host header/, path);
      const expecting = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nExpect: tea`);
      assert.match(expecting, /^HTTP\/1\.1 417 /, path);
      for (const answer of [hostless, expecting]) assert.match(answer, id, path);
    }
    for (const path of ['/api/neighbour', '/nobodys', '*']) {
      const hostless = await raw(`OPTIONS ${path} HTTP/1.1`);
      assert.match(hostless, /^HTTP\/1\.1 400 /, path);
      const expecting = await raw(`OPTIONS ${path} HTTP/1.1\r\nHost: x\r\nExpect: tea`);
      assert.match(expecting, /^HTTP\/1\.1 417 /, path);
      for (const answer of [hostless, expecting]) {
        assert.doesNotMatch(answer, id, path);
        assert.match(answer, /\r\nconnection: close\r\n/i, path);
      }
    }
  });
});

describe('the limits of a shared server are counted apart:', () => {
  /** Reads and writes of the archives called `held…` begin, and end when they are released. */
  function stuck() {
    const begun = { reads: 0, writes: 0 };
    const end = Promise.withResolvers<void>();
    const options: Pick<BenchOptions, 'objects'> = {
      objects: (store) => ({
        async put(key, body) {
          if (key.startsWith('held')) {
            begun.writes += 1;
            await end.promise;
          }
          return await store.put(key, body);
        },
        async get(key, range) {
          if (key.startsWith('held')) {
            begun.reads += 1;
            await end.promise;
          }
          return await store.get(key, range);
        },
        delete: (key) => store.delete(key),
        list: (prefix) => store.list(prefix),
        check: () => store.check(),
      }),
    };
    return { begun, options, release: () => end.resolve() };
  }

  const isTaken = async (bench: IngressBench) => (await upload(bench, [filePart('archive')])).status === 202;

  test('reads that fill their room cost neither uploads nor the neighbour anything', async (t) => {
    const { options, begun, release } = stuck();
    const { bench, ask } = await sharing(t, options);
    const held = Array.from({ length: readsMax }, (_, n) => ask(`/download/held${n}`));
    await until(() => begun.reads === readsMax);
    const refused = await ask('/api/ingress/v1/version');
    const uploadTaken = await isTaken(bench);
    const neighbour = await ask('/api/neighbour');
    release();
    for (const { status } of await Promise.all(held)) assert.equal(status, 404);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '30');
    assert.match(refused.text, /^too many connections/);
    assert.match(String(refused.headers['x-rh-insights-request-id']), /^[0-9a-f]{32}$/);
    assert.equal(await bench.metric('ccx_ingress_connections_refused_total'), 1);
    assert.ok(uploadTaken);
    assert.equal(neighbour.status, 200);
    assert.equal((await ask('/api/ingress/v1/version')).status, 200);
  });

  test('uploads that fill theirs cost neither reads nor the neighbour anything', async (t) => {
    const { options, begun, release } = stuck();
    const { bench, ask } = await sharing(t, { ...options, settings: { concurrentUploadsMax: uploadsMax } });
    const held = Array.from({ length: uploadsMax }, (_, n) =>
      upload(bench, [filePart('archive')], { headers: { 'x-rh-insights-request-id': `held${n}` } }),
    );
    await until(() => begun.writes === uploadsMax);
    const refused = await upload(bench, [filePart('archive')]);
    const read = await ask('/api/ingress/v1/version');
    const neighbour = await ask('/api/neighbour');
    release();
    for (const { status } of await Promise.all(held)) assert.equal(status, 202);
    assert.equal(refused.status, 503);
    assert.match(refused.text, /^too many connections/);
    assert.equal(read.status, 200);
    assert.equal(neighbour.status, 200);
    assert.ok(await isTaken(bench));
  });

  test('of uploads that fill theirs, the one whose client is slowest gives way', async (t) => {
    const { bench, ask } = await sharing(t);
    const end = Promise.withResolvers<void>();
    async function* slowly() {
      yield form([filePart('archive')]).subarray(0, 100);
      await end.promise;
    }
    const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, 'x-rh-identity': userIdentity };
    const slow = Array.from({ length: uploadsMax }, async () => {
      try {
        return (await ask('/api/ingress/v1/upload', { method: 'POST', headers, body: slowly() })).status;
      } catch {
        return 'closed';
      }
    });
    while ((await bench.metric('ccx_ingress_uploads_waiting')) < uploadsMax) await new Promise(setImmediate);
    const uploadTaken = await isTaken(bench);
    const first = await Promise.race(slow);
    end.resolve();
    const answers = await Promise.all(slow);
    assert.ok(uploadTaken);
    assert.equal(first, 'closed');
    // The others were only cut short by their clients.
    assert.equal(answers.filter((answer) => answer === 400).length, uploadsMax - 1);
  });

  test('a live stream of the neighbour costs ingress nothing, and the neighbour no reads', async (t) => {
    const { bench, ask, streamBegun, endStreams } = await sharing(t);
    const stream = ask('/api/neighbour/stream');
    await streamBegun;
    const second = await ask('/api/neighbour/stream');
    const uploadTaken = await isTaken(bench);
    const reads = [await ask('/api/ingress/v1/version'), await ask('/api/neighbour')];
    endStreams();
    assert.equal((await stream).text, 'ended');
    assert.equal(second.text, '{"busy":true}');
    assert.ok(uploadTaken);
    for (const { status } of reads) assert.equal(status, 200);
  });
});
