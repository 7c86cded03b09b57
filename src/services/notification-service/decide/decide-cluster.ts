/**
 * The decision: for every issue of a cluster's newest report, and for every issue that the ledger remembers and the report has lost,
 * whether to notify and why; and the reason that it ends with, once texts were rendered. Pure; called by the decide and render steps, and
 * when a message that waited is decided once more.
 *
 * The clock is per issue. It starts when the issue's notification was delivered (or given up, or its arrival became unknowable) and ends
 * one cooldown later; no other issue touches it. An issue that vanishes is gone; one that comes back inside its cooldown is not notified:
 * its owners were notified within the cooldown, and a flapping issue would otherwise mail them at every flap. The reference does the same as
 * long as nothing else was sent in between, and notifies at once when something was. A report in which the rule did not run says nothing of
 * its issues: they stay as they were. An acknowledgement keeps an issue silent, and its end ends the clock of what it silenced: the owners
 * hear at once that the issue is still there, or when it is back. Source: architecture.md 7, notification-service.md 8, records.md.
 */

import { isSimulatedCluster } from '../../../contracts/identifiers.ts';
import { type Issue, issueIdentity } from '../../../contracts/issue.ts';
import { moduleOfComponent } from '../../../contracts/rule-content.ts';
import type { Silence } from './disabled-rules.ts';
import type { ReportIssue } from './read-report.ts';
import type { NotifyReason, Reason, SkipReason } from './reasons.ts';

/** What became of the last notification of an issue. */
export type LedgerState =
  /** Seen, and no notification of it counts. */
  | 'open'
  /** A message about it is in the outbox. */
  | 'pending'
  /** Delivered; the `sent` row that it was recorded with is in `reported`. */
  | 'notified'
  /** Delivered, but that row is gone. */
  | 'removed'
  /** Refused for good, listed as dead. */
  | 'dead'
  /** Possibly delivered, listed. */
  | 'unknown';

export interface LedgerIssue extends Issue {
  readonly state: LedgerState;
  /** When its clock started, microseconds since the epoch; null while nothing started it. */
  readonly clockMicros: bigint | null;
  /** True while the `sent` row that it counts by is in `reported`. */
  readonly recorded: boolean;
  /** True when the last report considered did not contain it. */
  readonly closed: boolean;
  /** Absent: no acknowledgement has ever silenced it. */
  readonly silenced?: {
    /** The one that silenced it when it was decided last; null: none did then. */
    readonly acknowledgementId: string | null;
    /** When it was last decided that one does, or did until then. */
    readonly atMicros: bigint;
  };
  /** What the ledger says was decided last; absent when that is about to change anyhow. */
  readonly decided?: { readonly reason: string; readonly nextEligibleMicros: bigint | null };
}

/** What it means that a report does not hold an issue. */
export type Absence = 'gone' | 'rule-did-not-run' | 'rule-removed';

export interface ClusterSituation {
  readonly reportIssues: readonly ReportIssue[];
  readonly absence: (issue: Issue) => Absence;
  readonly ledger: readonly LedgerIssue[];
  readonly allowed: boolean;
  /** A person said that the cluster is gone, and it has not reported since. */
  readonly retired: boolean;
  /** `isKeptFrom` of target and cluster. */
  readonly keptFromTarget: boolean;
  /** Whether the target takes messages about this cluster at all. */
  readonly hasRecipient: boolean;
  /** Whether the receiver is for this cluster; absent: it is for all. */
  readonly inScope?: boolean;
  readonly silence: (issue: Issue) => Silence | undefined;
  /** What the target's filters say of its rule and error key. */
  readonly verdict: (issue: Issue) => { readonly kind: 'pass' | SkipReason };
  /** Undefined: no cooldown, everything that passes is notified each time it is looked at. */
  readonly cooldownMicros: bigint | undefined;
  readonly nowMicros: bigint;
}

export interface Decision {
  readonly issue: Issue;
  /** Position in the report; undefined for an issue that is not in it any more. */
  readonly position: number | undefined;
  /** True when the report closes it: it does not hold the issue, and would if it were there. */
  readonly closed: boolean;
  /** True when the report that was considered before held it. */
  readonly seenBefore: boolean;
  readonly notify: boolean;
  readonly reason: Reason;
  /** When the passing of time alone would change the answer; null when it would not. */
  readonly nextEligibleMicros: bigint | null;
  /** What silences it. */
  readonly acknowledgement: Silence['acknowledgement'];
  /** The acknowledgement that silenced it by the decision before; null: none did. */
  readonly acknowledgedBefore: string | null;
  /** An acknowledgement silences it, or did until now: a clock that started before has ended. */
  readonly clockEnds: boolean;
  /** False when the ledger already says all of this: most issues of most reports, and they need not be written. */
  readonly changed: boolean;
}

/**
 * Decisions in report order, then the issues that the report has lost. One that was closed before gets none: nothing about it changed.
 */
export function decideCluster(situation: ClusterSituation): Decision[] {
  const remembered = new Map(situation.ledger.map((issue) => [issueIdentity(issue), issue]));
  const decisions = situation.reportIssues.map((issue): Decision => {
    const past = remembered.get(issueIdentity(issue));
    remembered.delete(issueIdentity(issue));
    const { position, ...key } = issue;
    return describe({ issue: key, position, closed: false, ...decideIssue(situation, key, past) }, past);
  });
  for (const past of remembered.values()) {
    if (past.closed) continue;
    const { type, component, errorKey } = past;
    const issue = { type, component, errorKey };
    const absence = situation.absence(issue);
    const closed = absence !== 'rule-did-not-run';
    decisions.push(describe({ issue, position: undefined, closed, ...skip(absence) }, past));
  }
  return decisions;
}

/**
 * Of a report that holds no hit of some rules, which are known by their modules. A rule that did not run is in the catalogue, whatever a
 * header says: its issue is never closed for that report. `isRemoved`: the catalogue that made it is known, and does not have the rule.
 */
export function absenceIn(
  didNotRun: ReadonlySet<string>,
  isRemoved: (module: string) => boolean,
): (issue: Issue) => Absence {
  return ({ component }) => {
    const module = moduleOfComponent(component);
    if (didNotRun.has(module)) return 'rule-did-not-run';
    return isRemoved(module) ? 'rule-removed' : 'gone';
  };
}

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

function describe(
  decision: Omit<Decision, 'changed' | 'seenBefore' | 'acknowledgedBefore'>,
  past: LedgerIssue | undefined,
): Decision {
  const acknowledgedBefore = past?.silenced?.acknowledgementId ?? null;
  const same =
    !decision.notify &&
    past?.decided !== undefined &&
    past.closed === decision.closed &&
    past.decided.reason === decision.reason &&
    acknowledgedBefore === (decision.acknowledgement?.id ?? null) &&
    past.decided.nextEligibleMicros === decision.nextEligibleMicros;
  const seenBefore = past !== undefined && !past.closed && past.decided?.reason !== 'rule-did-not-run';
  return { ...decision, acknowledgedBefore, seenBefore, changed: !same };
}

type Answer = Pick<Decision, 'notify' | 'reason' | 'nextEligibleMicros' | 'acknowledgement' | 'clockEnds'>;

/** A target that somebody configured is never notified about a simulated cluster: people would act on what is not there. */
export function isKeptFrom({ isStandIn = false }: { readonly isStandIn?: boolean }, cluster: string): boolean {
  return !isStandIn && isSimulatedCluster(cluster);
}

function decideIssue(situation: ClusterSituation, issue: Issue, past: LedgerIssue | undefined): Answer {
  if (situation.keptFromTarget) return skip('simulated-cluster');
  if (situation.retired) return skip('cluster-retired');
  if (!situation.allowed) return skip('cluster-not-allowed');
  const silence = situation.silence(issue);
  if (silence !== undefined) {
    const { reason, acknowledgement, endsMicros } = silence;
    return { ...skip(reason, endsMicros), acknowledgement, clockEnds: acknowledgement !== undefined };
  }
  if (situation.inScope === false) return skip('not-for-receiver');
  const verdict = situation.verdict(issue);
  if (verdict.kind !== 'pass') return skip(verdict.kind);
  if (!situation.hasRecipient) return skip('no-recipient');
  if (past === undefined) return notify('new');
  const isOver = silenceIsOver(past);
  const waitUntil = isOver ? undefined : clockEnd(situation, past);
  const waiting = waitUntil !== undefined && situation.nowMicros < waitUntil;
  switch (past.state) {
    case 'open':
      return notify('new');
    case 'pending':
      return skip('pending');
    case 'notified':
      if (waiting) return skip('already-notified', waitUntil);
      if (isOver) return silenceOver;
      return notify(past.closed ? 'recurred' : 'cooldown-over');
    case 'removed':
      return notify('record-removed');
    case 'dead':
      if (waiting) return skip('given-up', waitUntil);
      return isOver ? silenceOver : notify('tried-again');
    case 'unknown':
      if (waiting) return skip('arrival-unknown', waitUntil);
      return isOver ? silenceOver : notify('tried-again');
  }
}

/** Of an issue that nothing silences now: an acknowledgement did when it was decided last, or since its clock started. */
function silenceIsOver({ silenced, clockMicros }: LedgerIssue): boolean {
  if (silenced === undefined) return false;
  return silenced.acknowledgementId !== null || clockMicros === null || silenced.atMicros > clockMicros;
}

/** Undefined when no clock runs: there is no cooldown, or nothing started it. */
function clockEnd(situation: ClusterSituation, past: LedgerIssue): bigint | undefined {
  if (situation.cooldownMicros === undefined || past.clockMicros === null) return undefined;
  return past.clockMicros + situation.cooldownMicros;
}

function notify(reason: NotifyReason): Answer {
  return { notify: true, reason, nextEligibleMicros: null, acknowledgement: undefined, clockEnds: false };
}

const silenceOver: Answer = { ...notify('acknowledgement-over'), clockEnds: true };

function skip(reason: SkipReason, nextEligibleMicros: bigint | null = null): Answer {
  return { notify: false, reason, nextEligibleMicros, acknowledgement: undefined, clockEnds: false };
}

/**
 * What somebody else's `sent` rows mean for the ledger: every issue of such a row counts as notified when the row says, as the reference
 * reads it, unless a newer row is known. What the ledger remembers without a row that is there (its row was removed, its message is on its
 * way or was withdrawn) never outranks a row. The statement that stores this (`store/decisions.ts`) says the same in SQL.
 * Source: notification-service.md 8.2, 8.3; architecture.md 7.
 */
interface ForeignNotification {
  readonly notifiedMicros: bigint;
  readonly issues: readonly Issue[];
}

/** A `sent` row of `reported` that the ledger imports: every issue of it counts as notified then. */
export type ForeignSentRow = {
  readonly eventTargetId: number;
  readonly orgId: number;
  readonly cluster: string;
  readonly notifiedAt: string;
  readonly issues: readonly Issue[];
};

/** The ledger as it is with these rows. An issue that was not known counts as gone until a report shows it. */
export function withForeignRows(ledger: readonly LedgerIssue[], rows: readonly ForeignNotification[]): LedgerIssue[] {
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
        closed: known?.closed ?? true,
        ...(known?.silenced === undefined ? {} : { silenced: known.silenced }),
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
