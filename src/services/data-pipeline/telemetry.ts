/**
 * What happened, one function per business event: its log line, its metrics, its status message for the payload tracker and its
 * announcement. The log texts of the reference that other people's tests and tools search for are kept (data-pipeline.md 1.5).
 * Nothing here throws and nothing is awaited.
 */

import type { OcpResultsEnvelope } from '../../contracts/serialize-ocp-results.ts';
import { type CcxError, errorCode, errorFields, errorText } from '../../encoding/ccx-error.ts';
import type { BusRecord, Position } from '../../platform/bus/bus.ts';
import { offsetsCommitted, placeOf } from '../../platform/bus/telemetry.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { StatusSender } from '../../platform/records/status-sender.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import type { PackSet } from '../../rules/packs/pack-set.ts';
import type { PipelineMetrics } from './metrics.ts';
import type { OverShare } from './organization-usage.ts';
import type { RuleRunResult } from './runner/rule-run.ts';
import type { UploadProgress } from './upload.ts';

interface PipelineEventsOptions {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly metrics: PipelineMetrics;
  readonly statuses: StatusSender;
}

export type PipelineEvents = ReturnType<typeof createPipelineEvents>;

export function createPipelineEvents(options: PipelineEventsOptions) {
  return { ...intakeEvents(options), ...archiveEvents(options), ...failureEvents(options) };
}

function intakeEvents({ telemetry, clock, metrics, statuses }: PipelineEventsOptions) {
  const { log } = telemetry;
  return {
    consumingStarted(topic: string, brokers: string): void {
      log.info({ topic }, `Consuming topic '${topic}' from brokers ${brokers}`);
    },
    recordTaken(record: BusRecord): void {
      log.debug(placeOf(record), 'Deserializing incoming message');
    },
    /** Hop 3. */
    announcementAccepted(progress: UploadProgress): void {
      metrics.received.inc();
      log.debug(contextOf(progress), 'JSON schema validated');
      log.debug(contextOf(progress), 'Identity schema validated');
      log.debug(contextOf(progress), 'Extracted URL from input message');
      if (progress.subject !== undefined) statuses.report(progress.subject, 'received');
      telemetry.announce('announcement-accepted', hop(progress, 3, clock));
    },
    announcementDropped(record: BusRecord, reason: string): void {
      metrics.dropped.inc({ reason });
      if (reason === 'other-service') metrics.filtered.inc();
      log[reason === 'too-old' ? 'info' : 'debug']({ ...placeOf(record), reason }, 'record dropped');
      telemetry.announce('announcement-dropped', { reason });
    },
    offsetsCommitted(positions: readonly Position[]): void {
      offsetsCommitted(telemetry, positions);
    },
    /** Others are served before it as long as it takes more than its share. */
    organizationOverShare({ orgId, cpuMs, share, organizations }: OverShare): void {
      metrics.overShare.inc();
      log.warn(
        { orgId, cpuMs: Math.round(cpuMs), share: Math.round(share * 100) / 100, organizations },
        "the archives of an organization take more than its share of the runners; others' are served before its own",
      );
      telemetry.announce('organization-over-share', { orgId, organizations });
    },
    hostLeftAlone(host: string): void {
      log.error(
        { host },
        'a host of archives does not answer; it is left alone, and looked at again from time to time',
      );
      telemetry.announce('host-left-alone', { host });
    },
    hostBack(host: string): void {
      log.info({ host }, 'a host of archives answers again');
      telemetry.announce('host-back', { host });
    },
    stopFailed(what: string, error: string): void {
      log.error({ what, error }, 'did not stop cleanly');
    },
    busUnavailable(doing: 'poll' | 'commit', error: unknown): void {
      metrics.retries.inc({ step: doing, code: errorCode(error) });
      log.warn({ doing, ...errorFields(error) }, 'the bus is unavailable, trying again');
      telemetry.announce('bus-unavailable', { doing, code: errorCode(error) });
    },
  };
}

function archiveEvents({ telemetry, clock, metrics, statuses }: PipelineEventsOptions) {
  const { log } = telemetry;
  return {
    downloadStarted(progress: UploadProgress, host: string): void {
      log.debug({ ...contextOf(progress), host }, 'Downloading');
    },
    archiveDownloaded(progress: UploadProgress, bytes: number): void {
      metrics.downloaded.observe(bytes);
      metrics.archiveBytes.observe(bytes);
      metrics.downloadSeconds.observe(seconds(sinceFetchStarted(progress, clock)));
      log.debug({ ...contextOf(progress), bytes }, 'Saved in memory');
    },
    /** Hops 4 and 5: both are known when the runner has answered. */
    rulesEvaluated(progress: UploadProgress, result: RuleRunResult, packedBytes: number): void {
      const archive = result.archiveKind;
      metrics.archiveSize.observe({ archive }, packedBytes);
      metrics.extracted.inc({ archive });
      if (result.remoteConfigurationVersion !== undefined) {
        metrics.remoteConfiguration.inc({ version: result.remoteConfigurationVersion });
      }
      telemetry.announce('archive-opened', {
        ...hop(progress, 4, clock),
        files: result.files,
        unpackedBytes: result.unpackedBytes,
        openMs: result.openMs,
        // The runner opens and evaluates in one go; this hop ended when the rules began.
        endedMsAgo: result.rulesMs,
      });
      metrics.processed.inc({ archive });
      metrics.processSeconds.observe({ archive }, seconds(sinceDownload(progress, clock)));
      metrics.brokerInstances.set(result.rulesRun);
      metrics.brokerExceptions.set(result.failures.length);
      metrics.brokerTracebacks.set(result.failures.length);
      metrics.skippedEntries.inc(result.skippedEntries);
      for (const { rule, reason } of result.skips) metrics.ruleSkips.inc({ rule, reason });
      log.debug(
        {
          ...contextOf(progress),
          files: result.files,
          skippedEntries: result.skippedEntries,
          brokenFiles: result.brokenFiles,
          rulesMs: result.rulesMs,
        },
        'rules evaluated',
      );
      if (result.oversizedFiles > 0) {
        metrics.oversizedFiles.inc(result.oversizedFiles);
        log.warn(
          { ...contextOf(progress), cluster: result.clusterId, oversizedFiles: result.oversizedFiles },
          'an archive holds more than is parsed of one; the rules that need the rest did not run',
        );
        telemetry.announce('archive-over-budget', {
          ...contextOf(progress),
          cluster: result.clusterId,
          oversizedFiles: result.oversizedFiles,
        });
      }
      if (progress.subject !== undefined) statuses.report(progress.subject, 'processing');
      telemetry.announce('rules-evaluated', {
        ...hop(progress, 5, clock),
        cluster: result.clusterId,
        rules: result.rulesRun,
        failures: result.failures.length,
        rulesMs: result.rulesMs,
      });
    },
    /** Hop 6. */
    reportPublished(progress: UploadProgress, envelope: OcpResultsEnvelope, hits: number): void {
      const archive = progress.archiveKind;
      const publishMs = clock.monotonicMs() - (progress.evaluatedMs ?? progress.receivedMs);
      metrics.published.inc({ archive });
      metrics.publishSeconds.observe({ archive }, seconds(publishMs));
      const { OrgID, AccountNumber, ClusterName, LastChecked, Version } = envelope;
      log.debug(contextOf(progress), 'Message has been sent successfully.');
      log.debug(
        `Message context: OrgId=${OrgID}, AccountNumber=${AccountNumber}, ClusterName="${ClusterName}", ` +
          `LastChecked="${LastChecked}", Version=${Version}`,
      );
      log.info({ ...contextOf(progress), cluster: ClusterName, hits }, 'Status: Success; report published');
      if (progress.subject !== undefined) statuses.report(progress.subject, 'success');
      telemetry.announce('report-published', {
        ...hop(progress, 6, clock),
        cluster: ClusterName,
        hits,
      });
    },
  };
}

function failureEvents({ telemetry, clock, metrics, statuses }: PipelineEventsOptions) {
  const { log } = telemetry;
  return {
    stepRetried(progress: UploadProgress, step: string, error: CcxError, afterMs: number): void {
      metrics.retries.inc({ step, code: error.code });
      log.warn(
        { ...contextOf(progress), step, ...errorFields(error), afterMs: Math.round(afterMs) },
        'step failed, trying again',
      );
      telemetry.announce('step-retried', { requestId: progress.subject?.requestId ?? null, step, code: error.code });
    },
    /** A rule threw, or took its runner down; the other rules' results arrive. */
    ruleFailed(progress: UploadProgress, rule: string, code: string, error: string): void {
      metrics.ruleFailures.inc({ rule, code });
      if (code === 'RUNNER_TIMEOUT') metrics.processTimeouts.inc({ archive: progress.archiveKind });
      log.warn({ ...contextOf(progress), rule, code, error }, 'a rule failed; the others go on');
      telemetry.announce('rule-failed', { requestId: progress.subject?.requestId ?? null, rule, code });
    },
    packsLoaded({ packs, source, warnings }: PackSet): void {
      const names = packs.map(({ name, version }) => `${name} ${version}`);
      log.info({ packs: names, rules: source.rules.length }, 'rule packs in force');
      for (const warning of warnings) log.warn(warning);
      telemetry.announce('rule-packs-loaded', { rules: source.rules.length });
    },
    packsBroken(error: CcxError): void {
      log.error({ ...errorFields(error), hint: error.hint }, 'a change of the rule packs is not in force');
      telemetry.announce('rule-packs-broken', { code: error.code });
    },
    ruleQuarantined(rule: string): void {
      log.error(
        { rule },
        'a rule took runners down in several organizations; it is left out for all of them for a while',
      );
      telemetry.announce('rule-quarantined', { rule });
    },
    messageDeadLettered(progress: UploadProgress, step: string, error: CcxError): void {
      metrics.deadLetters.inc({ step, code: error.code });
      // As in the reference, a record that could not even be read counts as neither received nor failed.
      if (progress.subject !== undefined) {
        const archive = progress.archiveKind;
        metrics.failures.inc({ archive });
        if (error.code === 'RUNNER_TIMEOUT') metrics.processTimeouts.inc({ archive });
        if (progress.downloadedMs === undefined) {
          metrics.downloadSeconds.observe(seconds(sinceFetchStarted(progress, clock)));
          metrics.processSeconds.observe({ archive }, 0);
        } else if (progress.evaluatedMs === undefined) {
          metrics.processSeconds.observe({ archive }, seconds(sinceDownload(progress, clock)));
        }
        metrics.publishSeconds.observe({ archive }, 0);
        statuses.report(progress.subject, 'error', { text: errorText(error) });
      }
      log.warn(
        { ...contextOf(progress), ...placeOf(progress.record), step, ...errorFields(error) },
        'message put into the dead-letter topic',
      );
      telemetry.announce('message-dead-lettered', {
        requestId: progress.subject?.requestId ?? null,
        code: error.code,
        step,
      });
    },
    /** Something that is not an expected failure: a bug of ours. The message goes to the dead-letter topic. */
    unexpectedFailure(progress: UploadProgress, step: string, error: unknown): void {
      const stack = error instanceof Error ? error.stack : String(error);
      log.error({ ...contextOf(progress), step, stack }, 'unexpected failure');
    },
  };
}

function contextOf(progress: UploadProgress) {
  return { requestId: progress.subject?.requestId ?? null, orgId: progress.subject?.orgId };
}

function hop(progress: UploadProgress, number: number, clock: Clock) {
  return {
    requestId: progress.subject?.requestId ?? null,
    hop: number,
    elapsedMs: clock.monotonicMs() - progress.receivedMs,
  };
}

function sinceFetchStarted(progress: UploadProgress, clock: Clock): number {
  return clock.monotonicMs() - (progress.fetchStartedMs ?? progress.receivedMs);
}

function sinceDownload(progress: UploadProgress, clock: Clock): number {
  return clock.monotonicMs() - (progress.downloadedMs ?? progress.receivedMs);
}

function seconds(milliseconds: number): number {
  return milliseconds / 1000;
}
