/** A run: what its steps share, what they hand to each other, and what it did in numbers. Begun by `run-once.ts`. */

import type { Issue } from '../../contracts/issue.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { TargetCooldown } from '../../platform/records/cooldowns.ts';
import type { NotificationServiceSettings } from './config.ts';
import type { Decision, ForeignSentRow } from './decide/decide-cluster.ts';
import { type DisabledRules, type Silence, silenceOf, type Where } from './decide/disabled-rules.ts';
import type { DeliveryOutcome } from './decide/settle-outcome.ts';
import type { TargetPolicy } from './decide/verdicts.ts';
import type { DueCluster, Target } from './ports.ts';
import { readAcknowledgements } from './store/acknowledgements.ts';
import { type DecidedRow, writeDecisions } from './store/decisions.ts';
import type { TrackedReport } from './store/issues.ts';
import { compareIssues } from './store/issues.ts';
import { readImported, readLedger, readRemovedIssues, readUnseenSentRows } from './store/ledger.ts';
import {
  type ClaimedMessage,
  claimMessages,
  countDue,
  nextAttemptMicros,
  readNotifiedIssues,
  readUnfinished,
  storeFirstAttempts,
} from './store/outbox.ts';
import { writeOutcomes } from './store/outcomes.ts';
import { insertUnsentPage } from './store/reported-rows.ts';
import {
  anyMessageWaiting,
  anyReportDue,
  dueReports,
  everyReport,
  missedClusters,
  newestReports,
  nextDueMicros,
  type RecentReports,
  type ReportsOf,
  readRemovedRules,
  readReports,
  type StoredReport,
} from './store/reports.ts';
import { readResolvedIssues, readToldResolved } from './store/resolved.ts';
import { endPause, pauseTarget, readPause, restTarget } from './store/targets.ts';
import { bindStatements, type StoreAccess } from './store/transact.ts';
import type { Events } from './telemetry.ts';
import type { TimeSource } from './timestamps.ts';

/** What this process knows of a target; the deliver step judges by it. */
export type TargetHealth = ReturnType<typeof createTargetHealth>;

export function createTargetHealth() {
  return {
    /** Recipients that were refused since something went through to anybody. */
    refused: new Set<string>(),
    /** It was paused for them: behind the pause they are judged anew. */
    isAtFault: false,
    /** Attempts in a row, since something went through, that got no answer or none that counts: a receiver rests the longer for each. */
    failures: 0,
    /** A receiver that is still at work on what a run before had for it. Never rejects. */
    beside: undefined as Promise<void> | undefined,
    /** When the pause was last looked at, and last said; undefined before the process has looked. */
    pauseCheckedMs: undefined as number | undefined,
    pauseSaidMs: undefined as number | undefined,
  };
}

export interface RunTarget {
  readonly target: Target;
  readonly policy: TargetPolicy;
  readonly health: TargetHealth;
  /** Assigns the moments at which new messages become due; staggers those of a first run. */
  readonly dueMicros: () => bigint;
  /** The issues of a cluster that are to be notified, with what composing needs of the report and of the rule content. */
  readonly dueCluster: (report: StoredReport, decisions: readonly Decision[]) => DueCluster;
}

/** The longest cooldown; undefined where no target has a cooldown. */
export function longestOf(targets: readonly RunTarget[]): bigint | undefined {
  return targets
    .map(({ policy }) => policy.cooldownMicros)
    .reduce((longer, one) => (one === undefined || (longer !== undefined && longer > one) ? longer : one), undefined);
}

/** A report with the targets that are to decide it. */
export interface LoadedReport extends StoredReport {
  readonly dueFor: readonly RunTarget[];
}

export interface LoadedSet {
  readonly reports: readonly LoadedReport[];
  readonly startedMs: number;
}

/** One cluster as decided for one target. */
export interface DecidedCluster extends Omit<RenderedCluster, 'decisions' | 'messages' | 'renderError'> {
  readonly decisions: readonly Decision[];
}

export interface DecidedSet {
  readonly clusters: readonly DecidedCluster[];
  /** Reports that their clusters' issues are to be compared with, whatever the targets. */
  readonly tracked: readonly TrackedReport[];
  readonly foreignRows: readonly ForeignSentRow[];
  readonly startedMs: number;
}

export interface RenderedCluster extends Omit<DecidedRow, 'nextDueMicros' | 'hasUnsentRow' | 'dueMicros' | 'claimed'> {
  readonly runTarget: RunTarget;
  readonly report: LoadedReport;
}

export interface RenderedSet extends Omit<DecidedSet, 'clusters'> {
  readonly clusters: readonly RenderedCluster[];
}

/** Messages that were claimed with their decision, and are to be sent right behind it. */
export interface ClaimedSet {
  readonly runTarget: RunTarget;
  readonly leaseToken: string;
  /** On `clock.monotonicMs()`. */
  readonly leaseEndsMs: number;
  readonly claimed: readonly ClaimedMessage[];
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
  /** See `ClaimedSet`; false for those that waited. */
  readonly claimedWithDecision: boolean;
}

/** The statements that steps call, with where they run: what they get is plain rows, and no run, mode or settings. */
export function openRunStore(access: StoreAccess & ReportsOf) {
  return bindStatements(access, {
    ...{
      dueReports,
      everyReport,
      readReports,
      newestReports,
      nextDueMicros,
      missedClusters,
      anyMessageWaiting,
      anyReportDue,
      readRemovedRules,
    },
    ...{ readAcknowledgements, readLedger, readRemovedIssues, readUnseenSentRows, readImported, writeDecisions },
    ...{
      claimMessages,
      storeFirstAttempts,
      nextAttemptMicros,
      countDue,
      readNotifiedIssues,
      readUnfinished,
      readPause,
      endPause,
      pauseTarget,
      restTarget,
    },
    ...{ writeOutcomes, insertUnsentPage, compareIssues, readResolvedIssues, readToldResolved },
  });
}

export type RunStore = ReturnType<typeof openRunStore>;

/**
 * What keeps issues of these clusters silent: acknowledgements, read anew from the database of the notifications each time, and the rows of
 * the aggregator as last known. Rejects where either cannot be had: then nothing is decided and nothing is sent.
 */
export async function readSilences(
  run: Pick<Run, 'disabledRules'>,
  store: RunStore,
  wanted: readonly Where[],
): Promise<(where: Where, issue: Issue) => Silence | undefined> {
  const acknowledgements = await store.readAcknowledgements(wanted);
  const rules = await run.disabledRules();
  return (where, issue) => silenceOf({ rules, acknowledgements }, where, issue);
}

/** The step that decides once more what waited, right before it is sent; handed to the step that delivers. */
export type LookAgain = (
  run: Run,
  store: RunStore,
  runTarget: RunTarget,
  claim: { readonly claimed: readonly ClaimedMessage[]; readonly leaseToken: string },
) => Promise<{
  /** What is to be sent, as it is stored now, by the message as it was claimed. */
  readonly ready: ReadonlyMap<ClaimedMessage, ClaimedMessage>;
  /** Of those that are not sent; a message in neither was taken over by another process. */
  readonly outcomes: ReadonlyMap<ClaimedMessage, DeliveryOutcome>;
}>;

/** What the steps of one run share. Built by `run-once.ts`; what is in `store/` gets plain rows instead. */
export interface Run {
  readonly id: string;
  readonly settings: NotificationServiceSettings;
  readonly clock: Clock;
  readonly time: TimeSource;
  readonly events: Events;
  readonly tally: RunTally;
  /**
   * Targets that did not take what they were sent right behind its decision: what is decided from then on waits in line. With the moment, on
   * `clock.monotonicMs()`, since when nobody has been there; undefined where somebody was.
   */
  readonly waitsInLine: Map<RunTarget, number | undefined>;
  /**
   * Targets that may have something in line: what was due when the run began, or was put there since. What becomes due later is a later
   * run's, which follows at once.
   */
  readonly inLine: Set<RunTarget>;
  readonly startedMicros: bigint;
  /** Of the newest report when the run began, by the clock of whoever stored it; not after `startedMicros`; 0 when there was none. */
  readonly newestStoredMicros: bigint;
  readonly targets: readonly RunTarget[];
  readonly isClusterAllowed: (cluster: string) => boolean;
  /** Undefined where the rule content does not know it. */
  readonly totalRiskOf: (issue: Issue) => number | undefined;
  /** As known now; read again when what is known has become old. */
  readonly disabledRules: () => Promise<DisabledRules>;
  /** Look only at these and at what became due; absent: look at every cluster. */
  readonly recent: RecentReports | undefined;
  /** Aborted when the process is to stop: nothing new is begun. */
  readonly signal: AbortSignal;
}

export interface FinishedRun {
  readonly summary: RunSummary;
  readonly run: Run;
  readonly store: RunStore;
  /** The disabled rules that reports were made due for. */
  readonly followedRules: DisabledRules;
  /** For whoever deletes old rows. */
  readonly storedCooldowns: readonly TargetCooldown[];
}

type RunTally = ReturnType<typeof createTally>;

export function createTally() {
  return {
    /** Reports that were read because something about them was new or due. */
    reports: 0,
    /** Decisions per reason, over all targets. */
    decisions: {} as Record<string, number>,
    enqueued: 0,
    /** Clusters that another process decided meanwhile. */
    leftToOthers: 0,
    delivered: 0,
    /** Attempts that did not deliver. */
    failed: 0,
    /** Given up or listed as possibly arrived. */
    dead: 0,
    withdrawn: 0,
    /** Rows of `reported` for clusters without a delivery (one-shot runs). */
    same: 0,
    error: 0,
    /** Names of targets. */
    deliveredTo: new Set<string>(),
    undeliveredTo: new Set<string>(),
  };
}

/** What one run did, in numbers: for the log, the command line and callers of `runOnce`. */
export type RunSummary = Readonly<ReturnType<typeof finishTally>>;

export function finishTally(tally: RunTally, elapsedMs: number) {
  const { deliveredTo, undeliveredTo, ...counts } = tally;
  /** Targets that had something to deliver and got nothing. */
  const nothingDeliveredTo = [...undeliveredTo].filter((name) => !deliveredTo.has(name)).sort();
  return { ...counts, decisions: { ...tally.decisions }, nothingDeliveredTo, elapsedMs };
}
