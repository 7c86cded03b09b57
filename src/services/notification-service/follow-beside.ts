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
/** It goes back that much further than what it missed, up to this, until it has missed nothing for `lateMsMax`. */
const overlapMsMax = 60_000;
/** How late a report may come to be found here; what comes later the full sweep sees. */
const lateMsMax = 10 * 60_000;
/** A part of that is looked at by one statement, so that none takes long; the newest first. */
const partMs = 30_000;
/** Clusters that one part finds; where there are more the next look begins at once. */
const missedMax = 10_000;
/** How often removed rows are looked for: it costs a look-up per `sent` row of the cooldown. Full sweeps always do. */
const removedRowsCheckMs = 30_000;
/** A look ends behind the statement with which it has taken this, and goes on behind a later cycle. */
const lookMsMax = 50;
/** All this gets this share of the time. */
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
  let nextCheckMs = clock.monotonicMs() + removedRowsCheckMs;
  /** The part that comes next, and of the round that it belongs to the beginning, and whether there is more than was found. */
  let part = 0;
  let roundMs = 0;
  let isMore = false;
  let isUnsure = false;
  let looking: Promise<void> | undefined;

  /** Answers whether there are more than it found. */
  const lookForMissed = async ({ run, store }: FinishedRun, untilMicros: bigint): Promise<boolean> => {
    const found = await store.missedClusters({
      ...{ untilMicros, afterMicros: untilMicros - microsOfMs(partMs) },
      clustersMax: missedMax,
    });
    const nowMs = clock.monotonicMs();
    if (found.oldestMicros === undefined) return false;
    for (const cluster of found.clusters) missed.add(cluster);
    const lateMs = Number(run.newestStoredMicros - found.oldestMicros) / 1000;
    overlapMs = Math.min(overlapMsMax, Math.max(overlapMs, lateMs + overlapMsMin));
    missedMs = nowMs;
    ring();
    return found.clusters.length >= missedMax;
  };

  const lookForRemoved = async ({ run }: FinishedRun): Promise<void> => {
    const longest = longestOf(run.targets);
    if (longest === undefined) return;
    const startedMs = clock.monotonicMs();
    const removed = await forgetRemovedRows(state.store, longest);
    const endedMs = clock.monotonicMs();
    nextCheckMs = startedMs + Math.max(removedRowsCheckMs, (endedMs - startedMs) / lookingShare);
    events.sentRowsRemoved(removed);
    if (removed > 0) ring();
  };

  /** Goes on where the look before ended, until it has taken `lookMsMax` or has gone through all. */
  const look = async (finished: FinishedRun, sinceMicros: bigint): Promise<void> => {
    const startedMs = clock.monotonicMs();
    const tookMs = () => clock.monotonicMs() - startedMs;
    if (part === 0) [roundMs, isMore] = [startedMs, false];
    do {
      if (await lookForMissed(finished, sinceMicros - microsOfMs(part * partMs))) isMore = true;
      part = (part + 1) % (lateMsMax / partMs);
    } while (part !== 0 && tookMs() < lookMsMax && !signal.aborted);
    if (part === 0) {
      if (startedMs - missedMs >= lateMsMax) overlapMs = overlapMsMin;
      if (startedMs >= nextCheckMs && !signal.aborted) await lookForRemoved(finished);
    }
    const pauseMs = Math.min(pollMs, tookMs() * (1 / lookingShare - 1));
    const nextRoundMs = part === 0 && !isMore ? roundMs + pollMs : 0;
    nextLookMs = Math.max(nextRoundMs, clock.monotonicMs() + pauseMs);
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
      if (finished.run.recent === undefined) nextCheckMs = nowMs + removedRowsCheckMs;
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
