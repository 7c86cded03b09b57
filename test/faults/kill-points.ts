/**
 * Where the processes of the kill tests die: the numbered lines of `docs/guarantees.md`, each with the business events that mark it. The
 * test of that page holds the two together.
 */

export interface KillPoint {
  /** Number of the line. */
  readonly line: number;
  /** `service/event`, as `kill-at-event.ts` takes it. */
  readonly event: string;
}

export const killPoints: readonly KillPoint[] = [
  { line: 1, event: 'ingress/upload-validated' },
  { line: 2, event: 'ingress/archive-stored' },
  { line: 3, event: 'ingress/upload-announced' },
  { line: 4, event: 'data-pipeline/announcement-accepted' },
  { line: 5, event: 'data-pipeline/archive-opened' },
  { line: 5, event: 'data-pipeline/rules-evaluated' },
  { line: 6, event: 'data-pipeline/report-published' },
  { line: 6, event: 'data-pipeline/offsets-committed' },
  { line: 7, event: 'writer/report-parsed' },
  { line: 8, event: 'writer/report-stored' },
  { line: 8, event: 'writer/offsets-committed' },
  { line: 9, event: 'notifier/report-loaded' },
  { line: 10, event: 'notifier/issue-decided' },
  { line: 10, event: 'notifier/notification-enqueued' },
  { line: 11, event: 'notifier/notification-attempted' },
  { line: 11, event: 'notifier/notification-delivered' },
  { line: 12, event: 'notifier/outcome-recorded' },
  { line: 12, event: 'notifier/run-finished' },
  { line: 13, event: 'tracker/status-stored' },
  { line: 13, event: 'tracker/offsets-committed' },
];

/** What needs more than uploads to be reached; `kill-behind-trouble.fault.test.ts` kills there. */
export const specialKillPoints: readonly KillPoint[] = [
  { line: 3, event: 'ingress/announcement-kept' },
  { line: 3, event: 'ingress/announcement-relayed' },
  { line: 6, event: 'data-pipeline/message-dead-lettered' },
  { line: 8, event: 'writer/report-repeated' },
  { line: 8, event: 'writer/message-dead-lettered' },
];
