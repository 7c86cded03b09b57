/** Which message of a rendered cluster tells about an issue. Used where decisions are stored, announced and traced. */
import { type Issue, issueIdentity } from './decide/issue.ts';
import type { RenderedCluster } from './run.ts';

/** The answer is undefined where rendering left the issue out. */
export function messageOf(cluster: RenderedCluster): (issue: Issue) => string | undefined {
  const ids = new Map(
    cluster.messages.flatMap((message) => message.issues.map((issue) => [issueIdentity(issue), message.id] as const)),
  );
  return (issue) => ids.get(issueIdentity(issue));
}
