/**
 * What somebody else's `sent` rows mean for the ledger: every issue of such a row counts as notified when the row says, as the reference
 * reads it, unless a newer row is known. What the ledger remembers without a row that is there (its row was removed, its message is on its
 * way or was withdrawn) never outranks a row. The statement that stores this (`store/write-decisions.ts`) says the same in SQL.
 * Source: notification-service.md 8.2, 8.3; architecture.md 7.
 */
import type { LedgerIssue } from './decide-cluster.ts';
import { type Issue, issueIdentity } from './issue.ts';

export interface ForeignNotification {
  readonly notifiedMicros: bigint;
  readonly issues: readonly Issue[];
}

/** The ledger as it is after taking the rows in. An issue that was not known counts as gone until a report shows it. */
export function takeInForeign(ledger: readonly LedgerIssue[], rows: readonly ForeignNotification[]): LedgerIssue[] {
  const merged = new Map(ledger.map((issue) => [issueIdentity(issue), issue]));
  for (const row of rows) {
    for (const { type, component, errorKey } of row.issues) {
      const issue = { type, component, errorKey };
      const known = merged.get(issueIdentity(issue));
      if (known !== undefined && outranks(known, row)) continue;
      merged.set(issueIdentity(issue), {
        ...issue,
        state: known?.state === 'pending' ? 'pending' : 'notified',
        clockMicros: row.notifiedMicros,
        recorded: true,
        resolved: known?.resolved ?? true,
      });
    }
  }
  return [...merged.values()];
}

/** A clock that a row stands behind, and one that holds the issue back although no row does: its message is dead, or possibly arrived. */
function outranks({ state, recorded, clockMicros }: LedgerIssue, row: ForeignNotification): boolean {
  const held = state === 'dead' || state === 'unknown';
  const counts = held || (recorded && (state === 'notified' || state === 'pending'));
  return counts && clockMicros !== null && clockMicros >= row.notifiedMicros;
}
