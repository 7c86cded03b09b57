/**
 * What happened, one function per business event: its log line, its metrics and its announcement. Nothing here throws and nothing is
 * awaited. Some log texts are the reference's, because black-box tests look for them (notification-service.md 16).
 */

import type { Issue } from '../../contracts/issue.ts';
import { CcxError, errorCode, errorFields } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { RecordedIssueEvent } from '../../platform/records/issue-events.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import type { ContentFault } from '../../rules/content/content-faults.ts';
import type { SettledDecision } from './decide/decide-cluster.ts';
import type { Settlement } from './decide/settle-outcome.ts';
import type { NotificationMetrics, Operation, SERVICE_STATUS } from './metrics.ts';
import type { DeliveryResult, OutgoingNotification, Target } from './ports.ts';
import { isoText, timestampMicros } from './timestamps.ts';

type NamedTarget = Pick<Target, 'name'>;

interface NamedReport {
  readonly cluster: string;
  readonly orgId: number;
  readonly requestId: string | undefined;
}

interface NamedMessage {
  readonly notification: Pick<OutgoingNotification, 'id' | 'cluster'>;
  readonly reportUpdatedAt: string;
  readonly requestId: string | undefined;
  /** This attempt included. */
  readonly attempts: number;
}

interface DecidedReport {
  readonly report: NamedReport & { readonly text: string | undefined; readonly updatedAt: string };
  /** The target decides this report for the first time. */
  readonly isNewReport: boolean;
  readonly runTarget: { readonly target: { readonly name: string } };
  readonly outcome: string;
  readonly unreadable: CcxError | undefined;
  readonly decisions: readonly SettledDecision[];
  readonly messages: readonly Pick<OutgoingNotification, 'id'>[];
}

/** What one target has in its outbox. */
interface OutboxGauges {
  readonly target: string;
  readonly counts: readonly { readonly state: string; readonly count: number }[];
  readonly oldestSeconds: number;
  readonly paused: boolean;
}

interface RunCounts {
  readonly reports: number;
  readonly delivered: number;
  readonly failed: number;
  readonly nothingDeliveredTo: readonly string[];
  readonly elapsedMs: number;
}

interface SilentCluster {
  readonly orgId: number;
  readonly cluster: string;
  readonly name: string | null;
  readonly lastReportAt: string;
}

/** Clusters that have stopped reporting, named one by one in a run. */
const staleNamedMax = 20;

interface EventsOptions {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly metrics: NotificationMetrics;
}

export type Events = ReturnType<typeof createEvents>;

/** A folder of rule content holds what its author did not mean; told for each fault, once. */
export function contentFaultsFound({ log }: Telemetry, faults: readonly ContentFault[]): void {
  for (const { file, line, message, leavesOut } of faults) {
    log.warn(
      { file, line, fault: message },
      leavesOut ? 'rule content is left out' : 'rule content is not as it should be',
    );
  }
}

export function createEvents(options: EventsOptions) {
  return { ...runEvents(options), ...decisionEvents(options), ...deliveryEvents(options), ...troubleEvents(options) };
}

function runEvents({ telemetry, clock, metrics }: EventsOptions) {
  const { log } = telemetry;
  return {
    statusChanged(status: (typeof SERVICE_STATUS)[keyof typeof SERVICE_STATUS]): void {
      metrics.serviceStatus.set(status);
    },
    operationTimed(operation: Operation, startedMs: number): void {
      metrics.operationSeconds.observe({ operation }, (clock.monotonicMs() - startedMs) / 1000);
    },
    contentLoaded(rules: number, ageMs: number): void {
      metrics.contentAgeSeconds.set(ageMs / 1000);
      log.debug({ rules }, 'rule content loaded');
    },
    firstRunHeldBack(target: NamedTarget, messagesMax: number): void {
      log.info(
        { target: target.name, messagesMax },
        'first run of this target: messages past the cap become due in portions',
      );
    },
    sentRowsRemoved(count: number): void {
      if (count === 0) return;
      metrics.removedRows.inc(count);
      log.info({ count }, 'rows were removed from reported; their issues are notified again');
      telemetry.announce('sent-rows-removed', { count });
    },
    notificationReissued(target: NamedTarget, oldId: string, id: string): void {
      log.info({ target: target.name, oldId, id }, 'tried again under a new id, as asked');
      telemetry.announce('notification-reissued', { target: target.name, oldId, id });
    },
    notificationNotReissued(target: NamedTarget, id: string, error: unknown): void {
      log.error({ target: target.name, id, ...errorFields(error) }, 'cannot be tried again');
      telemetry.announce('notification-not-reissued', { target: target.name, id, code: errorCode(error) });
    },
    /** Following: new reports whose row in `reported` says that there was nothing to notify. */
    newReportsUnsent(count: number): void {
      metrics.notSentSameState.inc(count);
    },
    unsentRowsWritten(target: NamedTarget, rows: { readonly same: number; readonly error: number }): void {
      // What was not delivered was counted when it failed.
      metrics.notSentSameState.inc(rows.same);
      telemetry.announce('unsent-rows-written', { target: target.name, ...rows });
    },
    outboxGauged(targets: readonly OutboxGauges[]): void {
      metrics.outbox.reset();
      for (const { target, counts, oldestSeconds, paused } of targets) {
        for (const { state, count } of counts) metrics.outbox.set({ target, state }, count);
        metrics.outboxOldestSeconds.set({ target }, oldestSeconds);
        metrics.targetPaused.set({ target }, paused ? 1 : 0);
      }
    },
    /** Each is said once; of many at once, as in a first run, the first ones by name. */
    clustersStale(clusters: readonly SilentCluster[]): void {
      if (clusters.length === 0) return;
      metrics.issueEvents.inc({ event: 'stale' }, clusters.length);
      for (const { orgId, cluster, name, lastReportAt } of clusters.slice(0, staleNamedMax))
        log.warn(
          { cluster, orgId, name, lastReportAt },
          'the cluster has stopped reporting; its issues stay as they are',
        );
      const more = clusters.length - staleNamedMax;
      if (more > 0) log.warn({ more }, 'more clusters have stopped reporting: ccx clusters list names them');
      telemetry.announce('clusters-stale', { count: clusters.length });
    },
    expiredDeleted(deleted: ReadonlyMap<string, number>): void {
      const rows = Object.fromEntries([...deleted].filter(([, count]) => count > 0));
      if (Object.keys(rows).length > 0) log.info(rows, 'expired rows deleted');
    },
    runFinished(summary: RunCounts): void {
      metrics.runs.inc({ result: 'ok' });
      metrics.runSeconds.set(summary.elapsedMs / 1000);
      metrics.lastRunTimestamp.set(clock.now().getTime() / 1000);
      if (summary.nothingDeliveredTo.length > 0) {
        log.error({ targets: summary.nothingDeliveredTo }, 'there was something to deliver, and nothing was delivered');
      }
      const worthLogging = summary.reports > 0 || summary.delivered > 0 || summary.failed > 0;
      log[worthLogging ? 'info' : 'debug'](summary, 'run finished');
      telemetry.announce('run-finished', { ...summary });
    },
    clockStepped(stepMicros: bigint): void {
      const direction = stepMicros < 0n ? 'back' : 'forward';
      metrics.clockSteps.inc({ direction });
      log.warn(
        { seconds: Number(stepMicros / 1_000_000n) },
        'the clock of the database was set, or this machine was suspended: everything is compared again',
      );
      telemetry.announce('clock-stepped', { seconds: Number(stepMicros / 1_000_000n) });
    },
    /** LISTEN does not work, behind a pooler for example. */
    hintsUnavailable(error: unknown, pollMs: number): void {
      log.warn(
        { ...errorFields(error), everyMs: pollMs },
        'LISTEN is not available, new reports are found by polling only',
      );
    },
    /** The next cycle compares everything. */
    lookBesideFailed(error: unknown): void {
      log.warn({ ...errorFields(error) }, 'reports that were missed could not be looked for');
    },
    /** Not logged where whoever asked for the run reports it. */
    runFailed(error: unknown, { logged }: { readonly logged: boolean }): void {
      metrics.runs.inc({ result: 'failed' });
      if (logged) log.error({ ...errorFields(error), stack: stackOf(error) }, 'run failed');
      telemetry.announce('run-failed', { code: errorCode(error) });
    },
  };
}

function decisionEvents({ telemetry, clock, metrics }: EventsOptions) {
  const { log } = telemetry;
  const elapsed = (startedMs: number) => clock.monotonicMs() - startedMs;
  return {
    /** Hop 9. */
    reportLoaded(report: NamedReport, startedMs: number): void {
      telemetry.announce('report-loaded', {
        requestId: report.requestId ?? null,
        hop: 9,
        elapsedMs: elapsed(startedMs),
        cluster: report.cluster,
        orgId: report.orgId,
      });
    },
    foreignRowsImported(count: number): void {
      if (count > 0) metrics.foreignRows.inc(count);
    },
    foreignRowUnreadable(where: { readonly cluster: string; readonly notifiedAt: string }, error: CcxError): void {
      log.warn({ ...where, ...errorFields(error) }, 'a sent row of reported holds no report; it counts for nothing');
    },
    /** Hop 10, issue by issue, once the decisions are stored. */
    clusterDecided(cluster: DecidedReport, { startedMs, nowMicros }: { startedMs: number; nowMicros: bigint }): void {
      const { report, runTarget, outcome, unreadable } = cluster;
      const target = runTarget.target.name;
      metrics.reports.inc({ target, outcome });
      if (cluster.isNewReport) observeAge(metrics.decisionAgeSeconds, target, nowMicros, report.updatedAt);
      const where = { target, cluster: report.cluster, 'org id': report.orgId };
      if (unreadable !== undefined) {
        (report.text === undefined ? metrics.readReportForClusterErrors : metrics.deserializeReportErrors).inc();
        log.warn({ ...where, ...errorFields(unreadable) }, 'report skipped');
      }
      for (const decision of cluster.decisions) {
        const { reason } = decision;
        metrics.decisions.inc({ target, reason });
        if (reason === 'already-notified' && target === 'service-log') metrics.notSentSameState.inc();
        if (decision.notify) {
          metrics.reportWithHighImpact.inc();
          const { type, component, errorKey } = decision.issue;
          log.debug(
            { ...where, type, rule: component, 'error key': errorKey, reason },
            'Report with impact higher than configured threshold detected',
          );
        }
        telemetry.announce('issue-decided', {
          requestId: report.requestId ?? null,
          hop: 10,
          elapsedMs: elapsed(startedMs),
          target,
          reason,
          cluster: report.cluster,
          component: decision.issue.component,
          errorKey: decision.issue.errorKey,
        });
      }
      if (outcome === 'issues' && !cluster.decisions.some(({ notify }) => notify)) {
        log.debug(where, 'No new issues to notify');
      }
      for (const message of cluster.messages) {
        telemetry.announce('notification-enqueued', {
          target,
          id: message.id,
          requestId: report.requestId ?? null,
          cluster: report.cluster,
        });
      }
    },
    /** Once they are stored. */
    issuesChanged(events: readonly RecordedIssueEvent[]): void {
      for (const { event, orgId, cluster, issue } of events) {
        metrics.issueEvents.inc({ event });
        const { component = '', errorKey = '' } = issue ?? {};
        telemetry.announce('issue-changed', { event, orgId, cluster, component, errorKey });
      }
    },
    riskWithoutSeverity(totalRisk: number): void {
      metrics.totalRiskNoSeverity.inc();
      log.warn({ totalRisk }, 'no severity stands for this total risk');
    },
    renderFailed(where: { readonly target: string; readonly cluster: string }, error: CcxError): void {
      metrics.renderFailures.inc({ target: where.target, code: error.code });
      metrics.notSentErrorState.inc();
      log.warn({ ...where, ...errorFields(error) }, 'Rendering reports failed for this cluster');
      telemetry.announce('render-failed', { ...where, code: error.code });
    },
    clustersLeftToOthers(count: number): void {
      if (count > 0) log.debug({ count }, 'decided by another process meanwhile');
    },
  };
}

/** A time that no clock shows (`infinity`, a year that JavaScript does not know) has no age; one that lies ahead has none yet. */
function observeAge(
  histogram: NotificationMetrics['decisionAgeSeconds'],
  target: string,
  nowMicros: bigint,
  since: string,
): void {
  let micros: bigint;
  try {
    micros = timestampMicros(since);
  } catch {
    return;
  }
  histogram.observe({ target }, Math.max(0, Number(nowMicros - micros) / 1e6));
}

/** The reference's names, for the targets that it has. */
const sendOperations: Readonly<Record<string, Operation>> = {
  'notification-backend': 'send_notification_kafka',
  'service-log': 'send_notification_servicelog',
};

function deliveryEvents({ telemetry, clock, metrics }: EventsOptions) {
  const { log } = telemetry;
  return {
    notificationAttempted(target: NamedTarget, message: NamedMessage): void {
      telemetry.announce('notification-attempted', {
        target: target.name,
        id: message.notification.id,
        requestId: message.requestId ?? null,
        attempt: message.attempts,
      });
    },
    /** Hop 11 when it was delivered. */
    attemptEnded(
      target: NamedTarget,
      message: NamedMessage,
      ended: { readonly result: DeliveryResult; readonly startedMs: number; readonly nowMicros: bigint },
    ): void {
      const { result, startedMs, nowMicros } = ended;
      const elapsedMs = clock.monotonicMs() - startedMs;
      const { id, cluster } = message.notification;
      metrics.attempts.inc({ target: target.name, result: result.kind });
      const operation = sendOperations[target.name];
      if (operation !== undefined) metrics.operationSeconds.observe({ operation }, elapsedMs / 1000);
      if (result.kind === 'delivered') {
        if (target.name === 'service-log') metrics.sent.inc();
        observeAge(metrics.notificationAgeSeconds, target.name, nowMicros, message.reportUpdatedAt);
        log.debug({ target: target.name, id, cluster, detail: result.detail }, 'notification delivered');
        telemetry.announce('notification-delivered', {
          requestId: message.requestId ?? null,
          hop: 11,
          elapsedMs,
          target: target.name,
          id,
          cluster,
        });
        return;
      }
      const { kind, error } = result;
      log.warn(
        { target: target.name, id, cluster, attempt: message.attempts, kind, ...errorFields(error) },
        'attempt to deliver failed',
      );
      telemetry.announce('notification-failed', {
        target: target.name,
        id,
        kind,
        code: error.code,
        requestId: message.requestId ?? null,
      });
    },
    /** The rest of the message goes out. */
    issuesLeftOut(
      target: NamedTarget,
      message: { readonly id: string; readonly cluster: string },
      left: readonly { readonly issue: Issue; readonly reason: string }[],
    ): void {
      const { id, cluster } = message;
      const issues = left.map(({ issue, reason }) => `${issue.errorKey} (${reason})`).join(', ');
      log.info(
        { target: target.name, id, cluster, issues },
        'no longer due: left out of a notification before it was sent',
      );
      telemetry.announce('issues-left-out', { target: target.name, id, cluster, count: left.length });
    },
    targetPaused(target: NamedTarget, error: CcxError, afterMs: number): void {
      log.error({ target: target.name, ...errorFields(error), afterMs }, 'target paused: nothing is tried until then');
      telemetry.announce('target-paused', { target: target.name, code: error.code, afterMs });
    },
    targetStillPaused(
      target: NamedTarget,
      pause: { readonly untilMicros: bigint; readonly code: string; readonly text: string },
    ): void {
      const until = isoText(pause.untilMicros);
      log.error(
        { target: target.name, code: pause.code, error: pause.text, until },
        'target is paused: nothing is tried',
      );
      telemetry.announce('target-still-paused', { target: target.name, code: pause.code, until });
    },
    targetResumed(target: NamedTarget, code: string): void {
      log.info({ target: target.name, code }, 'what the target was paused for is over: it is tried again');
      telemetry.announce('target-resumed', { target: target.name, code });
    },
    /** Beside the runs; the next one begins where it ended. */
    deliveringFailed(target: NamedTarget, error: unknown): void {
      log.error({ target: target.name, ...errorFields(error) }, 'delivering to the receiver failed');
      telemetry.announce('delivering-failed', { target: target.name, code: errorCode(error) });
    },
    /** Each time after one attempt. */
    receiverRests(target: NamedTarget, error: CcxError, afterMs: number): void {
      log.warn(
        { target: target.name, ...errorFields(error), afterMs },
        'the receiver does not take anything: it rests',
      );
      telemetry.announce('receiver-rests', { target: target.name, code: error.code, afterMs });
    },
    targetUnreachable(target: NamedTarget): void {
      log.error({ target: target.name }, 'target cannot be reached: what waits is left to the next run');
      telemetry.announce('target-unreachable', { target: target.name });
    },
    /** Hop 12 for what is finished. */
    outcomeRecorded(
      target: NamedTarget,
      message: NamedMessage,
      { settlement, startedMs }: { readonly settlement: Settlement; readonly startedMs: number },
    ): void {
      const { tally, outbox, ledger } = settlement;
      const { id, cluster } = message.notification;
      if (tally.leftOver) metrics.notSentErrorState.inc();
      if (tally.finishedAs === undefined) return;
      const state = tally.finishedAs;
      metrics.finished.inc({ target: target.name, state });
      if (tally.givenUp) {
        const { code, text } = outbox.error ?? { code: '', text: '' };
        log.error({ target: target.name, id, cluster, code, error: text }, `notification is listed as ${state}`);
        telemetry.announce('notification-dead', {
          target: target.name,
          id,
          code,
          requestId: message.requestId ?? null,
        });
      }
      if (state === 'withdrawn') {
        log.info(
          { target: target.name, id, cluster, reason: ledger?.reason },
          'notification withdrawn before it was sent',
        );
      }
      telemetry.announce('outcome-recorded', {
        requestId: message.requestId ?? null,
        hop: 12,
        elapsedMs: clock.monotonicMs() - startedMs,
        target: target.name,
        id,
        cluster,
        state,
      });
    },
    clustersRecorded(target: NamedTarget, sentRows: number, startedMs: number): void {
      metrics.sent.inc(sentRows);
      if (target.name === 'service-log') {
        metrics.operationSeconds.observe(
          { operation: 'update_notification_record_state_servicelog' },
          (clock.monotonicMs() - startedMs) / 1000,
        );
      }
    },
    outcomeTakenOver(target: NamedTarget, count: number): void {
      if (count > 0)
        log.warn(
          { target: target.name, count },
          'leases ended before their outcome was recorded; another process has these messages',
        );
    },
  };
}

function troubleEvents({ telemetry, metrics }: EventsOptions) {
  const { log } = telemetry;
  return {
    schemaAhead(warning: string): void {
      log.warn(warning);
    },
    retentionHeldBack(warning: string): void {
      log.warn(warning);
    },
    bothTargetsEnabled(): void {
      log.warn('both targets are enabled: Service Log entries are mailed to the same people as notifications');
    },
    negativeCooldown(section: string, cooldown: string): void {
      log.warn(
        { setting: `${section}.cooldown`, cooldown },
        'the cooldown is negative: there is none, and every run notifies again',
      );
    },
    receiverRemoved({ name, messages }: { readonly name: string; readonly messages: number }): void {
      log.warn({ receiver: name, messages }, 'a receiver is not configured any more: what waited for it is withdrawn');
      telemetry.announce('receiver-removed', { receiver: name, messages });
    },
    filterTokensDropped(section: string, dropped: readonly string[]): void {
      log.warn(
        { setting: `${section}.event_filter`, dropped },
        'the event filter has tokens that the language does not know; they are left out',
      );
    },
    contentUnavailable(error: unknown, ageMs: number | undefined): void {
      metrics.fetchContentErrors.inc();
      if (ageMs !== undefined) {
        metrics.contentAgeSeconds.set(ageMs / 1000);
        // Without any the run fails, and says so itself.
        log.error({ ...errorFields(error), ageMs }, 'rule content could not be renewed; the last good one is used');
      }
      telemetry.announce('content-unavailable', { code: errorCode(error), known: ageMs !== undefined });
    },
    disabledRulesUnavailable(error: unknown, ageMs: number | undefined): void {
      if (ageMs !== undefined)
        log.error({ ...errorFields(error), ageMs }, 'disabled rules could not be read; the last known ones are used');
      telemetry.announce('disabled-rules-unavailable', { code: errorCode(error), known: ageMs !== undefined });
    },
    clusterContested(cluster: string, orgIds: readonly number[], ownersCount: boolean): void {
      log.warn(
        { cluster, 'org ids': orgIds },
        ownersCount
          ? 'several organizations report this cluster: where it has an owner only those of the owner count'
          : 'several organizations report this cluster: the newest report counts, whoever sent it',
      );
      telemetry.announce('cluster-contested', { cluster, orgIds: orgIds.join(', ') });
    },
    /** The run fails by it, and says so itself; so it is with the next one and with a database that cannot be used. */
    clustersUnreadable(): void {
      metrics.readClusterListErrors.inc();
    },
    reportedUnreadable(): void {
      metrics.readReportedErrors.inc();
    },
    /** Logged where the service goes on all the same. */
    targetUnusable(target: NamedTarget, error: unknown, { logged }: { readonly logged: boolean }): void {
      metrics.producerSetupErrors.inc();
      if (!logged) return;
      const hint = error instanceof CcxError && error.hint !== undefined ? { hint: error.hint } : {};
      log.error({ target: target.name, ...errorFields(error), ...hint }, 'target cannot be used');
    },
    storageUnusable(): void {
      metrics.storageSetupErrors.inc();
    },
    metricsNotPushed(error: unknown): void {
      log.warn(errorFields(error), 'metrics could not be pushed');
    },
    stopFailed(what: string, error: string): void {
      log.error({ what, error }, 'did not stop cleanly');
    },
  };
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error && !('code' in error) ? error.stack : undefined;
}
