/** What the one port answers where no service does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { createSystemClock } from '../platform/clock/clock.ts';
import { createWebServer, mountFront } from './web-server.ts';

test('a browser gets the front page, everybody else what a probe gets', async (t) => {
  const server = createWebServer({ host: '127.0.0.1', port: 0, connectionsMax: 10, clock: createSystemClock() });
  mountFront(server, {
    ready: async () => ({ ready: false, reasons: ['object store: away'] }),
    frontPage: (_request, reply) => reply.type('text/html').send('<h1>console</h1>'),
  });
  const url = await server.listen();
  t.after(() => server.close());
  const ask = async (path: string, init?: RequestInit) => {
    const answer = await fetch(`${url}${path}`, init);
    return { status: answer.status, text: await answer.text() };
  };
  for (const accept of [
    'text/html',
    'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
    'application/json, text/html;q=0.5',
  ]) {
    assert.deepEqual(await ask('/', { headers: { accept } }), { status: 200, text: '<h1>console</h1>' });
  }
  for (const accept of ['*/*', 'application/json', 'text/htmlx']) {
    assert.deepEqual(await ask('/', { headers: { accept } }), { status: 200, text: 'lubdub' });
  }
  assert.deepEqual(await ask('/', { method: 'HEAD' }), { status: 200, text: '' });
  assert.deepEqual(await ask('/ready'), { status: 503, text: '{"ready":false,"reasons":["object store: away"]}' });
  assert.deepEqual(await ask('/else'), { status: 404, text: 'not found\n' });
  const broken = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{bad' };
  assert.deepEqual(await ask('/else', broken), { status: 404, text: 'not found\n' });
});

test('bodies that do not come where nobody wants them keep nobody out', async (t) => {
  const server = createWebServer({ host: '127.0.0.1', port: 0, connectionsMax: 4, clock: createSystemClock() });
  mountFront(server, { ready: async () => ({ ready: true, reasons: [] }) });
  const url = await server.listen();
  const sockets: Socket[] = [];
  t.after(async () => {
    // Before the server, which gives those who are connected time to end.
    for (const socket of sockets) socket.destroy();
    await server.close();
  });
  for (let count = 0; count < 8; count += 1) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    sockets.push(socket);
    socket.write('POST /else HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{');
    assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 404 /);
  }
  assert.equal((await fetch(`${url}/ready`)).status, 200);
});
