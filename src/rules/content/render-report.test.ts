/** Which text is chosen for a report, and what a report that cannot be rendered costs. Source: data-pipeline.md 8.6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorKeyContent, RuleContent } from '../../contracts/rule-content.ts';
import { createTemplateCompiler } from './compile-template.ts';
import { createReportRenderer } from './render-report.ts';

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

const report = (key: string, component = 'family.some_rule.report') => ({ component, key, details: { name: 'Ž' } });

test("the error key's text is used, or the rule's where it has none", () => {
  const { rendered, failures } = createReportRenderer([rule]).render([report('OWN_TEXTS'), report('RULE_TEXTS')]);
  assert.deepEqual(failures, []);
  assert.deepEqual(rendered, [
    {
      rule_id: 'family.some_rule',
      error_key: 'OWN_TEXTS',
      resolution: 'own resolution',
      reason: 'own reason Ž',
      description: 'about Ž',
    },
    {
      rule_id: 'family.some_rule',
      error_key: 'RULE_TEXTS',
      resolution: 'rule resolution Ž',
      reason: 'rule reason',
      description: 'about Ž',
    },
  ]);
});

test('a report that cannot be rendered is told with its reason and costs no other', () => {
  const { rendered, failures } = createReportRenderer([rule]).render([
    report('OWN_TEXTS', 'family.other_rule.report'),
    report('OWN_TEXTS', 'nothing'),
    report('UNKNOWN_KEY'),
    report('constructor'),
    report('NO_DESCRIPTION'),
    report('BROKEN'),
    report('NO_TEMPLATE'),
    report('RULE_TEXTS'),
  ]);
  assert.deepEqual(
    failures.map((failure) => failure.reason),
    [
      'rule-unknown',
      'rule-unknown',
      'error-key-unknown',
      'error-key-unknown',
      'description-missing',
      'template-failed',
      'template-failed',
    ],
  );
  assert.deepEqual(
    rendered.map((one) => one.error_key),
    ['RULE_TEXTS'],
  );
});

test('a template is compiled once, however many reports need it', () => {
  const compiler = createTemplateCompiler();
  const compiled: string[] = [];
  const renderer = createReportRenderer([rule], {
    compile(text) {
      compiled.push(text);
      return compiler.compile(text);
    },
  });
  renderer.render([report('OWN_TEXTS'), report('OWN_TEXTS')]);
  renderer.render([report('OWN_TEXTS')]);
  assert.deepEqual(compiled, ['own resolution', 'own reason {{=pydata.name}}', 'about {{=pydata.name}}']);
});
