/**
 * Hop 11: claims due messages of one target and hands them to it, all or a few at a time, under a lease. Yields each claimed batch with its
 * outcomes; the record step stores them before the next batch is claimed. A one-shot run waits for retries until each message's
 * deadline, which counts from its first attempt in the run, or ends when nobody is there; a follow cycle leaves them to a later cycle.
 */
import { isReceiver } from '../../../contracts/tables.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { backoffMs } from '../../../platform/clock/backoff.ts';
import { pause } from '../../../platform/clock/deadline.ts';
import { type DeliveryOutcome, settleOutcome } from '../decide/settle-outcome.ts';
import { inParallel } from '../in-parallel.ts';
import { leaseEnd, unknownResendMsMax } from '../limits.ts';
import type { DeliveryResult } from '../ports.ts';
import {
  type ClaimedSet,
  type DeliveredBatch,
  type DeliveredMessage,
  type LookAgain,
  type Run,
  type RunStore,
  type RunTarget,
  readSilences,
  type TargetHealth,
} from '../run.ts';
import type { ClaimedMessage } from '../store/outbox.ts';
import { microsOfMs } from '../timestamps.ts';

/** Rows that one statement adds to `reported`: the server copies their report texts. */
const unsentRowsMax = 2_000;
/**
 * Different recipients that must have been refused, while nothing went through to anybody, until the target is at fault and paused. More than are
 * tried at once by default, so that a first handful of recipients who are refused for themselves stops nobody.
 */
export const refusedRecipientsMin = 10;
/** Shortest pause of a one-shot run before it looks for what is due again. */
const retryWaitMsMin = 10;
/** A one-shot run ends when no connection to its target has come about for this long; what waits is the next run's. */
export const unreachableMsMax = 3_000;
/** Following, a target that is paused is asked this often whether the cause is over, and the pause is said again after this. */
const pauseCheckMs = 15_000;
const pauseSaidMs = 60_000;
/** How long one follow cycle delivers before it looks for new reports again. */
const followDeliverMsMax = 30_000;
/** When the process stops, attempts in flight get this long before they are cut short; the whole stop has 10 s. */
const stopMsMax = 5_000;

/** `lookAgain` is the step that decides once more what waited, right before it is sent. */
export async function* deliverNotifications(
  run: Run,
  store: RunStore,
  runTarget: RunTarget,
  lookAgain: LookAgain,
): AsyncGenerator<DeliveredBatch> {
  await lookAtPause(run, store, runTarget);
  const follow = run.settings.mode === 'follow';
  if (follow && !run.inLine.has(runTarget)) return;
  const endMs = run.clock.monotonicMs() + (follow ? followDeliverMsMax : run.settings.delivery.runDeadlineMs);
  let unreachableSinceMs = run.waitsInLine.get(runTarget);
  while (!run.signal.aborted && run.clock.monotonicMs() < endMs) {
    const startedMs = run.clock.monotonicMs();
    const leaseToken = run.clock.uuid();
    const claimed = await store.claimMessages({
      ...{ target: runTarget.target, runId: run.id, token: leaseToken },
      // Whether a receiver that took nothing is well again, one message tells.
      messagesMax: runTarget.health.failures > 0 ? 1 : run.settings.delivery.claimMax,
      leaseMs: run.settings.delivery.leaseMs,
      wholeClusters: runTarget.policy.clusterCap > 0,
    });
    if (claimed.length > 0) {
      const leaseEndsMs = leaseEnd(run);
      const looked = await lookAgain(run, store, runTarget, { claimed, leaseToken });
      const { messages, reached } = await deliverClaim(
        run,
        store,
        { runTarget, claimed, leaseToken, leaseEndsMs },
        looked,
      );
      yield { runTarget, leaseToken, messages, startedMs, claimedWithDecision: false };
      // A target that takes nothing must not keep new reports waiting; the next cycle tries what is due then.
      if (follow && messages.every(({ outcome }) => waits.has(outcome.kind))) return;
      if (reached !== undefined) unreachableSinceMs = reached ? undefined : (unreachableSinceMs ?? startedMs);
      continue;
    }
    if (follow || !(await waitForRetry(run, store, runTarget, unreachableSinceMs))) return;
  }
}

const waits: ReadonlySet<DeliveryOutcome['kind']> = new Set(['later', 'unrendered', 'released']);

/** False when nothing that this run tried becomes due before its deadline, or while nobody is there. */
async function waitForRetry(
  run: Run,
  store: RunStore,
  { target }: RunTarget,
  unreachableSinceMs: number | undefined,
): Promise<boolean> {
  const next = await store.nextAttemptMicros({
    eventTargetId: target.eventTargetId,
    runId: run.id,
  });
  if (next === undefined) return false;
  // Never at once: a row that another process holds for a moment is no reason to go round and round.
  const waitMs = Math.max(retryWaitMsMin, Math.ceil(Number(next - run.time.nowMicros()) / 1000));
  if (waitMs > run.settings.delivery.deadlineMs) return false;
  if (unreachableSinceMs !== undefined) {
    const goneMs = run.clock.monotonicMs() + waitMs - unreachableSinceMs;
    if (goneMs > unreachableMsMax) {
      run.events.targetUnreachable(target);
      return false;
    }
  }
  await pause(run.clock, waitMs, run.signal);
  return !run.signal.aborted;
}

/** Hop 11 of what was claimed with its decision, right behind it. */
export async function deliverAtOnce(run: Run, store: RunStore, set: ClaimedSet): Promise<DeliveredBatch> {
  const { runTarget, leaseToken } = set;
  const startedMs = run.clock.monotonicMs();
  // While another set found the target out of order this one was on its way here.
  const stays = run.waitsInLine.has(runTarget);
  const silence = await readSilences(run, store, stays ? [] : set.claimed.map(whereOf));
  // What somebody has silenced since it was decided goes back into the line, where it is decided once more.
  const isSilent = (message: ClaimedMessage) =>
    message.notification.issues.some((issue) => silence(whereOf(message), issue) !== undefined);
  const ready = new Map(stays ? [] : set.claimed.filter((message) => !isSilent(message)).map((one) => [one, one]));
  const { messages, reached } = await deliverClaim(run, store, set, { ready, outcomes: new Map() });
  if (messages.some(({ outcome }) => outcome.kind !== 'delivered')) run.inLine.add(runTarget);
  const isStuck = messages.some(({ message, outcome }) => waits.has(outcome.kind) && ready.has(message));
  if (isStuck) run.waitsInLine.set(runTarget, reached === false ? startedMs : undefined);
  return { runTarget, leaseToken, messages, startedMs, claimedWithDecision: true };
}

function whereOf({ orgId, notification: { cluster } }: ClaimedMessage): { orgId: number; cluster: string } {
  return { orgId, cluster };
}

async function deliverClaim(
  run: Run,
  store: RunStore,
  { runTarget, leaseEndsMs, ...claim }: ClaimedSet,
  looked: Awaited<ReturnType<LookAgain>>,
): Promise<{ readonly messages: DeliveredMessage[]; readonly reached: boolean | undefined }> {
  const outcomes = new Map<ClaimedMessage, DeliveryOutcome>();
  for (const [message, outcome] of looked.outcomes) outcomes.set(message, outcome);
  for (const message of looked.ready.keys()) {
    const outcome = expiry(run, runTarget, message);
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
  const onStop = () => void cutAfter(stopMsMax);
  const lease = cutAfter(leaseEndsMs - run.clock.monotonicMs());
  run.signal.addEventListener('abort', onStop);
  let stopped = false;
  /** Undefined while nothing was tried. */
  let reached: boolean | undefined;
  try {
    const together = runTarget.target.deliverAll !== undefined;
    const portions = together ? [left] : left.map((one) => [one]);
    await inParallel(portions, run.settings.delivery.concurrency, async (portion) => {
      // The clock is asked as well: a process that was stopped for longer than its lease runs this before its timers.
      if (stopped || run.signal.aborted || cut.signal.aborted || run.clock.monotonicMs() >= leaseEndsMs) return;
      const stop = () => {
        const first = !stopped;
        stopped = true;
        return first;
      };
      const messages = portion.map(([, ready]) => ready);
      const attempted = await attempt(run, store, runTarget, { messages, signal: cut.signal, stop });
      for (const [index, [message]] of portion.entries()) {
        const { outcome, reached: there } = attempted[index]!;
        outcomes.set(message, outcome);
        reached = reached === true || there;
      }
    });
  } finally {
    run.signal.removeEventListener('abort', onStop);
    timers.abort();
    await lease;
  }
  const messages = claim.claimed.map(
    (message): DeliveredMessage => ({
      message: looked.ready.get(message) ?? message,
      outcome: outcomes.get(message) ?? { kind: 'released' },
    }),
  );
  return { messages, reached };
}

/**
 * What must not, or need not, be tried any more. Both windows count from the first attempt. A receiver knows an id for as long as it
 * likes: what may have arrived is repeated under it until the retry window ends.
 */
export function expiry(
  run: Run,
  { target }: { readonly target: Pick<RunTarget['target'], 'eventTargetId'> },
  message: ClaimedMessage,
): DeliveryOutcome | undefined {
  const nowMicros = run.time.nowMicros();
  const { retryWindowMs } = run.settings.delivery;
  if (message.mayHaveArrived) {
    const windowMicros = isReceiver(target.eventTargetId)
      ? microsOfMs(retryWindowMs) + message.pausedMicros
      : microsOfMs(unknownResendMsMax);
    if (nowMicros - message.firstAttemptMicros! <= windowMicros) return undefined;
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

interface Attempted {
  readonly outcome: DeliveryOutcome;
  readonly reached: boolean;
}

/** Several only of a target that takes many at once. */
async function attempt(
  run: Run,
  store: RunStore,
  runTarget: RunTarget,
  {
    messages,
    signal,
    stop,
  }: { readonly messages: readonly ClaimedMessage[]; readonly signal: AbortSignal; readonly stop: () => boolean },
): Promise<readonly Attempted[]> {
  const { target, health } = runTarget;
  const startedMs = run.clock.monotonicMs();
  const startedMicros = run.time.nowMicros();
  for (const message of messages) run.events.notificationAttempted(target, message);
  const results = await deliverSafely(runTarget, messages, signal);
  const attempted: Attempted[] = [];
  for (const [index, message] of messages.entries()) {
    const result = results[index]!;
    const nowMicros = run.time.nowMicros();
    if (isReceiver(target.eventTargetId) && wasCalledOff(result)) {
      run.events.attemptEnded(target, message, { result, startedMs, nowMicros });
      attempted.push({ outcome: { kind: 'released' }, reached: true });
      continue;
    }
    const pause = judgeAnswer(health, message.notification.cluster, result);
    const outcome = outcomeOf(run, message, { result, pauseMs: pause?.afterMs, startedMicros, nowMicros });
    run.events.attemptEnded(target, message, { result, startedMs, nowMicros });
    if (result.kind === 'delivered') {
      run.tally.delivered += 1;
      run.tally.deliveredTo.add(target.name);
    } else {
      run.tally.failed += 1;
    }
    attempted.push({ outcome, reached: result.kind !== 'unreachable' });
    if (isReceiver(target.eventTargetId) && pause === undefined) {
      const restMs = restAfter(run, health, result);
      if (restMs === undefined || !stop()) continue;
      const { error } = result as { readonly error: CcxError };
      await store.restTarget({
        eventTargetId: target.eventTargetId,
        untilMicros: nowMicros + microsOfMs(restMs),
        error,
      });
      run.events.receiverRests(target, error, restMs);
      continue;
    }
    if (pause === undefined || !stop()) continue;
    await store.pauseTarget({
      eventTargetId: target.eventTargetId,
      untilMicros: nowMicros + microsOfMs(pause.afterMs),
      error: pause.error,
      isGone: result.kind === 'gone',
    });
    run.events.targetPaused(target, pause.error, pause.afterMs);
  }
  return attempted;
}

/** It waited for its turn until the lease was over, or the process stops: nothing was tried, and nobody is at fault. */
function wasCalledOff(result: DeliveryResult): boolean {
  return result.kind === 'retry' && result.error.code === 'DELIVERY_ABORTED';
}

/** A target that throws has a bug; what it sent before is not known. */
async function deliverSafely(
  { target }: RunTarget,
  messages: readonly ClaimedMessage[],
  signal: AbortSignal,
): Promise<readonly DeliveryResult[]> {
  const attempts = messages.map(({ notification, mayHaveArrived, composedHere }) => ({
    ...{ notification, mayHaveArrived, composedHere, signal },
  }));
  try {
    if (target.deliverAll !== undefined) return await target.deliverAll(attempts);
    return [await target.deliver(attempts[0]!)];
  } catch (cause) {
    const error = new CcxError('the target failed in an unexpected way', {
      code: 'TARGET_FAILED',
      category: 'internal',
      cause,
    });
    return messages.map(() => ({ kind: 'unknown', error, afterMs: 0 }));
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
  if (result.kind === 'delivered') return { kind: 'delivered', atMicros: nowMicros, detail: result.detail };
  // Where nobody's is accepted, it is not this message that is at fault.
  if (result.kind === 'rejected' && pauseMs === undefined) return { kind: 'dead', error: result.error, hold: true };
  const { backoffMinMs, backoffMaxMs } = run.settings.delivery;
  const backoff = { msMin: backoffMinMs, msMax: backoffMaxMs };
  // A pause is the target's: the message is due again as soon as that ends.
  const afterMs = pauseMs !== undefined || !('afterMs' in result) ? 0 : result.afterMs;
  // Finding nobody there costs next to nothing, and a one-shot run does not look for long.
  const isBrief = result.kind === 'unreachable' && run.settings.mode === 'once';
  const waitMs = isBrief ? afterMs : Math.max(afterMs, backoffMs(backoff, message.attempts, run.clock.random()));
  return {
    kind: 'later',
    error: result.error,
    nextAttemptMicros: nowMicros + microsOfMs(waitMs),
    mayHaveArrived: message.mayHaveArrived || result.kind === 'unknown',
    runDeadlineMicros: message.runDeadlineMicros ?? startedMicros + microsOfMs(run.settings.delivery.deadlineMs),
  };
}

/**
 * A receiver is one address: what gets no answer there, or is told to come later, would be told so again. So it is left alone for a while
 * that grows; the windows of what waits go on, unlike in a pause. Undefined: it answered for good or ill.
 */
function restAfter(run: Run, health: TargetHealth, result: DeliveryResult): number | undefined {
  switch (result.kind) {
    case 'unreachable':
    case 'retry':
    case 'unknown': {
      health.failures += 1;
      const { backoffMinMs, backoffMaxMs } = run.settings.delivery;
      return backoffMs({ msMin: backoffMinMs, msMax: backoffMaxMs }, health.failures, run.clock.random());
    }
    case 'delivered':
    case 'rejected':
      health.failures = 0;
      return undefined;
    case 'refused':
    case 'paused':
    case 'gone':
      return undefined;
  }
}

/** For how long the whole target is to be left alone, and why; undefined: the answer is about its message alone. */
function judgeAnswer(
  health: Pick<TargetHealth, 'refused' | 'isAtFault'>,
  recipient: string,
  result: DeliveryResult,
): { readonly afterMs: number; readonly error: CcxError } | undefined {
  switch (result.kind) {
    case 'delivered':
      health.refused.clear();
      health.isAtFault = false;
      return undefined;
    case 'paused':
    case 'gone':
      return result;
    case 'refused':
    case 'rejected': {
      const afterMs = result.kind === 'refused' ? result.afterMs : result.pauseMs;
      if (afterMs === undefined) return undefined;
      health.refused.add(recipient);
      if (health.refused.size < refusedRecipientsMin) return undefined;
      health.isAtFault = true;
      return { afterMs, error: result.error };
    }
    case 'retry':
    case 'unreachable':
    case 'unknown':
      return undefined;
  }
}

/** Ends a pause whose cause is over, and says one that is in force. */
async function lookAtPause(run: Run, store: RunStore, runTarget: RunTarget): Promise<void> {
  const { target, health } = runTarget;
  const nowMs = run.clock.monotonicMs();
  const started = health.pauseCheckedMs === undefined;
  if (!started && run.settings.mode === 'follow' && nowMs - health.pauseCheckedMs! < pauseCheckMs) return;
  health.pauseCheckedMs = nowMs;
  const pause = await store.readPause(target.eventTargetId);
  const isOver = pause !== undefined && (await target.isOver(pause.code, { started }));
  if (isOver) {
    await store.endPause(target.eventTargetId);
    run.events.targetResumed(target, pause.code);
  }
  if (pause === undefined || isOver) {
    health.pauseSaidMs = undefined;
    // By others than before: those that were tried longest ago come first.
    if (health.isAtFault) health.refused.clear();
    health.isAtFault = false;
    return;
  }
  const said = health.pauseSaidMs;
  if (said !== undefined && run.settings.mode === 'follow' && nowMs - said < pauseSaidMs) return;
  health.pauseSaidMs = nowMs;
  run.events.targetStillPaused(target, pause);
}

/**
 * Hop 12: what the outcomes of a batch mean, stored in one transaction: outbox, `reported`, ledger. Until then a crash means that the same
 * messages are tried again, under the same ids.
 */
export async function recordOutcomes(run: Run, store: RunStore, batch: DeliveredBatch): Promise<void> {
  const { leaseToken, messages } = batch;
  const { target, policy } = batch.runTarget;
  const startedMs = run.clock.monotonicMs();
  const context = { cooldownMicros: policy.cooldownMicros, oneShot: run.settings.mode === 'once' };
  const settled = messages.map((delivered) => {
    // Each at a moment of its own: by that, too, the trace of a request tells lines of several messages apart.
    const nowMicros = run.time.nowMicros();
    return { ...delivered, settlement: settleOutcome(delivered.outcome, delivered.message, { ...context, nowMicros }) };
  });
  const written = await store.writeOutcomes({
    ...{ target, runId: run.id, leaseToken, nowMicros: run.time.nowMicros() },
    messages: settled,
    rowPerDecision: run.settings.mode === 'follow',
    sendResolved: policy.sendResolved,
    claimedWithDecision: batch.claimedWithDecision,
  });
  run.events.outcomeTakenOver(target, messages.length - written.messages.length);
  run.events.clustersRecorded(target, written.sentRows, startedMs);
  for (const { message, settlement } of written.messages) {
    const { givenUp, finishedAs } = settlement.tally;
    if (givenUp) {
      run.tally.dead += 1;
      run.tally.undeliveredTo.add(target.name);
    }
    if (finishedAs === 'withdrawn') run.tally.withdrawn += 1;
    run.events.outcomeRecorded(target, message, { settlement, startedMs });
  }
}

/**
 * The end of a one-shot run: every cluster with issues that got no row in `reported` from this run gets one, `error` where a message of it
 * did not go out and `same` where there was nothing to notify, in sets inside the server. Following, new reports got theirs when they were
 * decided. Source: notification-service.md 11.1.
 */
export async function writeUnsentRows(run: Run, store: RunStore, { target }: RunTarget): Promise<void> {
  if (run.settings.mode !== 'once') return;
  if ((await store.countDue(target.eventTargetId)) > 0) run.tally.undeliveredTo.add(target.name);
  if (isReceiver(target.eventTargetId)) return;
  const written = { same: 0, error: 0 };
  let after: string | undefined = '';
  while (after !== undefined && !run.signal.aborted) {
    const page = await store.insertUnsentPage({
      eventTargetId: target.eventTargetId,
      startedMicros: run.startedMicros,
      after,
      rowsMax: unsentRowsMax,
    });
    written.same += page.same;
    written.error += page.error;
    after = page.next;
  }
  run.tally.same += written.same;
  run.tally.error += written.error;
  run.events.unsentRowsWritten(target, written);
}
