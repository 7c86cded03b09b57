/** Which message of a rendered cluster tells about an issue, and why none does. Used where decisions are stored, announced and traced. */

import type { Decision } from './decide/decide-cluster.ts';
import { type Issue, issueIdentity } from './decide/issue.ts';
import type { Reason } from './decide/reasons.ts';
import type { RenderedCluster } from './run.ts';

/** The answer is undefined where rendering left the issue out. */
export function messageOf(cluster: RenderedCluster): (issue: Issue) => string | undefined {
  const ids = new Map(
    cluster.messages.flatMap((message) => message.issues.map((issue) => [issueIdentity(issue), message.id] as const)),
  );
  return (issue) => ids.get(issueIdentity(issue));
}

/** The reason as it is stored, counted and told: what could not be put into words is not notified, whatever was decided. */
export function reasonOf(cluster: RenderedCluster): (decision: Decision) => Reason {
  const idOf = messageOf(cluster);
  const unsaid = cluster.renderError?.retryable === false ? 'not-composable' : 'render-failed';
  return ({ notify, issue, reason }) => (notify && idOf(issue) === undefined ? unsaid : reason);
}
