/** The filters beside the expression: tags, content, disabled rules, clusters (notification-service.md 4.1, 6.4, 7.2, 7.3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleContentDirectory } from '../../../contracts/rule-content.ts';
import { compileEventFilter } from './compile-event-filter.ts';
import {
  type AcknowledgementInForce,
  collectAcknowledgements,
  collectDisabledRules,
  disabledBy,
  isClusterAllowed,
  NOTHING_DISABLED,
  silenceOf,
} from './disabled-rules.ts';
import { createVerdicts, type FilterPolicy } from './verdicts.ts';

function content(keys: Record<string, { impact: number; likelihood: number; tags?: string[] }>): RuleContentDirectory {
  const texts = { generic: '', summary: '', resolution: '', more_info: '', reason: '', HasReason: false };
  const errorKeys = Object.entries(keys).map(([name, { impact, likelihood, tags = [] }]) => [
    name,
    {
      ...texts,
      total_risk: 0,
      metadata: {
        description: name,
        impact: { name: '', impact },
        likelihood,
        publish_date: '',
        resolution_risk: 0,
        status: '',
        tags,
      },
    },
  ]);
  const plugin = { name: '', node_id: '', product_code: '', python_module: 'a.b.test_rule' };
  return {
    config: { impact: {}, resolution_risk: {} },
    rules: { test_rule: { ...texts, plugin, error_keys: Object.fromEntries(errorKeys) } },
  };
}

const policy: FilterPolicy = {
  filter: compileEventFilter('', 'kafka_broker.event_filter'),
  likelihoodThreshold: 0,
  impactThreshold: 0,
  severityThreshold: 0,
  totalRiskThreshold: 2,
  tagFilterEnabled: false,
  tags: [],
};

test('the verdict is found by the short name of the rule and the error key', () => {
  const verdicts = createVerdicts(
    content({ HIGH: { impact: 4, likelihood: 3 }, LOW: { impact: 1, likelihood: 2 } }),
    policy,
  );
  const high = verdicts.of('ccx_rules_ocp.external.rules.test_rule.report', 'HIGH');
  assert.equal(high.kind === 'pass' && high.totalRisk, 3);
  assert.equal(verdicts.of('test_rule', 'HIGH').kind, 'pass');
  assert.equal(verdicts.of('test_rule', 'LOW').kind, 'below-threshold');
});

test('D8, service Q24, G9: content that is missing is told, and is no zero risk that a zero threshold would let pass', () => {
  const verdicts = createVerdicts(content({ HIGH: { impact: 4, likelihood: 4 } }), {
    ...policy,
    totalRiskThreshold: 0,
  });
  assert.equal(verdicts.of('a.other_rule.report', 'HIGH').kind, 'content-missing');
  assert.equal(verdicts.of('a.test_rule.report', 'OTHER').kind, 'content-missing');
  assert.equal(verdicts.of('constructor', 'HIGH').kind, 'content-missing');
  assert.equal(verdicts.of('test_rule', '__proto__').kind, 'content-missing');
});

test('a filter that divides by zero for one error key only keeps that one back', () => {
  const dividing = { ...policy, filter: compileEventFilter('4 / (likelihood - 1)', 'x') };
  const verdicts = createVerdicts(
    content({ A: { impact: 1, likelihood: 1 }, B: { impact: 1, likelihood: 2 } }),
    dividing,
  );
  assert.equal(verdicts.of('test_rule', 'A').kind, 'filter-failed');
  assert.equal(verdicts.of('test_rule', 'B').kind, 'pass');
});

test('all wanted tags must be there, more do not matter, and no wanted tags let everything pass', () => {
  const kindWith = (tags: string[], tagFilterEnabled = true) =>
    createVerdicts(content({ K: { impact: 4, likelihood: 4, tags: ['a', 'b', 'c'] } }), {
      ...policy,
      tagFilterEnabled,
      tags,
    }).of('test_rule', 'K').kind;
  assert.equal(kindWith(['a', 'c']), 'pass');
  assert.equal(kindWith([]), 'pass');
  assert.equal(kindWith(['a', 'd']), 'filtered-by-tag');
  assert.equal(kindWith(['d'], false), 'pass');
});

test('the summary changes with the outcome and with nothing else of the content', () => {
  const summary = (impact: number, text = '') => {
    const directory = content({ K: { impact, likelihood: 3 } });
    return createVerdicts(
      { ...directory, rules: { test_rule: { ...directory.rules['test_rule']!, generic: text } } },
      policy,
    ).summary;
  };
  assert.deepEqual(summary(4), summary(3, 'new wording'));
  assert.notDeepEqual(summary(4), summary(0));
});

const cluster = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';
const issue = { type: 'rule', component: 'ccx_rules_ocp.external.rules.test_rule.report', errorKey: 'KEY' };

test('a disabled rule is recognised by each way of naming it', () => {
  for (const rule of [
    'test_rule',
    'test_rule|KEY',
    'ccx_rules_ocp.external.rules.test_rule',
    'ccx_rules_ocp.external.rules.test_rule.report',
    'ccx_rules_ocp.external.rules.test_rule|KEY',
    ' test_rule ',
  ]) {
    const row = { rule, errorKey: 'KEY' };
    const where = { orgId: 7, cluster };
    const inCluster = collectDisabledRules([{ ...row, scope: cluster.toUpperCase() }], []);
    assert.equal(disabledBy(inCluster, where, issue), 'disabled-by-cluster', rule);
    const inOrganization = collectDisabledRules([], [{ ...row, scope: '7' }]);
    assert.equal(disabledBy(inOrganization, where, issue), 'disabled-by-org', rule);
  }
});

test('another module of the same short name, another key, cluster or organization is not disabled', () => {
  const where = { orgId: 7, cluster };
  for (const [scope, rule, errorKey] of [
    [cluster, 'ccx_ocp_core.rules.test_rule', 'KEY'],
    [cluster, 'test_rule', 'OTHER'],
    ['another', 'test_rule', 'KEY'],
  ] as const) {
    assert.equal(disabledBy(collectDisabledRules([{ scope, rule, errorKey }], []), where, issue), undefined);
  }
  assert.equal(
    disabledBy(collectDisabledRules([], [{ scope: '8', rule: 'test_rule', errorKey: 'KEY' }]), where, issue),
    undefined,
  );
  assert.equal(disabledBy(NOTHING_DISABLED, where, issue), undefined);
});

test('the cluster is named before the organization, where both disable the rule', () => {
  const row = { rule: 'test_rule', errorKey: 'KEY' };
  const rules = collectDisabledRules([{ ...row, scope: cluster }], [{ ...row, scope: '7' }]);
  assert.equal(disabledBy(rules, { orgId: 7, cluster }, issue), 'disabled-by-cluster');
});

const acknowledged = (id: string, changes: Partial<AcknowledgementInForce> = {}): AcknowledgementInForce => ({
  ...{ id, orgId: 7, cluster, component: issue.component, errorKey: 'KEY', until: null, endsMicros: null },
  ...{ untilResolved: false, justification: '', by: 'ada', overIn: new Set<string>() },
  ...changes,
});

/** What is in force beside each other: the reason, the acknowledgement that is named, and when time alone ends it. */
const ofCluster = acknowledged('of-cluster', { endsMicros: 5n });
const ofRule = acknowledged('of-rule', { errorKey: null, endsMicros: 9n });
const ofOrganization = acknowledged('of-organization', { cluster: null, endsMicros: 7n });
const withoutEnd = acknowledged('without-end', { cluster: null, errorKey: null });
const byAggregator = collectDisabledRules([], [{ scope: '7', rule: 'test_rule', errorKey: 'KEY' }]);
const silences: readonly (readonly [
  readonly AcknowledgementInForce[],
  'aggregator' | 'nothing',
  string | undefined,
])[] = [
  [[], 'nothing', undefined],
  [[], 'aggregator', 'disabled-by-org - null'],
  [[ofCluster], 'nothing', 'disabled-by-cluster of-cluster 5'],
  [[ofCluster], 'aggregator', 'disabled-by-cluster of-cluster null'],
  [[ofRule, ofCluster], 'nothing', 'disabled-by-cluster of-cluster 9'],
  [[ofOrganization, ofRule], 'nothing', 'disabled-by-cluster of-rule 9'],
  [[ofOrganization], 'nothing', 'disabled-by-org of-organization 7'],
  [[withoutEnd, ofOrganization], 'nothing', 'disabled-by-org of-organization null'],
  [[withoutEnd, ofCluster], 'nothing', 'disabled-by-cluster of-cluster null'],
  [[acknowledged('other key', { errorKey: 'OTHER' })], 'nothing', undefined],
  [[acknowledged('other rule', { component: 'a.test_rule.report' })], 'nothing', undefined],
  [[acknowledged('other organization', { orgId: 8 })], 'nothing', undefined],
  [[acknowledged('other cluster', { cluster: 'another' })], 'nothing', undefined],
  [[acknowledged('other case', { cluster: cluster.toUpperCase() })], 'nothing', 'disabled-by-cluster other case null'],
  [
    [acknowledged('without .report', { component: issue.component.replace('.report', '') })],
    'nothing',
    'disabled-by-cluster without .report null',
  ],
  [[acknowledged('over here', { cluster: null, overIn: new Set([cluster]) })], 'nothing', undefined],
  [
    [acknowledged('over there', { cluster: null, overIn: new Set(['another']) })],
    'nothing',
    'disabled-by-org over there null',
  ],
];
for (const [inForce, elsewhere, expected] of silences) {
  test(`acknowledged ${inForce.map(({ id }) => id).join(' and ') || 'by nobody'}, disabled by ${elsewhere}: ${expected}`, () => {
    const rules = elsewhere === 'nothing' ? NOTHING_DISABLED : byAggregator;
    const silence = silenceOf(
      { rules, acknowledgements: collectAcknowledgements(inForce) },
      { orgId: 7, cluster },
      issue,
    );
    assert.equal(silence && `${silence.reason} ${silence.acknowledgement?.id ?? '-'} ${silence.endsMicros}`, expected);
  });
}

test('the list of allowed clusters decides alone, the block list only without it', () => {
  const lists = { allowed: new Set(['a']), blocked: new Set(['a', 'b']) };
  const allowed = (allowOnly: boolean, block: boolean) =>
    ['a', 'b', 'c'].filter((name) => isClusterAllowed({ ...lists, allowOnly, block }, name)).join('');
  assert.equal(allowed(false, false), 'abc');
  assert.equal(allowed(true, false), 'a');
  assert.equal(allowed(true, true), 'a');
  assert.equal(allowed(false, true), 'c');
  assert.equal(isClusterAllowed({ allowOnly: true, allowed: new Set(), block: false, blocked: new Set() }, 'a'), false);
});
