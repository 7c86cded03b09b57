/**
 * Follow mode: runs again when the writer says that it stored reports, when something becomes due, and at a steady interval. Hints only
 * make it quicker; polling is the truth. Most cycles look at recent reports and at what is due; now and then, and whenever something
 * is unclear, all clusters are compared. Started by the composition root; one cycle at a time.
 */
import { CHANNEL_REPORT_STORED } from '../../contracts/tables.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import type { NotificationServiceSettings } from './config.ts';
import type { FinishedRun } from './run.ts';
import type { Events } from './telemetry.ts';
import { microsOfMs } from './timestamps.ts';

/** How far back a follow cycle looks for new reports: writers' clocks differ and transactions commit late; the full sweep sees the rest. */
const followOverlapMs = 10 * 60_000;
/** After a cycle that failed. */
const followRetryMs = 5_000;

interface FollowState {
  readonly settings: Pick<NotificationServiceSettings, 'follow'>;
  readonly database: Database;
  readonly clock: Clock;
  readonly events: Pick<Events, 'hintsUnavailable'>;
  readonly signal: AbortSignal;
}

/** One cycle; rejects when it failed, which the callee has announced. */
type RunCycle = (sinceMicros: bigint | undefined) => Promise<FinishedRun>;

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

async function loop({ clock, settings, signal }: FollowState, runCycle: RunCycle, alarm: Alarm): Promise<void> {
  const { pollMs, minGapMs, fullSweepMs } = settings.follow;
  let sinceMicros: bigint | undefined;
  let sweptMs = clock.monotonicMs();
  while (!signal.aborted) {
    if (clock.monotonicMs() - sweptMs >= fullSweepMs) sinceMicros = undefined;
    if (sinceMicros === undefined) sweptMs = clock.monotonicMs();
    alarm.reset();
    let waitMs = followRetryMs;
    try {
      const { run, store } = await runCycle(sinceMicros);
      // From what was stored and not from our own time: the clocks of writers may all be behind.
      sinceMicros = run.newestStoredMicros - microsOfMs(followOverlapMs);
      const due = await store.nextDueMicros();
      const dueMs = due === undefined ? pollMs : Math.ceil(Number(due - run.time.nowMicros()) / 1000);
      waitMs = Math.max(minGapMs, Math.min(pollMs, dueMs));
    } catch {
      // Announced by the run itself. What it had found may be half done, so everything is compared again.
      sinceMicros = undefined;
    }
    await alarm.wait(clock, waitMs);
    // A burst of hints is one cycle, not one each.
    const early = minGapMs > 0 && alarm.rung() && waitMs > minGapMs;
    if (early) await clock.sleep(minGapMs, signal).catch(() => undefined);
  }
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
