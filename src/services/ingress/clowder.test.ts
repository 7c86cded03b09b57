/** What Clowder tells becomes settings: defaults that the environment beats, and security that it does not. Source: ingress.md A.11.1. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { temporaryFile } from '../../../test/support/temporary-folder.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { applyClowder } from './clowder.ts';
import { ingressBusSettings, ingressOptions } from './config.ts';

const document = {
  publicPort: 8000,
  metricsPort: 9000,
  webPort: 8000,
  kafka: {
    brokers: [
      {
        hostname: 'broker-1',
        port: 9096,
        authtype: 'sasl',
        cacert: rootCertificates[0],
        sasl: { username: 'me', password: 'PASSWORD', saslMechanism: 'SCRAM-SHA-512', securityProtocol: 'SASL_SSL' },
      },
      { hostname: 'broker-2' },
    ],
    topics: [
      { name: 'announce-in-this-cluster', requestedName: 'platform.upload.announce' },
      { name: 'status-in-this-cluster', requestedName: 'platform.payload-status' },
    ],
  },
  objectStore: {
    hostname: 's3.example',
    port: 443,
    tls: true,
    buckets: [
      { name: 'first-real', requestedName: 'first', accessKey: 'a', secretKey: 's', region: 'r' },
      { name: 'perma-real', requestedName: 'perma' },
    ],
  },
  logging: { type: 'cloudwatch', cloudwatch: { accessKeyId: 'x', secretAccessKey: 'y', region: 'z', logGroup: 'g' } },
};

function clowder(t: TestContext, content: unknown, env: Readonly<Record<string, string>> = {}) {
  const path = temporaryFile('cdappconfig.json', typeof content === 'string' ? content : JSON.stringify(content));
  const applied = applyClowder({ ACG_CONFIG: path, ...env });
  t.after(() => applied.cleanUp());
  return { applied, config: loadConfig(ingressOptions, { env: applied.env }).config };
}

test('its document becomes the settings', (t) => {
  const { applied, config } = clowder(t, document);
  assert.equal(config['web.port'], 8000);
  assert.equal(config['metrics.port'], 9000);
  assert.deepEqual(config['kafka.brokers'], ['broker-1:9096', 'broker-2']);
  assert.equal(config['kafka.announce_topic'], 'announce-in-this-cluster');
  assert.equal(config['kafka.tracker_topic'], 'status-in-this-cluster');
  assert.equal(config['storage.endpoint'], 's3.example:443');
  assert.equal(config['storage.use_ssl'], true);
  assert.equal(config['storage.access_key'], 'a');
  assert.equal(config['storage.region'], 'r');
  assert.equal(config['storage.bucket'], 'first-real');
  assert.equal(applied.warnings.length, 1, 'CloudWatch is not used, and that is said');

  const bus = ingressBusSettings(config);
  assert.ok(bus.kind === 'kafka');
  assert.equal(bus.security.protocol, 'SASL_SSL');
  assert.equal(bus.security.tls?.ca?.trim(), rootCertificates[0]?.trim());
  assert.deepEqual(bus.security.sasl, { mechanism: 'SCRAM-SHA-512', user: 'me', password: 'PASSWORD' });
});

test('the environment beats its defaults, and not its security; an empty value counts as none', (t) => {
  const { config } = clowder(t, document, {
    INGRESS_WEBPORT: '1',
    INGRESS_METRICSPORT: '',
    INGRESS_STAGEBUCKET: 'perma',
    INGRESS_KAFKAUSERNAME: 'other',
  });
  assert.equal(config['web.port'], 1);
  assert.equal(config['metrics.port'], 9000);
  assert.equal(config['storage.bucket'], 'perma');
  assert.equal(config['kafka.username'], 'me');
});

test('what it leaves out stays as it is', (t) => {
  const { applied, config } = clowder(t, { kafka: null, objectStore: null, logging: { cloudwatch: null } });
  assert.equal(config['web.port'], 3000);
  assert.deepEqual(config['kafka.brokers'], ['kafka:29092']);
  assert.deepEqual(applied.warnings, []);
});

test('the certificate authority lies in a file for as long as ingress runs', (t) => {
  const { applied } = clowder(t, document);
  const path = String(applied.env['INGRESS_KAFKACA']);
  assert.match(readFileSync(path, 'utf8'), /BEGIN CERTIFICATE/);
  applied.cleanUp();
  assert.equal(existsSync(path), false);
});

test('a document that cannot be understood stops the start, and shows nothing of it', (t) => {
  for (const content of ['{"PASSWORD', { kafka: { brokers: [{ hostname: 7 }], topics: [] } }]) {
    assert.throws(
      () => clowder(t, content),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'CONFIG_CLOWDER');
        assert.doesNotMatch(error.message, /PASSWORD/);
        return true;
      },
    );
  }
  assert.throws(() => applyClowder({ ACG_CONFIG: '/nowhere/cdappconfig.json' }), { code: 'CONFIG_CLOWDER' });
});

test('without it the environment is what it is', () => {
  const env = { INGRESS_WEBPORT: '1' };
  assert.equal(applyClowder(env).env, env);
});
