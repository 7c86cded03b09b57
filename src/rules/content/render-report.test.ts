/** Which text is chosen for a report, and what a report that cannot be rendered costs. Source: data-pipeline.md 8.6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorKeyContent, RuleContent } from '../../contracts/rule-content.ts';
import { createTemplateCompiler } from './compile-template.ts';
import { renderReport } from './render-report.ts';

const noTexts = { generic: '', summary: '', resolution: '', more_info: '', reason: '', HasReason: true };

function errorKey(texts: Partial<ErrorKeyContent>, description = 'about {{=pydata.name}}'): ErrorKeyContent {
  const metadata = {
    description,
    impact: { name: 'Data Loss', impact: 4 },
    likelihood: 1,
    publish_date: '',
    resolution_risk: 0,
    status: 'active',
    tags: [],
  };
  return { metadata, total_risk: 0, ...noTexts, ...texts };
}

const rule: RuleContent = {
  plugin: { name: 'Some rule', node_id: '', product_code: 'OCP4', python_module: 'family.some_rule' },
  error_keys: {
    OWN_TEXTS: errorKey({ reason: 'own reason {{=pydata.name}}', resolution: 'own resolution' }),
    RULE_TEXTS: errorKey({}),
    NO_DESCRIPTION: errorKey({}, ''),
    BROKEN: errorKey({ reason: '{{=pydata.a.b}}' }),
    NO_TEMPLATE: errorKey({ reason: '{{? pydata.a }}' }),
  },
  ...noTexts,
  reason: 'rule reason',
  resolution: 'rule resolution {{=pydata.name}}',
};

const compile = createTemplateCompiler();
const render = (key: string, component = 'family.some_rule.report') =>
  renderReport([rule], { component, key, details: '{"name":"Ž"}' }, compile);

test("the error key's text is used, or the rule's where it has none", () => {
  const shared = { kind: 'rendered', ruleId: 'family.some_rule', description: 'about Ž' };
  assert.deepEqual(render('OWN_TEXTS'), { ...shared, resolution: 'own resolution', reason: 'own reason Ž' });
  assert.deepEqual(render('RULE_TEXTS'), { ...shared, resolution: 'rule resolution Ž', reason: 'rule reason' });
});

for (const [why, key, component] of [
  ['rule-unknown', 'OWN_TEXTS', 'family.other_rule.report'],
  ['rule-unknown', 'OWN_TEXTS', 'nothing'],
  ['error-key-unknown', 'UNKNOWN_KEY'],
  ['error-key-unknown', 'constructor'],
  ['description-missing', 'NO_DESCRIPTION'],
  ['template-failed', 'BROKEN'],
  ['template-failed', 'NO_TEMPLATE'],
] as const) {
  test(`what cannot be rendered is told with its reason: ${key} of ${component ?? 'the rule'}`, () => {
    const result = render(key, component);
    assert.equal(result.kind === 'failed' ? result.why : undefined, why);
  });
}
