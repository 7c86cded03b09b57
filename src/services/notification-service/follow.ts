/**
 * Follow mode: runs again when the writer says that it stored reports, when something becomes due, and at a steady interval. Hints only
 * make it quicker; polling is the truth. Most cycles look at what was stored a moment ago and at what is due; what they miss of it is
 * found beside them (`follow-beside.ts`); now and then, and whenever something is unclear, all clusters are compared. Started by the
 * composition root; one cycle at a time.
 */
import { CHANNEL_REPORT_STORED } from '../../contracts/tables.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import { type BesideState, createBeside } from './follow-beside.ts';
import type { FinishedRun } from './run.ts';
import type { RecentReports } from './store/reports.ts';
import type { Events } from './telemetry.ts';
import { microsOfMs } from './timestamps.ts';

/** After a cycle that failed. */
const followRetryMs = 5_000;

interface FollowState extends BesideState {
  readonly database: Database;
  readonly events: BesideState['events'] & Pick<Events, 'hintsUnavailable'>;
}

/** One cycle; rejects when it failed, which the callee has announced. */
type RunCycle = (recent: RecentReports | undefined) => Promise<FinishedRun>;

/** The loop ends after the signal of the state was aborted. */
export async function follow(state: FollowState, runCycle: RunCycle) {
  const { database, events, settings, signal } = state;
  const alarm = createAlarm();
  const stopListening = await database.listen(CHANNEL_REPORT_STORED, alarm.ring).catch((error) => {
    events.hintsUnavailable(error, settings.follow.pollMs);
    return async () => undefined;
  });
  signal.addEventListener('abort', alarm.ring);
  const ended = loop(state, runCycle, alarm).finally(async () => {
    signal.removeEventListener('abort', alarm.ring);
    await stopListening();
  });
  /** `hinted`: true while a hint waits for its cycle. */
  return { hinted: alarm.rung, ended };
}

async function loop(state: FollowState, runCycle: RunCycle, alarm: Alarm): Promise<void> {
  const { clock, settings, signal } = state;
  const { pollMs, minGapMs, fullSweepMs } = settings.follow;
  const beside = createBeside(state, alarm.ring);
  let sinceMicros: bigint | undefined;
  let sweptMs = clock.monotonicMs();
  while (!signal.aborted) {
    if (clock.monotonicMs() - sweptMs >= fullSweepMs) sinceMicros = undefined;
    alarm.reset();
    const clusters = beside.takeMissed();
    const recent = sinceMicros === undefined || clusters === undefined ? undefined : { sinceMicros, clusters };
    if (recent === undefined) sweptMs = clock.monotonicMs();
    let waitMs = followRetryMs;
    try {
      const finished = await runCycle(recent);
      // From what was stored and not from our own time: the clocks of writers may all be behind.
      sinceMicros = finished.run.newestStoredMicros - microsOfMs(beside.overlapMs());
      beside.look(finished, sinceMicros);
      waitMs = alarm.rung() ? 0 : await untilDue(finished, pollMs);
    } catch {
      // Announced by the run itself. What it had found may be half done, so everything is compared again.
      sinceMicros = undefined;
    }
    const endedMs = clock.monotonicMs();
    await alarm.wait(clock, waitMs);
    // What comes one by one, and quickly, is gathered; what comes after a while waits for nothing.
    const gapMs = endedMs + minGapMs - clock.monotonicMs();
    if (gapMs > 0) await clock.sleep(gapMs, signal).catch(() => undefined);
  }
  await beside.ended();
}

/** At most `pollMs`; that where a receiver is still at work, since what waits for it is due and is its own. */
async function untilDue({ run, store }: FinishedRun, pollMs: number): Promise<number> {
  if (run.targets.some(({ health }) => health.beside !== undefined)) return pollMs;
  const due = await store.nextDueMicros();
  return due === undefined
    ? pollMs
    : Math.max(0, Math.min(pollMs, Math.ceil(Number(due - run.time.nowMicros()) / 1000)));
}

type Alarm = ReturnType<typeof createAlarm>;

function createAlarm() {
  let ringing = new AbortController();
  return {
    ring: () => ringing.abort(),
    rung: () => ringing.signal.aborted,
    reset() {
      ringing = new AbortController();
    },
    /** Until it rings, or for that long. */
    async wait(clock: Clock, ms: number) {
      await clock.sleep(ms, ringing.signal).catch(() => undefined);
    },
  };
}
