/** From an archive and rules to a report: its document, what is skipped, what fails, what hostile archives can do. Source: data-pipeline.md 4.3, 4.4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampleFiles, sampleNow } from '../../../test/support/rule-samples.ts';
import { notRunReasons } from '../../contracts/report.ts';
import type { JsonObject, JsonValue } from '../../encoding/json-text.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { healthyCluster } from '../catalog/healthy-cluster.ts';
import { allRules } from '../catalog/index-of-rules.ts';
import { allSamples } from '../catalog/index-of-samples.ts';
import { toArchiveFiles } from '../catalog/sample.ts';
import { jsonFileValuesMax } from './archive-view.ts';
import { type EvaluateArchiveOptions, evaluateArchive } from './evaluate-archive.ts';
import { detailCharactersMax } from './report-items.ts';
import { defineRule, makeFail, makeInfo, makeNone, makePass, type Rule, selectRules, type Verdict } from './rule.ts';

const now = new Date('2026-11-21T16:00:00Z');

const healthy = [...toArchiveFiles(healthyCluster({ clusterId: '5d5892d3-1f74-4ccf-91af-548dfc9767aa', now }))];

function evaluate(rules: readonly Rule[], more: Partial<EvaluateArchiveOptions> = {}) {
  return evaluateArchive({
    files: new Map(),
    rules,
    now,
    clock: createManualClock('2026-11-21T16:00:00.123Z'),
    ...more,
  });
}

function ruleThat(evaluateRule: () => Verdict, module = 'family.some_rule'): Rule {
  return defineRule({ module, errorKeys: [], requires: [], evaluate: evaluateRule });
}

test('the report of nothing has every member', () => {
  assert.deepEqual(evaluate([]).report, {
    system: { metadata: {}, hostname: null },
    reports: [],
    fingerprints: [],
    skips: [],
    info: [],
    pass: [],
    analysis_metadata: {
      start: '2026-11-21T16:00:00.123000+00:00',
      finish: '2026-11-21T16:00:00.123001+00:00',
      execution_context: 'ccx_ocp_core.context.InsightsOperatorContext',
      plugin_sets: { 'ccx-notifications': { version: 'ccx-notifications-0.1.0', commit: null } },
    },
  });
});

test('each verdict becomes an item of its list, with the members in the published order', () => {
  const details = { b: [1, { c: null }], a: 'x' };
  const described = { tags: ['t'], links: { kcs: ['https://example.com'] } };
  const rule = (name: string, verdict: Verdict) =>
    defineRule({ module: `family.${name}`, errorKeys: [], requires: [], ...described, evaluate: () => verdict });
  const { report } = evaluate([
    rule('bad', makeFail('BAD', details)),
    rule('good', makePass('GOOD', details)),
    rule('told', makeInfo('TOLD', { version: '4.7.16' })),
    rule('silent', makeNone()),
  ]);
  assert.equal(
    JSON.stringify(report.reports),
    JSON.stringify([
      {
        rule_id: 'bad|BAD',
        component: 'family.bad.report',
        type: 'rule',
        key: 'BAD',
        details: { ...details, type: 'rule', error_key: 'BAD' },
        ...described,
      },
    ]),
  );
  assert.deepEqual(
    report.pass.map(({ pass_id, details: told }) => [pass_id, told]),
    [['good|GOOD', { ...details, type: 'pass', pass_key: 'GOOD' }]],
  );
  assert.deepEqual(
    report.info.map(({ info_id, details: told }) => [info_id, told]),
    [['told|TOLD', { version: '4.7.16', type: 'info', info_key: 'TOLD' }]],
  );
});

test('a rule whose facts are absent is listed with what it lacks, in the published words', () => {
  const rule = defineRule({
    module: 'family.needy',
    errorKeys: [],
    requires: ['nodes', 'alerts', 'network'],
    requiresAny: [
      ['proxy', 'slowWebhooks'],
      ['alerts', 'infrastructure'],
      ['imageRegistry', 'alerts'],
    ],
    evaluate: () => assert.fail('must not run'),
  });
  const files = new Map([['config/alerts.json', Buffer.from('[]')]]);
  assert.deepEqual(evaluate([rule], { files }).report.skips, [
    {
      rule_fqdn: 'family.needy.report',
      reason: 'MISSING_REQUIREMENTS',
      details: "All: ['nodes', 'network'] Any: ['proxy', 'slowWebhooks']",
      type: 'skip',
    },
  ]);
  assert.equal(
    evaluate([{ ...rule, requires: ['nodes'], requiresAny: [] }]).report.skips[0]?.details,
    "All: ['nodes'] Any: ",
  );
});

test('a rule that throws is listed with its cause and costs no other rule', () => {
  const cause = new Error('bug');
  const { report, failures } = evaluate([
    ruleThat(() => {
      throw cause;
    }),
    ruleThat(() => makeFail('LATER'), 'family.later'),
  ]);
  assert.deepEqual(failures, [{ component: 'family.some_rule', cause }]);
  assert.deepEqual(
    report.reports.map((hit) => hit.key),
    ['LATER'],
  );
  assert.deepEqual(
    report.skips.map(({ rule_fqdn, reason }) => [rule_fqdn, reason]),
    [['family.some_rule.report', 'RULE_FAILED']],
  );
});

/** Reasons by rule, of the whole catalog over a healthy cluster with some files changed; undefined takes a file away. */
function reasonsOver(changes: Readonly<Record<string, string | undefined>>) {
  const files = new Map(healthy);
  for (const [path, body] of Object.entries(changes)) {
    if (body === undefined) files.delete(path);
    else files.set(path, Buffer.from(body));
  }
  const { skips } = evaluate(allRules, { files }).report;
  return new Map(skips.map(({ rule_fqdn, reason }) => [rule_fqdn.split('.').at(-2), reason]));
}

const gathers = (...names: readonly string[]) =>
  JSON.stringify({ status_reports: names.map((name) => ({ name: `clusterconfig/${name}` })) });
const anyOf = (directory: string) => healthy.find(([path]) => path.startsWith(`${directory}/`))![0];

for (const [what, changes, rule, reason] of [
  ['version.json is broken', { 'config/version.json': '{' }, 'version_info', 'INPUT_BROKEN'],
  ['version.json is empty', { 'config/version.json': '' }, 'ocp_version_end_of_life', 'INPUT_BROKEN'],
  ['version.json is a list', { 'config/version.json': '[]' }, 'unsupported_cni_plugin', 'INPUT_BROKEN'],
  ['alerts are no list', { 'config/alerts.json': '{}' }, 'high_severity_alerts', 'INPUT_BROKEN'],
  ['one node of several is broken', { [anyOf('config/node')]: '{' }, 'nodes_requirements_check', 'INPUT_BROKEN'],
  [
    'one pool of several has no name',
    { [anyOf('config/machineconfigpools')]: '{}' },
    'mcp_set_to_pause',
    'INPUT_BROKEN',
  ],
  [
    'one operator is too large',
    { 'config/clusteroperator/x.json': `[${'1,'.repeat(jsonFileValuesMax)}1]` },
    'operators_check',
    'INPUT_BROKEN',
  ],
  [
    'one webhook is cut off',
    { 'config/validatingwebhookconfigurations/x.json': '{"a":' },
    'webhook_timeout_is_larger_than_default',
    'INPUT_BROKEN',
  ],
  // An optional fact: the rule looks at it without requiring it.
  [
    'an operator resource is broken',
    { 'config/clusteroperator/g/k/x.json': '{' },
    'operator_unmanaged',
    'INPUT_BROKEN',
  ],
  [
    'version.json is absent',
    { 'config/version.json': undefined, 'insights-operator/gathers.json': undefined },
    'version_info',
    'MISSING_REQUIREMENTS',
  ],
  [
    'version.json was gathered and lost',
    { 'config/version.json': undefined, 'insights-operator/gathers.json': gathers('version') },
    'version_info',
    'INPUT_MISSING',
  ],
  [
    'version.json was not gathered',
    { 'config/version.json': undefined, 'insights-operator/gathers.json': gathers('nodes') },
    'version_info',
    'MISSING_REQUIREMENTS',
  ],
  [
    'no installation has completed',
    { 'config/version.json': '{"status":{"history":[]}}', 'insights-operator/gathers.json': gathers('version') },
    'version_info',
    'MISSING_REQUIREMENTS',
  ],
  [
    'pools were gathered and there are none',
    { ...withoutPools(), 'insights-operator/gathers.json': gathers('machine_config_pools') },
    'mcp_set_to_pause',
    'MISSING_REQUIREMENTS',
  ],
] as const) {
  test(`where ${what}, rule ${rule} has the reason ${reason}`, () => {
    assert.equal(reasonsOver(changes).get(rule), reason);
  });
}

function withoutPools() {
  const paths = healthy.map(([path]) => path).filter((path) => path.startsWith('config/machineconfigpools/'));
  return Object.fromEntries(paths.map((path) => [path, undefined]));
}

test('what is broken is named, the first few by their paths', () => {
  const files = new Map(
    Array.from({ length: 7 }, (_, i): [string, Buffer] => [`config/node/${i}.json`, Buffer.from('{')]),
  );
  const rule = defineRule({ module: 'family.needy', errorKeys: [], requires: ['nodes'], evaluate: () => makeNone() });
  assert.deepEqual(evaluate([rule], { files }).report.skips, [
    {
      rule_fqdn: 'family.needy.report',
      reason: 'INPUT_BROKEN',
      details:
        "broken: ['config/node/0.json', 'config/node/1.json', 'config/node/2.json', 'config/node/3.json', 'config/node/4.json'] and 2 more",
      type: 'skip',
    },
  ]);
});

test('a rule over a fact with a broken file keeps what it finds, and says that it may have missed something', () => {
  const files = new Map(healthy);
  files.set('config/node/broken.json', Buffer.from('{'));
  const rule = defineRule({
    module: 'family.counts',
    errorKeys: ['COUNT'],
    requires: ['clusterVersion'],
    evaluate: ({ nodes }) => makeFail('COUNT', { nodes: nodes?.length ?? 0 }),
  });
  const { reports, skips } = evaluate([rule], { files }).report;
  assert.equal(reports.length, 1);
  assert.deepEqual(
    skips.map(({ reason }) => reason),
    ['INPUT_BROKEN'],
  );
  const whole = evaluate([defineRule({ ...rule, requiresWhole: ['nodes'] })], { files }).report;
  assert.deepEqual([whole.reports.length, whole.skips[0]?.reason], [0, 'INPUT_BROKEN']);
});

test('a control plane of three with one node that cannot be read is not told as one of two', () => {
  const files = new Map(healthy);
  const master = healthy.find(
    ([path, body]) => path.startsWith('config/node/') && String(body).includes('/master'),
  )![0];
  files.set(master, Buffer.from('{'));
  const { reports, skips } = evaluate(selectRules(allRules), { files }).report;
  assert.deepEqual(reports, []);
  assert.ok(
    skips.some(({ rule_fqdn, reason }) => rule_fqdn.includes('control_plane_replicas') && reason === 'INPUT_BROKEN'),
  );
});

const circular: { [key: string]: JsonValue } = {};
circular['self'] = circular;
for (const [title, verdict] of [
  ['an empty key', makeFail('')],
  ['details with a member named type', makeFail('KEY', { type: 'x' })],
  ['details with a member named error_key', makeFail('KEY', { error_key: 'x' })],
  ['details that are no JSON', makeFail('KEY', circular)],
  ['a number too large for JSON', makeFail('KEY', { n: 10n as unknown as number })],
] as const) {
  test(`a verdict with ${title} is the rule's failure`, () => {
    const { report, failures } = evaluate([ruleThat(() => verdict)]);
    assert.deepEqual(report.reports, []);
    assert.equal(failures.length, 1);
  });
}

test('details may be as long as the limit, and one character more is replaced by the length', () => {
  const frame = JSON.stringify({ text: '' }).length;
  const detailsOf = (length: number) =>
    evaluate([ruleThat(() => makeFail('KEY', { text: 'x'.repeat(length - frame) }))]).report.reports[0]!.details;
  assert.equal((detailsOf(detailCharactersMax)['text'] as string).length, detailCharactersMax - frame);
  assert.deepEqual(detailsOf(detailCharactersMax + 1), {
    type: 'rule',
    error_key: 'KEY',
    max_detail_length_error: detailCharactersMax + 1,
  });
});

test('what a rule changes after its verdict does not change the report', () => {
  const list: string[] = ['a'];
  const { report } = evaluate([ruleThat(() => makeFail('KEY', { list }))]);
  list.push('b');
  assert.deepEqual(report.reports[0]?.details['list'], ['a']);
});

test('the runner is told of each rule before it runs; of rules that it excludes the report says that they did not run', () => {
  const trace: string[] = [];
  const rules = ['one', 'two', 'three'].map((name) =>
    ruleThat(() => {
      trace.push(`${name} runs`);
      return makeFail(name.toUpperCase());
    }, `family.${name}`),
  );
  const { report } = evaluate(rules, {
    skipRules: new Set(['family.two']),
    beforeRule: (module) => trace.push(`next is ${module}`),
  });
  assert.deepEqual(trace, ['next is family.one', 'one runs', 'next is family.three', 'three runs']);
  assert.deepEqual(
    report.reports.map((hit) => hit.key),
    ['ONE', 'THREE'],
  );
  assert.deepEqual(
    report.skips.map(({ rule_fqdn, reason, type }) => [rule_fqdn, reason, type]),
    [['family.two.report', 'RULE_LEFT_OUT', 'skip']],
  );
});

test('a rule is told when the archive was gathered', () => {
  let told: Date | undefined;
  const rule = defineRule({
    module: 'family.dated',
    errorKeys: [],
    requires: [],
    evaluate(_facts, context) {
      told = context.now;
      return makeNone();
    },
  });
  evaluate([rule]);
  assert.equal(told, now);
});

test('an archive is of a hosted cluster when its control plane is elsewhere', () => {
  const kindOf = (infrastructure: JsonObject) =>
    evaluate([], { files: toArchiveFiles({ 'config/infrastructure.json': infrastructure }) }).archiveKind;
  assert.equal(kindOf({ status: { controlPlaneTopology: 'External' } }), 'hypershift');
  assert.equal(kindOf({ status: { controlPlaneTopology: 'HighlyAvailable' } }), 'ocp');
  assert.equal(evaluate([]).archiveKind, 'ocp');
});

test('the version of the remote configuration is told, if there is one', () => {
  const versionOf = (document: JsonValue) =>
    evaluate([], { files: toArchiveFiles({ 'insights-operator/remote-configuration.json': document }) })
      .remoteConfigurationVersion;
  assert.equal(versionOf({ version: '1.1.0' }), '1.1.0');
  assert.equal(versionOf({}), 'None');
  assert.equal(evaluate([]).remoteConfigurationVersion, undefined);
});

const json = fc.jsonValue({ depthSize: 'small' });

/** A value with something inside it replaced: the shape is nearly right, the types are not. */
function mangled(value: JsonValue, replacement: JsonValue, pick: number): JsonValue {
  if (typeof value !== 'object' || value === null) return replacement;
  const entries = Object.entries(value);
  if (entries.length === 0 || pick % 7 === 0) return replacement;
  const index = pick % entries.length;
  const changed = entries.map(([key, member], at): [string, JsonValue] => [
    key,
    at === index ? mangled(member as JsonValue, replacement, Math.floor(pick / 3)) : (member as JsonValue),
  ]);
  return Array.isArray(value) ? changed.map(([, member]) => member) : Object.fromEntries(changed);
}

test('no archive makes the evaluation throw, and no rule fails on any', () => {
  const damage = fc.oneof(
    fc.record({ kind: fc.constant('bytes' as const), at: fc.nat(), bytes: fc.uint8Array({ maxLength: 50 }) }),
    fc.record({ kind: fc.constant('value' as const), at: fc.nat(), value: json }),
    fc.record({ kind: fc.constant('inside' as const), at: fc.nat(), value: json, pick: fc.nat() }),
    fc.record({ kind: fc.constant('gone' as const), at: fc.nat() }),
  );
  // One on which every rule has something to read.
  const everything = allSamples.flatMap(({ fires }) => Object.values(fires).map(([sample]) => sample.edit));
  const faulty = [
    ...toArchiveFiles(everything.reduce((files, edit) => edit(files), sampleFiles({ edit: (same) => same }))),
  ];
  fc.assert(
    fc.property(fc.constantFrom(healthy, faulty), fc.array(damage, { maxLength: 20 }), (whole, damages) => {
      const files = new Map(whole);
      for (const one of damages) {
        const [path, body] = whole[one.at % whole.length]!;
        if (one.kind === 'gone') files.delete(path);
        else if (one.kind === 'bytes') files.set(path, Buffer.from(one.bytes));
        else if (one.kind === 'value') files.set(path, Buffer.from(JSON.stringify(one.value)));
        else if (path.endsWith('.json')) {
          const value = mangled(JSON.parse(body.toString('utf8')), one.value as JsonValue, one.pick);
          files.set(path, Buffer.from(JSON.stringify(value)));
        }
      }
      const { report, failures } = evaluate(allRules, { files });
      assert.deepEqual(failures, []);
      assert.equal(JSON.stringify(JSON.parse(JSON.stringify(report))), JSON.stringify(report));
    }),
    { numRuns: 500 },
  );
});

test('whatever files of an archive are broken, no finding goes without a word: it is there, or its rule is listed', () => {
  const faulty = [...sampleArchives()];
  const notRun = new Set<string>(notRunReasons);
  fc.assert(
    fc.property(fc.constantFrom(...faulty), fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), (sample, picks) => {
      const paths = [...sample.files.keys()].filter((path) => path.endsWith('.json'));
      const files = new Map(sample.files);
      for (const pick of picks) files.set(paths[pick % paths.length]!, Buffer.from('{"cut":'));
      const { report } = evaluate(allRules, { files, now: sample.now });
      const found = report.reports.some(({ key }) => key === sample.key);
      const listed = report.skips.some(
        ({ rule_fqdn, reason }) => rule_fqdn === `${sample.module}.report` && notRun.has(reason),
      );
      assert.ok(found || listed, sample.key);
    }),
    { numRuns: 500 },
  );
});

/** One archive for each error key of the catalog. */
function* sampleArchives() {
  for (const { rule, fires } of allSamples) {
    for (const [key, [sample]] of Object.entries(fires)) {
      const files = toArchiveFiles(sampleFiles(sample));
      yield { key, module: rule.module, files, now: sampleNow(sample) };
    }
  }
}
