/** A run: what its steps share, what they hand to each other, and what it did in numbers. Begun by `run-once.ts`. */

import type { Issue } from '../../contracts/issue.ts';
import type { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import type { Decision, SettledDecision } from './decide/decide-cluster.ts';
import type { ClusterFilter, DisabledRules } from './decide/disabled-rules.ts';
import type { ReportIssue } from './decide/read-report.ts';
import type { DeliveryOutcome, Settlement } from './decide/settle-outcome.ts';
import type { Verdicts } from './decide/verdicts.ts';
import type { OutgoingNotification, Target } from './ports.ts';
import type { NotificationServiceSettings } from './settings.ts';
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
  /** Assigns the moments at which new messages become due; staggers those of a first run. */
  readonly dueMicros: () => bigint;
}

/** What one target last did with a cluster. */
export interface Considered {
  readonly orgId: number;
  readonly reportUpdatedAt: string;
  readonly policyHash: string;
  readonly nextDueMicros: bigint | null;
  readonly version: bigint;
}

/** Primary key of `ccx.catalogues`; the digest in hexadecimal. */
export interface CatalogueKey {
  readonly version: string;
  readonly rulesSha256: string;
}

export interface LoadedReport {
  readonly orgId: number;
  readonly accountNumber: number;
  /** Without blank padding. */
  readonly cluster: string;
  /** PostgreSQL text with microseconds. */
  readonly updatedAt: string;
  readonly requestId: string | undefined;
  /** Undefined when it is larger than may be read. */
  readonly text: string | undefined;
  readonly bytes: number;
  /** Modules of the rules that did not run over it; empty also where nothing is known of that. */
  readonly didNotRun: ReadonlySet<string>;
  /** What made it; undefined where that is not known. */
  readonly catalogue: CatalogueKey | undefined;
  /** By event target id; absent when the target never considered the cluster. */
  readonly considered: ReadonlyMap<number, Considered>;
  /** Event target ids that it is due for. */
  readonly dueFor: ReadonlySet<number>;
}

export interface LoadedSet {
  readonly reports: readonly LoadedReport[];
  readonly startedMs: number;
}

/** A `sent` row of `reported` that the ledger takes in: every issue of it counts as notified then. */
export interface ForeignSentRow {
  readonly eventTargetId: number;
  readonly orgId: number;
  readonly cluster: string;
  readonly notifiedAt: string;
  readonly issues: readonly Issue[];
}

export type ReportOutcome = 'issues' | 'empty' | 'unreadable' | 'not-allowed';

/** One cluster as decided for one target. */
export interface DecidedCluster {
  readonly runTarget: RunTarget;
  readonly report: LoadedReport;
  /** Version of what was considered before; 0 for nothing. */
  readonly previousVersion: bigint;
  /** False when only time, settings, content or disabled rules made it due again. */
  readonly isNewReport: boolean;
  readonly outcome: ReportOutcome;
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

/** A message that this process may send until its lease ends. */
export interface ClaimedMessage {
  readonly notification: OutgoingNotification;
  readonly orgId: number;
  readonly accountNumber: number;
  readonly reportUpdatedAt: string;
  readonly decisionId: string;
  readonly requestId: string | undefined;
  /** This attempt included. */
  readonly attempts: number;
  readonly mayHaveArrived: boolean;
  readonly decidedMicros: bigint;
  /** Undefined: it was never sent. */
  readonly firstAttemptMicros: bigint | undefined;
  /** How long its target has been paused since then. */
  readonly pausedMicros: bigint;
  /** One-shot: until when this run keeps trying it; undefined: this run has not tried it. */
  readonly runDeadlineMicros: bigint | undefined;
  /** What its row said before this claim, for one that is not tried. */
  readonly before: { readonly firstAttemptMicros: bigint | undefined; readonly lastAttemptMicros: bigint | undefined };
}

export interface DeliveredMessage {
  readonly message: ClaimedMessage;
  readonly outcome: DeliveryOutcome;
}

/** With what its outcome means. */
export interface RecordedMessage extends DeliveredMessage {
  readonly settlement: Settlement;
}

export interface DeliveredBatch {
  readonly runTarget: RunTarget;
  readonly leaseToken: string;
  readonly messages: readonly DeliveredMessage[];
  readonly startedMs: number;
}

/** What the steps of one run share. Built by `run-once.ts`; a step gets everything it needs from here. */
export interface Run {
  readonly id: string;
  readonly settings: NotificationServiceSettings;
  readonly database: Database;
  readonly clock: Clock;
  readonly time: TimeSource;
  readonly events: Events;
  readonly tally: RunTally;
  readonly startedMicros: bigint;
  /** Of the newest report when the run began, by the clock of whoever stored it; not after `startedMicros`; 0 when there was none. */
  readonly newestStoredMicros: bigint;
  readonly targets: readonly RunTarget[];
  readonly clusters: ClusterFilter;
  /** As known now; read again when what is known has become old. */
  readonly disabledRules: () => Promise<DisabledRules>;
  /** Look only at reports stored after this and at what became due; absent: look at every cluster. */
  readonly sinceMicros: bigint | undefined;
  /** Of a cluster that has an owner only the owner's reports count; false: the newest of all organizations is the cluster's. */
  readonly ownersCount: boolean;
  /** Whether the writer keeps request ids beside its rows (the reference's does not). */
  readonly requestIdsKept: boolean;
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

interface RunTally {
  reports: number;
  readonly decisions: Record<string, number>;
  enqueued: number;
  leftToOthers: number;
  delivered: number;
  failed: number;
  dead: number;
  withdrawn: number;
  same: number;
  error: number;
  /** Names of targets. */
  readonly deliveredTo: Set<string>;
  readonly undeliveredTo: Set<string>;
}

export function createTally(): RunTally {
  return {
    reports: 0,
    decisions: {},
    enqueued: 0,
    leftToOthers: 0,
    delivered: 0,
    failed: 0,
    dead: 0,
    withdrawn: 0,
    same: 0,
    error: 0,
    deliveredTo: new Set(),
    undeliveredTo: new Set(),
  };
}

export function finishTally(tally: RunTally, elapsedMs: number): RunSummary {
  const { deliveredTo, undeliveredTo, ...counts } = tally;
  const nothingDeliveredTo = [...undeliveredTo].filter((name) => !deliveredTo.has(name)).sort();
  return { ...counts, decisions: { ...tally.decisions }, nothingDeliveredTo, elapsedMs };
}
