/** Security settings are honoured or refused by name; nothing ends in plain text by accident. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFile } from '../../../../test/support/temporary-folder.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { type KafkaSecuritySettings, parseKafkaSecurity, plaintext } from './kafka-security.ts';

const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const caFile = temporaryFile('ca.pem', pem);

function refusal(settings: KafkaSecuritySettings): CcxError {
  try {
    parseKafkaSecurity(settings);
  } catch (error) {
    assert.ok(error instanceof CcxError);
    assert.equal(error.code, 'BUS_SECURITY');
    return error;
  }
  throw new Error('the settings were accepted');
}

test('no protocol is plain text, and placeholders of the shipped files do not matter then', () => {
  assert.deepEqual(parseKafkaSecurity({ protocol: '' }), plaintext);
  const shipped = { protocol: 'plaintext', caFile: 'not-set', mechanism: 'not-used', user: 'not-used' };
  assert.deepEqual(parseKafkaSecurity(shipped), plaintext);
});

test('writer Q7: protocol and mechanism count in any case, and what is called ssl is encrypted', () => {
  for (const protocol of ['ssl', 'Ssl', 'SSL']) {
    assert.deepEqual(parseKafkaSecurity({ protocol, caFile }), { protocol: 'SSL', tls: { ca: pem } });
  }
  const sasl = { user: 'u', password: 'p' };
  assert.deepEqual(parseKafkaSecurity({ protocol: 'sasl_plaintext', mechanism: 'scram-sha-512', ...sasl }), {
    protocol: 'SASL_PLAINTEXT',
    sasl: { mechanism: 'SCRAM-SHA-512', ...sasl },
  });
});

test('an empty mechanism is PLAIN', () => {
  const security = parseKafkaSecurity({ protocol: 'SASL_PLAINTEXT', user: 'u', password: 'p' });
  assert.equal(security.sasl?.mechanism, 'PLAIN');
});

test('writer Q8, service Q13: the certificate authority counts with SASL_SSL too, and without one the system decides', () => {
  const settings = { protocol: 'SASL_SSL', user: 'u', password: 'p' };
  assert.deepEqual(parseKafkaSecurity({ ...settings, caFile }).tls, { ca: pem });
  assert.deepEqual(parseKafkaSecurity(settings).tls, {});
});

test('a client certificate comes with its key', () => {
  const certificateFile = temporaryFile('client.pem', pem);
  const keyFile = temporaryFile('client.key', 'key');
  const security = parseKafkaSecurity({ protocol: 'SSL', certificateFile, keyFile });
  assert.deepEqual(security.tls, { certificate: pem, key: 'key' });
  assert.match(refusal({ protocol: 'SSL', certificateFile }).hint ?? '', /bus\.key_file/);
});

test('a file that cannot be read is refused in the words that scripts know', () => {
  const error = refusal({ protocol: 'SSL', caFile: '/foo/bar/baz' });
  assert.equal(error.message, 'open /foo/bar/baz: no such file or directory');
  assert.match(error.hint ?? '', /bus\.ca_file/);
});

test('D10, service Q13: a file that holds no certificate is refused, not ignored', () => {
  assert.match(refusal({ protocol: 'SSL', caFile: temporaryFile('empty.pem', 'hello') }).hint ?? '', /bus\.ca_file/);
});

const refusals: readonly (readonly [string, KafkaSecuritySettings, RegExp])[] = [
  ['an unknown protocol', { protocol: 'TLS' }, /bus\.security_protocol/],
  ['an unknown mechanism', { protocol: 'SASL_SSL', mechanism: 'GSSAPI' }, /bus\.sasl_mechanism/],
  ['SASL without a user', { protocol: 'SASL_SSL', password: 'p' }, /bus\.sasl_user/],
  ['SASL without a password', { protocol: 'SASL_SSL', user: 'u' }, /bus\.sasl_password/],
  ['OAUTHBEARER without tokens', { protocol: 'SASL_SSL', mechanism: 'OAUTHBEARER' }, /bus\.sasl_mechanism/],
];
for (const [name, settings, hint] of refusals) {
  test(`${name} is refused, and the setting is named`, () => {
    assert.match(refusal(settings).hint ?? '', hint);
  });
}

test('a service with keys of its own gets errors in its own words', () => {
  const names = {
    brokers: 'kafka_broker.addresses',
    protocol: 'kafka_broker.security_protocol',
    caFile: 'kafka_broker.cert_path',
    certificateFile: '',
    mechanism: 'kafka_broker.sasl_mechanism',
    user: 'kafka_broker.sasl_username',
    password: 'kafka_broker.sasl_password',
  };
  assert.throws(
    () => parseKafkaSecurity({ protocol: 'SSL', caFile: '/nowhere' }, names),
    (error: CcxError) => error.hint === 'change kafka_broker.cert_path',
  );
});
