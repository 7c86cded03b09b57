/** What the one port answers where no service does. */
import assert from 'node:assert/strict';
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
});
