/**
 * What the registries do not say of the metrics: which are the reference's, to the letter, what labels mean, where each role shows them, and
 * when somebody is to be told. The page of metrics is made of this and of `exposed-metrics.ts`, and refuses what does not fit together.
 */
import type { metricRoles } from './exposed-metrics.ts';

type RoleName = (typeof metricRoles)[number];

export interface Alert {
  /** In the rules of `deploy/prometheus`, unique. */
  readonly name: string;
  /** `critical`: something is lost or stands still unless somebody acts now. `warning`: look at it today. */
  readonly severity: 'critical' | 'warning';
  /** PromQL that holds. */
  readonly when: string;
  /** As long as this, before somebody is told. */
  readonly for: string;
  /** What it means, and what to do. */
  readonly means: string;
}

interface RoleNotes {
  /** Where `GET` answers with them, by default. */
  readonly shown: string;
  /** Names of the reference's metrics; dashboards written for it go on working. Their prefix is a setting where there is one. */
  readonly reference: { readonly prefix: string; readonly setting?: string; readonly names: readonly string[] };
  readonly alerts: readonly Alert[];
}

/** Within an hour. A series with labels begins with its first event, which `increase` does not see. */
function grewOrBegan(series: string): string {
  return `increase(${series}[1h]) > 0 or (${series} unless ${series} offset 1h)`;
}

/** Metric names of the reference: ingress.md A.10.1, data-pipeline.md 6.1 and 8.4, notification-writer.md 9, notification-service.md 12.1. */
export const roleNotes: Readonly<Record<RoleName, RoleNotes>> = {
  ingress: {
    shown: '`/metrics` on `metrics.port` (8080)',
    reference: {
      prefix: 'ingress_',
      names: [
        ...['version', 'requests', 'payload_sizes', 'stage_seconds', 'responses', 'message_produced'],
        ...['kafka_produced', 'kafka_produce_failures', 'publish_seconds', 'kafka_producer_go_routine_count'],
      ],
    },
    alerts: [
      {
        name: 'IngressAbsent',
        severity: 'critical',
        when: 'absent(ccx_ingress_uploads_in_flight)',
        for: '10m',
        means: 'no ingress is scraped: clusters cannot report, unless it runs unseen',
      },
      {
        name: 'UploadsNotTaken',
        severity: 'critical',
        when: 'sum(rate(ingress_responses{code=~"5.."}[10m])) / sum(rate(ingress_responses[10m])) > 0.01',
        for: '10m',
        means:
          'uploads are not taken: the object store, the outbox or the slots are full or away; `/ready` and the log say which',
      },
      {
        name: 'AnnouncementsKept',
        severity: 'warning',
        when: 'ccx_ingress_outbox_entries > 0',
        for: '15m',
        means:
          'the bus does not take announcements, which are kept; past `outbox.entries_max` uploads are answered 503. Look after the brokers',
      },
      {
        name: 'AnnouncementSetAside',
        severity: 'warning',
        when: 'increase(ccx_ingress_announcements_set_aside_total[1h]) > 0',
        for: '0m',
        means: 'the bus will never take an announcement; it lies as `ingress/unsendable-…` in the object store',
      },
      {
        name: 'ArchiveDiskNearlyFull',
        severity: 'critical',
        when: 'ccx_ingress_store_free_bytes < 2 * 1024 ^ 3',
        for: '10m',
        means:
          'the disk of the archives has less than 2 GiB; with less than 512 MiB uploads are answered 503. Give it room, or keep archives for a shorter time',
      },
      {
        name: 'ArchiveDiskFillsUp',
        severity: 'warning',
        when: 'predict_linear(ccx_ingress_store_free_bytes[6h], 24 * 3600) < 0',
        for: '1h',
        means: 'as it went in the last six hours, the disk of the archives is full within a day',
      },
      {
        name: 'ConnectionsRefused',
        severity: 'warning',
        when: 'rate(ccx_ingress_connections_refused_total[10m]) > 0',
        for: '10m',
        means: '`web.connections_max` is reached, or the limit of open files',
      },
    ],
  },
  'data-pipeline': {
    shown: '`/metrics` on `operations.port` (8000)',
    reference: {
      prefix: '',
      names: [
        ...['ccx_consumer_received_total', 'ccx_consumer_filtered_total', 'ccx_downloaded_total'],
        ...['ccx_consumer_archive_size', 'ccx_consumer_extracted_total', 'ccx_engine_processed_total'],
        ...['ccx_published_total', 'ccx_failures_total', 'ccx_not_handled_total', 'ccx_download_duration_seconds'],
        ...['ccx_process_duration_seconds', 'ccx_publish_duration_seconds', 'ccx_engine_processed_timeout_total'],
        ...['gathering_conditions_remote_configuration_version_total', 'ccx_broker_instances_size'],
        ...['ccx_broker_exceptions_size', 'ccx_broker_tracebacks_size'],
      ],
    },
    alerts: [
      {
        name: 'PipelineAbsent',
        severity: 'critical',
        when: 'absent(ccx_data_pipeline_in_flight)',
        for: '10m',
        means: 'no data pipeline is scraped: archives wait',
      },
      {
        name: 'PipelineLag',
        severity: 'warning',
        when: 'sum by (topic) (ccx_consumer_lag_records{group="ccx_data_pipeline_app"}) > 1000',
        for: '30m',
        means: 'archives come in faster than rules run; add a process, or look for what holds the places',
      },
      {
        name: 'AnnouncementDeadLettered',
        severity: 'warning',
        when: grewOrBegan('ccx_data_pipeline_dead_letters_total'),
        for: '0m',
        means: 'an announcement was given up; `ccx dead-letters list` says why',
      },
      {
        name: 'PipelinePlacesWaiting',
        severity: 'critical',
        when: 'ccx_data_pipeline_places_waiting > 0',
        for: '15m',
        means: 'places wait for the bus or for a runner to come back',
      },
      {
        name: 'ArchiveHostAway',
        severity: 'critical',
        when: 'ccx_data_pipeline_hosts_away > 0',
        for: '15m',
        means: 'a host of archives does not answer; its announcements wait',
      },
      {
        name: 'RuleQuarantined',
        severity: 'warning',
        when: 'ccx_data_pipeline_rules_quarantined > 0',
        for: '0m',
        means:
          'a rule took runners down for several organizations and is left out for all; `ccx roles --json` names it',
      },
      {
        name: 'RunnersReplaced',
        severity: 'warning',
        when: 'increase(ccx_runner_replaced_total{pool="rules"}[1h]) > 10',
        for: '0m',
        means: 'rules or archives take runners down; the log names rule and cluster',
      },
    ],
  },
  writer: {
    shown: '`/metrics` on `metrics.address` (:8080)',
    reference: {
      prefix: 'notification_writer_',
      setting: 'metrics.namespace',
      names: [
        ...[
          'consumed_messages',
          'consuming_errors',
          'parse_incoming_message',
          'check_schema_version',
          'marshal_report',
        ],
        ...['shrink_report', 'check_last_checked_timestamp', 'stored_messages', 'stored_bytes'],
      ],
    },
    alerts: [
      {
        name: 'WriterAbsent',
        severity: 'critical',
        when: 'absent(ccx_writer_waiting_for_database)',
        for: '10m',
        means: 'no writer is scraped: reports wait on the bus',
      },
      {
        name: 'WriterLag',
        severity: 'warning',
        when: 'sum by (topic) (ccx_consumer_lag_records{group="ccx_notification_app"}) > 10000',
        for: '15m',
        means: 'reports come faster than they are stored: look at `ccx_writer_store_seconds`, then at the database',
      },
      {
        name: 'WriterWaitsForDatabase',
        severity: 'critical',
        when: 'ccx_writer_waiting_for_database == 1',
        for: '5m',
        means: 'nothing is consumed: the database or its tables are not there',
      },
      {
        name: 'WriterRetries',
        severity: 'warning',
        when: 'increase(ccx_writer_retries_total[15m]) > 10',
        for: '0m',
        means: 'a step fails again and again, and what is behind it waits; `step` and `code` say which and why',
      },
      {
        name: 'ReportDeadLettered',
        severity: 'warning',
        when: grewOrBegan('ccx_writer_dead_letters_total'),
        for: '0m',
        means: 'a report was refused; `ccx dead-letters list` says why',
      },
      {
        name: 'ReportsStoredLate',
        severity: 'warning',
        when: 'histogram_quantile(0.95, sum by (le) (rate(ccx_writer_report_delay_seconds_bucket[10m]))) > 60',
        for: '10m',
        means: 'reports wait for a minute before they are stored',
      },
    ],
  },
  notifier: {
    shown: '`/metrics` on `operations.port` (9103); `ccx notifier --once` pushes them to `metrics.gateway_url`',
    reference: {
      prefix: 'ccx_notification_service_to_notification_backend_',
      setting: 'metrics.namespace and metrics.subsystem',
      names: [
        ...['fetch_content_errors', 'read_cluster_list_errors', 'read_reported_errors', 'producer_setup_errors'],
        ...['storage_setup_errors', 'read_report_for_cluster_errors', 'deserialize_report_errors'],
        ...['report_with_high_impact', 'notification_not_sent_same_state', 'notification_not_sent_error_state'],
        ...['notification_sent', 'total_risk_no_severity', 'operation_duration_seconds', 'service_status'],
      ],
    },
    alerts: [
      {
        name: 'NotifierAbsent',
        severity: 'critical',
        when: 'absent(ccx_notification_last_run_timestamp_seconds)',
        for: '10m',
        means: 'no notifier is scraped, and none has pushed: nobody is notified',
      },
      {
        name: 'NoRunEndedWell',
        severity: 'critical',
        when: 'time() - ccx_notification_last_run_timestamp_seconds > 900',
        for: '5m',
        means: 'no run has ended well for a quarter of an hour; the log says why. Until the first one the value is 0',
      },
      {
        name: 'TargetPaused',
        severity: 'critical',
        when: 'ccx_notification_target_paused == 1',
        for: '15m',
        means: 'a target is out of order, and nothing is tried; `ccx roles --json` and the log say why and until when',
      },
      {
        name: 'TargetFailing',
        severity: 'warning',
        when: 'sum by (target) (rate(ccx_notification_attempts_total{result!="delivered"}[15m])) / sum by (target) (rate(ccx_notification_attempts_total[15m])) > 0.5',
        for: '15m',
        means: 'more than half of the attempts to deliver fail; the log says how, `ccx notifications list` which',
      },
      {
        name: 'NotificationOverdue',
        severity: 'critical',
        when: 'ccx_notification_outbox_oldest_seconds > 3600',
        for: '5m',
        means: 'a message has been due for an hour; past `delivery.retry_window` it is given up',
      },
      {
        name: 'NotificationsGivenUp',
        severity: 'warning',
        when: 'sum by (target) (ccx_notification_outbox_messages{state=~"dead|unknown"}) > 0',
        for: '0m',
        means:
          'messages were given up, or nobody knows whether they arrived: `ccx notifications list`, then `retry` or `discard`',
      },
      {
        name: 'DecisionsLate',
        severity: 'warning',
        when: 'histogram_quantile(0.95, sum by (le, target) (rate(ccx_notification_report_to_decision_seconds_bucket[15m]))) > 120',
        for: '15m',
        means: 'reports wait for their decision: runs are late, or another process holds their clusters',
      },
      {
        name: 'AuditFindings',
        severity: 'warning',
        when: 'sum by (kind, invariant) (ccx_notification_audit_findings) > 0',
        for: '0m',
        means:
          'the auditor found what was decided and never finished, or what contradicts itself: `ccx notifications audit` shows it',
      },
      {
        name: 'AuditOverdue',
        severity: 'warning',
        when: 'time() - ccx_notification_audit_timestamp_seconds > 4 * 3600 and ccx_notification_audit_timestamp_seconds > 0',
        for: '0m',
        means: 'the auditor did not end a round for hours; the log says why',
      },
      {
        name: 'ContentStale',
        severity: 'warning',
        when: 'ccx_notification_content_age_seconds > 3600',
        for: '5m',
        means: 'the content service does not answer; decisions are made with what it said last',
      },
      {
        name: 'ContentMissing',
        severity: 'warning',
        when: grewOrBegan('ccx_notification_decisions_total{reason="content-missing"}'),
        for: '0m',
        means: 'a rule has no content, so that nobody is notified of its issues: the content is older than the rules',
      },
      {
        name: 'RenderingFailed',
        severity: 'warning',
        when: grewOrBegan('ccx_notification_render_failures_total'),
        for: '0m',
        means: 'a notification could not be rendered; `code` and the log say why',
      },
      {
        name: 'SentRowsRemoved',
        severity: 'warning',
        when: 'increase(ccx_notification_removed_sent_rows_total[1h]) > 0',
        for: '0m',
        means: 'somebody removed rows of `reported`; what they told is told again',
      },
    ],
  },
  tracker: {
    shown: '`/metrics` on `http.port` (8084)',
    reference: { prefix: '', names: [] },
    alerts: [
      {
        name: 'TrackerAbsent',
        severity: 'critical',
        when: 'absent(ccx_tracker_pruned_events_total)',
        for: '10m',
        means: 'no tracker is scraped: traces are incomplete, nothing else is',
      },
      {
        name: 'TracesLate',
        severity: 'warning',
        when: 'histogram_quantile(0.95, sum by (le) (rate(ccx_tracker_status_delay_seconds_bucket[10m]))) > 300',
        for: '15m',
        means: 'traces are minutes late; look at its lag and at the database',
      },
      {
        name: 'TrackerLag',
        severity: 'warning',
        when: 'sum by (topic) (ccx_consumer_lag_records{group="ccx_payload_tracker_app"}) > 50000',
        for: '30m',
        means: 'statuses come faster than they are stored; traces are incomplete meanwhile, nothing else is',
      },
      {
        name: 'StatusDeadLettered',
        severity: 'warning',
        when: grewOrBegan('ccx_tracker_dead_letters_total'),
        for: '0m',
        means: 'a status was refused; `ccx dead-letters list` says why',
      },
    ],
  },
  results: {
    shown: '`/metrics` on `operations.port` (9106)',
    reference: { prefix: '', names: [] },
    alerts: [
      {
        name: 'ResultsFail',
        severity: 'warning',
        when: 'sum(rate(ccx_results_answers_total{status=~"5.."}[10m])) > 0',
        for: '10m',
        means: 'clusters, hubs or people are not answered; the log says why, most often the database',
      },
    ],
  },
  content: {
    shown: '`/api/v1/metrics` on `server.address` (:8080)',
    reference: {
      prefix: '',
      setting: 'metrics.namespace',
      names: ['api_endpoints_requests', 'api_endpoints_response_time', 'api_endpoints_status_codes'],
    },
    alerts: [
      {
        name: 'ContentQuestionsFail',
        severity: 'warning',
        when: 'sum(rate(api_endpoints_status_codes{status_code=~"5.."}[10m])) > 0',
        for: '10m',
        means: 'questions are not answered; the notification service goes on with what it has',
      },
    ],
  },
};

/** Whatever the metric, a label of one name means one thing. */
export const labelMeanings: Readonly<Record<string, string>> = {
  archive: '`hypershift` where the control plane runs outside the cluster, else `ocp`',
  code: 'our stable error code; of `ingress_responses` the HTTP status',
  commit: 'of the build',
  direction: '`forward` or `back`',
  endpoint: 'path of the request, by its pattern',
  event: '`appeared`, `gone`, `resolved`, … as in `ccx.issue_events`',
  fact: 'what the message tells beside its report',
  group: 'consumer group',
  invariant: 'that a finding of the auditor breaks: `I1` to `I5`; empty for what was not decided',
  kind: 'of a finding of the auditor, by name',
  of: 'what the auditor looked through',
  operation: "the reference's word for what takes time",
  outcome: 'what the report was: `issues`, `empty`, `unreadable`, `not-allowed`',
  partition: 'of the topic',
  pool: '`rules` or `renderer`',
  reason: 'why, by name: of a decision as `ccx explain` shows it',
  result: 'how an attempt or a run ended',
  route: 'path of the request, by its pattern; `none` for a path that there is not',
  rule: "the rule's module, or a fact of the archive",
  service: 'service that the upload is for',
  state: 'of the message: `pending`, `claimed`, `dead`, `unknown`, `delivered`, `withdrawn`',
  status: 'HTTP status of an answer',
  status_code: 'HTTP status',
  step: 'step of the pipeline, as in the log and in the headers of dead letters',
  target: '`notification-backend`, `service-log`, or the name of a receiver',
  address: 'scheme and host of an Alertmanager, as far as anybody may see them',
  topic: 'of the bus',
  useragent: 'normalized as the reference does, so that there are few',
  version: 'of the build; of remote configuration its version',
};

/** Of the process, as Go's client library names them: every role but `content` has them. On Linux. */
export const processMetrics: readonly string[] = [
  ...['process_cpu_seconds_total', 'process_max_fds', 'process_network_receive_bytes_total'],
  ...['process_network_transmit_bytes_total', 'process_open_fds', 'process_resident_memory_bytes'],
  ...['process_start_time_seconds', 'process_virtual_memory_bytes', 'process_virtual_memory_max_bytes'],
];

/** Of Node.js, which ingress shows in place of the Go runtime's. */
export const runtimeMetrics: readonly string[] = [
  ...['process_cpu_system_seconds_total', 'process_cpu_user_seconds_total', 'process_heap_bytes'],
  ...['nodejs_active_handles', 'nodejs_active_handles_total', 'nodejs_active_requests', 'nodejs_active_requests_total'],
  ...['nodejs_active_resources', 'nodejs_active_resources_total', 'nodejs_eventloop_lag_seconds'],
  ...['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map((part) => `nodejs_eventloop_lag_${part}_seconds`),
  ...['nodejs_external_memory_bytes', 'nodejs_gc_duration_seconds', 'nodejs_heap_size_total_bytes'],
  ...['nodejs_heap_size_used_bytes', 'nodejs_heap_space_size_available_bytes', 'nodejs_heap_space_size_total_bytes'],
  ...['nodejs_heap_space_size_used_bytes', 'nodejs_version_info'],
];
