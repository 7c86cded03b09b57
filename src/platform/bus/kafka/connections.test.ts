/** Logins to brokers that want another one after a while, and to brokers that go away or answer in the middle of one. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import {
  apiKeys,
  type FakeAnswer,
  type FakeKafkaBroker,
  type FakeRequest,
  startFakeKafkaBroker,
} from '../../../../test/support/fake-kafka-broker.ts';
import { listening } from '../../../../test/support/test-server.ts';
import { until } from '../../../../test/support/until.ts';
import { createManualClock } from '../../clock/manual-clock.ts';
import { unreachable } from '../bus-errors.ts';
import { BrokerConnections } from './connections.ts';
import { type KafkaSasl, type KafkaSecurity, busSettingNames as settingNames } from './kafka-security.ts';
import { apis, codes } from './protocol.ts';

const plain: KafkaSasl = { mechanism: 'PLAIN', user: 'u', password: 'p' };
const scram: KafkaSasl = { mechanism: 'SCRAM-SHA-256', user: 'u', password: 'p' };
const token: KafkaSasl = { mechanism: 'OAUTHBEARER', token: async () => 'token' };
const mechanisms = [plain, scram, { ...scram, mechanism: 'SCRAM-SHA-512' } as KafkaSasl, token];

const withSasl = (sasl: KafkaSasl): KafkaSecurity => ({ protocol: 'SASL_PLAINTEXT', sasl });
const address = (port: number) => ({ host: '127.0.0.1', port });

interface Setup {
  readonly security?: KafkaSecurity;
  readonly answer?: (request: FakeRequest) => FakeAnswer | undefined;
}

interface Context {
  readonly broker: FakeKafkaBroker;
  readonly connections: BrokerConnections;
  readonly clock: ReturnType<typeof createManualClock>;
  /** One request, as the adapter makes them. */
  ask(): Promise<void>;
}

async function withBroker({ security = withSasl(plain), answer }: Setup, run: (context: Context) => Promise<void>) {
  const broker = await startFakeKafkaBroker(answer);
  const clock = createManualClock();
  const connections = new BrokerConnections({ clientId: 'test', security, settingNames, clock });
  const ask = async () => {
    const { connection, release } = await connections.acquire(address(broker.port), 'control');
    try {
      await apis.apiVersions.async(connection, 'ccx', '1');
    } finally {
      release();
    }
  };
  try {
    await run({ broker, connections, clock, ask });
  } finally {
    await connections.close();
    await broker.close();
  }
}

const login = [apiKeys.apiVersions, apiKeys.saslHandshake, apiKeys.saslAuthenticate];

function requestsPerConnection({ requests }: FakeKafkaBroker): number[][] {
  const sequences: number[][] = [];
  for (const { connection, api } of requests) {
    sequences[connection] ??= [];
    sequences[connection].push(api);
  }
  return sequences;
}

const lifetimeMs = 100_000;
const lives = ({ api }: FakeRequest) => (api === apiKeys.saslAuthenticate ? { lifetimeMs } : undefined);

test('a login that ends soon is followed by one on another connection, and no request comes between its start and end', async () => {
  await withBroker({ answer: lives }, async ({ broker, clock, ask }) => {
    await ask();
    await clock.advance(74_000);
    await ask();
    assert.equal(broker.openConnections(), 1);
    await clock.advance(2_000);
    for (let i = 0; i < 20; i += 1) await Promise.all([ask(), ask(), ask()]);
    await until(() => requestsPerConnection(broker).length === 2 && broker.openConnections() === 1);
    await ask();
    assert.deepEqual(
      requestsPerConnection(broker).map((apis) => [apis.slice(0, 3), new Set(apis.slice(3))]),
      [
        [login, new Set([apiKeys.apiVersions])],
        [login, new Set([apiKeys.apiVersions])],
      ],
    );
  });
});

test('what is under way when a login ends is answered before its connection goes', async () => {
  const held = { isHeld: false };
  const answer = (request: FakeRequest) =>
    request.api === apiKeys.apiVersions && request.times === 2 && request.connection === 0 && held.isHeld
      ? ('hold' as const)
      : lives(request);
  await withBroker({ answer }, async ({ broker, clock, ask }) => {
    held.isHeld = true;
    const waiting = ask();
    await until(() => broker.requests.length === 4);
    await clock.advance(95_000);
    await ask();
    assert.equal(broker.openConnections(), 2, 'the old connection waits for its answer');
    broker.releaseHeld();
    await waiting;
    await until(() => broker.openConnections() === 1);
  });
});

test('while another login is not to be had the old one serves, until it ends', async () => {
  let isAway = false;
  const provider = async () => {
    if (isAway) throw unreachable('the token service is away', '');
    return 'token';
  };
  const security = withSasl({ mechanism: 'OAUTHBEARER', token: provider });
  await withBroker({ security, answer: lives }, async ({ broker, clock, ask }) => {
    await ask();
    isAway = true;
    await clock.advance(80_000);
    for (let i = 0; i < 10; i += 1) await ask();
    await until(() => requestsPerConnection(broker).length === 2);
    await clock.advance(5_000);
    await ask();
    isAway = false;
    await ask();
    await until(() => requestsPerConnection(broker).at(-1)?.includes(apiKeys.saslAuthenticate) === true);
    isAway = true;
    await clock.advance(95_000);
    await assert.rejects(ask(), { code: 'BUS_UNREACHABLE', retryable: true });
  });
});

test('a login without an end is kept', async () => {
  await withBroker({}, async ({ broker, clock, ask }) => {
    await ask();
    await clock.advance(86_400_000);
    await ask();
    assert.equal(requestsPerConnection(broker).length, 1);
  });
});

for (const sasl of mechanisms) {
  for (const [name, api] of Object.entries(apiKeys)) {
    test(`a broker that goes away at ${name} of a ${sasl.mechanism} login is BUS_UNREACHABLE`, async () => {
      const answer = (request: FakeRequest) => (request.api === api ? ('close' as const) : undefined);
      await withBroker({ security: withSasl(sasl), answer }, async ({ ask }) => {
        await assert.rejects(ask(), { code: 'BUS_UNREACHABLE', retryable: true });
      });
    });
  }
}

test('a broker that goes away at the second step of a SCRAM login is BUS_UNREACHABLE', async () => {
  const answer = (request: FakeRequest) =>
    request.api !== apiKeys.saslAuthenticate ? undefined : request.times === 1 ? scramChallenge(request) : 'close';
  await withBroker({ security: withSasl(scram), answer }, async ({ ask }) => {
    await assert.rejects(ask(), { code: 'BUS_UNREACHABLE', retryable: true });
  });
});

const answers: readonly (readonly [string, KafkaSasl, (request: FakeRequest) => FakeAnswer | undefined, string])[] = [
  ...mechanisms.flatMap((sasl) =>
    (
      [
        ['an unknown mechanism', apiKeys.saslHandshake, codes.UNSUPPORTED_SASL_MECHANISM, 'BUS_AUTH'],
        ['a wrong password', apiKeys.saslAuthenticate, codes.SASL_AUTHENTICATION_FAILED, 'BUS_AUTH'],
        ['a login where none is taken', apiKeys.saslAuthenticate, codes.ILLEGAL_SASL_STATE, 'BUS_AUTH'],
        ['a broker that cannot say now', apiKeys.saslAuthenticate, 7, 'BUS_UNREACHABLE'],
      ] as const
    ).map(([what, api, error, code]) => [`${what} (${sasl.mechanism})`, sasl, at(api, error), code] as const),
  ),
  ['a SCRAM answer that is none', scram, () => ({ bytes: Buffer.from('no parameters') }), 'BUS_AUTH'],
  ['an empty SCRAM answer', scram, () => ({}), 'BUS_AUTH'],
  ['a SCRAM answer without a salt', scram, () => ({ bytes: Buffer.from('r=1,i=4096') }), 'BUS_AUTH'],
  [
    'a broker that cannot prove that it knows the password',
    scram,
    (request) =>
      request.api === apiKeys.saslAuthenticate && request.times === 1
        ? scramChallenge(request)
        : { bytes: Buffer.from('v=AAAA') },
    'BUS_AUTH',
  ],
  [
    'a token that is refused in the text',
    token,
    () => ({ bytes: Buffer.from('{"status":"invalid_token"}') }),
    'BUS_AUTH',
  ],
];
for (const [what, sasl, answer, code] of answers) {
  test(`${what} is ${code}`, async () => {
    await withBroker({ security: withSasl(sasl), answer }, async ({ ask }) => {
      await assert.rejects(ask(), { code, retryable: code === 'BUS_UNREACHABLE' });
    });
  });
}

test('a connection that dies in the TLS handshake is BUS_UNREACHABLE, one to a plain text listener is BUS_TLS', async () => {
  for (const [answersPlainText, code] of [
    [false, 'BUS_UNREACHABLE'],
    [true, 'BUS_TLS'],
  ] as const) {
    const broker = await startFakeKafkaBroker();
    const front = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (first) => {
        // 0x16 begins a TLS handshake; a Kafka request begins with its length.
        if (first[0] === 0x16 || !answersPlainText) socket.end();
        else socket.write(versionsAnswer(first));
      });
    });
    const { port, close } = await listening(front);
    const security: KafkaSecurity = { protocol: 'SSL', tls: {} };
    const connections = new BrokerConnections({ clientId: 'test', security, settingNames, clock: createManualClock() });
    try {
      const asked = connections.acquire(address(port), 'control');
      await assert.rejects(asked, { code, hint: /bus\.security_protocol/ });
    } finally {
      await connections.close();
      close();
      await broker.close();
    }
  }
});

function at(api: number, errorCode: number): (request: FakeRequest) => FakeAnswer | undefined {
  return (request) => (request.api === api ? { errorCode } : undefined);
}

function scramChallenge({ bytes }: FakeRequest): FakeAnswer {
  const nonce = /r=([^,]+)/.exec(bytes.toString())![1];
  return { bytes: Buffer.from(`r=${nonce}x,s=${Buffer.from('salt').toString('base64')},i=4096`) };
}

/** ApiVersions v3 without any. */
function versionsAnswer(request: Buffer): Buffer {
  return Buffer.from([0, 0, 0, 12, ...request.subarray(8, 12), 0, 0, 1, 0, 0, 0, 0, 0]);
}
