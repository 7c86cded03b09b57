/** What S3 says, in our codes, and the setting that each hint names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { isFinalAtStart, s3Error } from './s3-errors.ts';

const names = {
  ...{ bucket: 'x.bucket', endpoint: 'x.endpoint', region: 'x.region' },
  ...{ accessKey: 'x.access_key', secretKey: 'x.secret_key', caFile: 'x.ca_file' },
};
const settings = { bucket: 'archives', endpoint: 'http://s3.example', accessKey: 'key' };

function answered(status: number, name: string, message = 'told'): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status } });
}

function failed(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

const cases: readonly [Error, string, RegExp][] = [
  [answered(403, 'SignatureDoesNotMatch'), 'OBJECTS_LOGIN', /x\.access_key and x\.secret_key/],
  [answered(403, 'InvalidAccessKeyId'), 'OBJECTS_LOGIN', /x\.access_key/],
  [answered(400, 'ExpiredToken'), 'OBJECTS_LOGIN', /renew the credentials/],
  [Object.assign(new Error('none'), { name: 'CredentialsProviderError' }), 'OBJECTS_LOGIN', /x\.access_key/],
  [answered(404, 'NoSuchBucket'), 'OBJECTS_BUCKET_MISSING', /x\.bucket/],
  [answered(403, 'AccessDenied'), 'OBJECTS_DENIED', /s3:PutObject.*x\.bucket/],
  [
    answered(400, 'AuthorizationHeaderMalformed', "the region 'us-east-1' is wrong; expecting 'eu-west-1'"),
    'OBJECTS_REGION',
    /set x\.region to eu-west-1/,
  ],
  [answered(301, 'PermanentRedirect'), 'OBJECTS_REGION', /x\.region/],
  [answered(403, 'RequestTimeTooSkewed'), 'OBJECTS_CLOCK', /clock/],
  [answered(503, 'SlowDown'), 'OBJECTS_AWAY', /tried again/],
  [answered(500, 'InternalError'), 'OBJECTS_AWAY', /tried again/],
  [answered(507, 'XMinioStorageFull'), 'OBJECTS_FULL', /more room/],
  [answered(400, 'InvalidArgument'), 'OBJECTS_UNAVAILABLE', /x\.endpoint/],
  [failed('ECONNREFUSED'), 'OBJECTS_AWAY', /http:\/\/s3\.example.*x\.endpoint/],
  [failed('ENOTFOUND'), 'OBJECTS_AWAY', /x\.endpoint/],
  [Object.assign(new Error('late'), { name: 'TimeoutError' }), 'OBJECTS_AWAY', /x\.endpoint/],
  [failed('SELF_SIGNED_CERT_IN_CHAIN'), 'OBJECTS_TLS', /x\.ca_file/],
  [failed('EPROTO'), 'OBJECTS_TLS', /x\.endpoint/],
];

for (const [error, code, hint] of cases) {
  test(`${error.name} ${error.message}: ${code}`, () => {
    const told = s3Error(error, 'store "abc"', { settings, names });
    assert.equal(told.code, code);
    assert.match(told.message, /^the S3 bucket archives cannot store "abc": \S/);
    assert.match(told.hint ?? '', hint);
    assert.equal(told.retryable, true, 'it is never the archive’s fault');
    assert.equal(isFinalAtStart(told), told.category === 'configuration');
  });
}

test('without a key of ours the hint names the chain of AWS', () => {
  const error = answered(403, 'InvalidAccessKeyId');
  const told = s3Error(error, 'be used', { settings: { ...settings, accessKey: '' }, names });
  assert.match(told.hint ?? '', /AWS_ACCESS_KEY_ID/);
});

test('what is ours already stays what it is', () => {
  const ours = new CcxError('x', { code: 'OBJECTS_KEY_INVALID', category: 'input' });
  assert.equal(s3Error(ours, 'be used', { settings, names }), ours);
});
