/**
 * What a person sees who gives a role wrong settings for its Kafka: one line with what is wrong and one with the setting to change, in the
 * words of that role's configuration, and an exit code that is not zero. Brokers that are merely away are waited for where work can go on
 * without them. Nothing ever goes over the wire in plain text that was asked to be encrypted.
 */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka';
import type { KafkaCluster } from '../../scripts/kafka/start-kafka.ts';
import { TOPIC_NOTIFICATIONS, TOPIC_OCP_RESULTS, TOPIC_UPLOAD_ANNOUNCE } from '../../src/contracts/topics.ts';
import type { Bus } from '../../src/platform/bus/bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { type CcxProcess, startCcx } from '../support/ccx-process.ts';
import { startTestKafka } from '../support/kafka.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { makeTopics, openKafka } from '../support/separate-roles.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { listening } from '../support/test-server.ts';

type Role = 'ingress' | 'data-pipeline' | 'writer' | 'notifier';
const roles: readonly Role[] = ['ingress', 'data-pipeline', 'writer', 'notifier'];

interface Security {
  readonly brokers: string;
  readonly protocol: string;
  readonly caFile: string;
  readonly user: string;
  readonly password: string;
}

/** Settings of one role's own. */
interface Names {
  readonly brokers: string;
  readonly protocol: string;
  readonly caFile: string;
  readonly user: string;
  readonly password: string;
  /** The topic that the role cannot do without, and the setting that names it. */
  readonly topic: readonly [string, string];
}

const names: Readonly<Record<Role, Names>> = {
  ingress: {
    brokers: 'INGRESS_KAFKABROKERS',
    protocol: 'INGRESS_KAFKASECURITYPROTOCOL',
    caFile: 'INGRESS_KAFKACA',
    user: 'INGRESS_KAFKAUSERNAME',
    password: 'INGRESS_KAFKAPASSWORD',
    topic: [TOPIC_UPLOAD_ANNOUNCE, 'INGRESS_KAFKAANNOUNCETOPIC'],
  },
  'data-pipeline': {
    brokers: 'bus.brokers',
    protocol: 'bus.security_protocol',
    caFile: 'bus.ca_file',
    user: 'bus.sasl_user',
    password: 'bus.sasl_password',
    topic: [TOPIC_UPLOAD_ANNOUNCE, 'incoming.topic'],
  },
  writer: {
    brokers: 'broker.addresses',
    protocol: 'broker.security_protocol',
    caFile: 'broker.cert_path',
    user: 'broker.sasl_username',
    password: 'broker.sasl_password',
    topic: [TOPIC_OCP_RESULTS, 'broker.topic'],
  },
  notifier: {
    brokers: 'kafka_broker.addresses',
    protocol: 'kafka_broker.security_protocol',
    caFile: 'kafka_broker.cert_path',
    user: 'kafka_broker.sasl_username',
    password: 'kafka_broker.sasl_password',
    topic: [TOPIC_NOTIFICATIONS, 'kafka_broker.topic'],
  },
};

const prefixes = {
  'data-pipeline': 'CCX_DATA_PIPELINE__',
  writer: 'CCX_NOTIFICATION_WRITER__',
  notifier: 'CCX_NOTIFICATION_SERVICE__',
} as const;

const clock = createSystemClock();
/** Only a failing test waits so long. */
const endMsMax = 60_000;
const context: { cluster?: KafkaCluster; database?: TestDatabase } = {};
const folder = temporaryFolder();
const running = new Set<CcxProcess>();

before(async () => {
  await mkdir(join(folder, 'objects'));
  context.database = await createTestDatabase({ migrated: true });
  context.cluster = await startTestKafka({ secure: true });
  const bus = await openKafka(context.cluster.addresses);
  await makeTopics(bus);
  // The first question about a group makes the topic of positions, and a new cluster is worth a warning until it is there.
  await untilCoordinated(bus);
  await bus.close();
});
after(async () => {
  for (const process of running) process.kill('SIGKILL');
  for (const process of running) await process.exited(endMsMax);
  await context.database?.drop();
});

async function untilCoordinated(bus: Bus): Promise<void> {
  while ((await bus.admin.lag('nobody', [TOPIC_UPLOAD_ANNOUNCE]).catch(() => [])).length === 0) await clock.sleep(100);
}

/** As the account `ccx` over TLS, which works. */
function right(): Security {
  const { saslSslAddresses, certificates, users } = context.cluster!;
  return {
    brokers: saslSslAddresses.join(','),
    protocol: 'SASL_SSL',
    caFile: join(certificates, 'ca.pem'),
    user: 'ccx',
    password: users.ccx,
  };
}

function start(role: Role, security: Security): CcxProcess {
  const name = (setting: keyof Security): string => {
    const own = names[role][setting];
    if (role === 'ingress') return own;
    return `${prefixes[role]}${own.replace('.', '__').toUpperCase()}`;
  };
  const settings = Object.entries(security).map(([key, value]) => [name(key as keyof Security), value]);
  const process = startCcx({
    // Open to others and without tokens is worth a warning of its own.
    args: role === 'ingress' ? [role, '--host', '127.0.0.1'] : [role],
    env: {
      ...Object.fromEntries(settings),
      CCX_DATABASE_URL: context.database!.url,
      INGRESS_SASLMECHANISM: 'SCRAM-SHA-512',
      INGRESS_STAGERIMPLEMENTATION: 'filebased',
      INGRESS_STORAGEFILESYSTEMPATH: join(folder, 'objects'),
      INGRESS_WEBPORT: '0',
      INGRESS_METRICSPORT: '0',
      CCX_DATA_PIPELINE__BUS__KIND: 'kafka',
      CCX_DATA_PIPELINE__OPERATIONS__PORT: '0',
      CCX_NOTIFICATION_WRITER__METRICS__ADDRESS: '127.0.0.1:0',
      CCX_NOTIFICATION_SERVICE__OPERATIONS__PORT: '0',
    },
  });
  running.add(process);
  process.child.once('close', () => running.delete(process));
  return process;
}

/** It ends by itself; resolves to what it said to a person. */
async function endsBadly(role: Role, security: Security): Promise<string> {
  const process = start(role, security);
  const { code, signal } = await process.exited(endMsMax);
  const text = process.stderr();
  assert.ok(code !== null && code > 0, `${role} ended with ${signal ?? code}: ${text}`);
  assert.equal(text.match(/^ccx: /gm)?.length, 1, `one line says what is wrong: ${text}`);
  assert.doesNotMatch(text, /\n\s+at /, 'no stack');
  assert.ok(!text.includes(context.cluster!.users.ccx) && !process.stdout().includes(context.cluster!.users.ccx));
  return text;
}

/** The setting is named in the line below the error. */
function namesSetting(text: string, code: string, setting: string): void {
  const [, said = '', hint = ''] = /^(ccx: .*)\n(.*)$/m.exec(text) ?? [];
  assert.ok(said.endsWith(`[${code}]`), text);
  assert.ok(hint.includes(setting), `${setting} in: ${hint}`);
}

for (const role of roles) {
  describe(`ccx ${role}`, { concurrency: 2 }, () => {
    const own = names[role];
    test('works with the right settings', async () => {
      const process = start(role, right());
      await process.waitForOutput(/"msg":"(listening|ingress takes uploads)"/, endMsMax);
      assert.doesNotMatch(process.stdout(), /"level":"(warn|error)"/, process.stdout());
      process.kill('SIGTERM');
      assert.deepEqual(await process.exited(endMsMax), { code: 0, signal: null });
    });

    test(`F13: names ${own.password} when the password is wrong`, async () => {
      namesSetting(await endsBadly(role, { ...right(), password: 'wrong' }), 'BUS_AUTH', own.password);
    });

    test(`F13: names ${own.caFile} when the authority is another one`, async () => {
      const caFile = join(context.cluster!.certificates, 'other-ca.pem');
      namesSetting(await endsBadly(role, { ...right(), caFile }), 'BUS_TLS', own.caFile);
    });

    test(`names ${own.caFile} when that file is missing, and connects nowhere`, async () => {
      const text = await endsBadly(role, { ...right(), caFile: '/no/such/ca.pem' });
      assert.match(text, /open \/no\/such\/ca\.pem: no such file or directory/);
      namesSetting(text, 'BUS_SECURITY', own.caFile);
    });

    test(`names ${own.protocol} when the brokers are asked in plain text and expect TLS`, async () => {
      const { sslAddresses } = context.cluster!;
      const security = { ...right(), brokers: sslAddresses.join(','), protocol: 'PLAINTEXT', caFile: '' };
      namesSetting(await endsBadly(role, security), 'BUS_TLS', own.protocol);
    });

    test(`F13: says nothing in plain text to a port that does not speak TLS, and names ${own.protocol}`, async () => {
      const wire = await startWiretap();
      try {
        const text = await endsBadly(role, { ...right(), brokers: wire.address });
        namesSetting(text, 'BUS_TLS', own.protocol);
      } finally {
        await wire.close();
      }
      assert.ok(wire.heard().length > 0, 'it did connect');
      for (const heard of wire.heard()) {
        assert.equal(heard[0], tlsHandshake, 'every connection begins with a TLS handshake');
        assert.ok(!heard.includes('ccx-secret') && !heard.includes('ccx-ingress'), 'and nothing can be read in it');
      }
    });
  });
}

describe('a host that cannot be resolved', { concurrency: 2 }, () => {
  const nowhere = 'no-such-host.invalid:9092';
  for (const role of ['data-pipeline', 'writer'] as const) {
    test(`ends ccx ${role}, which can do nothing without brokers, with ${names[role].brokers}`, async () => {
      const text = await endsBadly(role, { ...right(), brokers: nowhere });
      namesSetting(text, 'BUS_UNREACHABLE', names[role].brokers);
    });
  }
  for (const role of ['ingress', 'notifier'] as const) {
    test(`does not end ccx ${role}, which keeps what it has to send; the log says what is missing`, async () => {
      const process = start(role, { ...right(), brokers: nowhere });
      await process.waitForOutput(/"msg":"(listening|ingress takes uploads)"/, endMsMax);
      assert.match(process.stdout(), /"level":"(warn|error)".*"code":"BUS_UNREACHABLE".*no-such-host\.invalid/);
      process.kill('SIGTERM');
      assert.deepEqual(await process.exited(endMsMax), { code: 0, signal: null });
    });
  }
});

describe('a topic that the user may not use', { concurrency: 2 }, () => {
  before(() => forbidTopics(roles.map((role) => names[role].topic[0])));
  for (const role of roles) {
    const [topic, setting] = names[role].topic;
    test(`F13: ends ccx ${role}, which names ${topic} and ${setting}`, async () => {
      const text = await endsBadly(role, right());
      assert.match(text, /this user may not use topic /);
      assert.ok(text.includes(topic), text);
      namesSetting(text, 'BUS_TOPIC_PERMISSION', setting);
    });
  }
});

async function forbidTopics(topics: readonly string[]): Promise<void> {
  const admin = new Admin({ clientId: 'settings-test', bootstrapBrokers: [...context.cluster!.addresses] });
  await admin.createAcls({
    creations: [...new Set(topics)].map((resourceName) => ({
      resourceType: ResourceTypes.TOPIC,
      resourceName,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:ccx',
      host: '*',
      operation: AclOperations.ALL,
      permissionType: AclPermissionTypes.DENY,
    })),
  });
  await admin.close();
}

/** First byte of a TLS record that opens a connection. */
const tlsHandshake = 0x16;

/** Answers everybody with text, as a service that knows no TLS would, and keeps what was said to it. */
async function startWiretap() {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (chunk) => {
      heard.push(chunk);
      socket.end('this is no TLS\r\n');
    });
  });
  const { port } = await listening(server);
  return {
    address: `127.0.0.1:${port}`,
    heard: (): readonly Buffer[] => heard,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
