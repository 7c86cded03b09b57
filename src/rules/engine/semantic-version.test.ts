/** Versions as clusters report them, in order of precedence. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions, isAtLeastMinor, parseVersion } from './semantic-version.ts';

test('versions are ordered by precedence: a pre-release is before its release, numbers count as numbers', () => {
  const ordered = [
    '4.2.0-0.nightly-2019-12-01',
    '4.9.9',
    '4.10.0-ec.2',
    '4.10.0-ec.10',
    '4.10.0-rc.1',
    '4.10.0-rc.1.1',
    '4.10.0',
    '4.10.3',
    '5.0.0',
  ].map((text) => parseVersion(text)!);
  for (const [index, version] of ordered.entries()) {
    for (const [other, against] of ordered.entries()) {
      assert.equal(Math.sign(compareVersions(version, against)), Math.sign(index - other));
    }
  }
});

test('build metadata is dropped, and what is no version is none', () => {
  assert.equal(compareVersions(parseVersion('4.7.16+1')!, parseVersion('v4.7.16')!), 0);
  for (const text of ['', '4', '4.7', 'latest', '4.7.x', '4.7.16-', `4.7.${'1'.repeat(40)}`]) {
    assert.equal(parseVersion(text), undefined, text);
  }
});

test('a pre-release belongs to its minor release', () => {
  assert.equal(isAtLeastMinor(parseVersion('4.17.0-rc.0')!, 17), true);
  assert.equal(isAtLeastMinor(parseVersion('4.16.99')!, 17), false);
  assert.equal(isAtLeastMinor(parseVersion('5.0.0')!, 17), true);
});
