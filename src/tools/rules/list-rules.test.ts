/** What is said of rules with and without a mark, public, internal and without a key. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CATALOG_CONTENT_ROOT } from '../../rules/catalog/content-root.ts';
import { allRules } from '../../rules/catalog/index-of-rules.ts';
import { loadContent } from '../../rules/content/load-content.ts';
import { defineRule, makeNone, type RuleMark, selectRules, unmarkedOnly } from '../../rules/engine/rule.ts';
import { listRules } from './list-rules.ts';

const { directory } = await loadContent(CATALOG_CONTENT_ROOT);
const origins = { provisional: 'default', tutorial: 'file' };
const ruleOf = (module: string, errorKeys: readonly string[], mark?: RuleMark) =>
  defineRule({ module, errorKeys, requires: [], evaluate: makeNone, ...(mark === undefined ? {} : { mark }) });

test('each rule is listed with its risk, whom it is for, and whether and why it runs', () => {
  const rules = [
    ruleOf('ccx_rules_ocp.external.rules.mcp_set_to_pause', ['MCP_SET_TO_PAUSE']),
    ruleOf('ccx_rules_ocp.internal.rules.unheard_of', ['WITHOUT_CONTENT'], 'provisional'),
    ruleOf('ccx_rules_processing.version_info', []),
    ruleOf('ccx_rules_ocp.external.rules.tutorial_rule', ['TUTORIAL_ERROR'], 'tutorial'),
  ];
  assert.deepEqual(listRules(rules, directory, { provisional: false, tutorial: true }, origins), [
    {
      name: 'mcp_set_to_pause',
      module: 'ccx_rules_ocp.external.rules.mcp_set_to_pause',
      audience: 'public',
      errorKeys: [{ key: 'MCP_SET_TO_PAUSE', totalRisk: 2 }],
      source: 'catalogue',
      on: true,
      why: '',
    },
    {
      name: 'unheard_of',
      module: 'ccx_rules_ocp.internal.rules.unheard_of',
      audience: 'internal',
      errorKeys: [{ key: 'WITHOUT_CONTENT', totalRisk: null }],
      source: 'catalogue',
      on: false,
      why: 'provisional: rules.provisional = false (default)',
    },
    {
      name: 'version_info',
      module: 'ccx_rules_processing.version_info',
      audience: 'report',
      errorKeys: [],
      source: 'catalogue',
      on: true,
      why: '',
    },
    {
      name: 'tutorial_rule',
      module: 'ccx_rules_ocp.external.rules.tutorial_rule',
      audience: 'public',
      errorKeys: [{ key: 'TUTORIAL_ERROR', totalRisk: 1 }],
      source: 'catalogue',
      on: true,
      why: 'tutorial: rules.tutorial = true (file)',
    },
  ]);
});

test('what is listed as running is what runs, under every setting', () => {
  for (const provisional of [false, true]) {
    for (const tutorial of [false, true]) {
      const selection = { provisional, tutorial };
      const on = listRules(allRules, directory, selection, origins).filter((rule) => rule.on);
      assert.deepEqual(
        on.map(({ module }) => module),
        selectRules(allRules, selection).map(({ module }) => module),
      );
    }
  }
  assert.ok(listRules(allRules, directory, unmarkedOnly, origins).some((rule) => !rule.on));
});
