/**
 * A module for rule runners: the whole catalog, between rules that do what the archive tells them to. Loaded inside the
 * children, as the product's own entry is.
 */
import type { RunJob } from '../../src/platform/runner-pool/runner-job.ts';
import { allRules } from '../../src/rules/catalog/index-of-rules.ts';
import { defineRule, makeFail, makeNone, type Rule } from '../../src/rules/engine/rule.ts';
import type { RuleRun, RuleRunResult } from '../../src/services/data-pipeline/runner/rule-run.ts';
import { runRulesOverArchive } from '../../src/services/data-pipeline/runner/run-rules-over-archive.ts';

const hoard: Buffer[] = [];

const deeds: Readonly<Record<string, () => void>> = {
  throws() {
    throw new TypeError('no such field');
  },
  loops() {
    for (;;);
  },
  eats() {
    for (;;) hoard.push(Buffer.alloc(8 * 1024 * 1024, 1));
  },
  exits() {
    process.exit(3);
  },
};

/** Misbehaves on archives whose `config/proxy.json` says so in its spec's `httpProxy`. */
function misbehaving(deed: string): Rule {
  return defineRule({
    module: `test.rules.${deed}`,
    errorKeys: [],
    requires: ['proxy'],
    evaluate(facts) {
      if (JSON.stringify(facts.proxy).includes(`does-${deed}`)) deeds[deed]?.();
      return makeNone();
    },
  });
}

const witness = defineRule({
  module: 'test.rules.witness',
  errorKeys: ['SEEN'],
  requires: [],
  evaluate: () => makeFail('SEEN', { by: 'the rule behind the others' }),
});

const rules: readonly Rule[] = [...allRules, ...Object.keys(deeds).map(misbehaving), witness];

export const runJob: RunJob<RuleRun, RuleRunResult> = (run, context) => runRulesOverArchive(run, rules, context);
