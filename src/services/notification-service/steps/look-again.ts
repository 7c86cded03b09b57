/**
 * Before a message goes out for the first time each of its issues is decided once more, from the newest report and the settings of now:
 * what waited may no longer be true. The rest is composed anew under the same id and stored before it is sent; from the first attempt that
 * may have arrived the stored bytes are repeated as they are. Handed to the deliver step. Source: records.md, "A message and its id".
 */

import { issueIdentity } from '../../../contracts/issue.ts';
import { moduleOfComponent } from '../../../contracts/rule-content.ts';
import { isReceiver } from '../../../contracts/tables.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { allotDay, mayNotWait, utcDayOf } from '../decide/day-cap.ts';
import { absenceIn, type Decision, decideCluster, isKeptFrom, type LedgerIssue } from '../decide/decide-cluster.ts';
import { decideResolved } from '../decide/decide-resolved.ts';
import { type ReadReport, readReport } from '../decide/read-report.ts';
import { CLUSTER_CAP_CODE } from '../decide/reasons.ts';
import type { DeliveryOutcome } from '../decide/settle-outcome.ts';
import { isInScope } from '../decide/verdicts.ts';
import { inParallel } from '../in-parallel.ts';
import { renderErrorOf, renderRetryMs } from '../limits.ts';
import { rankedIssue } from '../policy.ts';
import type { OutgoingNotification } from '../ports.ts';
import { type LookAgain, type Run, type RunStore, type RunTarget, readSilences } from '../run.ts';
import { ledgerKey } from '../store/ledger.ts';
import type { ClaimedMessage, FirstAttempt, LeftIssue } from '../store/outbox.ts';
import { inSets, type NewestReport, type StoredReport } from '../store/reports.ts';
import { dateOfMicros, microsOfMs, timestampMicros, timestampText } from '../timestamps.ts';

export const lookAgain: LookAgain = async (run, store, runTarget, { claimed, leaseToken }) => {
  /** What is to be sent, as it is stored now, by the message as it was claimed. */
  const ready = new Map<ClaimedMessage, ClaimedMessage>();
  /** Of those that are not sent; a message in neither was taken over by another process. */
  const outcomes = new Map<ClaimedMessage, DeliveryOutcome>();
  const attempts = new Map<ClaimedMessage, FirstAttempt>();
  // Also of what may have arrived: it did at a stand-in, whose place the target has taken since.
  const isKept = ({ notification }: ClaimedMessage) => isKeptFrom(runTarget.target, notification.cluster);
  for (const message of claimed)
    if (isKept(message)) outcomes.set(message, { kind: 'withdrawn', reason: 'simulated-cluster' });
  const waiting = claimed.filter((message) => !message.mayHaveArrived && !isKept(message));
  for (const message of claimed) if (message.mayHaveArrived && !isKept(message)) ready.set(message, message);
  const newest = await store.newestReports(waiting.map(({ notification }) => notification.cluster));
  const silence = await readSilences(run, store, waiting.map(whereOf));
  const stale: ClaimedMessage[] = [];
  const resolved = waiting.filter(({ about }) => about === 'resolved');
  await eachReport(run, store, { messages: resolved, newest }, async (message, situation) => {
    const again = await resolvedAgain(run, runTarget, message, { situation, silence });
    if ('kind' in again) outcomes.set(message, again);
    else attempts.set(message, again);
  });
  for (const message of waiting) {
    if (message.about === 'resolved') continue;
    if (isAsDecided(run, message, { newest, silence })) attempts.set(message, restamped(run, runTarget, message));
    else stale.push(message);
  }
  const notifiedSince = await readNotifiedSince(run, store, runTarget, stale);
  await eachReport(run, store, { messages: stale, newest }, async (message, situation) => {
    const notified = notifiedSince(message);
    const again = await decideAgain(run, store, runTarget, message, { situation, notified, silence });
    if ('kind' in again) outcomes.set(message, again);
    else attempts.set(message, again);
  });
  const { clusterCap } = runTarget.policy;
  const day = utcDayOf(run.time.nowMicros());
  if (clusterCap > 0) {
    // In the order of the queue: among issues of one risk the one that has waited longest goes first.
    const queued = waiting.flatMap((message) => {
      const attempt = attempts.get(message);
      return attempt === undefined ? [] : [[message, attempt] as const];
    });
    const capped = await holdBack(store, runTarget, { attempts: queued, sinceMicros: day.startMicros });
    for (const message of capped.held) {
      attempts.delete(message);
      outcomes.set(message, heldBack(runTarget, day.endMicros));
    }
    await eachReport(run, store, { messages: [...capped.partly.keys()], newest }, async (message, situation) => {
      attempts.delete(message);
      const how = { situation, silence, notified: notifiedSince(message), only: capped.partly.get(message)! };
      const again = await decideAgain(run, store, runTarget, message, how);
      if ('kind' in again) outcomes.set(message, again);
      else attempts.set(message, again);
    });
  }
  const held = await store.storeFirstAttempts({
    eventTargetId: runTarget.target.eventTargetId,
    leaseToken,
    attempts: [...attempts.values()],
    dayCap: clusterCap === 0 ? undefined : { issuesMax: clusterCap, sinceMicros: day.startMicros },
  });
  for (const [message, { message: next, left }] of attempts) {
    if (!held.has(next.notification.id)) continue;
    ready.set(message, next);
    if (left.length > 0) run.events.issuesLeftOut(runTarget.target, next.notification, left);
  }
  return { ready, outcomes };
};

/** Messages of which nothing goes out today, and of the others that do not go out whole the issues that do. */
async function holdBack(
  store: RunStore,
  { target: { eventTargetId }, policy }: RunTarget,
  due: {
    readonly attempts: readonly (readonly [ClaimedMessage, FirstAttempt])[];
    readonly sinceMicros: bigint;
  },
) {
  const held: ClaimedMessage[] = [];
  const partly = new Map<ClaimedMessage, ReadonlySet<string>>();
  // What is tried once more was counted on the day when it was tried first.
  const fresh = due.attempts.filter(
    ([{ before, about }]) => before.firstAttemptMicros === undefined && about === 'issues',
  );
  const ofClusters = Map.groupBy(fresh, ([message]) => message.notification.cluster);
  const clusters = [...ofClusters.keys()];
  const notified = await store.readNotifiedIssues({ eventTargetId, clusters, sinceMicros: due.sinceMicros });
  for (const [cluster, messages] of ofClusters) {
    // Several messages may be about one issue, where a person asked for each of them again.
    const placeOf = (id: string, identity: string) => `${id} ${identity}`;
    const issues = messages.flatMap(
      ([
        ,
        {
          message: { notification },
        },
      ]) =>
        notification.issues.map((issue) => {
          const { identity, totalRisk } = rankedIssue(policy, issue);
          return { identity: placeOf(notification.id, identity), totalRisk };
        }),
    );
    const allowed = allotDay(issues, policy.clusterCap - (notified.get(cluster) ?? 0));
    for (const [
      claimed,
      {
        message: { notification },
      },
    ] of messages) {
      const identities = notification.issues.map(issueIdentity);
      const out = identities.filter((identity) => allowed.has(placeOf(notification.id, identity)));
      if (out.length === 0) held.push(claimed);
      else if (out.length < identities.length) partly.set(claimed, new Set(out));
    }
  }
  return { held, partly };
}

function heldBack({ policy }: RunTarget, dueMicros: bigint): DeliveryOutcome {
  const error = new CcxError(`its cluster has had its ${policy.clusterCap} issues of this day`, {
    code: CLUSTER_CAP_CODE,
    category: 'limit',
    hint: `it goes out on the next day, UTC; ${policy.section}.cluster_cap says how many may`,
  });
  return { kind: 'held-back', error, dueMicros };
}

type Silences = Awaited<ReturnType<typeof readSilences>>;

function whereOf({ orgId, notification: { cluster } }: ClaimedMessage): { orgId: number; cluster: string } {
  return { orgId, cluster };
}

/** Decided in this run, from the report that still is the newest: only rules that were disabled since can say otherwise. */
function isAsDecided(
  run: Run,
  message: ClaimedMessage,
  { newest, silence }: { readonly newest: ReadonlyMap<string, NewestReport>; readonly silence: Silences },
): boolean {
  const { orgId, reportUpdatedAt, notification } = message;
  const key = newest.get(notification.cluster);
  if (
    message.decidedMicros < run.startedMicros ||
    key?.orgId !== orgId ||
    key.updatedAt !== reportUpdatedAt ||
    key.retired
  )
    return false;
  return notification.issues.every((issue) => silence(whereOf(message), issue) === undefined);
}

/** When an issue was notified by somebody else's `sent` row that counts, by its identity. */
type NotifiedIssues = ReadonlyMap<string, bigint>;

const nobodyNotified: NotifiedIssues = new Map();

/**
 * What others notified while the messages waited, as the reference, which somebody may have gone back to, would read it: rows that the
 * ledger has imported meanwhile, and rows that no decision has seen yet.
 */
async function readNotifiedSince(
  run: Run,
  store: RunStore,
  { target, policy: { cooldownMicros } }: RunTarget,
  messages: readonly ClaimedMessage[],
): Promise<(message: ClaimedMessage) => NotifiedIssues> {
  const isAlone = isReceiver(target.eventTargetId);
  if (cooldownMicros === undefined || messages.length === 0 || isAlone) return () => nobodyNotified;
  const { eventTargetId } = target;
  const since = timestampText(run.time.nowMicros() - cooldownMicros);
  const wanted = messages.map(({ orgId, notification: { id, cluster } }) => ({
    ...{ id, eventTargetId, orgId, cluster, since },
  }));
  const clusters = new Map(wanted.map((one) => [ledgerKey(one), one]));
  const imported = Map.groupBy(await store.readImported(wanted), ({ messageId }) => messageId);
  const unseen = Map.groupBy(await store.readUnseenSentRows([...clusters.values()]), ledgerKey);
  return ({ orgId, notification: { id, cluster } }) => {
    const notified = new Map<string, bigint>();
    for (const issue of imported.get(id) ?? []) notified.set(issueIdentity(issue), timestampMicros(issue.notifiedAt));
    // The newest comes last.
    for (const { report, notifiedAt } of (
      unseen.get(ledgerKey({ eventTargetId, orgId, cluster })) ?? []
    ).toReversed()) {
      const read = readReport(report ?? undefined);
      if (read.kind !== 'read') continue;
      for (const issue of read.issues) notified.set(issueIdentity(issue), timestampMicros(notifiedAt));
    }
    return notified;
  };
}

/** What the newest report of a message's cluster says. */
type Situation =
  | { readonly kind: 'report-removed' | 'cluster-moved' }
  | { readonly kind: 'report'; readonly report: StoredReport; readonly read: ReadReport };
type Reported = Extract<Situation, { readonly kind: 'report' }>;

/** What others did since it was decided. */
interface Since {
  readonly notified: NotifiedIssues;
  readonly silence: Silences;
}

/** Sees to it that no more reports are in memory than a set holds. */
async function eachReport(
  run: Run,
  store: RunStore,
  what: { readonly messages: readonly ClaimedMessage[]; readonly newest: ReadonlyMap<string, NewestReport> },
  work: (message: ClaimedMessage, situation: Situation) => Promise<void>,
): Promise<void> {
  const { concurrency } = run.settings.delivery;
  const newestOf = ({ notification }: ClaimedMessage) => what.newest.get(notification.cluster);
  const moved = what.messages.filter((message) => newestOf(message)?.orgId !== message.orgId);
  await inParallel(moved, concurrency, (message) =>
    work(message, { kind: newestOf(message) === undefined ? 'report-removed' : 'cluster-moved' }),
  );
  const here = what.messages.filter((message) => newestOf(message)?.orgId === message.orgId);
  const messagesOf = Map.groupBy(here, ({ notification }) => notification.cluster);
  const keys = [...messagesOf.keys()].map((cluster) => what.newest.get(cluster)!);
  for (const set of inSets(keys)) {
    const reports = new Map((await store.readReports(set)).map((report) => [report.cluster, report]));
    for (const { cluster } of set) {
      const report = reports.get(cluster);
      const situation: Situation =
        report === undefined ? { kind: 'report-removed' } : { kind: 'report', report, read: readReport(report.text) };
      await inParallel(messagesOf.get(cluster)!, concurrency, (message) => work(message, situation));
    }
  }
}

async function decideAgain(
  run: Run,
  store: RunStore,
  runTarget: RunTarget,
  message: ClaimedMessage,
  {
    situation,
    only,
    ...since
  }: Since & {
    readonly situation: Situation;
    /** Identities of those that may go out today; absent: all. */
    readonly only?: ReadonlySet<string>;
  },
): Promise<FirstAttempt | DeliveryOutcome> {
  if (situation.kind !== 'report') return { kind: 'withdrawn', reason: situation.kind };
  const { report, read } = situation;
  const decisions = (await decisionsAbout(run, store, runTarget, message, { ...situation, ...since })).map(
    (decision): Decision =>
      !decision.notify || only?.has(issueIdentity(decision.issue)) !== false
        ? decision
        : { ...decision, notify: false, reason: 'cluster-cap' },
  );
  const standing = decisions.filter(({ notify }) => notify);
  const left = decisions.flatMap(({ notify, issue, reason }): LeftIssue[] => (notify ? [] : [{ issue, reason }]));
  if (standing.length === 0) {
    return { kind: 'withdrawn', reason: [...new Set(left.map(({ reason }) => reason))].join(', '), left };
  }
  // Without the details of all that is left there is nothing newer to say than what was composed.
  if (left.length === 0 && standing.some(({ position }) => position === undefined)) {
    return restamped(run, runTarget, message);
  }
  const source = read.kind === 'read' ? report : { ...report, text: undefined, updatedAt: message.reportUpdatedAt };
  return await composedAnew(run, runTarget, { message, report: source, decisions, left });
}

/** Composed at its first attempt; tried once more it only gets a new time, where its target writes one. */
async function resolvedAgain(
  run: Run,
  runTarget: RunTarget,
  message: ClaimedMessage,
  { situation, silence }: { readonly situation: Situation; readonly silence: Silences },
): Promise<FirstAttempt | DeliveryOutcome> {
  if (situation.kind !== 'report') return { kind: 'withdrawn', reason: situation.kind };
  const { target, policy } = runTarget;
  const { orgId, notification } = message;
  const { cluster, id } = notification;
  const issue = notification.issues[0]!;
  const { read } = situation;
  const verdict = policy.verdicts.of(issue.component, issue.errorKey);
  const reason = decideResolved({
    isBack: read.kind === 'read' && read.issues.some((held) => issueIdentity(held) === issueIdentity(issue)),
    allowed: run.isClusterAllowed(cluster) && isInScope(policy.scope, { orgId, cluster }),
    disabled: silence({ orgId, cluster }, issue)?.reason,
    verdict,
  });
  if (reason !== undefined || verdict.kind !== 'pass' || target.composeResolved === undefined)
    return { kind: 'withdrawn', reason: reason ?? 'not-composable' };
  if (notification.body !== '') return restamped(run, runTarget, message);
  const { rule, content } = verdict;
  const { firstAttemptMicros, now } = firstAttemptOf(run, message);
  const composed = await target.composeResolved(
    { ...issue, cluster, rule, content, reports: run.settings.issues.resolvedAfter },
    { now, uuid: () => id },
  );
  return {
    message: { ...message, notification: composed, composedHere: true, firstAttemptMicros },
    left: [],
    mayWait: false,
  };
}

/** The decision of the decide step over the issues of one message, as if none of them had been notified but by somebody else since. */
async function decisionsAbout(
  run: Run,
  store: RunStore,
  { target, policy }: RunTarget,
  { orgId, notification }: ClaimedMessage,
  { report, read, notified, silence }: Reported & Since,
): Promise<readonly Decision[]> {
  const { cluster, issues } = notification;
  const own = new Set(issues.map(issueIdentity));
  const held = read.kind === 'read' ? read.issues.filter((issue) => own.has(issueIdentity(issue))) : [];
  const heldKeys = new Set(held.map(issueIdentity));
  const rest = issues
    .filter((issue) => !heldKeys.has(issueIdentity(issue)))
    .map((issue) => ({ ...issue, module: moduleOfComponent(issue.component) }));
  // A report that cannot be read says nothing of any issue, and another one nothing of those whose rule did not run over it.
  const unknown = rest.filter(({ module }) => read.kind === 'unreadable' || report.didNotRun.has(module));
  const { catalogue } = report;
  const isRemoved = await store.readRemovedRules(rest.map(({ module }) => ({ catalogue, module })));
  const decisions = decideCluster({
    reportIssues: [...held, ...unknown.map(({ module, ...issue }) => ({ ...issue, position: unknownPosition }))],
    absence: absenceIn(new Set(), (module) => isRemoved({ catalogue, module })),
    ledger: issues.map((issue): LedgerIssue => {
      const clockMicros = notified.get(issueIdentity(issue)) ?? null;
      const recorded = clockMicros !== null;
      return { ...issue, state: recorded ? 'notified' : 'open', clockMicros, recorded, closed: false };
    }),
    allowed: run.isClusterAllowed(cluster),
    retired: report.retired,
    keptFromTarget: isKeptFrom(target, cluster),
    hasRecipient: target.hasRecipient({ orgId, accountNumber: report.accountNumber, cluster }),
    inScope: isInScope(policy.scope, { orgId, cluster }),
    silence: (issue) => silence({ orgId, cluster }, issue),
    verdict: (issue) => policy.verdicts.of(issue.component, issue.errorKey),
    cooldownMicros: policy.cooldownMicros,
    nowMicros: run.time.nowMicros(),
  });
  return decisions.map((decision) =>
    decision.position === unknownPosition ? { ...decision, position: undefined } : decision,
  );
}

/** Of an issue that is taken to be as it was, because the report says nothing of it. */
const unknownPosition = -1;

function restamped(run: Run, { target, policy }: RunTarget, message: ClaimedMessage): FirstAttempt {
  const { firstAttemptMicros, now } = firstAttemptOf(run, message);
  let { notification, composedHere } = message;
  try {
    notification = target.reissue(notification, { now, uuid: () => message.notification.id });
    composedHere = true;
  } catch {
    // Written by another version, or by hand: the target judges it when it is sent.
  }
  return {
    message: { ...message, notification, composedHere, firstAttemptMicros },
    left: [],
    mayWait: mayWait(policy, notification),
  };
}

async function composedAnew(
  run: Run,
  runTarget: RunTarget,
  what: {
    readonly message: ClaimedMessage;
    readonly report: StoredReport;
    readonly decisions: readonly Decision[];
    readonly left: readonly LeftIssue[];
  },
): Promise<FirstAttempt | DeliveryOutcome> {
  const { message, report } = what;
  const { firstAttemptMicros, now } = firstAttemptOf(run, message);
  const ids = [message.notification.id];
  let composed: readonly OutgoingNotification[];
  try {
    const due = runTarget.dueCluster(what.report, what.decisions);
    composed = await runTarget.target.compose(due, { now, uuid: () => ids.pop() ?? run.clock.uuid() });
  } catch (error) {
    return unrendered(run, runTarget, message, error);
  }
  const [notification] = composed;
  if (notification === undefined) return unrendered(run, runTarget, message, undefined);
  // What no longer fits into one message is decided anew, and gets messages of its own.
  const notified = new Set(notification.issues.map(issueIdentity));
  const rest = what.decisions.filter(({ notify, issue }) => notify && !notified.has(issueIdentity(issue)));
  const left = [...what.left, ...rest.map(({ issue }) => ({ issue, reason: 'render-failed' }))];
  return {
    message: {
      ...{ ...message, notification, composedHere: true, firstAttemptMicros },
      reportUpdatedAt: report.updatedAt,
      accountNumber: report.accountNumber,
    },
    left,
    mayWait: mayWait(runTarget.policy, notification),
  };
}

function mayWait(policy: RunTarget['policy'], { issues }: Pick<OutgoingNotification, 'issues'>): boolean {
  return issues.some((issue) => !mayNotWait(rankedIssue(policy, issue)));
}

function firstAttemptOf(run: Run, { firstAttemptMicros }: ClaimedMessage): { firstAttemptMicros: bigint; now: Date } {
  const micros = firstAttemptMicros ?? run.time.nowMicros();
  return { firstAttemptMicros: micros, now: dateOfMicros(micros) };
}

function unrendered(run: Run, { target }: RunTarget, message: ClaimedMessage, cause: unknown): DeliveryOutcome {
  const error = renderErrorOf(cause);
  run.events.renderFailed({ target: target.name, cluster: message.notification.cluster }, error);
  // Not tried again: what the report holds stays what it is. The issues are decided again, and say why they are not notified.
  if (!error.retryable) return { kind: 'withdrawn', reason: 'not-composable' };
  return { kind: 'unrendered', error, nextAttemptMicros: run.time.nowMicros() + microsOfMs(renderRetryMs) };
}
