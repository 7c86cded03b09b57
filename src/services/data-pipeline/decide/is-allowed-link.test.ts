/**
 * Which links are followed: presigned ones of Amazon, those of named hosts, or all on demand, and never what only looks like one; and what
 * each status of an answer means.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAllowedLink, judgeAnswer, type LinkPolicy } from './is-allowed-link.ts';

const strict: LinkPolicy = { allowUnsafeLinks: false, presignedS3Links: true, allowedHosts: [] };
const query =
  '?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260130%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=ab';

test('presigned links of Amazon are followed, in both forms', () => {
  assert.ok(isAllowedLink(`https://uploads-prod.s3.amazonaws.com/3nl2vda87l/d6e3-s25${query}`, strict));
  assert.ok(isAllowedLink(`https://s3.eu-west-1.amazonaws.com/uploads/3nl2vda87ld6e3${query}`, strict));
});

const refused: readonly [string, string][] = [
  ['plain http', `http://uploads.s3.amazonaws.com/key${query}`],
  ['no signature', 'https://uploads.s3.amazonaws.com/key'],
  ['slashes in the credential', `https://uploads.s3.amazonaws.com/key${query}/x`],
  ['another host that names Amazon behind its query', `https://elsewhere.example?.s3.amazonaws.com/key${query}`],
  ['another host that names Amazon behind its fragment', `https://elsewhere.example#.s3.amazonaws.com/key${query}`],
  ['another host before a backslash', `https://elsewhere.example\\.s3.amazonaws.com/key${query}`],
  ['a user name that looks like Amazon', `https://u.s3.amazonaws.com@elsewhere.example/key${query}`],
  ['a suffix of another domain', `https://uploads.s3.amazonaws.com.elsewhere.example/key${query}`],
  ['a key with dots', `https://uploads.s3.amazonaws.com/../key${query}`],
  ['a line break at the end', `https://uploads.s3.amazonaws.com/key${query}\n`],
  ['another host', 'https://elsewhere.example/key'],
  ["the address of a cloud's metadata", 'http://169.254.169.254/latest/meta-data/'],
  ['a file', 'file:///etc/passwd'],
  ['no link at all', 'archive.tar.gz'],
  ['nothing', ''],
];
for (const [what, link] of refused)
  test(`not followed: ${what}`, () => assert.equal(isAllowedLink(link, strict), false));

test('presigned links of Amazon are not followed where nothing announces such', () => {
  for (const host of ['uploads-prod.s3.amazonaws.com', 's3.eu-west-1.amazonaws.com/uploads'])
    assert.equal(isAllowedLink(`https://${host}/3nl2vda87l${query}`, { ...strict, presignedS3Links: false }), false);
});

test('a named host is followed on exactly the port that is named', () => {
  const policy: LinkPolicy = {
    allowUnsafeLinks: false,
    presignedS3Links: true,
    allowedHosts: ['minio:9000', 'Store.Example', '*.s3.internal'],
  };
  const followed = [
    'http://minio:9000/available/key',
    'https://store.example/key',
    'https://store.example:443/key',
    'https://bucket.s3.internal/key',
  ];
  for (const link of followed) assert.ok(isAllowedLink(link, policy), link);
  const not = [
    'http://minio:9001/available/key',
    'http://minio/available/key',
    'https://store.example:8443/key',
    'https://s3.internal/key',
    'https://bads3.internal/key',
    'https://user:password@store.example/key',
    'ftp://store.example/key',
  ];
  for (const link of not) assert.equal(isAllowedLink(link, policy), false, link);
});

test('unsafe links are still http or https without credentials', () => {
  const policy: LinkPolicy = { allowUnsafeLinks: true, presignedS3Links: true, allowedHosts: [] };
  assert.ok(isAllowedLink('http://localhost:8000/archive', policy));
  for (const link of ['file:///etc/passwd', 'http://user@localhost/archive', 'data:,x', 'archive']) {
    assert.equal(isAllowedLink(link, policy), false, link);
  }
});

test('200 brings an archive; trouble of the server and haste of ours may pass; everything else never will', () => {
  const passing = new Set([408, 425, 429]);
  for (let status = 200; status < 600; status += 1) {
    const expected = status === 200 ? 'archive' : status >= 500 || passing.has(status) ? 'try-again' : 'never';
    assert.equal(judgeAnswer(status), expected, String(status));
  }
});
