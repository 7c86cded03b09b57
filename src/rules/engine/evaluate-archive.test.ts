/** From an archive and rules to a report: its document, what is skipped, what fails, what hostile archives can do. Source: data-pipeline.md 4.3, 4.4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { healthyCluster } from '../catalog/healthy-cluster.ts';
import { allRules } from '../catalog/index-of-rules.ts';
import { toArchiveFiles } from '../catalog/sample.ts';
import { type EvaluateArchiveOptions, evaluateArchive } from './evaluate-archive.ts';
import { detailCharactersMax } from './limits.ts';
import { defineRule, type Rule } from './rule.ts';
import { makeFail, makeInfo, makeNone, makePass, type Verdict } from './verdict.ts';

const now = new Date('2026-11-21T16:00:00Z');

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
      ['proxy', 'webhooks'],
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
      details: "All: ['nodes', 'network'] Any: ['proxy', 'webhooks']",
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

test('the runner is told of each rule before it runs, and rules that it excludes leave no trace', () => {
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
  assert.deepEqual(report.skips, []);
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

const healthy = [...toArchiveFiles(healthyCluster({ clusterId: '5d5892d3-1f74-4ccf-91af-548dfc9767aa', now }))];
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
  fc.assert(
    fc.property(fc.array(damage, { maxLength: 20 }), (damages) => {
      const files = new Map(healthy);
      for (const one of damages) {
        const [path, body] = healthy[one.at % healthy.length]!;
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
