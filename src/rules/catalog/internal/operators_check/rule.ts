/** A cluster operator is not available, or degraded. Source: data-pipeline.md 7.3, 7.5 (generic checks). */

import type { ClusterOperator } from '../../../engine/facts/operators.ts';
import { defineRule, makeFail, makeNone, messageCharactersMax } from '../../../engine/rule.ts';
import { briefOperator } from '../../brief-conditions.ts';

export const operatorsCheck = defineRule({
  module: 'ccx_rules_ocp.internal.rules.operators_check',
  errorKeys: ['OPERATOR_ISSUE'],
  requires: ['clusterOperators'],
  evaluate({ clusterOperators }) {
    const broken = clusterOperators.filter((operator) => issuesOf(operator).length > 0);
    // Shared among all messages, so that every operator is told even when all of them are broken and say a lot.
    const charactersMax = Math.min(messageCharactersMax, Math.floor(allMessagesCharactersMax / (broken.length * 6)));
    const operators = broken.map((operator) => {
      const told = briefOperator(operator, charactersMax);
      return { operator: told, issues: issuesOf(told) };
    });
    return operators.length === 0 ? makeNone() : makeFail('OPERATOR_ISSUE', { operators });
  },
});

/** Six messages of each operator: those of its four conditions, two of which are issues. Leaves room for names, times and escapes. */
const allMessagesCharactersMax = 36_000;

/** Each issue as [what, reason, message], in the words that the texts print. */
function issuesOf({ available, degraded }: ClusterOperator): (readonly [string, string, string])[] {
  const issues: (readonly [string, string, string])[] = [];
  if (available.status !== true) issues.push(['not available', available.reason, available.message]);
  if (degraded.status === true) issues.push(['degraded', degraded.reason, degraded.message]);
  return issues;
}
