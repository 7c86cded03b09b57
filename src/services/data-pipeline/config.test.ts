/** The defaults work as they are; the reference's names are read; settings that contradict each other are told by name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../platform/config/load-config.ts';
import { defaultRuleSettings } from '../../rules/engine/rule-settings.ts';
import { dataPipelineOptions, dataPipelineSettings, ruleSettings } from './config.ts';

const settingsOf = (env: Readonly<Record<string, string>>) =>
  dataPipelineSettings(loadConfig(dataPipelineOptions, { env }).config);

test('without any setting it is the deployed configuration of the reference, less the record age', () => {
  const settings = settingsOf({});
  assert.deepEqual(settings.incoming, {
    topic: 'platform.upload.announce',
    groupId: 'ccx_data_pipeline_app',
    platformService: 'openshift',
    recordAgeMsMax: 0,
    startAt: 'earliest',
  });
  assert.deepEqual(
    [settings.resultsTopic, settings.deadLettersTopic, settings.statusesTopic, settings.serviceName],
    ['ccx.ocp.results', 'dead.letter.queue', 'platform.payload-status', 'ccx-data-pipeline'],
  );
  assert.equal(settings.archiveLimits.packedBytesMax, 104_857_600);
  assert.deepEqual([settings.rules.provisional, settings.rules.tutorial], [false, false]);
  assert.deepEqual([settings.download.allowUnsafeLinks, settings.download.allowedHosts], [false, []]);
});

test('the environment names of the reference are read, ours beside them', () => {
  const settings = settingsOf({
    CDP_INCOMING_TOPIC: 'platform.upload.buckit',
    CDP_GROUP_ID: 'group',
    CDP_DEAD_LETTER_QUEUE_TOPIC: 'dead',
    CCX_DATA_PIPELINE__INCOMING__PLATFORM_SERVICE: 'none',
    CCX_DATA_PIPELINE__INCOMING__MAX_RECORD_AGE: '2h',
    CCX_DATA_PIPELINE__STATUSES__TOPIC: 'None',
    CCX_DATA_PIPELINE__DOWNLOAD__MAX_ARCHIVE_SIZE: '10 MiB',
    CCX_DATA_PIPELINE__DOWNLOAD__ALLOWED_HOSTS: 'minio:9000, *.store.example',
  });
  assert.deepEqual([settings.incoming.topic, settings.incoming.groupId], ['platform.upload.buckit', 'group']);
  assert.deepEqual([settings.incoming.platformService, settings.incoming.recordAgeMsMax], ['', 7_200_000]);
  assert.deepEqual([settings.deadLettersTopic, settings.statusesTopic], ['dead', '']);
  assert.equal(settings.archiveLimits.packedBytesMax, 10 * 1024 * 1024);
  assert.deepEqual(settings.download.allowedHosts, ['minio:9000', '*.store.example']);
});

test('room for less than one archive is refused by name', () => {
  const exact = { CCX_DATA_PIPELINE__IN_FLIGHT__BYTES: '100MiB' };
  assert.equal(settingsOf(exact).inFlightBytesMax, 104_857_600);
  assert.throws(() => settingsOf({ CCX_DATA_PIPELINE__IN_FLIGHT__BYTES: '104857599' }), {
    code: 'CONFIG_INVALID',
    message: /in_flight\.bytes/,
  });
});

test('what rules fire on is as the rules have it, or as it is set', () => {
  assert.deepEqual(ruleSettings(settingsOf({})), defaultRuleSettings);
  const set = settingsOf({
    CCX_DATA_PIPELINE__RULES__INSTALL_PLANS_MAX: '50',
    CCX_DATA_PIPELINE__RULES__WEBHOOK_TIMEOUT_MAX: '30s',
    CCX_DATA_PIPELINE__RULES__ETCD_SLOW_APPLIES_MAX: '600',
    CCX_DATA_PIPELINE__RULES__NETWORK_PLUGINS: 'OurPlugin, Other2',
    CCX_DATA_PIPELINE__RULES__AFFECTED_VERSIONS: 'bug_1766907=4.2.0..4.2.15 bug_1766907=4.2.20..4.3.0',
  });
  const version = (minor: number, patch: number) => ({ major: 4, minor, patch, prerelease: [] });
  assert.deepEqual(ruleSettings(set), {
    installPlansMax: 50,
    webhookMsMax: 30_000,
    etcdSlowAppliesMax: 600,
    networkPlugins: ['OurPlugin', 'Other2'],
    affectedVersions: {
      bug_1766907: [
        { from: version(2, 0), before: version(2, 15) },
        { from: version(2, 20), before: version(3, 0) },
      ],
    },
  });
});

test('versions of no rule, and what are no versions, are refused with what to write instead', () => {
  for (const text of [
    ...['bug_1766907', 'bug_1766907=4.2', 'bug_1766907=4.2..4.3', 'bug_1766907=4.3.0..4.2.0', '=4.2.0..4.3.0'],
    ...['bug_1766907=4.2.0..4.2.0', 'unheard_of=4.2.0..4.3.0', 'toString=4.2.0..4.3.0', 'bug_1766907=4.2.0..x'],
  ]) {
    assert.throws(() => settingsOf({ CCX_DATA_PIPELINE__RULES__AFFECTED_VERSIONS: text }), {
      code: 'CONFIG_INVALID',
      message: /rules\.affected_versions/,
      hint: /RULE=FROM\.\.BEFORE.*bug_1766907/,
    });
  }
});
