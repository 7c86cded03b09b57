/** What differs in an installation of one process from the roles' own defaults, and that the environment still counts. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
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

test('each role reads its section of the file, the environment comes before it, and what cannot count is named', () => {
  const configFile = join(temporaryFolder(), 'all.toml');
  writeFileSync(
    configFile,
    '[writer.batch]\nrecords = 7\n[tracker.retention]\nrows = 5000\n[data-pipeline.in_flight]\narchives = 3\n[notifier.kafka_broker]\naddresses = "kafka:9092"\n',
  );
  const env = { CCX_TRACKER__RETENTION__ROWS: '6000' };
  const settings = allInOneSettings(loadConfig(allInOneOptions, { env }).config, configFile);
  const roles = loadRoleSettings(settings, env, 'test');
  assert.deepEqual(
    [roles.writer.batch.recordsMax, roles.tracker.retention.rowsMax, roles.dataPipeline.inFlightArchivesMax],
    [7, 6_000, 3],
  );
  assert.equal(roles.standIns.notificationBackend, false, 'a receiver of the file takes the place of the stand-in');
  assert.deepEqual(roles.warnings, []);
  writeFileSync(
    configFile,
    '[ingress.web]\nport = 1\n[notifier.storage]\npg_host = "db"\n[writer.storage]\nensure_schema = true\n[writer.broker]\naddresses = "a:1"\nstart_at = "latest"\n',
  );
  assert.deepEqual(
    loadRoleSettings(settings, env, 'test').warnings.map((text) => /: (.*) has no effect here/.exec(text)?.[1]),
    ['ingress.web.port', 'writer.broker.addresses', 'notifier.storage.pg_host'],
  );
});
