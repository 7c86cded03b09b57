/** Stopping a server: requests in flight are answered, connections without one hold nothing up. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { until } from '../../../test/support/until.ts';
import { createManualClock } from '../clock/manual-clock.ts';
import { firstByteMsMax, pipelinedMax, unreadGivesWayMs, unreadMsMax } from './connections.ts';
import { callHttp } from './http-client.ts';
import { createHttpServer, type HttpServerOptions, headerBytesMax } from './http-server.ts';

function create(options: Partial<HttpServerOptions> = {}) {
  return createHttpServer({ host: '127.0.0.1', port: 0, bodyBytesMax: 1000, portSetting: 'test.port', ...options });
}

/** A server that answers `served` at `/`, and stops with the test. */
async function serving(t: TestContext, options: Partial<HttpServerOptions>) {
  const server = create(options);
  server.app.get('/', async () => 'served');
  server.app.get('/large', async () => Buffer.alloc(32 * 1024 * 1024));
  // Never answered.
  server.app.post('/:path', () => new Promise(() => undefined));
  const url = await server.listen();
  t.after(() => server.close());
  const port = Number(new URL(url).port);
  const open = async (text = '') => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(text);
    return socket;
  };
  return { server, url, open };
}

const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

test('a connection that has sent nothing, or half a request, does not hold up the stop', async () => {
  const server = create();
  const port = Number(new URL(await server.listen()).port);
  const silent = connect(port, '127.0.0.1');
  const half = connect(port, '127.0.0.1');
  half.write('GET / HTTP/1.1\r\nHost:');
  await Promise.all([once(silent, 'connect'), once(half, 'connect')]);
  const ended = [silent, half].map(
    (socket) => new Promise<void>((resolve) => socket.on('error', () => undefined).on('close', () => resolve())),
  );
  await Promise.all([server.close(), ...ended]);
});

test('a request in flight is answered before the server is gone', async () => {
  const server = create();
  const arrived = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  server.app.get('/', async () => {
    arrived.resolve();
    await goOn.promise;
    return 'answered';
  });
  const url = await server.listen();
  const asking = callHttp(`${url}/`);
  await arrived.promise;
  const closing = server.close();
  assert.equal(server.baseUrl(), url, 'what is in work may still speak of it');
  goOn.resolve();
  assert.equal((await asking).body.toString(), 'answered');
  await closing;
  assert.equal(server.baseUrl(), url);
  await assert.rejects(callHttp(`${url}/`), { code: 'HTTP_UNREACHABLE' });
});

test('a port that is taken names the setting to change', async () => {
  const first = create();
  const { port } = new URL(await first.listen());
  const second = createHttpServer({ host: '127.0.0.1', port: Number(port), bodyBytesMax: 1, portSetting: 'test.port' });
  await assert.rejects(second.listen(), { code: 'HTTP_LISTEN', hint: 'choose another port with test.port' });
  await Promise.all([first.close(), second.close()]);
});

test('a connection that sends nothing is closed after 5 s, one that has begun or is kept alive is not', async (t) => {
  const clock = createManualClock();
  const { server, open } = await serving(t, { clock });
  const kept = await open(request);
  await once(kept, 'data');
  const begun = await open('GET / HTTP/1.1\r\n');
  const mute = await open();
  await until(() => server.connections() === 3);
  const gone = once(mute, 'close');
  await clock.advance(firstByteMsMax - 1_000);
  assert.equal(server.connections(), 3);
  await clock.advance(2_000);
  await gone;
  begun.write('Host: x\r\n\r\n');
  kept.write(request);
  for (const socket of [begun, kept]) assert.match(String((await once(socket, 'data'))[0]), /served/);
});

test('headers that do not come to their end are given up at their time, and not half a minute later', async (t) => {
  const { open } = await serving(t, { headersMsMax: 1_000 });
  const startedMs = performance.now();
  const socket = await open('GET / HTTP/1.1\r\nHost:');
  assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 408 /);
  // Node looks every 30 s by itself.
  assert.ok(performance.now() - startedMs < 15_000);
});

test('headers may have their limit and not much more', async (t) => {
  const { url } = await serving(t, {});
  const ask = (bytes: number) => callHttp(url, { headers: { 'x-long': 'a'.repeat(bytes) } });
  assert.equal((await ask(headerBytesMax - 1_000)).status, 200);
  assert.equal((await ask(headerBytesMax)).status, 431);
});

test('a connection that sends ever more requests and reads no answer is closed', async (t) => {
  const { server, open } = await serving(t, {});
  const atOnce = await open(request.repeat(pipelinedMax));
  let answers = '';
  atOnce.on('data', (data) => {
    answers += data;
  });
  await until(() => answers.split('served').length > pipelinedMax);
  await once(await open(request.repeat(pipelinedMax + 1)), 'close');
  assert.equal(server.connections(), 1);
});

/** Asks for more than the system takes for a client that does not read, and waits until it takes no more. */
async function askAndNotRead({ server, open }: Awaited<ReturnType<typeof serving>>): Promise<Socket> {
  const answering = Promise.withResolvers<Socket>();
  server.app.server.on('request', ({ socket, url }) => {
    if (url === '/large') answering.resolve(socket);
  });
  const client = await open('GET /large HTTP/1.1\r\nHost: x\r\n\r\n');
  const socket = await answering.promise;
  await until(() => socket.writableLength > 0);
  return client;
}

test('an answer that nobody reads is given up after its time', async (t) => {
  const clock = createManualClock();
  const bench = await serving(t, { clock });
  const client = await askAndNotRead(bench);
  await clock.advance(unreadMsMax - 1_000);
  assert.equal(bench.server.connections(), 1);
  await clock.advance(2_000);
  await until(() => bench.server.connections() === 0);
  client.destroy();
});

describe('where there is no room for one more connection', () => {
  test('one that does not read its answer gives way', async (t) => {
    const clock = createManualClock();
    const bench = await serving(t, { clock, connectionsMax: 1 });
    const client = await askAndNotRead(bench);
    await clock.advance(unreadGivesWayMs + 2_000);
    assert.match(String((await once(await bench.open(request), 'data'))[0]), /served/);
    client.destroy();
  });

  test('the one that is silent for the longest time gives way, then one that is kept alive', async (t) => {
    const clock = createManualClock();
    const { server, open } = await serving(t, { connectionsMax: 3, clock });
    const kept = await open(request);
    await once(kept, 'data');
    const silent = [await open(), await open('GET / HTTP/1.1\r\n')];
    await until(() => server.connections() === 3);
    await clock.advance(1_000);
    const gone = silent.map((socket) => once(socket, 'close'));
    for (const closed of gone) {
      const served = await open(request);
      assert.match(String((await once(served, 'data'))[0]), /served/);
      await closed;
    }
    assert.equal(kept.destroyed, false);
    const keptGone = once(kept, 'close');
    assert.match(String((await once(await open(request), 'data'))[0]), /served/);
    await keptGone;
    assert.equal(server.connections(), 3);
  });

  test('one that has sent its next request before its last one was answered is not taken for kept alive', async (t) => {
    const { server, open } = await serving(t, { connectionsMax: 1 });
    const refused: number[] = [];
    server.mount({ prefixes: [], plugin: () => undefined, onConnectionRefused: () => refused.push(1) });
    const second = Promise.withResolvers<void>();
    server.app.server.on('request', ({ url }) => {
      if (url === '/second') second.resolve();
    });
    const pipelining = await open(`${request}POST /second HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
    await once(pipelining, 'data');
    await second.promise;
    const answer = String((await once(await open(), 'data'))[0]);
    assert.match(answer, /^HTTP\/1\.1 503 (.+\r\n)*Retry-After: 30\r\n(.+\r\n)*\r\ntoo many connections/);
    assert.deepEqual(refused, [1]);
    assert.equal(pipelining.destroyed, false);
    pipelining.destroy();
  });

  test('a request that can be done without gives way, and where there is none the newcomer is refused', async (t) => {
    const sockets: Socket[] = [];
    const { server, open } = await serving(t, { connectionsMax: 4 });
    const room = server.room({
      connectionsMax: 1,
      makeRoom: () => {
        const socket = sockets.shift();
        socket?.destroy();
        return socket !== undefined;
      },
    });
    const busy = Promise.withResolvers<void>();
    const waits = Promise.withResolvers<void>();
    const admitted: boolean[] = [];
    server.app.server.on('request', (incoming, response) => {
      const isAdmitted = room.admit(incoming, response);
      admitted.push(isAdmitted);
      if (!isAdmitted) incoming.socket.destroy();
      if (incoming.url === '/busy') return busy.resolve();
      sockets.push(incoming.socket);
      waits.resolve();
    });
    const post = (path: string) => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`;
    const waiting = await open(post('/wait'));
    await waits.promise;
    const gone = once(waiting, 'close');
    const next = await open(post('/busy'));
    await gone;
    await busy.promise;
    await once(await open(post('/busy')), 'close');
    assert.deepEqual(admitted, [true, true, false]);
    next.destroy();
  });

  test('requests whose connection ends before their answers begin give their room back', async (t) => {
    const { server, open } = await serving(t, { connectionsMax: 4 });
    const room = server.room({ connectionsMax: 1 });
    const admitted: boolean[] = [];
    server.app.server.on('request', (incoming, response) => admitted.push(room.admit(incoming, response)));
    // Node takes the socket of a CONNECT away from the answers that wait for it.
    const leaving = await open(`${request.repeat(2)}CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(leaving, 'close');
    await once(await open(request), 'data');
    assert.deepEqual(admitted, [true, true, true]);
  });
});
