/**
 * Where an issue stands now, for a person: the reason of its last decision is true of the moment of deciding, and its message has gone on
 * since. Pure; called by what `ccx explain` prints.
 */
import type { LedgerState } from './decide-cluster.ts';
import type { Standing } from './reasons.ts';

export interface StandingIssue {
  readonly state: LedgerState;
  /** As stored; a newer version may know others. */
  readonly last_reason: string;
  readonly message_state: string | null;
  readonly error_code: string | null;
  /** False when its row of `reported` was removed since. */
  readonly counts: boolean;
}

/** Reasons that speak of the notification before, or of there being none: what became of that is the ledger's state. */
const spokenByState: ReadonlySet<string> = new Set<Standing>([
  'new',
  'cooldown-over',
  'recurred',
  'record-removed',
  'tried-again',
  'already-notified',
  'pending',
  'given-up',
  'arrival-unknown',
]);

/** All other reasons are about the report, the rule or the settings, and true whatever became of a message. */
export function isAboutNow(reason: string): boolean {
  return !spokenByState.has(reason);
}

/** The name whose sentence is true now; a reason that this version does not know is left as it is. */
export function standingOf(issue: StandingIssue): string {
  if (isAboutNow(issue.last_reason)) return issue.last_reason;
  return standingByState(issue);
}

function standingByState({ state, last_reason, message_state, error_code, counts }: StandingIssue): Standing {
  switch (state) {
    case 'open':
      return 'due';
    case 'pending':
      return message_state === 'unknown' ? 'may-have-arrived' : 'on-its-way';
    case 'notified':
      if (!counts) return 'record-removed';
      return last_reason === 'already-notified' ? 'already-notified' : 'notified';
    case 'removed':
      return 'record-removed';
    case 'dead':
      return error_code === 'RETRY_WINDOW_OVER' ? 'not-in-time' : 'given-up';
    case 'unknown':
      return 'arrival-unknown';
  }
}
