/** The reference's environment names mean the same here, with the same defaults. Source: ingress.md A.11. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { temporaryFile } from '../../../test/support/temporary-folder.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { environmentName } from '../../platform/config/options.ts';
import { ingressBusSettings, ingressOptions, ingressSettings } from './config.ts';

const load = (env: Readonly<Record<string, string>> = {}) => loadConfig(ingressOptions, { env });
const settings = (env: Readonly<Record<string, string>> = {}) => ingressSettings(load(env), '1');

/** The table of A.11, without the host name, which is the machine's. */
const reference: Readonly<Record<string, unknown>> = {
  INGRESS_LOGLEVEL: 'INFO',
  INGRESS_KAFKABROKERS: ['kafka:29092'],
  INGRESS_KAFKAGROUPID: 'ingress',
  INGRESS_KAFKATRACKERTOPIC: 'platform.payload-status',
  INGRESS_KAFKAANNOUNCETOPIC: 'platform.upload.announce',
  INGRESS_KAFKADELIVERYREPORTS: true,
  INGRESS_KAFKASECURITYPROTOCOL: 'PLAINTEXT',
  INGRESS_KAFKAUSERNAME: '',
  INGRESS_KAFKAPASSWORD: '',
  INGRESS_SASLMECHANISM: '',
  INGRESS_KAFKACA: '',
  INGRESS_STAGEBUCKET: 'available',
  INGRESS_MINIOENDPOINT: '',
  INGRESS_MINIOACCESSKEY: '',
  INGRESS_MINIOSECRETKEY: '',
  INGRESS_STORAGEREGION: '',
  INGRESS_USESSL: false,
  INGRESS_STAGERIMPLEMENTATION: 's3',
  INGRESS_STORAGEFILESYSTEMPATH: '',
  INGRESS_SERVICEBASEURL: 'http://localhost:3000',
  INGRESS_WEBPORT: 3000,
  INGRESS_METRICSPORT: 8080,
  INGRESS_MAXUPLOADMEM: 8_388_608,
  INGRESS_DEFAULTMAXSIZE: 104_857_600,
  INGRESS_MAXSIZEMAP: '{}',
  INGRESS_VALID_UPLOAD_TYPES: ['unit', 'announce'],
  INGRESS_DENY_LISTED_ORGIDS: [],
  INGRESS_AUTH: true,
  INGRESS_PAYLOADTRACKERURL: 'http://payload-tracker/v1/payloads/',
  INGRESS_HTTPCLIENTTIMEOUT: 10,
  INGRESS_TLSCAPATH: '',
  INGRESS_PROFILE: false,
  INGRESS_DEBUG: false,
  INGRESS_DEBUGUSERAGENT: 'unspecified',
  INGRESS_LOGGROUP: '',
  INGRESS_AWSREGION: '',
  INGRESS_AWSACCESSKEYID: '',
  INGRESS_AWSSECRETACCESSKEY: '',
  OPENSHIFT_BUILD_COMMIT: 'notrunninginopenshift',
  ACG_CONFIG: '',
};

describe('options', () => {
  test('have every name and default of the reference', () => {
    const byName = new Map<string, unknown>(
      Object.entries(ingressOptions.options).map(([key, spec]) => [environmentName(ingressOptions, key), spec.default]),
    );
    for (const [name, value] of Object.entries(reference)) assert.deepEqual(byName.get(name), value, name);
  });

  test('keep secrets out of what is shown', () => {
    for (const [key, spec] of Object.entries(ingressOptions.options)) {
      const isSecret = 'secret' in spec && spec.secret === true;
      assert.equal(isSecret, /password|secret|access_key|links\.key|database\.url/.test(key), key);
    }
  });
});

describe('settings', () => {
  test('split lists as the reference does, and the deny list in both ways', () => {
    const { acceptedServices, deniedOrgIds } = settings({
      INGRESS_VALID_UPLOAD_TYPES: 'a, b,c',
      INGRESS_DENY_LISTED_ORGIDS: '1 2,3',
    });
    assert.deepEqual(acceptedServices, ['a', ' b', 'c']);
    assert.deepEqual(deniedOrgIds, ['1', '2', '3']);
  });

  test('take the size map as text, and a text that is no number as 0', () => {
    const { bytesMaxByService } = settings({ INGRESS_MAXSIZEMAP: '{"qpc": "157286400", "x": "1e3", "y": ""}' });
    assert.deepEqual(
      [...bytesMaxByService],
      [
        ['qpc', 157_286_400],
        ['x', 0],
        ['y', 0],
      ],
    );
    for (const map of ['{"qpc": 1}', '[]', 'null', '{']) {
      assert.throws(() => settings({ INGRESS_MAXSIZEMAP: map }), { code: 'CONFIG_INVALID' }, map);
    }
  });

  test('announce links to where it listens, unless told otherwise', () => {
    assert.equal(settings().baseUrl, undefined);
    assert.equal(settings({ INGRESS_SERVICEBASEURL: 'https://x.example/' }).baseUrl, 'https://x.example');
  });

  test('refuse what would silently be missing', () => {
    const refused: readonly Readonly<Record<string, string>>[] = [
      { INGRESS_AWSACCESSKEYID: 'key' },
      { INGRESS_AUTH: 'false', CCX_INGRESS__GATEWAY__TOKENS_FILE: 'tokens.json' },
      { INGRESS_STAGERIMPLEMENTATION: 'S3' },
      { INGRESS_WEBPORT: '65536' },
    ];
    for (const env of refused) {
      assert.throws(() => settings(env), { code: 'CONFIG_INVALID' }, JSON.stringify(env));
    }
  });

  test('say what has no effect', () => {
    assert.deepEqual(settings().ignored, []);
    const { ignored } = settings({ INGRESS_PROFILE: 'true', INGRESS_DEBUG: '1', INGRESS_KAFKAUSERNAME: 'me' });
    assert.deepEqual(
      ignored.map(({ setting }) => setting),
      ['INGRESS_PROFILE', 'INGRESS_DEBUG', 'INGRESS_KAFKAUSERNAME'],
    );
  });
});

describe('the bus', () => {
  const bus = (env: Readonly<Record<string, string>> = {}) => ingressBusSettings(load(env).config);

  test('is Kafka under the reference’s names by default', () => {
    const found = bus({ INGRESS_KAFKABROKERS: 'a:1 b:2,c:3' });
    assert.ok(found.kind === 'kafka');
    assert.deepEqual(found.brokers, ['a:1', 'b:2', 'c:3']);
    assert.equal(found.security.protocol, 'PLAINTEXT');
  });

  test('is spoken to over TLS where there is a certificate authority', () => {
    const ca = temporaryFile('ca.pem', rootCertificates[0]!);
    const tls = bus({ INGRESS_KAFKACA: ca });
    assert.ok(tls.kind === 'kafka' && tls.security.protocol === 'SSL');
    const sasl = bus({
      INGRESS_KAFKACA: ca,
      INGRESS_KAFKAUSERNAME: 'me',
      INGRESS_KAFKAPASSWORD: 'x',
      INGRESS_SASLMECHANISM: 'SCRAM-SHA-512',
    });
    assert.ok(sasl.kind === 'kafka' && sasl.security.protocol === 'SASL_SSL');
    assert.throws(() => bus({ INGRESS_KAFKACA: `${ca}.missing` }), { code: 'BUS_SECURITY' });
  });

  test('is the database where that is asked for', () => {
    assert.deepEqual(bus({ CCX_INGRESS__BUS__KIND: 'postgres' }), { kind: 'postgres' });
  });
});
