/** What the steps of one run hand to each other. What they share is in `run-context.ts`. */
import type { CcxError } from '../../encoding/ccx-error.ts';
import type { Decision } from './decide/decide-cluster.ts';
import type { ReportIssue } from './decide/read-report.ts';
import type { SettledDecision } from './decide/settle-decisions.ts';
import type { DeliveryOutcome, Settlement } from './decide/settle-outcome.ts';
import type { TargetPolicy } from './policy.ts';
import type { IssueKey, OutgoingNotification, Target } from './ports.ts';

/** What this process knows of a target; see `target-health.ts`. */
export interface TargetHealth {
  /** Recipients that were refused since something went through to anybody. */
  readonly refused: Set<string>;
  /** It was paused for them: behind the pause they are judged anew. */
  isAtFault: boolean;
  /** When the pause was last looked at, and last said; undefined before the process has looked. */
  pauseCheckedMs: number | undefined;
  pauseSaidMs: number | undefined;
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
  readonly issues: readonly IssueKey[];
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
