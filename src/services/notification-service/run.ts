/** A run: what its steps share, what they hand to each other, and what it did in numbers. Begun by `run-once.ts`. */

import type { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { NotificationServiceSettings } from './config.ts';
import type { Decision, SettledDecision } from './decide/decide-cluster.ts';
import type { DisabledRules } from './decide/disabled-rules.ts';
import type { ReportIssue } from './decide/read-report.ts';
import type { DeliveryOutcome } from './decide/settle-outcome.ts';
import type { Verdicts } from './decide/verdicts.ts';
import type { DueCluster, OutgoingNotification, Target } from './ports.ts';
import type { DecisionStore, ForeignSentRow } from './store/decisions.ts';
import type { LedgerStore } from './store/ledger.ts';
import type { ClaimedMessage, Outbox } from './store/outbox.ts';
import type { OutcomeStore } from './store/outcomes.ts';
import type { ReportStore, StoredReport } from './store/reports.ts';
import type { Events } from './telemetry.ts';
import type { TimeSource } from './timestamps.ts';

/** What this process knows of a target; the deliver step judges by it. */
export interface TargetHealth {
  /** Recipients that were refused since something went through to anybody. */
  readonly refused: Set<string>;
  /** It was paused for them: behind the pause they are judged anew. */
  isAtFault: boolean;
  /** When the pause was last looked at, and last said; undefined before the process has looked. */
  pauseCheckedMs: number | undefined;
  pauseSaidMs: number | undefined;
}

export function createTargetHealth(): TargetHealth {
  return { refused: new Set(), isAtFault: false, pauseCheckedMs: undefined, pauseSaidMs: undefined };
}

/** A target's settings made ready for deciding; see `policy.ts`. */
export interface TargetPolicy {
  readonly verdicts: Verdicts;
  /** Undefined: no cooldown. */
  readonly cooldownMicros: bigint | undefined;
  readonly hash: string;
}

export interface RunTarget {
  readonly target: Target;
  readonly policy: TargetPolicy;
  readonly health: TargetHealth;
  /** The issues of a cluster that are to be notified, with what composing needs of the report and of the rule content. */
  readonly dueCluster: (report: StoredReport, decisions: readonly Decision[]) => DueCluster;
  /** Assigns the moments at which new messages become due; staggers those of a first run. */
  readonly dueMicros: () => bigint;
}

/** A report with the targets that are to decide it. */
export interface LoadedReport extends StoredReport {
  /** Event target ids that it is due for. */
  readonly dueFor: ReadonlySet<number>;
}

export interface LoadedSet {
  readonly reports: readonly LoadedReport[];
  readonly startedMs: number;
}

/** One cluster as decided for one target. */
export interface DecidedCluster {
  readonly runTarget: RunTarget;
  readonly report: LoadedReport;
  /** Version of what was considered before; 0 for nothing. */
  readonly previousVersion: bigint;
  /** False when only time, settings, content or disabled rules made it due again. */
  readonly isNewReport: boolean;
  readonly outcome: 'issues' | 'empty' | 'unreadable' | 'not-allowed';
  readonly unreadable: CcxError | undefined;
  readonly reportIssues: readonly ReportIssue[];
  readonly decisions: readonly Decision[];
  /** The report without disabled issues; undefined when it has none. */
  readonly filteredReport: string | undefined;
}

export interface DecidedSet {
  readonly clusters: readonly DecidedCluster[];
  readonly foreignRows: readonly ForeignSentRow[];
  readonly startedMs: number;
}

export interface RenderedCluster extends Omit<DecidedCluster, 'decisions'> {
  readonly decisions: readonly SettledDecision[];
  readonly messages: readonly OutgoingNotification[];
  readonly renderError: CcxError | undefined;
}

export interface RenderedSet extends Omit<DecidedSet, 'clusters'> {
  readonly clusters: readonly RenderedCluster[];
}

export interface DeliveredMessage {
  readonly message: ClaimedMessage;
  readonly outcome: DeliveryOutcome;
}

export interface DeliveredBatch {
  readonly runTarget: RunTarget;
  readonly leaseToken: string;
  readonly messages: readonly DeliveredMessage[];
  readonly startedMs: number;
}

/** Decides messages once more right before they are sent: the look-again step. */
export type LookAgain = (
  run: Run,
  runTarget: RunTarget,
  claim: { readonly claimed: readonly ClaimedMessage[]; readonly leaseToken: string },
) => Promise<{
  /** What is to be sent, as it is stored now, by the message as it was claimed. */
  readonly ready: ReadonlyMap<ClaimedMessage, ClaimedMessage>;
  /** Of those that are not sent; a message in neither was taken over by another process. */
  readonly outcomes: ReadonlyMap<ClaimedMessage, DeliveryOutcome>;
}>;

/** What the steps of one run share. Built by `run-once.ts`; a step gets everything it needs from here, and hands its stores plain rows. */
export interface Run {
  readonly id: string;
  readonly settings: NotificationServiceSettings;
  readonly clock: Clock;
  readonly time: TimeSource;
  readonly events: Events;
  readonly tally: RunTally;
  readonly startedMicros: bigint;
  /** Of the newest report when the run began, by the clock of whoever stored it; not after `startedMicros`; 0 when there was none. */
  readonly newestStoredMicros: bigint;
  readonly targets: readonly RunTarget[];
  readonly reports: ReportStore;
  readonly ledger: LedgerStore;
  readonly decisions: DecisionStore;
  readonly outbox: Outbox;
  readonly outcomes: OutcomeStore;
  /** Whether the lists of allowed and blocked clusters let it in. */
  readonly isClusterAllowed: (cluster: string) => boolean;
  /** As known now; read again when what is known has become old. */
  readonly disabledRules: () => Promise<DisabledRules>;
  /** Look only at reports stored after this and at what became due; absent: look at every cluster. */
  readonly sinceMicros: bigint | undefined;
  /** Aborted when the process is to stop: nothing new is begun. */
  readonly signal: AbortSignal;
}

/** What one run did, in numbers: for the log, the command line and callers of `runOnce`. */
export interface RunSummary {
  /** Reports that were read because something about them was new or due. */
  readonly reports: number;
  /** Decisions per reason, over all targets. */
  readonly decisions: Readonly<Record<string, number>>;
  readonly enqueued: number;
  /** Clusters that another process decided meanwhile. */
  readonly leftToOthers: number;
  readonly delivered: number;
  /** Attempts that did not deliver. */
  readonly failed: number;
  /** Given up or listed as possibly arrived. */
  readonly dead: number;
  readonly withdrawn: number;
  /** Rows of `reported` for clusters without a delivery (one-shot runs). */
  readonly same: number;
  readonly error: number;
  /** Targets that had something to deliver and got nothing. */
  readonly nothingDeliveredTo: readonly string[];
  readonly elapsedMs: number;
}

type RunTally = ReturnType<typeof createTally>;

export function createTally() {
  return {
    reports: 0,
    decisions: {} as Record<string, number>,
    enqueued: 0,
    leftToOthers: 0,
    delivered: 0,
    failed: 0,
    dead: 0,
    withdrawn: 0,
    same: 0,
    error: 0,
    /** Names of targets. */
    deliveredTo: new Set<string>(),
    undeliveredTo: new Set<string>(),
  };
}

export function finishTally(tally: RunTally, elapsedMs: number): RunSummary {
  const { deliveredTo, undeliveredTo, ...counts } = tally;
  const nothingDeliveredTo = [...undeliveredTo].filter((name) => !deliveredTo.has(name)).sort();
  return { ...counts, decisions: { ...tally.decisions }, nothingDeliveredTo, elapsedMs };
}
