/**
 * A real S3 server for `*.s3.test.ts`: SeaweedFS, or versitygw with CCX_TEST_S3=versitygw, started for the file that asks for it. Where it cannot
 * be had the file is skipped and says so; with CCX_REQUIRE_S3=1 that is a failure, so that a build cannot pass by leaving these tests out.
 */
import { after } from 'node:test';
import { missingForSeaweedFs, type SeaweedFs, startSeaweedFs } from '../../scripts/engines/start-seaweedfs.ts';
import { missingForVersityGw, startVersityGw } from '../../scripts/engines/start-versitygw.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { parseS3Url, type S3Settings } from '../../src/platform/objects/s3/s3-settings.ts';
import { openS3Store, type S3ObjectStore } from '../../src/platform/objects/s3/s3-store.ts';
import { s3IngressEnvironmentOf } from './s3-environments.ts';
import { assertKindMay } from './test-kinds.ts';

const { env } = readProcessInput();
const isOther = env['CCX_TEST_S3'] === 'versitygw';
const missing = isOther ? missingForVersityGw() : missingForSeaweedFs();

assertKindMay('use S3');
if (missing.length > 0) {
  const reason = `no S3 server can be started here: ${missing.join(' and ')} is missing`;
  if (env['CCX_REQUIRE_S3'] === '1') throw new Error(`${reason}, and CCX_REQUIRE_S3=1 wants it`);
  // Ends before the file's first test: there is nothing here that could be run.
  console.log(`skipped: ${reason}`);
  process.exit(0);
}

const shared: { server?: Promise<SeaweedFs>; secure?: Promise<SeaweedFs> } = {};
after(async () => {
  for (const server of [shared.server, shared.secure]) await (await server)?.stop();
});

/** One for the whole file; stopped after its last test. */
export async function testS3(): Promise<SeaweedFs> {
  shared.server ??= isOther ? startVersityGw() : startSeaweedFs();
  return await shared.server;
}

/** Beside it, one that speaks HTTPS. */
export async function secureS3(): Promise<SeaweedFs> {
  shared.secure ??= startSeaweedFs({ tls: true });
  return await shared.secure;
}

/** Environment of `ccx ingress` on that server, as Clowder or an operator sets it. */
export async function s3IngressEnvironment(): Promise<Record<string, string>> {
  return s3IngressEnvironmentOf(await testS3());
}

/** Its bucket, for a look into it; the caller's to close. */
export async function testBucket(change: Partial<S3Settings> = {}, writes = true): Promise<S3ObjectStore> {
  const settings = await s3Settings(change);
  return await openS3Store({ settings, names: testSettingNames, clock: createSystemClock(), writes });
}

export async function s3Settings(change: Partial<S3Settings> = {}): Promise<S3Settings> {
  const { endpoint, bucket, admin } = await testS3();
  return { ...parseS3Url(`${endpoint}/${bucket}`, 'test'), ...admin, ...change };
}

export const testSettingNames = {
  bucket: 'storage.bucket',
  endpoint: 'storage.endpoint',
  region: 'storage.region',
  accessKey: 'storage.access_key',
  secretKey: 'storage.secret_key',
  caFile: 'storage.s3_ca_file',
} as const;
