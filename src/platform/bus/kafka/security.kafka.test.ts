/** Every way to log in, on a real broker with TLS, SASL and access rules; and every way to get it wrong, with its code and setting. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka';
import type { KafkaCluster } from '../../../../scripts/kafka/start-kafka.ts';
import { startTestKafka, unsecuredToken } from '../../../../test/support/kafka.ts';
import type { CcxError } from '../../../encoding/ccx-error.ts';
import { createSystemClock } from '../../clock/clock.ts';
import type { Bus } from '../bus.ts';
import {
  createTopic,
  rejectsWith,
  send,
  subscribe,
  take,
  texts,
  uniqueGroup,
} from '../contract/bus-harness.contract.ts';
import { createKafkaBus } from './kafka-bus.ts';
import { type KafkaSecuritySettings, parseKafkaSecurity } from './kafka-security.ts';
import { looksWell } from './quick-look.ts';

const clock = createSystemClock();
const state: { cluster?: KafkaCluster } = {};
const cluster = (): KafkaCluster => state.cluster!;

/** Where it connects to, or by which of the cluster's listeners. */
type Way =
  | readonly string[]
  | 'addresses'
  | 'sslAddresses'
  | 'mutualTlsAddresses'
  | 'saslPlaintextAddresses'
  | 'saslSslAddresses';

/** Files are those of the cluster. */
function open(way: Way, { caFile, certificateFile, keyFile, ...settings }: KafkaSecuritySettings): Bus {
  const file = (name: string | undefined) => name && join(cluster().certificates, name);
  return createKafkaBus({
    brokers: typeof way === 'string' ? cluster()[way] : way,
    clientId: 'security-test',
    security: parseKafkaSecurity({
      ...settings,
      caFile: file(caFile),
      certificateFile: file(certificateFile),
      keyFile: file(keyFile),
    }),
    clock,
    sessionMs: 3_000,
    deliveryMsMax: 5_000,
  });
}

async function withBus(bus: Bus, run: (bus: Bus) => Promise<void>): Promise<void> {
  try {
    await run(bus);
  } finally {
    await bus.close();
  }
}

const ccx = { user: 'ccx', password: 'ccx-secret' };

describe('Kafka security', () => {
  before(async () => {
    state.cluster = await startTestKafka({ secure: true });
  });
  after(async () => {
    await state.cluster?.stop();
  });

  const clientCertificate = { certificateFile: 'client.pem', keyFile: 'client.key' };
  const unsecured = { protocol: 'SASL_PLAINTEXT', mechanism: 'OAUTHBEARER', token: unsecuredToken };
  const ways: readonly (readonly [string, Way, KafkaSecuritySettings])[] = [
    ['TLS with the right authority', 'sslAddresses', { protocol: 'SSL', caFile: 'ca.pem' }],
    ['a client certificate', 'mutualTlsAddresses', { protocol: 'ssl', caFile: 'ca.pem', ...clientCertificate }],
    ...['PLAIN', 'SCRAM-SHA-256', 'scram-sha-512'].flatMap((mechanism) => {
      const tls = { protocol: 'sasl_ssl', mechanism, caFile: 'ca.pem', ...ccx };
      return [
        [`${mechanism} without encryption`, 'saslPlaintextAddresses', { ...tls, protocol: 'SASL_PLAINTEXT' }],
        [`${mechanism} with TLS and an authority of its own`, 'saslSslAddresses', tls],
      ] as const;
    }),
    ['OAUTHBEARER', 'saslPlaintextAddresses', unsecured],
  ];
  for (const [name, way, settings] of ways) {
    test(`records go there and back with ${name}`, async () => {
      await withBus(open(way, settings), async (bus) => {
        await bus.check();
        const topic = await createTopic(bus);
        await send(bus, [{ topic, key: 'k', value: 'v' }]);
        assert.deepEqual(texts(await take(await subscribe(bus, topic), 1)), ['v']);
      });
    });
  }

  test('without the client all looks well over plain text and trusted TLS, where the topic is there', async () => {
    await withBus(open('sslAddresses', { protocol: 'SSL', caFile: 'ca.pem' }), async (bus) => {
      const topic = await createTopic(bus);
      const file = (name: string) => join(cluster().certificates, name);
      const looks = (way: Exclude<Way, readonly string[]>, settings: KafkaSecuritySettings, name = topic) =>
        looksWell({ brokers: cluster()[way], clientId: 'test', security: parseKafkaSecurity(settings), topic: name });
      const tls = { protocol: 'SSL', caFile: file('ca.pem') };
      const known = { ...tls, certificateFile: file('client.pem'), keyFile: file('client.key') };
      assert.equal(await looks('sslAddresses', tls), true);
      assert.equal(await looks('mutualTlsAddresses', known), true);
      assert.equal(await looks('sslAddresses', tls, 'no-such-topic'), false);
      assert.equal(await looks('mutualTlsAddresses', tls), false);
      assert.equal(await looks('sslAddresses', { protocol: 'SSL', caFile: file('other-ca.pem') }), false);
      assert.equal(await looks('sslAddresses', { protocol: 'PLAINTEXT' }), false);
      assert.equal(await looks('saslPlaintextAddresses', { protocol: 'PLAINTEXT' }), false);
    });
  });

  const wrong = { protocol: 'SASL_PLAINTEXT', user: 'ccx', password: 'wrong' };
  const wrongScram = { ...wrong, mechanism: 'SCRAM-SHA-512' };
  const expired = { ...unsecured, token: async () => 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.' };
  const ourAuthority = { protocol: 'SSL', caFile: 'ca.pem' };
  const otherAuthority = { protocol: 'SSL', caFile: 'other-ca.pem' };
  const plain = { protocol: 'PLAINTEXT' };
  const mistakes: readonly (readonly [string, string, RegExp, Way, KafkaSecuritySettings])[] = [
    ['a wrong password', 'BUS_AUTH', /bus\.sasl_password/, 'saslPlaintextAddresses', wrong],
    ['a wrong password with SCRAM', 'BUS_AUTH', /bus\.sasl_password/, 'saslPlaintextAddresses', wrongScram],
    ['an expired token', 'BUS_AUTH', /bus\.sasl_mechanism/, 'saslPlaintextAddresses', expired],
    ['another authority', 'BUS_TLS', /bus\.ca_file/, 'sslAddresses', otherAuthority],
    ['an authority that the system does not know', 'BUS_TLS', /bus\.ca_file/, 'sslAddresses', { protocol: 'SSL' }],
    [
      'no client certificate where one is wanted',
      'BUS_TLS',
      /bus\.certificate_file/,
      'mutualTlsAddresses',
      ourAuthority,
    ],
    ['plain text to a TLS port', 'BUS_TLS', /bus\.security_protocol/, 'sslAddresses', { protocol: '' }],
    ['TLS to a plain text port', 'BUS_TLS', /bus\.security_protocol/, 'addresses', ourAuthority],
    ['no login where one is wanted', 'BUS_UNREACHABLE', /bus\.security_protocol/, 'saslPlaintextAddresses', plain],
    ['a host that cannot be resolved', 'BUS_UNREACHABLE', /bus\.brokers/, ['no-such-host.invalid:9092'], plain],
  ];
  for (const [name, code, hint, way, settings] of mistakes) {
    test(`${name} is ${code} and names its setting, in check and in every call`, async () => {
      await withBus(open(way, settings), async (bus) => {
        const told = async (promise: Promise<unknown>) => {
          await assert.rejects(promise, { code, hint });
        };
        await told(bus.check());
        await told(send(bus, [{ topic: 'any', value: 'v' }]));
        await told(subscribe(bus, 'any'));
        await told(bus.admin.listTopics());
      });
    });
  }

  test('one broker of the list that answers is enough', async () => {
    const brokers = ['no-such-host.invalid:9092', '127.0.0.1:1', ...cluster().addresses];
    await withBus(open(brokers, { protocol: 'PLAINTEXT' }), (bus) => bus.check());
  });

  test('a topic that this user may not use is BUS_TOPIC_PERMISSION, whatever is done with it', async () => {
    await withBus(open('addresses', { protocol: '' }), async (superuser) => {
      const hidden = await createTopic(superuser);
      const unwritable = await createTopic(superuser);
      const unreadable = await createTopic(superuser);
      await send(superuser, [{ topic: unreadable, value: 'secret' }]);
      await deny([
        [ResourceTypes.TOPIC, hidden, AclOperations.ALL],
        [ResourceTypes.TOPIC, unwritable, AclOperations.WRITE],
        [ResourceTypes.TOPIC, unreadable, AclOperations.READ],
        [ResourceTypes.GROUP, 'forbidden-group', AclOperations.ALL],
      ]);
      await withBus(open('saslPlaintextAddresses', { protocol: 'SASL_PLAINTEXT', ...ccx }), async (bus) => {
        await bus.check();
        await rejectsWith(send(bus, [{ topic: hidden, value: 'v' }]), 'BUS_TOPIC_PERMISSION');
        await rejectsWith(subscribe(bus, hidden), 'BUS_TOPIC_PERMISSION');
        await rejectsWith(bus.admin.lag('any', [hidden]), 'BUS_TOPIC_PERMISSION');
        await rejectsWith(send(bus, [{ topic: unwritable, value: 'v' }]), 'BUS_TOPIC_PERMISSION');
        await rejectsWith(bus.admin.read({ topic: unreadable, partition: 0, offset: 0n }, 1), 'BUS_TOPIC_PERMISSION');
        const consumer = await subscribe(bus, unreadable, { groupId: uniqueGroup() }).catch((error) => error);
        // Joining shows nothing of the topic; reading is refused at the latest by the first poll that would bring something.
        if (consumer instanceof Error) assert.equal((consumer as CcxError).code, 'BUS_TOPIC_PERMISSION');
        else await rejectsWith(pollForEver(consumer), 'BUS_TOPIC_PERMISSION');
        const readable = await createTopic(superuser);
        await rejectsWith(subscribe(bus, readable, { groupId: 'forbidden-group' }), 'BUS_GROUP_PERMISSION');
      });
    });
  });
});

async function pollForEver(consumer: Awaited<ReturnType<typeof subscribe>>): Promise<never> {
  for (;;) await consumer.poll({ recordsMax: 1, waitMs: 200 });
}

type Resource = (typeof ResourceTypes)[keyof typeof ResourceTypes];
type Operation = (typeof AclOperations)[keyof typeof AclOperations];

async function deny(rules: readonly (readonly [Resource, string, Operation])[]): Promise<void> {
  const admin = new Admin({ clientId: 'security-test-admin', bootstrapBrokers: [...cluster().addresses] });
  await admin.createAcls({
    creations: rules.map(([resourceType, resourceName, operation]) => ({
      resourceType,
      resourceName,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:ccx',
      host: '*',
      operation,
      permissionType: AclPermissionTypes.DENY,
    })),
  });
  await admin.close();
}
