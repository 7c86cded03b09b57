/** The drop-in program's configuration: zero values, file, environment, Clowder, in that order of weight. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import { temporaryFile, temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { parseDatabaseUrl } from '../../../platform/database/connection-url.ts';
import { storageDatabase, withAuthority } from '../../../platform/reference/broker-settings.ts';
import { findReferenceConfig, loadReferenceConfig } from '../../../platform/reference/reference-config.ts';
import { writerBusSettings } from '../config.ts';
import { programOptions } from './load-program-config.ts';

const folder = temporaryFolder();

const prefix = 'CCX_NOTIFICATION_WRITER__';

async function load(env: Readonly<Record<string, string>>) {
  const file = findReferenceConfig(env['CCX_NOTIFICATION_WRITER_CONFIG_FILE'], folder);
  const { loaded, ...rest } = await loadReferenceConfig(programOptions, { env, file, section: 'broker' });
  return { ...rest, config: loaded.config, secretFiles: loaded.secretFiles };
}

function withFile(text: string, env: Readonly<Record<string, string>> = {}) {
  writeFileSync(join(folder, 'given.toml'), text);
  return load({ CCX_NOTIFICATION_WRITER_CONFIG_FILE: join(folder, 'given'), ...env });
}

function withClowder(document: unknown, env: Readonly<Record<string, string>> = {}) {
  const path = join(folder, 'clowder.json');
  writeFileSync(path, typeof document === 'string' ? document : JSON.stringify(document));
  return load({
    ACG_CONFIG: path,
    [`${prefix}BROKER__TOPIC`]: 'ccx.ocp.results',
    [`${prefix}STORAGE__PG_HOST`]: 'env',
    ...env,
  });
}

test('what nothing sets is empty, zero and false, and our own keys have working defaults', async () => {
  const { config, lines } = await load({});
  assert.deepEqual(
    [config['broker.topic'], config['broker.enabled'], config['storage.pg_port'], config['storage.db_driver']],
    ['', false, 0, ''],
  );
  assert.deepEqual(
    [config['broker.start_at'], config['batch.records'], config['check.future_tolerance']],
    ['latest', 500, 60_000],
  );
  assert.deepEqual(lines, ['Clowder is disabled']);
});

test('without pg_params a database elsewhere is met encrypted, as by the reference, and one on this machine in plain text', async () => {
  const tlsTo = async (host: string) => {
    const { config } = await load({ [`${prefix}STORAGE__PG_HOST`]: host, [`${prefix}STORAGE__PG_PORT`]: '5432' });
    const location = storageDatabase({ config, secretFiles: {} });
    return parseDatabaseUrl({ ...location, setting: 'storage', applicationName: 'test' }).client.ssl;
  };
  const { rejectUnauthorized, ca } = (await tlsTo('writer.abc.us-east-1.rds.amazonaws.com')) as ConnectionOptions;
  assert.deepEqual([rejectUnauthorized, ca], [false, undefined]);
  assert.equal(await tlsTo('localhost'), false);
});

test('a password from a file is read again with each connection; what Clowder gives is not, nor what stands in a setting', async () => {
  const path = temporaryFile('password', 'one\n');
  const parts = { [`${prefix}STORAGE__PG_HOST`]: 'db', [`${prefix}STORAGE__PG_PORT`]: '5432' };
  const fromFile = { ...parts, [`${prefix}STORAGE__PG_PASSWORD_FILE`]: path };
  const passwordOf = async ({ rotated }: ReturnType<typeof storageDatabase>) =>
    new URL(await rotated!.value()).password;
  const location = storageDatabase(await load(fromFile));
  assert.equal(new URL(location.url).password, 'one');
  writeFileSync(path, 'tw@');
  assert.equal(await passwordOf(location), 'tw%40');
  assert.equal(storageDatabase(await load({ ...fromFile, [`${prefix}STORAGE__PG_PASSWORD`]: 'x' })).rotated, undefined);
  const database = { hostname: 'clowder', port: 5432, name: 'n', username: 'u', password: 'given' };
  const clowder = storageDatabase(await withClowder({ database }, fromFile));
  assert.deepEqual([new URL(clowder.url).password, clowder.rotated], ['given', undefined]);
});

test('writer Q4: the environment counts with and without a file that has its keys, and an empty value counts as unset', async () => {
  const file = '[broker]\ntopic = "file"\nenabled = 1\n[storage]\npg_port = "77"\n';
  const { config } = await withFile(file, {
    [`${prefix}BROKER__TOPIC`]: '',
    [`${prefix}BROKER__CERT_PATH`]: '/ca.pem',
  });
  assert.deepEqual(
    [config['broker.topic'], config['broker.enabled'], config['storage.pg_port'], config['broker.cert_path']],
    ['file', true, 77, '/ca.pem'],
  );
  assert.equal((await load({ [`${prefix}STORAGE__PG_PORT`]: '0x10' })).config['storage.pg_port'], 16);
  assert.equal((await load({ CCX_DATABASE_URL: 'postgres://other' })).config['storage.url'], '');
});

test('values that are none name their key', async () => {
  await assert.rejects(withFile('[storage]\npg_port = "many"'), /storage\.pg_port in .* cannot be read as integer/);
  await assert.rejects(load({ [`${prefix}BROKER__ENABLED`]: 'maybe' }), /BROKER__ENABLED cannot be read as boolean/);
});

const clowder = {
  kafka: {
    brokers: [
      {
        hostname: 'a',
        port: 9092,
        authtype: 'sasl',
        securityProtocol: 'SASL_SSL',
        cacert: '-----BEGIN CERTIFICATE-----',
        sasl: { username: 'u', password: 'p', saslMechanism: 'SCRAM-SHA-512' },
      },
      { hostname: 'b' },
    ],
    topics: [{ requestedName: 'ccx.ocp.results', name: 'mapped' }],
  },
  database: { hostname: 'db', port: 5433, name: 'n', username: 'du', password: 'dp', sslMode: 'require' },
};

test('Clowder beats file and environment, and a broker may lack its port', async () => {
  const { config, lines, clowderCa } = await withClowder(clowder);
  assert.deepEqual(lines, ['Clowder is enabled', 'kafka is configured to use authentication']);
  assert.deepEqual(
    [
      config['broker.addresses'],
      config['broker.topic'],
      config['broker.security_protocol'],
      config['broker.sasl_mechanism'],
    ],
    ['a:9092,b', 'mapped', 'SASL_SSL', 'SCRAM-SHA-512'],
  );
  assert.deepEqual(
    [config['storage.pg_host'], config['storage.pg_port'], config['storage.pg_db_name'], config['storage.pg_username']],
    ['db', 5433, 'n', 'du'],
  );
  assert.equal(clowderCa, '-----BEGIN CERTIFICATE-----');
});

test('writer Q6: a Clowder broker may lack any of its parts; what is there counts and the rest is as configured', async () => {
  const configured = {
    [`${prefix}BROKER__SECURITY_PROTOCOL`]: 'SASL_SSL',
    [`${prefix}BROKER__SASL_USERNAME`]: 'own-user',
    [`${prefix}BROKER__SASL_PASSWORD`]: 'own-password',
    [`${prefix}BROKER__SASL_MECHANISM`]: 'PLAIN',
  };
  const ofClowder = {
    'broker.security_protocol': 'SASL_PLAINTEXT',
    'broker.sasl_username': 'u',
    'broker.sasl_password': 'p',
    'broker.sasl_mechanism': 'SCRAM-SHA-512',
  };
  const own = ['SASL_SSL', 'own-user', 'own-password', 'PLAIN'];
  const parts = { securityProtocol: 'SASL_PLAINTEXT', username: 'u', password: 'p', saslMechanism: 'SCRAM-SHA-512' };
  for (const [at, missing] of Object.keys(parts).entries()) {
    const { securityProtocol, ...sasl } = { ...parts, [missing]: undefined };
    const broker = { hostname: 'a', authtype: 'sasl', securityProtocol, sasl };
    const { config } = await withClowder({ kafka: { brokers: [broker], topics: [] } }, configured);
    assert.equal(config['broker.addresses'], 'a', 'it has no port either');
    const values = Object.keys(ofClowder) as (keyof typeof ofClowder)[];
    assert.deepEqual(
      values.map((key) => config[key]),
      values.map((key, index) => (index === at ? own[index] : ofClowder[key])),
      `without ${missing}`,
    );
  }
});

test("writer Q8: the brokers' certificate authority that Clowder brings is the one that is trusted with SASL_SSL", async () => {
  const { config, clowderCa } = await withClowder(clowder);
  const bus = writerBusSettings(config);
  assert.ok(bus.kind === 'kafka');
  assert.deepEqual(withAuthority(bus.security, clowderCa).tls, { ca: '-----BEGIN CERTIFICATE-----' });
});

test('what Clowder lacks is told and leaves the settings as they are', async () => {
  const empty = await withClowder({});
  assert.deepEqual(empty.lines, [
    'Clowder is enabled',
    'Clowder has no Kafka configuration',
    'Clowder has no storage section',
  ]);
  assert.equal(empty.config['storage.pg_host'], 'env');
  const partial = await withClowder({ kafka: { brokers: [], topics: [] }, database: clowder.database });
  assert.deepEqual(partial.lines.slice(1), [
    'Clowder has no broker configurations',
    'no mapping for topic ccx.ocp.results',
  ]);
  const noSasl = await withClowder({ kafka: { brokers: [{ hostname: 'a', port: 1, authtype: 'sasl' }], topics: [] } });
  assert.ok(noSasl.lines.includes('SASL configuration is missing'));
  assert.equal(noSasl.config['broker.addresses'], 'a:1');
});

test('a Clowder document that cannot be read is told and otherwise as good as none', async () => {
  for (const document of ['{', { kafka: { brokers: [{}] } }]) {
    const { lines, config } = await withClowder(document);
    assert.match(lines[0]!, /^cannot read .*clowder\.json: /);
    assert.equal(lines[1], 'Clowder is disabled');
    assert.equal(config['storage.pg_host'], 'env');
  }
});
