/** A cluster operator is not available, or degraded. Source: data-pipeline.md 7.3, 7.5 (generic checks). */
import type { ClusterOperator } from '../../../engine/facts/operators.ts';
import { defineRule } from '../../../engine/rule.ts';
import { makeFail, makeNone } from '../../../engine/verdict.ts';

export const operatorsCheck = defineRule({
  module: 'ccx_rules_ocp.internal.rules.operators_check',
  errorKeys: ['OPERATOR_ISSUE'],
  requires: ['clusterOperators'],
  evaluate({ clusterOperators }) {
    const operators = clusterOperators
      .map((operator) => ({ operator, issues: issuesOf(operator) }))
      .filter(({ issues }) => issues.length > 0);
    return operators.length === 0 ? makeNone() : makeFail('OPERATOR_ISSUE', { operators });
  },
});

/** Each issue as [what, reason, message], in the words that the texts print. */
function issuesOf({ available, degraded }: ClusterOperator): (readonly [string, string, string])[] {
  const issues: (readonly [string, string, string])[] = [];
  if (available.status !== true) issues.push(['not available', available.reason, available.message]);
  if (degraded.status === true) issues.push(['degraded', degraded.reason, degraded.message]);
  return issues;
}
