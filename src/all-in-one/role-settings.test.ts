/** What differs in an installation of one process from the roles' own defaults, and that the environment still counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../platform/config/load-config.ts';
import { allInOneOptions, allInOneSettings } from './config.ts';
import { loadRoleSettings } from './role-settings.ts';

const load = (env: Readonly<Record<string, string>> = {}) =>
  loadRoleSettings(allInOneSettings(loadConfig(allInOneOptions, { env }).config), env, 'test');

test('archives come from this process: Amazon is asked only where a setting says so', () => {
  const { download } = load().dataPipeline;
  assert.deepEqual([download.presignedS3Links, download.allowUnsafeLinks, download.allowedHosts], [false, false, []]);
  assert.equal(
    load({ CCX_DATA_PIPELINE__DOWNLOAD__PRESIGNED_S3_LINKS: 'true' }).dataPipeline.download.presignedS3Links,
    true,
  );
});

test('an identity header beside tokens counts only where a setting says so, also on 127.0.0.1', () => {
  assert.equal(load().ingress.trustIdentityHeader, false);
  assert.equal(load({ CCX_INGRESS__GATEWAY__TRUST_IDENTITY_HEADER: 'true' }).ingress.trustIdentityHeader, true);
});

test('every start makes a token of its own', () => {
  const [first, second] = [load(), load()].map(({ ingress }) => ingress.ownToken.token);
  assert.notEqual(first, second);
  assert.ok(first!.length >= 43, '32 bytes');
});
