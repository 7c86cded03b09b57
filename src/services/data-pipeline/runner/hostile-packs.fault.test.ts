/**
 * Packs whose rules do what nothing in their process can stop, in a real runner: each costs itself, then all of them the archive, which is
 * reported with everything else in it.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { testCluster } from '../../../../test/support/announcements.ts';
import type { Report } from '../../../contracts/report.ts';
import { defaultArchiveLimits } from '../../../platform/archive/archive.ts';
import { packArchive } from '../../../platform/archive/pack-archive.ts';
import { createSystemClock } from '../../../platform/clock/clock.ts';
import { createManualClock } from '../../../platform/clock/manual-clock.ts';
import { RunnerPool } from '../../../platform/runner-pool/runner-pool.ts';
import { unmarkedOnly } from '../../../rules/engine/rule.ts';
import { defaultRuleSettings } from '../../../rules/engine/rule-settings.ts';
import { archiveMsDefault } from '../config.ts';
import { runnerFailureLimits } from '../decide/answer-runner-failure.ts';
import { RuleQuarantine } from '../rule-quarantine.ts';
import { runRules } from '../steps/run-rules.ts';
import type { RuleRun, RuleRunResult } from './rule-run.ts';

const runners = new RunnerPool<RuleRun, RuleRunResult>({
  module: new URL('./rule-runner.ts', import.meta.url),
  size: 1,
  clock: createSystemClock(),
  jobMsMax: archiveMsDefault,
  childBytesMax: 384 * 1024 ** 2,
  jobsPerChildMax: 1_000,
});
after(() => runners.close());

/** Each step doubles a list in one go of V8's own, which no timer stops. */
const doubling = `size(cel.bind(l, a.n, ${'cel.bind(l, l + l, '.repeat(26)}l${')'.repeat(27)}) == 0`;

test('rules of packs that eat memory cost only packs', async () => {
  const keys = ['EATS', 'EATS_TOO', 'EATS_AGAIN', 'GOOD', 'EATS_LAST'];
  const rules = keys.map((key) => ({
    module: `ccx_packs.ours.${key}`,
    key,
    inputs: [{ name: 'a', pattern: 'config/a.json', optional: false }],
    when: key === 'GOOD' ? 'a.n[0] == 0' : doubling,
    details: {},
    tags: [],
  }));
  const killed: string[] = [];
  const dependencies = {
    runners,
    quarantine: new RuleQuarantine({ clock: createManualClock(), quarantineMs: 1_000 }),
    archiveLimits: defaultArchiveLimits,
    selection: unmarkedOnly,
    settings: defaultRuleSettings,
    packs: () => ({ version: 'hostile', rules }),
    packsMsMax: 15_000,
    failureLimits: runnerFailureLimits,
    onCpu: () => undefined,
    onKilled: (component: string) => killed.push(component),
    onRuleQuarantined: () => undefined,
  };
  const upload = {
    ...{ url: 'http://store/archive', announcedBytes: undefined, requestId: 'req-1', orgId: 1, accountNumber: 0 },
    ...{ clusterId: testCluster, lastChecked: '2026-01-30T10:09:11Z', gatheredAt: new Date('2026-01-30T10:08:55Z') },
  };
  const numbers = JSON.stringify({ n: Array.from({ length: 100 }, (_, at) => at) });
  const packed = packArchive([
    { path: 'config/id', body: testCluster },
    { path: 'config/a.json', body: numbers },
    { path: 'config/version.json', body: '{}' },
  ]);
  const attempt = { number: 1, retryMs: 375, elapsedMs: 0, signal: new AbortController().signal };
  const outcome = await runRules(upload, packed, dependencies, attempt);
  assert.ok(outcome.kind === 'done', JSON.stringify(outcome));
  const report = JSON.parse(outcome.value.reportText) as Report;
  const ofPacks = report.skips.filter(({ rule_fqdn }) => rule_fqdn.startsWith('ccx_packs.'));
  const leftOut = ofPacks.filter(({ reason }) => reason === 'RULE_LEFT_OUT').map(({ rule_fqdn }) => rule_fqdn);
  for (const key of ['EATS', 'EATS_TOO', 'EATS_AGAIN', 'EATS_LAST'])
    assert.ok(leftOut.includes(`ccx_packs.ours.${key}.report`), key);
  assert.ok(killed.length <= runnerFailureLimits.killedPackRulesMax);
  assert.ok(report.skips.length > ofPacks.length, 'our own rules have run');
});
