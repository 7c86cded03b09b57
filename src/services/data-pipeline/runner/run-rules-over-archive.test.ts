/** What a runner does with one archive: labels before each step, the cluster before any rule, all rules that can run. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { testArchive, testCluster } from '../../../../test/support/announcements.ts';
import { temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import type { SkipItem } from '../../../contracts/report.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { defaultArchiveLimits } from '../../../platform/archive/archive.ts';
import { packArchive } from '../../../platform/archive/pack-archive.ts';
import { allRules } from '../../../rules/catalog/index-of-rules.ts';
import { defineRule, makeNone, type Rule, type RuleMark, unmarkedOnly } from '../../../rules/engine/rule.ts';
import { defaultRuleSettings, type RuleSettings } from '../../../rules/engine/rule-settings.ts';
import type { RuleRun } from './rule-run.ts';
import { runRulesOverArchive } from './run-rules-over-archive.ts';

function rule(name: string, evaluate: () => void = () => undefined, mark?: RuleMark): Rule {
  return defineRule({
    module: `test.rules.${name}`,
    errorKeys: ['TOLD'],
    requires: [],
    ...(mark === undefined ? {} : { mark }),
    evaluate: () => {
      evaluate();
      return { type: 'rule', key: 'TOLD', details: { name } };
    },
  });
}

async function run(change: Partial<RuleRun> = {}, rules: readonly Rule[] = [rule('one'), rule('two')]) {
  const labels: string[] = [];
  const job: RuleRun = {
    packed: testArchive(),
    limits: defaultArchiveLimits,
    clusterId: undefined,
    gatheredAt: '2026-01-30T10:08:55Z',
    selection: unmarkedOnly,
    packs: undefined,
    leaveOut: [],
    leaveOutFacts: [],
    ...change,
  };
  const result = await runRulesOverArchive(job, rules, { label: (text) => labels.push(text) }).catch((error) => error);
  return { labels, result };
}

test('every step is named before it begins', async () => {
  const { labels } = await run();
  const facts = labels.filter((label) => label.startsWith('fact '));
  assert.ok(facts.length > 5);
  assert.deepEqual(labels, [
    'open the archive',
    'find the cluster',
    ...facts,
    'rule test.rules.one',
    'rule test.rules.two',
    'write the report',
  ]);
});

test('rules that have a mark run only where the job selects them, and the catalogue is of those that it selects', async () => {
  const rules = [rule('one'), rule('guess', undefined, 'provisional'), rule('hello', undefined, 'tutorial')];
  for (const [selection, names] of [
    [{ provisional: false, tutorial: false }, ['one']],
    [{ provisional: true, tutorial: false }, ['guess', 'one']],
    [{ provisional: false, tutorial: true }, ['hello', 'one']],
    [{ provisional: true, tutorial: true }, ['guess', 'hello', 'one']],
  ] as const) {
    const modules = names.map((name) => `test.rules.${name}`);
    const { result, labels } = await run({ selection }, rules);
    assert.deepEqual([result.catalogue.rules, result.rulesRun, result.hits], [modules, names.length, names.length]);
    assert.deepEqual(
      labels.filter((label) => label.startsWith('rule ')).sort(),
      modules.map((name) => `rule ${name}`),
    );
  }
});

test('rules are given what is set of them, or the defaults', async () => {
  const given: RuleSettings[] = [];
  const asking = defineRule({
    module: 'test.rules.asking',
    errorKeys: [],
    requires: [],
    evaluate(_, { settings }) {
      given.push(settings);
      return makeNone();
    },
  });
  const settings = { ...defaultRuleSettings, installPlansMax: 99 };
  await run({}, [asking]);
  await run({ settings }, [asking]);
  assert.deepEqual(given, [defaultRuleSettings, settings]);
});

test('the announced cluster counts before the one in the archive', async () => {
  const announced = '00000000-0000-4000-8000-000000000001';
  assert.equal((await run({ clusterId: announced })).result.clusterId, announced);
  assert.equal((await run()).result.clusterId, testCluster);
});

test('an archive is read from the file that holds it, and one that cannot be read is due again', async () => {
  const packed = testArchive();
  const path = join(temporaryFolder(), 'archive');
  writeFileSync(path, packed);
  const { result } = await run({ packed: { path, bytes: packed.length } });
  assert.equal(result.clusterId, testCluster);
  const cut = (await run({ packed: { path, bytes: packed.length - 30 } })).result;
  assert.equal(cut.code, 'ARCHIVE_TRUNCATED');
  const { result: gone } = await run({ packed: { path: `${path}-gone`, bytes: 10 } });
  assert.deepEqual([gone.code, gone.retryable], ['ARCHIVE_UNREADABLE', true]);
});

for (const [what, id] of [
  ['no id', undefined],
  ['an id that is no UUID', 'not-a-cluster'],
  ['an id after a blank', ` ${testCluster}`],
] as const) {
  test(`an archive with ${what} ends before any rule`, async () => {
    const files = [{ path: 'config/version.json', body: '{}' }];
    if (id !== undefined) files.push({ path: 'config/id', body: id });
    const { labels, result } = await run({ packed: packArchive(files) });
    assert.ok(result instanceof CcxError);
    assert.equal(result.code, 'CLUSTER_ID_MISSING');
    assert.equal(
      labels.some((label) => label.startsWith('rule ')),
      false,
    );
  });
}

test('a rule that throws costs itself only, and is told', async () => {
  const broken = rule('broken', () => {
    throw new TypeError('no such field');
  });
  const { result } = await run({}, [rule('one'), broken, rule('two')]);
  const report = JSON.parse(result.reportText);
  assert.deepEqual(
    report.reports.map((hit: { rule_id: string }) => hit.rule_id),
    ['one|TOLD', 'two|TOLD'],
  );
  assert.deepEqual(result.failures, [{ component: 'test.rules.broken', error: 'no such field' }]);
  assert.equal(result.rulesRun, 2);
});

test('a report that readers would refuse leaves no runner', async () => {
  const untagged = { ...rule('untagged'), tags: 'none' } as unknown as Rule;
  const { result } = await run({}, [untagged]);
  assert.ok(result instanceof CcxError);
  assert.deepEqual([result.code, result.message.includes('Report.reports.0.tags:')], ['REPORT_INVALID', true]);
});

test('a rule that is left out neither runs nor is named to the watcher, and the report says that it did not run', async () => {
  const { labels, result } = await run({ leaveOut: ['test.rules.one'] });
  assert.equal(labels.includes('rule test.rules.one'), false);
  const [skip] = JSON.parse(result.reportText).skips;
  assert.deepEqual([skip.rule_fqdn, skip.reason], ['test.rules.one.report', 'RULE_LEFT_OUT']);
  assert.equal(result.rulesRun, 1);
});

test('a file that is no JSON is counted and the others are read', async () => {
  const { result } = await run({ packed: testArchive({ 'config/infrastructure.json': '{"broken":' }) }, allRules);
  assert.ok(result.brokenFiles >= 1);
  assert.equal(JSON.parse(result.reportText).info[0].details.version, '4.17.3');
});

test('a fact that is left out is not read, and the report says so of the rules that need it', async () => {
  const { labels, result } = await run({ leaveOutFacts: ['clusterVersion'] }, allRules);
  assert.equal(labels.includes('fact clusterVersion'), false);
  const reasons = new Map(JSON.parse(result.reportText).skips.map((skip: SkipItem) => [skip.rule_fqdn, skip.reason]));
  assert.equal(reasons.get('ccx_rules_processing.version_info.report'), 'INPUT_BROKEN');
});

test('the catalogue is named by its rules, whichever of them run', async () => {
  const { result } = await run({ leaveOut: ['test.rules.one'] });
  assert.match(result.catalogue.version, /^ccx-notifications-[0-9.]+\+[0-9a-f]{12}$/);
  assert.deepEqual(result.catalogue.rules, ['test.rules.one', 'test.rules.two']);
  const other = await run({}, [rule('one')]);
  assert.notEqual(other.result.catalogue.version, result.catalogue.version);
  assert.deepEqual((await run({}, [rule('two'), rule('one')])).result.catalogue, result.catalogue);
});

test('a limit of the archive is its error', async () => {
  const { result } = await run({ limits: { ...defaultArchiveLimits, entriesMax: 1 } });
  assert.ok(result instanceof CcxError);
  assert.equal(result.code, 'ARCHIVE_TOO_MANY_ENTRIES');
});
