/** What counts as well: a topic of that name without an error and with partitions, however the answer arrives. Everything else does not. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { listening, unusedPort } from '../../../../test/support/test-server.ts';
import { type KafkaSecurity, plaintext } from './kafka-security.ts';
import { looksWell } from './quick-look.ts';

interface Answer {
  readonly correlation?: number;
  readonly brokers?: number;
  readonly topics?: readonly {
    readonly name: string;
    readonly error?: number;
    readonly partitions?: readonly number[];
  }[];
}

const int = (value: number, bytes: 1 | 2 | 4) => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeIntBE(value, 0, bytes);
  return buffer;
};
const text = (value: string) => Buffer.concat([int(value.length + 1, 1), Buffer.from(value)]);
const noTags = int(0, 1);

/** Metadata 12 as brokers answer it, by Kafka's protocol guide. */
function metadata({ correlation = 1, brokers = 1, topics = [] }: Answer): Buffer {
  const oneBroker = [int(1, 4), text('broker-1'), int(9092, 4), noTags, noTags];
  // One tag of two bytes, which nobody knows.
  const tags = Buffer.from([1, 7, 2, 0, 0]);
  const body = Buffer.concat([
    ...[int(correlation, 4), tags, int(0, 4)],
    ...[int(brokers + 1, 1), ...Array.from({ length: brokers }, () => oneBroker).flat()],
    ...[text('cluster'), int(1, 4), int(topics.length + 1, 1)],
    ...topics.flatMap(({ name, error = 0, partitions = [0] }) => [
      ...[int(error, 2), text(name), Buffer.alloc(17), int(partitions.length + 1, 1)],
      ...partitions.flatMap((partitionError) => [int(partitionError, 2), Buffer.alloc(24)]),
      ...[int(0, 4), noTags],
    ]),
    noTags,
  ]);
  return Buffer.concat([int(body.length, 4), body]);
}

async function brokerThat(t: TestContext, answer: (socket: Socket, request: Buffer) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).once('data', (request) => answer(socket, request));
    t.after(() => socket.destroy());
  });
  const { port, close } = await listening(server);
  t.after(close);
  return `127.0.0.1:${port}`;
}

const look = (brokers: readonly string[], topic?: string, security: KafkaSecurity = plaintext) =>
  looksWell({ brokers, security, clientId: 'test', ...(topic === undefined ? {} : { topic }) });

const answering = (t: TestContext, answer: Answer) => brokerThat(t, (socket) => socket.write(metadata(answer)));

test('a topic that is there with partitions, and a broker that answers at all', async (t) => {
  const broker = await answering(t, { topics: [{ name: 'there' }] });
  assert.equal(await look([broker], 'there'), true);
  assert.equal(await look([broker]), true);
});

test('the request asks for one topic by name, and makes none', async (t) => {
  let asked: Buffer = Buffer.alloc(0);
  const broker = await brokerThat(t, (socket, request) => {
    asked = request;
    socket.destroy();
  });
  assert.equal(await look([broker], 'topic'), false);
  const head = [0, 3, 0, 12, 0, 0, 0, 1, 0, 4, ...Buffer.from('test'), 0];
  const body = [2, ...Buffer.alloc(16), 6, ...Buffer.from('topic'), 0, 0, 0, 0];
  assert.deepEqual([...asked], [0, 0, 0, head.length + body.length, ...head, ...body]);
});

test('an answer that comes in pieces', async (t) => {
  const bytes = metadata({ topics: [{ name: 'there' }] });
  const broker = await brokerThat(t, async (socket) => {
    for (const byte of bytes) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  assert.equal(await look([broker], 'there'), true);
});

test('a topic that is missing, forbidden, another one, or without partitions that can be used', async (t) => {
  const answers: readonly Answer[] = [
    { topics: [{ name: 'there', error: 3 }] },
    { topics: [{ name: 'there', error: 29 }] },
    { topics: [{ name: 'other' }] },
    { topics: [{ name: 'there', partitions: [] }] },
    { topics: [{ name: 'there', partitions: [5, 0] }] },
    { topics: [] },
    { brokers: 0 },
    { correlation: 2, topics: [{ name: 'there' }] },
  ];
  for (const answer of answers) {
    assert.equal(await look([await answering(t, answer)], 'there'), false, JSON.stringify(answer));
  }
});

test('what is no answer', async (t) => {
  const bytes = metadata({ topics: [{ name: 'there' }] });
  const cut = Buffer.concat([int(20, 4), bytes.subarray(4, 24)]);
  for (const wrong of [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), cut, int(0, 4), int(-1, 4)]) {
    const broker = await brokerThat(t, (socket) => socket.end(wrong));
    assert.equal(await look([broker], 'there'), false, wrong.toString('hex'));
  }
});

test('one of several brokers is enough; none, or an address that is none, is not', async (t) => {
  const dead = `127.0.0.1:${await unusedPort()}`;
  assert.equal(await look([dead, 'no address', await answering(t, { topics: [{ name: 'there' }] })], 'there'), true);
  assert.equal(await look([dead, 'no address'], 'there'), false);
  assert.equal(await look([]), false);
});

test('a broker that says nothing is not waited for for long', async (t) => {
  const silent = await brokerThat(t, () => undefined);
  assert.equal(await look([silent], 'there'), false);
});

test('a login is left to the client', async (t) => {
  let isAsked = false;
  const broker = await brokerThat(t, () => {
    isAsked = true;
  });
  const sasl = { mechanism: 'PLAIN', user: 'user', password: 'password' } as const;
  assert.equal(await look([broker], 'there', { protocol: 'SASL_PLAINTEXT', sasl }), false);
  assert.equal(isAsked, false);
});
