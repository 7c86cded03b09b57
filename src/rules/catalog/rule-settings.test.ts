/** What is set of the rules moves the line at which they fire, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleFiles, sampleNow } from '../../../test/support/rule-samples.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { evaluateArchive } from '../engine/evaluate-archive.ts';
import { defaultRuleSettings, type RuleSettings } from '../engine/rule-settings.ts';
import { parseVersion } from '../engine/semantic-version.ts';
import { AFFECTED_VERSIONS } from './affected-versions.ts';
import { allSamples } from './index-of-samples.ts';
import { toArchiveFiles } from './sample.ts';

/** Whether the first sample that makes a rule fire still does. */
function fires(name: string, change: Partial<RuleSettings>): boolean {
  const { rule, fires } = allSamples.find((samples) => samples.rule.module.endsWith(`.${name}`))!;
  const [sample] = Object.values(fires)[0]!;
  const { report, failures } = evaluateArchive({
    files: toArchiveFiles(sampleFiles(sample)),
    rules: [rule],
    now: sampleNow(sample),
    settings: { ...defaultRuleSettings, ...change },
    clock: createManualClock(),
  });
  assert.deepEqual([failures, report.skips], [[], []]);
  return report.reports.length > 0;
}

test('install plans, the time of webhooks, a slow etcd and network plug-ins are judged as they are set', () => {
  assert.equal(fires('lib_bucket_provisioner_check', {}), true);
  assert.equal(fires('lib_bucket_provisioner_check', { installPlansMax: 1_000_000 }), false);
  assert.equal(fires('webhook_timeout_is_larger_than_default', {}), true);
  assert.equal(fires('webhook_timeout_is_larger_than_default', { webhookMsMax: 30_000 }), false);
  assert.equal(fires('webhook_timeout_is_larger_than_default', { webhookMsMax: 29_999 }), true);
  assert.equal(fires('etcd_low_backend_performance', {}), true);
  assert.equal(fires('etcd_low_backend_performance', { etcdSlowAppliesMax: 1_000_000 }), false);
  const { networkPlugins } = defaultRuleSettings;
  assert.equal(fires('unsupported_cni_plugin', { networkPlugins: [...networkPlugins, 'NoSuchPlugin'] }), true);
  assert.equal(
    fires('unsupported_cni_plugin', { networkPlugins: ['kuryr', 'FLANNEL', 'weave', 'openshiftsdn'] }),
    false,
  );
});

test('every rule about versions fires on the versions that are set, and on no other', () => {
  const range = (from: string, before: string) => [{ from: parseVersion(from)!, before: parseVersion(before)! }];
  for (const name of AFFECTED_VERSIONS.keys()) {
    assert.equal(fires(name, {}), true, name);
    assert.equal(fires(name, { affectedVersions: { [name]: range('3.0.0', '3.1.0') } }), false, name);
    assert.equal(fires(name, { affectedVersions: { [name]: range('4.0.0', '4.99.0') } }), true, name);
    assert.equal(fires(name, { affectedVersions: { another: range('3.0.0', '3.1.0') } }), true, name);
  }
});
