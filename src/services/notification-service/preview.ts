/**
 * What the next run would do, without doing it: every issue of every newest report with its reason, and the bytes that would go out. Read
 * in one transaction that can only read, at one moment, by the steps of a run; so it may be asked with other thresholds, filters and
 * cooldowns than those in force. Called by `ccx notifier --dry-run`, by the drop-in program's `-dry-run` and through the service.
 */

import type { Acknowledgement } from '../../contracts/acknowledgement.ts';
import { type Issue, issueIdentity } from '../../contracts/issue.ts';
import type { TargetName } from '../../contracts/tables.ts';
import { errorText } from '../../encoding/ccx-error.ts';
import type { Database } from '../../platform/database/database.ts';
import type { RecordedIssueEvent } from '../../platform/records/issue-events.ts';
import { Registry } from '../../platform/telemetry/prometheus.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import {
  beginRun,
  checkNotificationSchema,
  type NotificationServiceDependencies,
  prepareTargets,
  readBeginning,
  requireTarget,
  type ServiceState,
  serviceState,
  withReceivers,
} from './begin-run.ts';
import type { NotificationServiceSettings, TargetPolicySettings } from './config.ts';
import type { Decision, LedgerIssue } from './decide/decide-cluster.ts';
import type { Reason } from './decide/reasons.ts';
import type { DeliveryOutcome } from './decide/settle-outcome.ts';
import { createMetrics } from './metrics.ts';
import { compilePolicy } from './policy.ts';
import type { OutgoingNotification } from './ports.ts';
import {
  type DecidedCluster,
  type LoadedReport,
  longestOf,
  type RenderedCluster,
  type Run,
  type RunStore,
  type RunTarget,
} from './run.ts';
import { withSnapshot } from './snapshot.ts';
import { decideIssues, isDue } from './steps/decide-issues.ts';
import { expiry } from './steps/deliver-notifications.ts';
import { lookAgain } from './steps/look-again.ts';
import { renderNotifications } from './steps/render-notifications.ts';
import { decidedSpans } from './store/decisions.ts';
import { ledgerKey } from './store/ledger.ts';
import type { ClaimedMessage, UnfinishedMessage } from './store/outbox.ts';
import { type DueKey, inSets } from './store/reports.ts';
import type { ResolvedIssue } from './store/resolved.ts';
import { foreseeNumbers } from './store/targets.ts';
import { createEvents } from './telemetry.ts';
import { dateOfMicros, serverMicros, type TimeSource, timestampText } from './timestamps.ts';

/** Waiting messages looked at together. */
const waitingMessagesMax = 200;

export interface PreviewRequest {
  /** Undefined: all. */
  readonly clusters?: readonly string[] | undefined;
  /** In place of what is in force. */
  readonly policies?: Partial<Readonly<Record<TargetName, Partial<TargetPolicySettings>>>>;
}

interface PreviewedIssue extends Issue {
  readonly notify: boolean;
  readonly reason: Reason;
  /** 1 to 4; undefined where its target's filters do not let it pass. */
  readonly totalRisk: number | undefined;
  /** UTC, as PostgreSQL writes it: when the passing of time alone would change the answer. */
  readonly nextEligibleAt: string | undefined;
  /** What silences it. */
  readonly acknowledgement: Acknowledgement | undefined;
}

interface PreviewedMessage extends Omit<OutgoingNotification, 'target' | 'cluster'> {
  /** UTC, as PostgreSQL writes it: before then it is not sent. */
  readonly dueAt: string;
  /** Why it would not be sent as it is now; undefined: it would. */
  readonly notSent: string | undefined;
}

interface ClusterPreview {
  readonly kind: 'cluster';
  readonly target: TargetName;
  readonly orgId: number;
  readonly cluster: string;
  readonly reportUpdatedAt: string;
  /** Why its report cannot be read, or what is due cannot be put into words. */
  readonly error: string | undefined;
  readonly issues: readonly PreviewedIssue[];
  /** Under ids and with the time of this preview: both are given out when a run decides. */
  readonly messages: readonly PreviewedMessage[];
}

interface MessagePreview extends PreviewedMessage {
  /** `waits`: decided before. `again`: a person asked for it. `resolved`: says that an issue is. */
  readonly kind: 'waits' | 'again' | 'resolved';
  readonly target: TargetName;
  readonly cluster: string;
}

export type Previewed = ClusterPreview | MessagePreview;

export interface PreviewSummary {
  /** UTC, as PostgreSQL writes it: the moment that all of it is about. */
  readonly at: string;
  readonly targets: readonly {
    readonly target: TargetName;
    /** UTC; nothing is sent before then. */
    readonly pausedUntil: string | undefined;
    readonly clusters: number;
    /** Issues by reason. */
    readonly reasons: Readonly<Record<string, number>>;
    /** New messages, those that wait, and those that a person asked for, as far as they would be sent. */
    readonly messages: { readonly new: number; readonly waiting: number; readonly again: number };
  }[];
}

/**
 * Calls `show` for each cluster and target, and for each message that waits already; the summary comes at the end. Rejects with the codes
 * of a run, and with `NOTIFIER_OLD_TABLE`.
 */
export async function previewRun(
  state: ServiceState,
  request: PreviewRequest,
  show: (previewed: Previewed) => Promise<void> | void,
): Promise<PreviewSummary> {
  await state.disabledRules.get();
  const content = await state.content.get();
  return await withSnapshot(state.database, async (database) => {
    const nowMicros = await momentOf(state, database);
    const frozen = frozenState(state, request, { database, nowMicros });
    const { beginning } = await readBeginning(frozen);
    const targets = await prepareTargets(frozen, { content, beginning });
    const { run, store: bound } = await beginRun(frozen, { content, targets, beginning, recent: undefined });
    const summaries = new Map(targets.map((one) => [one, emptySummary()]));
    const again = await wantedAgain(run, bound, request);
    const longest = longestOf(targets);
    const removedSince = longest === undefined ? undefined : timestampText(nowMicros - longest);
    const store = asTheRunWouldFind(bound, again, removedSince);
    const looked = new Set<string>();
    const tell = async (runTarget: RunTarget, previewed: Previewed) => {
      count(summaries.get(runTarget)!, previewed);
      if (previewed.kind === 'again') looked.add(previewed.id);
      await show(previewed);
    };
    for await (const reports of loadAll(run, store, request)) {
      const { clusters, resolved } = await decideAndRender(run, store, reports);
      for (const [runTarget, rendered] of Map.groupBy(clusters, (cluster) => cluster.runTarget)) {
        const of = rendered.map(({ report }) => report.cluster);
        const others = again.filter(
          (one) => one.runTarget === runTarget && of.includes(one.message.notification.cluster),
        );
        for await (const page of waiting(store, runTarget, { which: 'waiting', clusters: of })) others.push(...page);
        others.push(...resolved.filter((one) => one.runTarget === runTarget));
        for (const previewed of await lookAtAll(run, store, runTarget, { rendered, others }))
          await tell(runTarget, previewed);
      }
    }
    // Of clusters whose report is gone.
    for (const runTarget of run.signal.aborted ? [] : targets) {
      const rest = again.filter((one) => one.runTarget === runTarget && !looked.has(one.message.notification.id));
      for (const previewed of await lookAtAll(run, store, runTarget, { rendered: [], others: rest }))
        await tell(runTarget, previewed);
      const { clusters } = request;
      for await (const others of waiting(store, runTarget, { which: 'of no report', clusters })) {
        if (run.signal.aborted) break;
        for (const previewed of await lookAtAll(run, store, runTarget, { rendered: [], others }))
          await tell(runTarget, previewed);
      }
    }
    return {
      at: timestampText(nowMicros),
      targets: await Promise.all(
        targets.map(async (runTarget) => {
          const pause = await store.readPause(runTarget.target.eventTargetId);
          const pausedUntil = pause === undefined ? undefined : timestampText(pause.untilMicros);
          return { target: runTarget.target.name, pausedUntil, ...summaries.get(runTarget)! };
        }),
      ),
    };
  });
}

/**
 * What a run would do now, without a service and without changing anything; no target is asked for anything. Rejects with the codes of
 * `startNotificationService` and of a run.
 */
export async function previewNotifications(
  settings: NotificationServiceSettings,
  dependencies: NotificationServiceDependencies,
  request: PreviewRequest & { readonly signal: AbortSignal },
  show: (previewed: Previewed) => Promise<void> | void,
): Promise<PreviewSummary> {
  const { telemetry, clock, database, receivers = [] } = dependencies;
  const events = createEvents({ telemetry, clock, metrics: createMetrics(telemetry.registry, settings.metrics) });
  requireTarget(dependencies, events);
  const platform = serviceState(settings, dependencies, { events, signal: request.signal });
  await database.check();
  await checkNotificationSchema(database);
  const names = receivers.map(({ target }) => target.name);
  const state = withReceivers(platform, receivers, await foreseeNumbers(database, names));
  return await previewRun(state, request, show);
}

async function momentOf({ settings, clock }: ServiceState, database: Database): Promise<bigint> {
  return settings.timeSource === 'clock' ? clock.nowMicros() : await serverMicros(database);
}

/** The service as it is, at one moment, and without a voice: what a preview does is in no log and no metric. */
function frozenState(
  state: ServiceState,
  { policies }: PreviewRequest,
  { database, nowMicros }: { readonly database: Database; readonly nowMicros: bigint },
): ServiceState {
  const { clock, settings } = state;
  const time: TimeSource = {
    nowMicros: () => nowMicros,
    now: () => dateOfMicros(nowMicros),
    async synchronize(ask) {
      await ask();
      return 0n;
    },
  };
  const telemetry = createSilentTelemetry();
  return {
    ...state,
    ...{ database, time },
    store: { database, clock, nowMicros: time.nowMicros },
    events: createEvents({ telemetry, clock, metrics: createMetrics(new Registry(), settings.metrics) }),
    targets: state.targets.map((one) => {
      const changes = policies?.[one.target.name];
      if (changes === undefined) return one;
      const { filter: _, ...policy } = one.policy;
      return { ...one, policy: compilePolicy({ ...policy, ...changes }) };
    }),
  };
}

/**
 * A run notices rows that somebody removed, as far back as a cooldown reaches, and takes up wishes, before it decides; a preview reads the
 * ledger as if that were done.
 */
function asTheRunWouldFind(store: RunStore, wanted: readonly Unsent[], removedSince: string | undefined): RunStore {
  const again = new Set(
    wanted.flatMap(({ runTarget: { target }, message: { notification } }) =>
      notification.issues.map((issue) => `${target.eventTargetId}/${notification.cluster}/${issueIdentity(issue)}`),
    ),
  );
  return {
    ...store,
    async readLedger(wanted) {
      const ledger = await store.readLedger(wanted);
      const gone = removedSince === undefined ? [] : await store.readRemovedIssues(wanted, removedSince);
      const removed = new Set(gone.map((issue) => `${ledgerKey(issue)}/${issueIdentity(issue)}`));
      const found = new Map<string, LedgerIssue[]>();
      for (const [key, issues] of ledger) {
        const [eventTargetId, , cluster] = key.split('/');
        found.set(
          key,
          issues.map((issue) => {
            if (again.has(`${eventTargetId}/${cluster}/${issueIdentity(issue)}`)) return { ...issue, state: 'pending' };
            if (!removed.has(`${key}/${issueIdentity(issue)}`)) return issue;
            return { ...issue, state: issue.state === 'notified' ? 'removed' : issue.state, recorded: false };
          }),
        );
      }
      return found;
    },
    // What is looked at again is sent by nobody here.
    storeFirstAttempts: async ({ attempts }) => new Set(attempts.map(({ message }) => message.notification.id)),
  };
}

async function* loadAll(run: Run, store: RunStore, { clusters }: PreviewRequest): AsyncGenerator<LoadedReport[]> {
  const sets = clusters === undefined ? store.everyReport() : setsOf(await store.newestReports(clusters));
  for await (const keys of sets) {
    if (run.signal.aborted) return;
    yield (await store.readReports(keys)).map((report) => ({ ...report, dueFor: run.targets }));
  }
}

function setsOf(newest: ReadonlyMap<string, DueKey>): Iterable<readonly DueKey[]> {
  return inSets([...newest.values()]);
}

async function decideAndRender(
  run: Run,
  store: RunStore,
  reports: readonly LoadedReport[],
): Promise<{ readonly clusters: readonly RenderedCluster[]; readonly resolved: readonly Unsent[] }> {
  const decided = await decideIssues(run, store, { reports, startedMs: run.clock.monotonicMs() });
  const clusters = decided.clusters.map((cluster) => {
    const { runTarget, report } = cluster;
    const repeats = run.settings.mode === 'once' || isDue(report, runTarget, run.startedMicros);
    if (repeats || runTarget.policy.cooldownMicros !== undefined) return cluster;
    return { ...cluster, decisions: cluster.decisions.map(untilItsNextReport) };
  });
  const rendered = await renderNotifications(run, { ...decided, clusters });
  const previous = new Map(reports.map((report) => [`${report.orgId}/${report.cluster}`, report.issuesReportAt]));
  const compared = await store.compareIssues(
    decided.tracked.map((report) => ({
      ...report,
      previousReportAt: previous.get(`${report.orgId}/${report.cluster}`),
    })),
    run.settings.issues.resolvedAfter,
  );
  const events = compared.flatMap((report) => report.events);
  return { clusters: rendered.clusters, resolved: await newlyResolved(run, store, { events, clusters }) };
}

/** The messages that the run would make of what these reports resolve, or did for a process that has other targets. */
async function newlyResolved(
  run: Run,
  store: RunStore,
  {
    events,
    clusters,
  }: { readonly events: readonly RecordedIssueEvent[]; readonly clusters: readonly DecidedCluster[] },
): Promise<Unsent[]> {
  const wanting = run.targets.filter(({ policy }) => policy.sendResolved);
  const before = await store.readResolvedIssues(decidedSpans(clusters));
  const found: Unsent[] = [];
  for (const runTarget of wanting) {
    const { name, eventTargetId } = runTarget.target;
    const resolved = events.flatMap(({ event, issue, orgId, cluster }): ResolvedIssue[] =>
      event === 'resolved' && issue !== undefined ? [{ eventTargetId, orgId, cluster, ...issue }] : [],
    );
    resolved.push(...before.filter((one) => one.eventTargetId === eventTargetId));
    for (const told of await store.readToldResolved(resolved)) {
      const { orgId, cluster, type, component, errorKey } = told;
      const issues = [{ type, component, errorKey }];
      const notification = { id: run.clock.uuid(), target: name, cluster, issues, headers: {}, body: '' };
      const report = { orgId, accountNumber: 0, updatedAt: timestampText(run.startedMicros), requestId: undefined };
      const message = { ...asClaimed(run, report, notification), about: 'resolved' as const };
      found.push({ kind: 'resolved', runTarget, message, dueMicros: run.startedMicros, error: undefined });
    }
  }
  return found;
}

/**
 * Without a cooldown a report is notified of once, however often a service that follows looks at it. It looks at it for the end of an
 * acknowledgement.
 */
function untilItsNextReport(decision: Decision): Decision {
  if (!decision.notify || !decision.seenBefore || decision.reason === 'acknowledgement-over') return decision;
  if (decision.reason === 'new') return decision;
  return { ...decision, notify: false, reason: 'already-notified' };
}

/** A message that is about no decision of this run. */
interface Unsent {
  readonly kind: MessagePreview['kind'];
  readonly runTarget: RunTarget;
  readonly message: ClaimedMessage;
  /** Undefined: another process is sending it now. */
  readonly dueMicros: bigint | undefined;
  /** Why it cannot be sent again. */
  readonly error: string | undefined;
}

async function* waiting(
  store: RunStore,
  runTarget: RunTarget,
  wanted: Wanted & { readonly which: 'waiting' | 'of no report' },
): AsyncGenerator<Unsent[]> {
  for await (const page of pagesOfUnfinished(store, runTarget, wanted)) {
    yield page.map(({ message, dueMicros }) => ({ kind: 'waits', runTarget, message, dueMicros, error: undefined }));
  }
}

/** What a person asked to be tried again, under the id and with the time of this preview. */
async function wantedAgain(run: Run, store: RunStore, { clusters }: PreviewRequest): Promise<Unsent[]> {
  const found: Unsent[] = [];
  for (const runTarget of run.targets) {
    const context = { now: run.time.now(), uuid: () => run.clock.uuid() };
    const pages = pagesOfUnfinished(store, runTarget, { which: 'wanted again', clusters });
    const messages: UnfinishedMessage[] = [];
    for await (const page of pages) messages.push(...page);
    for (const { message } of messages) {
      const fresh = { mayHaveArrived: false, firstAttemptMicros: undefined, decidedMicros: run.startedMicros };
      const before = { firstAttemptMicros: undefined, lastAttemptMicros: undefined };
      let { notification } = message;
      let error: string | undefined;
      try {
        notification = runTarget.target.reissue(notification, context);
      } catch (cause) {
        error = errorText(cause);
      }
      const again = { ...message, ...fresh, before, notification };
      found.push({ kind: 'again', runTarget, message: again, dueMicros: run.startedMicros, error });
    }
  }
  return found;
}

type Wanted = Pick<Parameters<RunStore['readUnfinished']>[0], 'which' | 'clusters'>;

async function* pagesOfUnfinished(
  store: RunStore,
  { target }: RunTarget,
  wanted: Wanted,
): AsyncGenerator<readonly UnfinishedMessage[]> {
  for (let after: { readonly cluster: string; readonly id: string } | undefined; ; ) {
    const page = await store.readUnfinished({ ...wanted, target, after, rowsMax: waitingMessagesMax });
    yield page;
    after = page.at(-1)?.message.notification;
    if (page.length < waitingMessagesMax) return;
  }
}

/** What is due now is looked at together, as right before it is sent: a cap on the day is shared. */
async function lookAtAll(
  run: Run,
  store: RunStore,
  runTarget: RunTarget,
  { rendered, others }: { readonly rendered: readonly RenderedCluster[]; readonly others: readonly Unsent[] },
): Promise<Previewed[]> {
  const nowMicros = run.time.nowMicros();
  const clusters = rendered.map((cluster) => ({
    cluster,
    messages: cluster.messages.map((notification) => ({
      ...{ message: asClaimed(run, cluster.report, notification), dueMicros: later(runTarget.dueMicros(), nowMicros) },
    })),
  }));
  const known = others.filter(({ dueMicros, error }) => dueMicros !== undefined && error === undefined);
  const isDue = ({ dueMicros }: { readonly dueMicros: bigint | undefined }) => dueMicros! <= nowMicros;
  // In the order of the queue, in which what was decided before comes first.
  const due = [...known, ...clusters.flatMap(({ messages }) => messages)]
    .filter(isDue)
    .toSorted((left, right) => Number(left.dueMicros! - right.dueMicros!));
  const leaseToken = run.clock.uuid();
  const now = await lookAgain(run, store, runTarget, { claimed: due.map(({ message }) => message), leaseToken });
  const uncapped = { ...runTarget, policy: { ...runTarget.policy, clusterCap: 0 } };
  const claimed = known.filter((one) => !isDue(one)).map(({ message }) => message);
  const then = await lookAgain(run, store, uncapped, { claimed, leaseToken });
  const outcomeOf = (message: ClaimedMessage) => {
    const ready = now.ready.get(message) ?? then.ready.get(message);
    const settled = now.outcomes.get(message) ?? then.outcomes.get(message);
    return { ready, outcome: settled ?? (ready === undefined ? undefined : expiry(run, runTarget, ready)) };
  };
  return [
    ...clusters.map(({ cluster, messages }) => {
      const previewed = messages.map(({ message, dueMicros }) => {
        const { ready, outcome } = outcomeOf(message);
        const heldMicros = outcome?.kind === 'held-back' ? outcome.dueMicros : dueMicros;
        return { ...shown((ready ?? message).notification, heldMicros), notSent: notSent(outcome) };
      });
      return clusterOf(cluster, previewed);
    }),
    ...others.map(({ kind, message, dueMicros, error }) => {
      const { ready, outcome } = outcomeOf(message);
      const { notification } = ready ?? message;
      const heldMicros = outcome?.kind === 'held-back' ? outcome.dueMicros : later(dueMicros ?? 0n, nowMicros);
      const elsewhere = dueMicros === undefined ? 'another process is sending it now' : undefined;
      return {
        ...{ kind, target: runTarget.target.name, cluster: notification.cluster },
        ...{ ...shown(notification, heldMicros), notSent: error ?? elsewhere ?? notSent(outcome) },
      };
    }),
  ];
}

/** As it would be claimed by the run that has just decided it. */
function asClaimed(
  run: Run,
  report: Pick<LoadedReport, 'orgId' | 'accountNumber' | 'updatedAt' | 'requestId'>,
  notification: OutgoingNotification,
): ClaimedMessage {
  const { orgId, accountNumber, updatedAt: reportUpdatedAt, requestId } = report;
  return {
    ...{ notification, composedHere: true, about: 'issues', orgId, accountNumber, reportUpdatedAt, requestId },
    ...{ decisionId: run.id, decidedMicros: run.startedMicros, attempts: 1, mayHaveArrived: false, pausedMicros: 0n },
    ...{ firstAttemptMicros: undefined, runDeadlineMicros: undefined },
    before: { firstAttemptMicros: undefined, lastAttemptMicros: undefined },
  };
}

function clusterOf(cluster: RenderedCluster, messages: readonly PreviewedMessage[]): ClusterPreview {
  const { runTarget, report, decisions, unreadable, renderError } = cluster;
  const error = unreadable ?? renderError;
  // Decided in this run, a message is kept from going out by nothing else.
  const today = new Set(
    messages.filter(({ notSent }) => notSent === undefined).flatMap(({ issues }) => issues.map(issueIdentity)),
  );
  return {
    kind: 'cluster',
    target: runTarget.target.name,
    ...{ orgId: report.orgId, cluster: report.cluster, reportUpdatedAt: report.updatedAt },
    error: error === undefined ? undefined : `${error.code}: ${errorText(error)}`,
    issues: decisions.map(({ issue, notify, reason, notificationId, nextEligibleMicros, acknowledgement }) => {
      const verdict = runTarget.policy.verdicts.of(issue.component, issue.errorKey);
      const isDue = notify && notificationId !== undefined;
      const waits = isDue && !today.has(issueIdentity(issue));
      return {
        ...issue,
        notify: isDue && !waits,
        reason: waits ? 'cluster-cap' : reason,
        totalRisk: verdict.kind === 'pass' ? verdict.totalRisk : undefined,
        nextEligibleAt: nextEligibleMicros === null ? undefined : timestampText(nextEligibleMicros),
        acknowledgement: acknowledgement && acknowledgementShown(acknowledgement),
      };
    }),
    messages,
  };
}

/** Without what the run reads beside it. */
function acknowledgementShown(acknowledgement: Acknowledgement): Acknowledgement {
  const { id, orgId, cluster, component, errorKey, until, untilResolved, justification, by } = acknowledgement;
  return { id, orgId, cluster, component, errorKey, until, untilResolved, justification, by };
}

function later(micros: bigint, other: bigint): bigint {
  return micros > other ? micros : other;
}

function shown({ id, issues, headers, body }: OutgoingNotification, dueMicros: bigint) {
  return { id, issues, headers, body, dueAt: timestampText(dueMicros) };
}

function notSent(outcome: DeliveryOutcome | undefined): string | undefined {
  if (outcome === undefined) return undefined;
  if (outcome.kind === 'withdrawn') return `withdrawn: ${outcome.reason}`;
  return 'error' in outcome ? `${outcome.error.code}: ${errorText(outcome.error)}` : outcome.kind;
}

const countedAs = { waits: 'waiting', again: 'again', resolved: 'new' } as const;

function emptySummary() {
  return { clusters: 0, reasons: {} as Record<string, number>, messages: { new: 0, waiting: 0, again: 0 } };
}

function count(summary: ReturnType<typeof emptySummary>, previewed: Previewed): void {
  const { messages } = summary;
  if (previewed.kind !== 'cluster') {
    if (previewed.notSent === undefined) messages[countedAs[previewed.kind]] += 1;
    return;
  }
  summary.clusters += 1;
  messages.new += previewed.messages.filter((message) => message.notSent === undefined).length;
  for (const { reason } of previewed.issues) summary.reasons[reason] = (summary.reasons[reason] ?? 0) + 1;
}
