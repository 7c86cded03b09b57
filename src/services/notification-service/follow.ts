/**
 * Follow mode: runs again when the writer says that it stored reports, when something becomes due, and at a steady interval. Hints only
 * make it quicker; polling is the truth. Most cycles look at recent reports and at what is due; now and then, and whenever something
 * is unclear, all clusters are compared. Started by the composition root; one cycle at a time.
 */
import { CHANNEL_REPORT_STORED } from '../../contracts/tables.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import type { NotificationServiceSettings } from './config.ts';
import type { Run } from './run.ts';
import { microsOfMs } from './timestamps.ts';

/** How far back a follow cycle looks for new reports: writers' clocks differ and transactions commit late; the full sweep sees the rest. */
const followOverlapMs = 10 * 60_000;
/** After a cycle that failed. */
const followRetryMs = 5_000;

interface FollowOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly settings: NotificationServiceSettings['follow'];
  readonly signal: AbortSignal;
  /** One cycle; rejects when it failed, which the callee has announced. */
  readonly runOnce: (
    sinceMicros: bigint | undefined,
  ) => Promise<{ readonly run: Pick<Run, 'newestStoredMicros' | 'reports' | 'time'> }>;
  /** Called once where there will be no hints, so that every report is found by polling only. */
  readonly onNoHints: (error: unknown) => void;
}

export interface Following {
  /** True while a hint waits for its cycle. */
  hinted(): boolean;
  /** Resolves when the loop has ended, after its signal was aborted. */
  readonly ended: Promise<void>;
}

export async function follow(options: FollowOptions): Promise<Following> {
  const alarm = createAlarm();
  const stopListening = await options.database.listen(CHANNEL_REPORT_STORED, alarm.ring).catch((error) => {
    options.onNoHints(error);
    return async () => undefined;
  });
  options.signal.addEventListener('abort', alarm.ring);
  const ended = loop(options, alarm).finally(async () => {
    options.signal.removeEventListener('abort', alarm.ring);
    await stopListening();
  });
  return { hinted: alarm.rung, ended };
}

async function loop(options: FollowOptions, alarm: Alarm): Promise<void> {
  const { clock, settings, signal } = options;
  let sinceMicros: bigint | undefined;
  let sweptMs = clock.monotonicMs();
  while (!signal.aborted) {
    if (clock.monotonicMs() - sweptMs >= settings.fullSweepMs) sinceMicros = undefined;
    if (sinceMicros === undefined) sweptMs = clock.monotonicMs();
    alarm.reset();
    let waitMs = followRetryMs;
    try {
      const { run } = await options.runOnce(sinceMicros);
      // From what was stored and not from our own time: the clocks of writers may all be behind.
      sinceMicros = run.newestStoredMicros - microsOfMs(followOverlapMs);
      const due = await run.reports.nextDueMicros();
      const dueMs = due === undefined ? settings.pollMs : Math.ceil(Number(due - run.time.nowMicros()) / 1000);
      waitMs = Math.max(settings.minGapMs, Math.min(settings.pollMs, dueMs));
    } catch {
      // Announced by the run itself. What it had found may be half done, so everything is compared again.
      sinceMicros = undefined;
    }
    await alarm.wait(clock, waitMs);
    // A burst of hints is one cycle, not one each.
    const early = settings.minGapMs > 0 && alarm.rung() && waitMs > settings.minGapMs;
    if (early) await clock.sleep(settings.minGapMs, signal).catch(() => undefined);
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
