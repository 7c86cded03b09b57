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

export interface RunTally {
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
