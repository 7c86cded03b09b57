/** Addresses of buckets, as `--s3` takes them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointUrl, parseS3Url } from './s3-settings.ts';

test('an address names server, bucket, login and what else differs', () => {
  assert.deepEqual(parseS3Url('https://key:s%2Fcret@s3.example:9000/archives?region=eu-1&checksums=always', '--s3'), {
    ...{ bucket: 'archives', endpoint: 'https://s3.example:9000', region: 'eu-1' },
    ...{ accessKey: 'key', secretKey: 's/cret', addressing: 'auto', checksums: 'always' },
    ...{ encryption: '', kmsKey: '', caFile: '' },
  });
  const amazon = parseS3Url('s3://my.archives?encryption=aws:kms&kms_key=arn:aws:kms:x', '--s3');
  assert.deepEqual(
    [amazon.bucket, amazon.endpoint, amazon.encryption, amazon.kmsKey],
    ['my.archives', '', 'aws:kms', 'arn:aws:kms:x'],
  );
});

for (const [text, why] of [
  ['archives', 'it is no URL'],
  ['ftp://host/archives', 'it begins with none of these'],
  ['https://host', 'it names no bucket'],
  ['https://host/a/b', 'the bucket is one name'],
  ['s3://archives/folder', 'keys have no prefix'],
  ['s3://archives?zone=1', 'nobody knows zone'],
  ['s3://archives?encryption=rot13', 'encryption is one of AES256, aws:kms'],
] as const) {
  test(`${text}: ${why}`, () => {
    assert.throws(() => parseS3Url(text, '--s3'), { code: 'CONFIG_INVALID', message: new RegExp(why) });
  });
}

test('an address that is refused is not told: it may hold a secret', () => {
  assert.throws(
    () => parseS3Url('https://key:hunter2@host', '--s3'),
    (error: Error & { hint?: string }) => !`${error.message}${error.hint}`.includes('hunter2'),
  );
});

test('an endpoint without a scheme gets one', () => {
  assert.equal(endpointUrl('minio:9000', false), 'http://minio:9000');
  assert.equal(endpointUrl('minio:9000', true), 'https://minio:9000');
  assert.equal(endpointUrl('https://s3.example/', false), 'https://s3.example');
  assert.equal(endpointUrl('', true), '');
});
