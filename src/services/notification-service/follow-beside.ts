/**
 * What goes on beside the cycles of follow mode, on connections of its own, because it takes longer than a report may wait. Cycles look at
 * what was stored a moment ago. A report that a transaction stored late, or a clock that is behind, is not among that: it is looked for here,
 * over the last ten minutes, and the next cycle is told of it. So are rows that were removed from `reported`. One look at a time, begun
 * behind a cycle, and never for more than a small share of the time.
 */
import type { Clock } from '../../platform/clock/clock.ts';
import type { NotificationServiceSettings } from './config.ts';
import { type FinishedRun, longestOf } from './run.ts';
import { forgetRemovedRows } from './store/reconcile.ts';
import type { StoreAccess } from './store/transact.ts';
import type { Events } from './telemetry.ts';
import { microsOfMs } from './timestamps.ts';

/** How far back a cycle looks at least. */
const overlapMsMin = 2_000;
/** It goes back as far as what it missed, up to this, until it has missed nothing for `lateMsMax`. */
const overlapMsMax = 60_000;
/** How late a report may come to be found here; what comes later the full sweep sees. */
const lateMsMax = 10 * 60_000;
/** Clusters that one look finds; where there are more the next one begins at once. */
const missedMax = 10_000;
/** How often removed rows are looked for: it costs a look-up per `sent` row of the cooldown. Full sweeps always do. */
const removedRowsCheckMs = 30_000;
/** A look gets this share of the time at most. */
const lookingShare = 0.05;

export interface BesideState {
  readonly settings: Pick<NotificationServiceSettings, 'follow'>;
  readonly clock: Clock;
  readonly events: Pick<Events, 'sentRowsRemoved' | 'lookBesideFailed'>;
  readonly store: StoreAccess;
  readonly signal: AbortSignal;
}

/** `ring` begins a cycle. */
export function createBeside(state: BesideState, ring: () => void) {
  const { clock, settings, events, signal } = state;
  const { pollMs } = settings.follow;
  const missed = new Set<string>();
  let overlapMs = overlapMsMin;
  let missedMs = clock.monotonicMs();
  let nextLookMs = clock.monotonicMs() + pollMs;
  let removedCheckedMs = clock.monotonicMs();
  let isUnsure = false;
  let looking: Promise<void> | undefined;

  const lookForMissed = async ({ run, store }: FinishedRun, sinceMicros: bigint): Promise<boolean> => {
    const found = await store.missedClusters({
      afterMicros: sinceMicros - microsOfMs(lateMsMax),
      untilMicros: sinceMicros,
      clustersMax: missedMax,
    });
    const nowMs = clock.monotonicMs();
    if (found.oldestMicros === undefined) {
      if (nowMs - missedMs >= lateMsMax) overlapMs = overlapMsMin;
      return false;
    }
    for (const cluster of found.clusters) missed.add(cluster);
    const lateMs = Number(run.newestStoredMicros - found.oldestMicros) / 1000;
    overlapMs = Math.min(overlapMsMax, Math.max(overlapMs, lateMs));
    missedMs = nowMs;
    ring();
    return found.clusters.length >= missedMax;
  };

  const lookForRemoved = async (startedMs: number, { run }: FinishedRun): Promise<void> => {
    const longest = longestOf(run.targets);
    if (longest === undefined || startedMs - removedCheckedMs < removedRowsCheckMs) return;
    const removed = await forgetRemovedRows(state.store, longest);
    removedCheckedMs = startedMs;
    events.sentRowsRemoved(removed);
    if (removed > 0) ring();
  };

  const look = async (finished: FinishedRun, sinceMicros: bigint): Promise<void> => {
    const startedMs = clock.monotonicMs();
    const isMore = await lookForMissed(finished, sinceMicros);
    await lookForRemoved(startedMs, finished);
    const endedMs = clock.monotonicMs();
    nextLookMs = isMore ? endedMs : Math.max(startedMs + pollMs, endedMs + (endedMs - startedMs) / lookingShare);
  };

  return {
    /** How far behind the newest report the next cycle is to look. */
    overlapMs: () => overlapMs,
    /** Clusters that the next cycle is to look at, too; undefined: at all, because nobody knows. */
    takeMissed(): readonly string[] | undefined {
      const taken = isUnsure ? undefined : [...missed];
      missed.clear();
      isUnsure = false;
      return taken;
    },
    /** Behind a cycle, if it is time; the next one looks at everything since `sinceMicros`. */
    look(finished: FinishedRun, sinceMicros: bigint): void {
      const nowMs = clock.monotonicMs();
      if (finished.run.recent === undefined) removedCheckedMs = nowMs;
      if (looking !== undefined || nowMs < nextLookMs || signal.aborted) return;
      looking = look(finished, sinceMicros)
        .catch((error: unknown) => {
          isUnsure = true;
          nextLookMs = clock.monotonicMs() + pollMs;
          events.lookBesideFailed(error);
        })
        .finally(() => {
          looking = undefined;
        });
    },
    async ended(): Promise<void> {
      await looking;
    },
  };
}
