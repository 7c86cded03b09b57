/**
 * The service's metrics. The first group has the reference's names, so that dashboards go on working; ours have the prefix
 * `ccx_notification_`. Written by `telemetry.ts` only. Source: notification-service.md 12.
 */
import { Counter, Gauge, Histogram, type Registry } from '../../platform/telemetry/prometheus.ts';

/** From a quick run to a message that waited a day for its target. */
const ageBuckets = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400];
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Values of the gauge `service_status`. */
export const SERVICE_STATUS = {
  inactive: 0,
  starting: 1,
  fetchingContent: 2,
  readingClusters: 3,
  readingReported: 4,
  processingClusters: 5,
} as const;

/** The reference's names of what takes time, as far as we still do it. */
export type Operation =
  | 'fetch_content'
  | 'read_cluster_list'
  | 'read_previously_reported'
  | 'process_clusters'
  | 'read_report_for_cluster'
  | 'send_notification_servicelog'
  | 'update_notification_record_state_servicelog'
  | 'send_notification_kafka';

export type NotificationMetrics = ReturnType<typeof createMetrics>;

/** What stands before the names of the reference's series. */
interface MetricNames {
  readonly namespace: string;
  readonly subsystem: string;
}

export function createMetrics(registry: Registry, settings: MetricNames) {
  return { ...referenceMetrics(registry, settings), ...ownMetrics(registry) };
}

function referenceMetrics(registry: Registry, settings: MetricNames) {
  const registers = [registry];
  const named = (name: string) =>
    [settings.namespace, settings.subsystem, name].filter((part) => part !== '').join('_');
  const counter = (name: string, help: string) => new Counter({ name: named(name), help, registers });
  return {
    fetchContentErrors: counter('fetch_content_errors', 'Rule content could not be fetched or decoded'),
    readClusterListErrors: counter('read_cluster_list_errors', 'The clusters to look at could not be read'),
    readReportedErrors: counter('read_reported_errors', 'What was notified before could not be read'),
    producerSetupErrors: counter('producer_setup_errors', 'A target could not be set up'),
    storageSetupErrors: counter('storage_setup_errors', 'The notification database could not be set up'),
    readReportForClusterErrors: counter('read_report_for_cluster_errors', 'A report could not be read'),
    deserializeReportErrors: counter('deserialize_report_errors', 'A report was read and is not a report'),
    reportWithHighImpact: counter('report_with_high_impact', 'An issue passed the filters and the cooldown'),
    notSentSameState: counter('notification_not_sent_same_state', 'Nothing new to notify'),
    notSentErrorState: counter('notification_not_sent_error_state', 'A notification was not delivered'),
    sent: counter('notification_sent', 'Delivered: per cluster, and for Service Log per entry as well'),
    totalRiskNoSeverity: counter('total_risk_no_severity', 'A total risk that no severity stands for'),
    operationSeconds: new Histogram({
      name: named('operation_duration_seconds'),
      help: 'Seconds per operation',
      labelNames: ['operation'],
      buckets: durationBuckets,
      registers,
    }),
    serviceStatus: new Gauge({
      name: named('service_status'),
      help: '0 inactive, 1 starting, 2 fetching content, 3 reading clusters, 4 reading previously reported, 5 processing clusters',
      registers,
    }),
  };
}

function ownMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name: `ccx_notification_${name}`, help, labelNames: [...labelNames], registers });
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name: `ccx_notification_${name}`, help, labelNames: [...labelNames], registers });
  const ages = (name: string, help: string) =>
    new Histogram({
      ...{ name: `ccx_notification_${name}`, help, labelNames: ['target'] as const, buckets: ageBuckets, registers },
    });
  return {
    decisionAgeSeconds: ages(
      'report_to_decision_seconds',
      'From a report being stored until its issues are decided, once for each report',
    ),
    notificationAgeSeconds: ages(
      'report_to_notification_seconds',
      'From a report being stored until a notification of its issues is delivered; the report is older where a cooldown had to end',
    ),
    decisions: counter('decisions_total', 'Decisions about issues', ['target', 'reason']),
    issueEvents: counter('issue_events_total', 'What reports said of issues, whatever the targets', ['event']),
    reports: counter('reports_total', 'Reports considered', ['target', 'outcome']),
    attempts: counter('attempts_total', 'Attempts to deliver, by how they ended', ['target', 'result']),
    finished: counter('messages_finished_total', 'Messages that left the outbox, by how', ['target', 'state']),
    foreignRows: counter(
      'foreign_sent_rows_total',
      'Rows of reported that another writer sent and the ledger imported',
      [],
    ),
    removedRows: counter('removed_sent_rows_total', 'Rows of reported that were removed by others', []),
    renderFailures: counter('render_failures_total', 'Clusters whose notification could not be rendered', [
      'target',
      'code',
    ]),
    runs: counter('runs_total', 'Runs, by how they ended', ['result']),
    clockSteps: counter('clock_steps_total', 'Steps of the clock that were noticed, by direction', ['direction']),
    outbox: gauge('outbox_messages', 'Messages in the outbox that are not delivered', ['target', 'state']),
    outboxOldestSeconds: gauge('outbox_oldest_seconds', 'How long the oldest unfinished message has been due', [
      'target',
    ]),
    targetPaused: gauge('target_paused', '1 while nothing is tried because the whole target is out of order', [
      'target',
    ]),
    contentAgeSeconds: gauge('content_age_seconds', 'Age of the rule content that decisions are made with'),
    runSeconds: gauge('last_run_seconds', 'How long the last run took'),
    lastRunTimestamp: gauge('last_run_timestamp_seconds', 'When the last run ended well, seconds since the epoch'),
  };
}
