/**
 * What became of the decisions about a cluster once its due issues were put into words: each has its final reason, and the message that
 * tells of it. Pure; called by the render step. Stored, counted, announced and traced as it is answered here.
 */
import type { Decision } from './decide-cluster.ts';
import { type Issue, issueIdentity } from './reasons.ts';

export interface SettledDecision extends Decision {
  /** Of the message that notifies the issue; undefined where it is not to be notified, or could not be put into words. */
  readonly notificationId: string | undefined;
}

/** What could not be put into words is not notified, whatever was decided; `retryable` of the error says whether that may still come. */
export function settleDecisions(
  decisions: readonly Decision[],
  messages: readonly { readonly id: string; readonly issues: readonly Issue[] }[],
  renderError: { readonly retryable: boolean } | undefined,
): SettledDecision[] {
  const ids = new Map(messages.flatMap(({ id, issues }) => issues.map((issue) => [issueIdentity(issue), id] as const)));
  const unsaid = renderError?.retryable === false ? 'not-composable' : 'render-failed';
  return decisions.map((decision) => {
    const notificationId = decision.notify ? ids.get(issueIdentity(decision.issue)) : undefined;
    const reason = decision.notify && notificationId === undefined ? unsaid : decision.reason;
    return { ...decision, reason, notificationId };
  });
}
