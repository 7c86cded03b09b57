/** Every failure has the code that services act upon and the setting that a person changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthenticationError, MultipleErrors, NetworkError, UserError } from '@platformatic/kafka';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { clusterFailed, connectionFailed, groupFailed, mostTelling, topicFailed } from './kafka-errors.ts';
import { busSettingNames as names } from './kafka-security.ts';
import { codes } from './protocol.ts';

const coded = (code: string) => Object.assign(new Error(code), { code });
const connection = (cause: Error) =>
  connectionFailed(new NetworkError('Connection to b:1 failed.', { cause }), 'b:1', names);

const connections: readonly (readonly [string, Error, string, boolean, RegExp])[] = [
  ['a wrong password', new AuthenticationError('no'), 'BUS_AUTH', false, /bus\.sasl_password/],
  ['an unknown authority', coded('SELF_SIGNED_CERT_IN_CHAIN'), 'BUS_TLS', false, /bus\.ca_file/],
  ['another host in the certificate', coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'BUS_TLS', false, /bus\.brokers/],
  [
    'a refused client certificate',
    coded('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
    'BUS_TLS',
    false,
    /certificate_file/,
  ],
  ['TLS on one side only', new UserError('Broker requires TLS.'), 'BUS_TLS', false, /bus\.security_protocol/],
  [
    'a login that ended without an answer',
    new AuthenticationError('no', { cause: new NetworkError('Connection closed') }),
    'BUS_UNREACHABLE',
    true,
    /bus\.security_protocol/,
  ],
  [
    'a TLS handshake that ended without an answer',
    new UserError('TLS handshake failed. Please verify the broker supports TLS.', { cause: coded('ECONNRESET') }),
    'BUS_UNREACHABLE',
    true,
    /bus\.security_protocol/,
  ],
  ['a name that cannot be resolved', coded('ENOTFOUND'), 'BUS_UNREACHABLE', true, /bus\.brokers/],
  ['a refused connection', coded('ECONNREFUSED'), 'BUS_UNREACHABLE', true, /bus\.brokers/],
];
test('an answer that cannot be decoded says so, and is not taken for a broker that is away', () => {
  const error = connectionFailed(coded('Z_DATA_ERROR'), 'b:1', names);
  assert.deepEqual([error.code, error.retryable], ['BUS_UNREADABLE', true]);
});

for (const [what, cause, code, retryable, hint] of connections) {
  test(`${what} is ${code}`, () => {
    for (const error of [
      connection(cause),
      connectionFailed(new MultipleErrors('all', [coded('x'), cause]), 'b', names),
    ]) {
      assert.deepEqual([error.code, error.retryable], [code, retryable]);
      assert.match(error.hint ?? '', hint);
    }
  });
}

test('an error of ours on the way, such as a refused token, stays what it is', () => {
  const refused = new CcxError('no token', { code: 'BUS_AUTH', category: 'configuration', hint: 'change the url' });
  assert.equal(connection(new AuthenticationError('provider threw', { cause: refused })), refused);
});

const answers: readonly (readonly [CcxError, string, boolean])[] = [
  [topicFailed(codes.UNKNOWN_TOPIC_OR_PARTITION, 't'), 'BUS_TOPIC_UNKNOWN', false],
  [topicFailed(codes.INVALID_TOPIC, 't'), 'BUS_TOPIC_UNKNOWN', false],
  [topicFailed(codes.TOPIC_AUTHORIZATION_FAILED, 't'), 'BUS_TOPIC_PERMISSION', false],
  [topicFailed(codes.MESSAGE_TOO_LARGE, 't'), 'BUS_RECORD_TOO_LARGE', false],
  [topicFailed(codes.RECORD_LIST_TOO_LARGE, 't'), 'BUS_RECORD_TOO_LARGE', false],
  [topicFailed(codes.INVALID_RECORD, 't'), 'BUS_RECORD_REFUSED', false],
  [topicFailed(6, 't'), 'BUS_UNREACHABLE', true],
  [topicFailed(12_345, 't'), 'BUS_UNREACHABLE', true],
  [groupFailed(codes.GROUP_AUTHORIZATION_FAILED, 'g'), 'BUS_GROUP_PERMISSION', false],
  [groupFailed(codes.NOT_COORDINATOR, 'g'), 'BUS_UNREACHABLE', true],
  [clusterFailed(codes.CLUSTER_AUTHORIZATION_FAILED, 'do it'), 'BUS_PERMISSION', false],
];
for (const [error, code, retryable] of answers) {
  test(`"${error.message}" is ${code}`, () => {
    assert.deepEqual([error.code, error.retryable], [code, retryable]);
  });
}

test('of several brokers’ failures the one to act upon is told', () => {
  const passing = connection(coded('ECONNREFUSED'));
  const final = connection(new AuthenticationError('no'));
  assert.equal(mostTelling([passing, final, passing]), final);
  assert.equal(mostTelling([passing]), passing);
  assert.equal(mostTelling([]), undefined);
});
