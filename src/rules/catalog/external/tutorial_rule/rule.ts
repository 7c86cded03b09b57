/** Greets the owners of every cluster, to show that reports arrive. Runs only where it is asked for. Source: data-pipeline.md 7.2, 7.5. */
import { defineRule, makeFail } from '../../../engine/rule.ts';

export const tutorialRule = defineRule({
  module: 'ccx_rules_ocp.external.rules.tutorial_rule',
  errorKeys: ['TUTORIAL_ERROR'],
  requires: [],
  mark: 'tutorial',
  evaluate: () => makeFail('TUTORIAL_ERROR'),
});
