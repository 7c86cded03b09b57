/**
 * Still hop 10: lets each target put the due issues of a cluster into words, before anything is stored. What cannot be rendered stays due
 * and is named so; the rest of the cluster, and the other clusters, go on.
 */

import { issueIdentity } from '../../../contracts/issue.ts';
import { isReceiver } from '../../../contracts/tables.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { inDays } from '../decide/day-cap.ts';
import { type Decision, settleDecisions } from '../decide/decide-cluster.ts';
import { inParallel } from '../in-parallel.ts';
import { leaseEnd, renderErrorOf, renderRetryMs } from '../limits.ts';
import { rankedIssue } from '../policy.ts';
import type { DueIssue, OutgoingNotification } from '../ports.ts';
import type {
  ClaimedSet,
  DecidedCluster,
  DecidedSet,
  RenderedCluster,
  RenderedSet,
  Run,
  RunStore,
  RunTarget,
} from '../run.ts';
import { type ClaimedMessage, claimBytesMax } from '../store/outbox.ts';
import { microsOfMs } from '../timestamps.ts';

export async function renderNotifications(run: Run, set: DecidedSet): Promise<RenderedSet> {
  const clusters: RenderedCluster[] = set.clusters.map((cluster) => rendered(cluster, [], undefined));
  const due = [...clusters.keys()].filter((index) => clusters[index]!.decisions.some(({ notify }) => notify));
  await inParallel(due, run.settings.delivery.concurrency, async (index) => {
    clusters[index] = await renderCluster(run, set.clusters[index]!);
  });
  return { ...set, clusters };
}

async function renderCluster(run: Run, cluster: DecidedCluster): Promise<RenderedCluster> {
  const { target, dueCluster } = cluster.runTarget;
  const messages: OutgoingNotification[] = [];
  let renderError: CcxError | undefined;
  try {
    const portions = portionsOf(cluster).map((decisions) => dueCluster(cluster.report, decisions));
    for (const due of portions) {
      messages.push(...(await target.compose(due, { now: run.time.now(), uuid: () => run.clock.uuid() })));
    }
    renderError = missing(
      portions.flatMap(({ issues }) => issues),
      messages,
    );
  } catch (cause) {
    messages.length = 0;
    renderError = renderErrorOf(cause);
  }
  if (renderError !== undefined)
    run.events.renderFailed({ target: target.name, cluster: cluster.report.cluster }, renderError);
  return rendered(cluster, messages, renderError);
}

/** Under a cap a message holds no more than a day does, so that what waits is a message by itself. */
function portionsOf({ runTarget: { policy }, decisions }: DecidedCluster): readonly (readonly Decision[])[] {
  if (policy.clusterCap === 0) return [decisions];
  const due = decisions.filter(({ notify }) => notify).map(({ issue }) => rankedIssue(policy, issue));
  return inDays(due, policy.clusterCap).map((day) =>
    decisions.map((decision) => (day.has(issueIdentity(decision.issue)) ? decision : { ...decision, notify: false })),
  );
}

function rendered(
  cluster: DecidedCluster,
  messages: readonly OutgoingNotification[],
  renderError: CcxError | undefined,
): RenderedCluster {
  return { ...cluster, decisions: settleDecisions(cluster.decisions, messages, renderError), messages, renderError };
}

/** An issue that no message names was not rendered, whatever the target's reason. */
function missing(due: readonly DueIssue[], messages: readonly OutgoingNotification[]): CcxError | undefined {
  const notified = new Set(messages.flatMap((message) => message.issues.map(issueIdentity)));
  const left = due.filter((issue) => !notified.has(issueIdentity(issue)));
  if (left.length === 0) return undefined;
  const names = left.slice(0, 5).map(({ component, errorKey }) => `${component} ${errorKey}`);
  return new CcxError(`${left.length} of ${due.length} due issues were not rendered: ${names.join(', ')}`, {
    code: 'RENDER_INCOMPLETE',
    category: 'delivery',
    retryable: true,
  });
}

/**
 * The end of hop 10: stores the decisions of a set and their messages in one transaction. From here on a crash loses nothing. Answers what was
 * claimed with it, by target, those first that take many messages at once: this process sends it now, and nobody else does while its lease
 * lasts.
 */
export async function enqueueNotifications(
  run: Run,
  store: RunStore,
  set: RenderedSet,
): Promise<readonly ClaimedSet[]> {
  const leaseEndsMs = leaseEnd(run);
  const nowMicros = run.time.nowMicros();
  const follow = run.settings.mode === 'follow';
  const toClaim = await chooseMessages(run, store, set);
  const token = run.clock.uuid();
  const clusters = set.clusters.map((cluster) => ({
    ...{ ...cluster, dueMicros: toClaim.dueMicros(cluster), claimed: toClaim.claimed(cluster) },
    nextDueMicros: nextDue(run, cluster, nowMicros),
    hasUnsentRow:
      follow &&
      !isReceiver(cluster.runTarget.target.eventTargetId) &&
      cluster.isNewReport &&
      cluster.outcome === 'issues' &&
      cluster.messages.length === 0,
  }));
  const { tracked, foreignRows } = set;
  const { resolvedAfter } = run.settings.issues;
  const { written, issueEvents } = await store.writeDecisions({
    ...{ clusters, tracked, foreignRows, nowMicros, resolvedAfter },
    claim: { token, runId: run.id, leaseMs: run.settings.delivery.leaseMs },
  });
  run.events.issuesChanged(issueEvents);
  for (const cluster of written) {
    run.events.clusterDecided(cluster, { startedMs: set.startedMs, nowMicros: run.time.nowMicros() });
    for (const { reason } of cluster.decisions) {
      run.tally.decisions[reason] = (run.tally.decisions[reason] ?? 0) + 1;
    }
    run.tally.enqueued += cluster.messages.length;
    if (cluster.renderError !== undefined) run.tally.undeliveredTo.add(cluster.runTarget.target.name);
  }
  const unsent = written.filter(({ hasUnsentRow, renderError }) => hasUnsentRow && renderError === undefined);
  run.events.newReportsUnsent(unsent.length);
  const left = set.clusters.length - written.length;
  run.tally.leftToOthers += left;
  run.events.clustersLeftToOthers(left);
  const stored: ReadonlySet<unknown> = new Set(written);
  const own = clusters.filter((cluster) => stored.has(cluster));
  const sets = [...Map.groupBy(own, ({ runTarget }) => runTarget)].flatMap(([runTarget, ofTarget]): ClaimedSet[] => {
    const claimed = ofTarget.flatMap((cluster) => claimedMessages(cluster, nowMicros));
    return claimed.length === 0 ? [] : [{ runTarget, leaseToken: token, leaseEndsMs, claimed }];
  });
  const waitsLonger = ({ runTarget: { target } }: ClaimedSet) => (target.deliverAll === undefined ? 1 : 0);
  return sets.sort((left, right) => waitsLonger(left) - waitsLonger(right));
}

/** Which messages are due at once, and which of them are claimed with their decision: no more than may be claimed together. */
async function chooseMessages(run: Run, store: RunStore, set: RenderedSet) {
  const dueOf = new Map<RenderedCluster, readonly bigint[]>();
  const claimedOf = new Map<RenderedCluster, ReadonlySet<OutgoingNotification>>();
  const room = new Map<RunTarget, number>();
  for (const [runTarget, clusters] of Map.groupBy(set.clusters, (cluster) => cluster.runTarget)) {
    const { target, policy } = runTarget;
    const count = clusters.reduce((sum, { messages }) => sum + messages.length, 0);
    // Under a cap on the day what goes out is chosen when it is sent.
    const mayClaim =
      count > 0 &&
      isSentAtOnce(run, target, count) &&
      policy.clusterCap === 0 &&
      !run.waitsInLine.has(runTarget) &&
      !run.signal.aborted &&
      (await store.readPause(target.eventTargetId)) === undefined;
    room.set(runTarget, mayClaim ? claimBytesMax : 0);
  }
  for (const cluster of set.clusters) {
    const { runTarget, messages } = cluster;
    if (messages.length === 0) continue;
    const dueMicros = messages.map(() => runTarget.dueMicros());
    const nowMicros = run.time.nowMicros();
    const claimed = messages.filter((message, index) => {
      const left = room.get(runTarget)! - message.body.length;
      if (left < 0 || dueMicros[index]! > nowMicros) return false;
      room.set(runTarget, left);
      return true;
    });
    if (claimed.length < messages.length) run.inLine.add(runTarget);
    dueOf.set(cluster, dueMicros);
    claimedOf.set(cluster, new Set(claimed));
  }
  return {
    dueMicros: (cluster: RenderedCluster) => dueOf.get(cluster) ?? [],
    claimed: (cluster: RenderedCluster) => claimedOf.get(cluster) ?? none,
  };
}

/**
 * A target that takes messages one by one takes a few at the same time: where those of a set are no more, as mostly when following, they
 * hold up the set behind them no longer than one does. A receiver of the operator's own may hang, and nobody waits for it.
 */
function isSentAtOnce({ settings }: Run, target: RunTarget['target'], messages: number): boolean {
  if (target.deliverAll !== undefined) return true;
  return settings.mode === 'follow' && !isReceiver(target.eventTargetId) && messages <= settings.delivery.concurrency;
}

const none: ReadonlySet<OutgoingNotification> = new Set();

/** As `claimMessages` would answer them, had they waited for no time. */
function claimedMessages(
  { report, messages, claimed }: RenderedCluster & { readonly claimed: ReadonlySet<OutgoingNotification> },
  nowMicros: bigint,
): ClaimedMessage[] {
  const { orgId, accountNumber, updatedAt: reportUpdatedAt, requestId } = report;
  return messages
    .filter((message) => claimed.has(message))
    .map((notification) => ({
      ...{ notification, composedHere: true, about: 'issues', orgId, accountNumber, reportUpdatedAt, requestId },
      ...{ decisionId: messages[0]!.id, decidedMicros: nowMicros, firstAttemptMicros: nowMicros, pausedMicros: 0n },
      ...{ attempts: 1, mayHaveArrived: false, runDeadlineMicros: undefined },
      before: neverTried,
    }));
}

const neverTried = { firstAttemptMicros: undefined, lastAttemptMicros: undefined };

/** When the cluster is to be decided again although nothing changed; the earliest of its issues' reasons. */
function nextDue(run: Run, cluster: RenderedCluster, nowMicros: bigint): bigint | null {
  const moments = cluster.decisions
    .map((decision) => decision.nextEligibleMicros)
    .filter((moment): moment is bigint => moment !== null);
  const once = run.settings.mode === 'once';
  if (cluster.renderError?.retryable === true) moments.push(once ? nowMicros : nowMicros + microsOfMs(renderRetryMs));
  // Without a cooldown each one-shot run notifies everything again, as the reference does; following, only a newer report would.
  if (once && cluster.runTarget.policy.cooldownMicros === undefined && cluster.outcome === 'issues')
    moments.push(nowMicros);
  return moments.reduce<bigint | null>((first, moment) => (first === null || moment < first ? moment : first), null);
}
