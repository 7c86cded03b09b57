/**
 * Hop 11: claims due messages of one target and hands them to it, a few at a time, under a lease. Yields each claimed batch with its
 * outcomes; the record step stores them before the next batch is claimed. A one-shot run waits for retries until each message's
 * deadline, which counts from its first attempt in the run, or ends when nobody is there; a follow cycle leaves them to a later cycle.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { DeliveryOutcome } from '../decide/settle-outcome.ts';
import { inParallel } from '../in-parallel.ts';
import {
  followDeliverMsMax,
  leaseMarginMs,
  retryWaitMsMin,
  stopPatienceMs,
  unknownResendMsMax,
  unreachableMsMax,
} from '../limits.ts';
import { lookAgain } from '../look-again.ts';
import type { DeliveryResult } from '../ports.ts';
import type { ClaimedMessage, DeliveredBatch, DeliveredMessage, RunTarget } from '../run.ts';
import type { Run } from '../run-context.ts';
import { claimMessages, nextAttemptMicros, pauseTarget } from '../store/outbox.ts';
import { judgeAnswer, lookAtPause } from '../target-health.ts';
import { microsOfMs } from '../timestamps.ts';

export async function* deliverNotifications(run: Run, runTarget: RunTarget): AsyncGenerator<DeliveredBatch> {
  await lookAtPause(run, runTarget);
  const follow = run.settings.mode === 'follow';
  const endMs = run.clock.monotonicMs() + (follow ? followDeliverMsMax : run.settings.delivery.runDeadlineMs);
  let unreachableSinceMs: number | undefined;
  while (!run.signal.aborted && run.clock.monotonicMs() < endMs) {
    const startedMs = run.clock.monotonicMs();
    const leaseToken = run.clock.uuid();
    const claimed = await claimMessages(run, runTarget, {
      token: leaseToken,
      messagesMax: run.settings.delivery.claimMax,
    });
    if (claimed.length > 0) {
      const { messages, reached } = await deliverBatch(run, runTarget, { claimed, leaseToken });
      yield { runTarget, leaseToken, messages, startedMs };
      // A target that takes nothing must not keep new reports waiting; the next cycle tries what is due then.
      if (follow && messages.every(({ outcome }) => waits.has(outcome.kind))) return;
      if (reached !== undefined) unreachableSinceMs = reached ? undefined : (unreachableSinceMs ?? startedMs);
      continue;
    }
    if (follow || !(await waitForRetry(run, runTarget, unreachableSinceMs))) return;
  }
}

const waits: ReadonlySet<DeliveryOutcome['kind']> = new Set(['later', 'unrendered', 'released']);

/** False when nothing that this run tried becomes due before its deadline, or while nobody is there. */
async function waitForRetry(run: Run, runTarget: RunTarget, unreachableSinceMs: number | undefined): Promise<boolean> {
  const next = await nextAttemptMicros(run, runTarget);
  if (next === undefined) return false;
  // Never at once: a row that another process holds for a moment is no reason to go round and round.
  const waitMs = Math.max(retryWaitMsMin, Math.ceil(Number(next - run.time.nowMicros()) / 1000));
  if (waitMs > run.settings.delivery.deadlineMs) return false;
  if (unreachableSinceMs !== undefined) {
    const goneMs = run.clock.monotonicMs() + waitMs - unreachableSinceMs;
    if (goneMs > unreachableMsMax) {
      run.events.targetUnreachable(runTarget.target);
      return false;
    }
  }
  await run.clock.sleep(waitMs, run.signal).catch(() => undefined);
  return !run.signal.aborted;
}

async function deliverBatch(
  run: Run,
  runTarget: RunTarget,
  { claimed, leaseToken }: { readonly claimed: readonly ClaimedMessage[]; readonly leaseToken: string },
): Promise<{ readonly messages: DeliveredMessage[]; readonly reached: boolean | undefined }> {
  const leaseEndsMs = run.clock.monotonicMs() + run.settings.delivery.leaseMs - leaseMarginMs;
  const outcomes = new Map<ClaimedMessage, DeliveryOutcome>();
  const looked = await lookAgain(run, runTarget, { claimed, leaseToken });
  for (const [message, outcome] of looked.outcomes) outcomes.set(message, outcome);
  for (const message of looked.ready.keys()) {
    const outcome = expiry(run, message);
    if (outcome !== undefined) outcomes.set(message, outcome);
  }
  const left = [...looked.ready].filter(([message]) => !outcomes.has(message));
  const cut = new AbortController();
  const timers = new AbortController();
  const cutAfter = (ms: number) =>
    run.clock.sleep(ms, timers.signal).then(
      () => cut.abort(),
      () => undefined,
    );
  const onStop = () => void cutAfter(stopPatienceMs);
  const lease = cutAfter(leaseEndsMs - run.clock.monotonicMs());
  run.signal.addEventListener('abort', onStop);
  let stopped = false;
  /** Undefined while nothing was tried. */
  let reached: boolean | undefined;
  try {
    await inParallel(left, run.settings.delivery.concurrency, async ([message, ready]) => {
      // The clock is asked as well: a process that was stopped for longer than its lease runs this before its timers.
      if (stopped || run.signal.aborted || cut.signal.aborted || run.clock.monotonicMs() >= leaseEndsMs) return;
      const stop = () => {
        const first = !stopped;
        stopped = true;
        return first;
      };
      const attempted = await attempt(run, runTarget, { message: ready, signal: cut.signal, stop });
      outcomes.set(message, attempted.outcome);
      reached = reached === true || attempted.reached;
    });
  } finally {
    run.signal.removeEventListener('abort', onStop);
    timers.abort();
    await lease;
  }
  const messages = claimed.map(
    (message): DeliveredMessage => ({
      message: looked.ready.get(message) ?? message,
      outcome: outcomes.get(message) ?? { kind: 'released' },
    }),
  );
  return { messages, reached };
}

/** What must not, or need not, be tried any more. Both windows count from the first attempt. */
function expiry(run: Run, message: ClaimedMessage): DeliveryOutcome | undefined {
  const nowMicros = run.time.nowMicros();
  const { retryWindowMs } = run.settings.delivery;
  if (message.mayHaveArrived) {
    if (nowMicros - message.firstAttemptMicros! <= microsOfMs(unknownResendMsMax)) return undefined;
    const error = new CcxError('it may have arrived, and it is too old to be repeated under its id', {
      code: 'OUTCOME_UNKNOWN',
      category: 'delivery',
      hint: 'ccx notifications retry sends it again under a new id',
    });
    return { kind: 'listed', error };
  }
  const { firstAttemptMicros, pausedMicros } = message;
  if (firstAttemptMicros === undefined) return undefined;
  if (nowMicros - firstAttemptMicros - pausedMicros <= microsOfMs(retryWindowMs)) return undefined;
  const error = new CcxError(`not delivered within ${retryWindowMs / 3_600_000} h`, {
    code: 'RETRY_WINDOW_OVER',
    category: 'delivery',
    hint: 'its issues are decided again; delivery.retry_window says how long one message is tried',
  });
  return { kind: 'dead', error, hold: false };
}

async function attempt(
  run: Run,
  runTarget: RunTarget,
  {
    message,
    signal,
    stop,
  }: { readonly message: ClaimedMessage; readonly signal: AbortSignal; readonly stop: () => boolean },
): Promise<{ readonly outcome: DeliveryOutcome; readonly reached: boolean }> {
  const { target, health } = runTarget;
  const startedMs = run.clock.monotonicMs();
  const startedMicros = run.time.nowMicros();
  run.events.notificationAttempted(target, message);
  const result = await deliverSafely(runTarget, message, signal);
  const nowMicros = run.time.nowMicros();
  const pause = judgeAnswer(health, message.notification.cluster, result);
  const outcome = outcomeOf(run, message, { result, pauseMs: pause?.afterMs, startedMicros, nowMicros });
  run.events.attemptEnded(target, message, { result, startedMs });
  if (result.kind === 'delivered') {
    run.tally.delivered += 1;
    run.tally.deliveredTo.add(target.name);
  } else {
    run.tally.failed += 1;
  }
  const reached = result.kind !== 'unreachable';
  if (pause === undefined || !stop()) return { outcome, reached };
  await pauseTarget(run, runTarget, { untilMicros: nowMicros + microsOfMs(pause.afterMs), error: pause.error });
  run.events.targetPaused(target, pause.error, pause.afterMs);
  return { outcome, reached };
}

/** A target that throws has a bug; what it sent before is not known. */
async function deliverSafely(
  { target }: RunTarget,
  message: ClaimedMessage,
  signal: AbortSignal,
): Promise<DeliveryResult> {
  try {
    return await target.deliver({ notification: message.notification, mayHaveArrived: message.mayHaveArrived, signal });
  } catch (cause) {
    const error = new CcxError('the target failed in an unexpected way', {
      code: 'TARGET_FAILED',
      category: 'internal',
      cause,
    });
    return { kind: 'unknown', error, afterMs: 0 };
  }
}

function outcomeOf(
  run: Run,
  message: ClaimedMessage,
  how: {
    readonly result: DeliveryResult;
    /** The target is paused for that long. */
    readonly pauseMs: number | undefined;
    readonly startedMicros: bigint;
    readonly nowMicros: bigint;
  },
): DeliveryOutcome {
  const { result, pauseMs, startedMicros, nowMicros } = how;
  switch (result.kind) {
    case 'delivered':
      return { kind: 'delivered', atMicros: nowMicros, detail: result.detail };
    case 'rejected':
      // Where nobody's is accepted, it is not this message that is at fault.
      if (pauseMs === undefined) return { kind: 'dead', error: result.error, hold: true };
      break;
    case 'refused':
    case 'paused':
    case 'retry':
    case 'unreachable':
    case 'unknown':
      break;
  }
  // A pause is the target's: the message is due again as soon as that ends.
  const afterMs = pauseMs !== undefined || !('afterMs' in result) ? 0 : result.afterMs;
  // Finding nobody there costs next to nothing, and a one-shot run does not look for long.
  const isBrief = result.kind === 'unreachable' && run.settings.mode === 'once';
  const waitMs = isBrief ? afterMs : Math.max(afterMs, backoffMs(run, message.attempts));
  return {
    kind: 'later',
    error: result.error,
    nextAttemptMicros: nowMicros + microsOfMs(waitMs),
    mayHaveArrived: message.mayHaveArrived || result.kind === 'unknown',
    runDeadlineMicros: message.runDeadlineMicros ?? startedMicros + microsOfMs(run.settings.delivery.deadlineMs),
  };
}

/** Doubles with each attempt between the two bounds, less up to a quarter so that messages that failed together spread out. */
function backoffMs(run: Run, attempts: number): number {
  const { backoffMinMs, backoffMaxMs } = run.settings.delivery;
  const full = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(attempts - 1, 30));
  return full * (1 - run.clock.random() / 4);
}
