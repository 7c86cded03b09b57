/** What is certain after a request without an answer. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { listening, unusedPort } from '../../../../test/support/test-server.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { callHttp } from '../../../platform/http/http-client.ts';
import { asDeliveryFailure, resultOfTransportFailure } from './transport-failure.ts';

function transportFailure(thrown: unknown): string {
  return resultOfTransportFailure(asDeliveryFailure(thrown, 'a test', 'TEST')).kind;
}

async function failureOf(url: string): Promise<unknown> {
  return callHttp(url, { deadlineMs: 2000 }).then(
    () => assert.fail('it answered'),
    (error: unknown) => error,
  );
}

test('nobody listening and a name that does not resolve are certain', async () => {
  assert.equal(transportFailure(await failureOf(`http://127.0.0.1:${await unusedPort()}/`)), 'unreachable');
  assert.equal(transportFailure(await failureOf('http://name.invalid/')), 'unreachable');
});

test('an address that is none needs a person', async () => {
  assert.equal(transportFailure(await failureOf('http://a b/')), 'paused');
});

test('a connection that breaks after the request is not certain', async (t) => {
  const server = createServer((socket) => socket.on('data', () => socket.resetAndDestroy()));
  const { port, close } = await listening(server);
  t.after(close);
  assert.equal(transportFailure(await failureOf(`http://127.0.0.1:${port}/`)), 'unknown');
});

test('the codes along the causes count, also of several addresses tried in vain', () => {
  const refused = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
  const both = new AggregateError([refused, Object.assign(new Error('y'), { code: 'ENETUNREACH' })]);
  const wrapped = new CcxError('z', {
    code: 'BUS_UNREACHABLE',
    category: 'connection',
    cause: new Error('w', { cause: both }),
  });
  assert.equal(transportFailure(wrapped), 'unreachable');
  assert.equal(transportFailure(Object.assign(new Error('x'), { code: 'CERT_HAS_EXPIRED' })), 'paused');
});

test('anything else is unknown', () => {
  for (const thrown of [undefined, 'text', new Error('x'), Object.assign(new Error('x'), { code: 'ECONNRESET' })]) {
    assert.equal(transportFailure(thrown), 'unknown');
  }
});
