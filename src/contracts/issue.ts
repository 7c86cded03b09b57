/**
 * What makes an issue the same issue within an organization and a cluster: the key of the ledger, and what a row of the outbox names.
 * Produced by: data pipeline, as items of a report → consumed by: notification service. Rendered texts and details are never part of it,
 * so a changed wording makes no new issue. Source: notification-service.md 8.3.
 */

export interface Issue {
  readonly type: string;
  readonly component: string;
  readonly errorKey: string;
}

/** One string per issue, for maps and sets. The separator cannot occur: reports whose keys hold it are refused when they are read. */
export function issueIdentity(issue: Issue): string {
  return `${issue.type}\0${issue.component}\0${issue.errorKey}`;
}

/** Where an issue stands, whatever the targets: `ccx.issues`. */
export type IssueState = 'open' | 'gone' | 'resolved' | 'rule-removed' | 'cluster-retired';

/** What happens to an issue, or, without one, to its cluster: `ccx.issue_events`. */
export type IssueEventName =
  | 'appeared'
  | 'gone'
  | 'resolved'
  | 'rule-removed'
  | 'cluster-retired'
  | 'notified'
  | 'acknowledged'
  | 'acknowledgement-over'
  | 'stale';
