/** Stopping a server: requests in flight are answered, connections without one hold nothing up. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { callHttp } from './http-client.ts';
import { createHttpServer } from './http-server.ts';

function create() {
  return createHttpServer({ host: '127.0.0.1', port: 0, bodyBytesMax: 1000, portSetting: 'test.port' });
}

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
  goOn.resolve();
  assert.equal((await asking).body.toString(), 'answered');
  await closing;
  await assert.rejects(callHttp(`${url}/`), { code: 'HTTP_UNREACHABLE' });
});

test('a port that is taken names the setting to change', async () => {
  const first = create();
  const { port } = new URL(await first.listen());
  const second = createHttpServer({ host: '127.0.0.1', port: Number(port), bodyBytesMax: 1, portSetting: 'test.port' });
  await assert.rejects(second.listen(), { code: 'HTTP_LISTEN', hint: 'choose another port with test.port' });
  await Promise.all([first.close(), second.close()]);
});
