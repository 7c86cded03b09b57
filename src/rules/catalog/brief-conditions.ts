/** What operators say, cut to what fits into details. Used by rules whose details hold whole conditions. */
import type { ClusterOperator } from '../engine/facts/operators.ts';
import type { Condition } from '../engine/facts/resources.ts';
import { cutText, messageCharactersMax } from '../engine/rule.ts';

export function briefCondition(condition: Condition, charactersMax = messageCharactersMax): Condition {
  const { reason, message } = condition;
  return { ...condition, reason: cutText(reason, charactersMax), message: cutText(message, charactersMax) };
}

export function briefOperator(operator: ClusterOperator, charactersMax = messageCharactersMax): ClusterOperator {
  return {
    ...operator,
    available: briefCondition(operator.available, charactersMax),
    degraded: briefCondition(operator.degraded, charactersMax),
    progressing: briefCondition(operator.progressing, charactersMax),
    upgradeable: briefCondition(operator.upgradeable, charactersMax),
  };
}
