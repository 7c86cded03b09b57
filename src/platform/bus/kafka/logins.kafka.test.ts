/** A broker that wants another login every second, and ways to it that die in the middle of one: nothing is lost, and nobody is to blame. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { KafkaCluster } from '../../../../scripts/kafka/start-kafka.ts';
import { startTestKafka, unsecuredToken } from '../../../../test/support/kafka.ts';
import { createSystemClock } from '../../clock/clock.ts';
import { createTelemetry, type Telemetry } from '../../telemetry/telemetry.ts';
import type { Bus } from '../bus.ts';
import {
  commitAfter,
  createTopic,
  numbers,
  subscribe,
  take,
  texts,
  waitMsMax,
} from '../contract/bus-harness.contract.ts';
import { createKafkaBus } from './kafka-bus.ts';
import { type KafkaSecuritySettings, parseKafkaSecurity } from './kafka-security.ts';

const clock = createSystemClock();
const loginMs = 1_000;
/** Several logins of every connection. */
const workMs = 6_000;
const state: { cluster?: KafkaCluster } = {};
const addresses = (): readonly string[] => state.cluster!.saslPlaintextAddresses;
const ccx = { protocol: 'SASL_PLAINTEXT', user: 'ccx', password: 'ccx-secret' };

function open(settings: KafkaSecuritySettings, telemetry: Telemetry): Bus {
  return createKafkaBus({
    brokers: addresses(),
    clientId: 'logins-test',
    security: parseKafkaSecurity(settings),
    clock,
    telemetry,
    sessionMs: 3_000,
    deliveryMsMax: 10_000,
  });
}

/** What is logged as a warning or worse. */
function listening(): { readonly telemetry: Telemetry; readonly complaints: string[] } {
  const complaints: string[] = [];
  const destination = { write: (line: string) => void complaints.push(line) };
  return { complaints, telemetry: createTelemetry({ service: 'logins-test', level: 'warn', destination }) };
}

describe('Kafka logins', () => {
  before(async () => {
    state.cluster = await startTestKafka({
      secure: true,
      properties: { 'listener.name.sasl_plaintext.connections.max.reauth.ms': String(loginMs) },
    });
  });
  after(async () => {
    await state.cluster?.stop();
  });

  const ways: readonly (readonly [string, KafkaSecuritySettings])[] = [
    ['SCRAM-SHA-512', { ...ccx, mechanism: 'SCRAM-SHA-512' }],
    ['PLAIN', { ...ccx, mechanism: 'PLAIN' }],
    ['OAUTHBEARER', { protocol: 'SASL_PLAINTEXT', mechanism: 'OAUTHBEARER', token: unsecuredToken }],
  ];
  for (const [name, settings] of ways) {
    test(`with ${name}, work goes on over many logins: no error, no repeat, no gap`, async () => {
      const { telemetry, complaints } = listening();
      const bus = open(settings, telemetry);
      try {
        const topic = await createTopic(bus, 2);
        const consumer = await subscribe(bus, topic);
        const producer = await bus.createProducer();
        let sent = 0;
        const came: (string | null)[] = [];
        // A new topic waits for its leader, and the first group of a new broker for the topic of the positions.
        await producer.send([{ topic, key: 'k', value: String(sent++) }]);
        const first = await take(consumer, 1);
        came.push(...texts(first));
        await commitAfter(consumer, first);
        complaints.length = 0;
        const untilMs = performance.now() + workMs;
        const sending = (async () => {
          // Never without a request under way: some are, whenever a login comes to its end.
          while (performance.now() < untilMs) {
            await Promise.all(
              Array.from({ length: 5 }, () => producer.send([{ topic, key: 'k', value: String(sent++) }])),
            );
          }
        })();
        const asking = (async () => {
          while (performance.now() < untilMs) await bus.admin.listTopics();
        })();
        while (performance.now() < untilMs || came.length < sent) {
          assert.ok(performance.now() < untilMs + waitMsMax, `${came.length} of ${sent} came`);
          const records = await consumer.poll({ recordsMax: 500, waitMs: 100 });
          came.push(...texts(records));
          if (records.length > 0) await commitAfter(consumer, records);
        }
        await Promise.all([sending, asking]);
        assert.deepEqual(came, numbers(0, sent));
        assert.deepEqual(complaints, []);
      } finally {
        await bus.close();
      }
    });
  }

  for (const mechanism of ['PLAIN', 'SCRAM-SHA-512']) {
    test(`a way that ends at the ${mechanism} login is BUS_UNREACHABLE for every call, and work goes on when it is mended`, async () => {
      let isBroken = true;
      const [host = '', port = ''] = addresses()[0]!.split(':');
      const way = createServer((client) => {
        const broker = connect(Number(port), host);
        for (const socket of [client, broker]) socket.on('error', () => undefined);
        broker.on('data', (chunk) => client.write(chunk));
        broker.on('close', () => client.destroy());
        client.on('close', () => broker.destroy());
        client.on('data', (chunk) => {
          // Small requests, one after the other: a chunk is a request. 36 is SaslAuthenticate.
          if (isBroken && chunk.readInt16BE(4) === 36) client.destroy();
          else broker.write(chunk);
        });
      });
      way.listen(0, '127.0.0.1');
      await once(way, 'listening');
      const bus = createKafkaBus({
        brokers: [`127.0.0.1:${(way.address() as AddressInfo).port}`],
        clientId: 'logins-test',
        security: parseKafkaSecurity({ ...ccx, mechanism }),
        clock,
        deliveryMsMax: 2_000,
      });
      try {
        const producer = await bus.createProducer();
        for (const call of [bus.check(), producer.send([{ topic: 'any', value: 'v' }])]) {
          await assert.rejects(call, { code: 'BUS_UNREACHABLE', retryable: true });
        }
        isBroken = false;
        const topic = await createTopic(bus);
        await producer.send([{ topic, value: 'v' }]);
      } finally {
        await bus.close();
        way.close();
      }
    });
  }
});
