/**
 * Whether an issue is an active alert for a receiver that is told levels, and what follows from that for its row in the ledger: a new alert,
 * the end of one, or nothing. Levels have no cooldown, no cap and no first run. An issue that the newest report is without stays active until
 * it is resolved; one of a cluster that has stopped reporting stays as it was. Pure; called by the round that posts alerts and by its
 * preview. Source: receivers.md 1.
 */
import type { Issue, IssueState } from '../../../contracts/issue.ts';
import type { Silence } from './disabled-rules.ts';
import type { SkipReason } from './reasons.ts';
import type { Verdict } from './verdicts.ts';

/** `last_reason` of an active alert. */
export const ALERT_ACTIVE = 'alert-active';

/** Why an alert is not active. */
type AlertEnd = SkipReason | 'alert-changed';

/** An issue that is there, or has been away for too short to be resolved. */
export interface AlertSituation {
  readonly issue: Issue;
  /** Reports of another organization count for its cluster. */
  readonly moved: boolean;
  readonly keptFromTarget: boolean;
  readonly allowed: boolean;
  readonly inScope: boolean;
  readonly silence: Silence | undefined;
  readonly verdict: Verdict;
}

export type AlertDecision =
  | { readonly active: true; readonly toldAs: string }
  | { readonly active: false; readonly reason: AlertEnd; readonly acknowledgementId: string | null };

/** In the order in which a run asks. */
export function decideAlert(situation: AlertSituation): AlertDecision {
  const { moved, keptFromTarget, allowed, inScope, silence, verdict } = situation;
  if (moved) return ended('cluster-moved');
  if (keptFromTarget) return ended('simulated-cluster');
  if (!allowed) return ended('cluster-not-allowed');
  if (silence !== undefined) return ended(silence.reason, silence.acknowledgement?.id ?? null);
  if (!inScope) return ended('not-for-receiver');
  if (verdict.kind !== 'pass') return ended(verdict.kind);
  return { active: true, toldAs: toldAsOf(verdict.totalRisk, verdict.content.metadata.tags) };
}

function ended(reason: AlertEnd, acknowledgementId: string | null = null): AlertDecision {
  return { active: false, reason, acknowledgementId };
}

/** Tags that say what a rule is about, as Advisor's categories. */
const CATEGORIES = ['security', 'service_availability', 'fault_tolerance', 'performance'] as const;

/** What content alone says of an alert's labels: with a change of it another alert begins. `4/security`. */
export function toldAsOf(totalRisk: number, tags: readonly string[]): string {
  return `${totalRisk}/${CATEGORIES.find((category) => tags.includes(category)) ?? 'other'}`;
}

/** An alert as the ledger, the issues and the clusters say it. Timestamps are PostgreSQL's, UTC. */
export interface StoredAlert extends Issue {
  readonly orgId: number;
  readonly cluster: string;
  readonly reason: string;
  readonly acknowledgementId: string | null;
  readonly notificationId: string;
  /** `4/security`: see `toldAsOf`. */
  readonly toldAs: string;
  /** When it began, or, of one that is not active, ended. */
  readonly decidedAt: string;
  /** Null where the issue is not known any more. */
  readonly appearedAt: string | null;
  /** That a person gave the cluster. */
  readonly clusterName: string | null;
  /** Since when its cluster has not reported; null while it does. */
  readonly staleSince: string | null;
}

/** What the ledger knows of it. */
export interface AlertRow {
  readonly reason: string;
  readonly acknowledgementId: string | null;
  /** Null: it was never an alert. */
  readonly toldAs: string | null;
  /** A report has closed it since. */
  readonly closed: boolean;
}

/** What is written; `begins` with a new id and the moment, `ends` with the moment at which it ended. */
export type AlertChange =
  | { readonly kind: 'begins'; readonly toldAs: string }
  | { readonly kind: 'ends'; readonly reason: AlertEnd; readonly acknowledgementId: string | null }
  /** It was no alert and is none; only why is another. */
  | { readonly kind: 'explained'; readonly reason: AlertEnd; readonly acknowledgementId: string | null };

/** Undefined: as it is in the ledger. */
export function alertChange(row: AlertRow | undefined, decision: AlertDecision): AlertChange | undefined {
  const isActive = row?.reason === ALERT_ACTIVE && !row.closed;
  if (decision.active) {
    if (!isActive) return { kind: 'begins', toldAs: decision.toldAs };
    if (row.toldAs === decision.toldAs) return undefined;
    // Ends under the labels that it had; the next round begins the other.
    return { kind: 'ends', reason: 'alert-changed', acknowledgementId: null };
  }
  const { reason, acknowledgementId } = decision;
  if (isActive) return { kind: 'ends', reason, acknowledgementId };
  const same = row !== undefined && !row.closed && row.reason === reason && row.acknowledgementId === acknowledgementId;
  return same ? undefined : { kind: 'explained', reason, acknowledgementId };
}

/** Why an alert ends whose issue was closed; null: nothing is known of the issue any more. */
export function reasonOfClosed(state: Exclude<IssueState, 'open' | 'gone'> | null): AlertEnd {
  switch (state) {
    case 'resolved':
      return 'gone';
    case 'rule-removed':
    case 'cluster-retired':
      return state;
    case null:
      return 'report-removed';
  }
}

/** What an alert says of its end: `resolved` and `acknowledged` in the words of people, the rest by the reason's name. */
export function endedBecause(reason: string, acknowledgementId: string | null): string {
  if (reason === 'gone' || reason === 'resolved') return 'resolved';
  return acknowledgementId === null ? reason : 'acknowledged';
}
