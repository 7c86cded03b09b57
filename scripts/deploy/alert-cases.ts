/**
 * For each alert of docs/metrics.md what it must be told of, and what it must not, as series of samples a minute apart in promtool's
 * notation. `prometheus-rules.ts` makes the unit tests of them, and refuses an alert without a case.
 */

interface Samples {
  readonly series: readonly (readonly [selector: string, values: string])[];
  /** When it is looked, from the first sample. */
  readonly at: string;
}

export interface AlertCase {
  readonly fires: Samples & { readonly labels?: Readonly<Record<string, string>> };
  readonly quiet: Samples;
  /** Between samples, where hours are looked through: a minute otherwise. */
  readonly interval?: string;
}

/** A value that stays: there when `for` is over, not a minute after it began, and never below what is asked for. */
function holds(selector: string, { bad, good, at, labels }: Held): AlertCase {
  return {
    fires: { series: [[selector, `${bad}x600`]], at, ...(labels === undefined ? {} : { labels }) },
    quiet: { series: [[selector, `${good}x600`]], at },
  };
}

interface Held {
  readonly bad: number;
  readonly good: number;
  readonly at: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A counter whose first event is its first sample; quiet an hour and a half later. */
function counts(name: string, labels: Readonly<Record<string, string>>): AlertCase {
  const selector = `${name}{${Object.entries(labels)
    .map(([label, value]) => `${label}="${value}"`)
    .join(', ')}}`;
  return {
    fires: { series: [[selector, '1x600']], at: '10m', labels },
    quiet: { series: [[selector, '1x600']], at: '90m' },
  };
}

/** A counter without labels, which is there at 0 from the start. */
function grows(name: string, at = '70m'): AlertCase {
  return {
    fires: { series: [[name, '0x60 1x600']], at },
    quiet: { series: [[name, '1x600']], at },
  };
}

/** A page that nobody has. */
function absent(metric: string): AlertCase {
  return { fires: { series: [], at: '15m' }, quiet: { series: [[metric, '0x600']], at: '15m' } };
}

/** Nearly everything took longer than a bound of the histogram, or less. */
function slow(histogram: string, bounds: { readonly below: string; readonly above: string }, labels = {}): AlertCase {
  const inner = Object.entries(labels).map(([label, value]) => `${label}="${value}", `);
  const bucket = (le: string) => `${histogram}_bucket{${inner.join('')}le="${le}"}`;
  const late = (fast: string) => [
    [bucket(bounds.below), fast] as const,
    [bucket(bounds.above), '0+10x600'] as const,
    [bucket('+Inf'), '0+10x600'] as const,
  ];
  return {
    fires: { series: late('0+1x600'), at: '60m', labels },
    quiet: { series: late('0+10x600'), at: '60m' },
  };
}

function lag(group: string, topic: string, { bad, good, at }: Held): AlertCase {
  const partition = (number: number) =>
    `ccx_consumer_lag_records{group="${group}", topic="${topic}", partition="${number}"}`;
  const two = (records: number) => [0, 1].map((number) => [partition(number), `${records / 2}x600`] as const);
  return { fires: { series: two(bad), at, labels: { topic } }, quiet: { series: two(good), at } };
}

const gibibyte = 1024 ** 3;

export const alertCases: Readonly<Record<string, AlertCase>> = {
  RoleDown: holds('up{job="ccx-writer", instance="writer:8080"}', {
    ...{ bad: 0, good: 1, at: '6m' },
    labels: { job: 'ccx-writer', instance: 'writer:8080' },
  }),
  IngressAbsent: absent('ccx_ingress_uploads_in_flight'),
  UploadsNotTaken: {
    fires: {
      series: [
        ['ingress_responses{useragent="operator", code="202"}', '0+98x600'],
        ['ingress_responses{useragent="operator", code="503"}', '0+2x600'],
      ],
      at: '30m',
    },
    quiet: {
      series: [
        ['ingress_responses{useragent="operator", code="202"}', '0+999x600'],
        ['ingress_responses{useragent="operator", code="503"}', '0+1x600'],
      ],
      at: '30m',
    },
  },
  AnnouncementsKept: holds('ccx_ingress_outbox_entries', { bad: 3, good: 0, at: '20m' }),
  AnnouncementSetAside: grows('ccx_ingress_announcements_set_aside_total'),
  ArchiveDiskNearlyFull: holds('ccx_ingress_store_free_bytes', { bad: gibibyte, good: 3 * gibibyte, at: '15m' }),
  ArchiveDiskFillsUp: {
    // 2 GiB an hour, of 50 and of 500 GiB.
    interval: '10m',
    fires: {
      series: [['ccx_ingress_store_free_bytes', `${50 * gibibyte}-${Math.round(gibibyte / 3)}x600`]],
      at: '8h',
    },
    quiet: {
      series: [['ccx_ingress_store_free_bytes', `${500 * gibibyte}-${Math.round(gibibyte / 3)}x600`]],
      at: '8h',
    },
  },
  ConnectionsRefused: {
    fires: { series: [['ccx_ingress_connections_refused_total', '0+1x600']], at: '30m' },
    quiet: { series: [['ccx_ingress_connections_refused_total', '7x600']], at: '30m' },
  },
  PipelineAbsent: absent('ccx_data_pipeline_in_flight'),
  PipelineLag: lag('ccx_data_pipeline_app', 'platform.upload.announce', { bad: 1200, good: 800, at: '40m' }),
  AnnouncementDeadLettered: counts('ccx_data_pipeline_dead_letters_total', { step: 'open', code: 'ARCHIVE_BROKEN' }),
  PipelinePlacesWaiting: holds('ccx_data_pipeline_places_waiting', { bad: 1, good: 0, at: '20m' }),
  ArchiveHostAway: holds('ccx_data_pipeline_hosts_away', { bad: 1, good: 0, at: '20m' }),
  RuleQuarantined: holds('ccx_data_pipeline_rules_quarantined', { bad: 1, good: 0, at: '1m' }),
  RunnersReplaced: {
    fires: {
      series: [['ccx_runner_replaced_total{pool="rules", code="RUNNER_TIMEOUT"}', '0+1x600']],
      at: '60m',
      labels: { pool: 'rules', code: 'RUNNER_TIMEOUT' },
    },
    quiet: { series: [['ccx_runner_replaced_total{pool="renderer", code="RUNNER_TIMEOUT"}', '0+1x600']], at: '60m' },
  },
  WriterAbsent: absent('ccx_writer_waiting_for_database'),
  WriterLag: lag('ccx_notification_app', 'ccx.ocp.results', { bad: 12_000, good: 8_000, at: '20m' }),
  WriterWaitsForDatabase: holds('ccx_writer_waiting_for_database', { bad: 1, good: 0, at: '10m' }),
  WriterRetries: {
    fires: {
      series: [['ccx_writer_retries_total{step="store", code="DATABASE_UNAVAILABLE"}', '0+1x600']],
      at: '20m',
      labels: { step: 'store', code: 'DATABASE_UNAVAILABLE' },
    },
    quiet: { series: [['ccx_writer_retries_total{step="store", code="DATABASE_UNAVAILABLE"}', '9x600']], at: '20m' },
  },
  ReportDeadLettered: counts('ccx_writer_dead_letters_total', { step: 'parse', code: 'REPORT_INVALID' }),
  ReportsStoredLate: slow('ccx_writer_report_delay_seconds', { below: '60', above: '300' }),
  NotifierAbsent: absent('ccx_notification_last_run_timestamp_seconds'),
  NoRunEndedWell: {
    fires: { series: [['ccx_notification_last_run_timestamp_seconds', '60x600']], at: '30m' },
    quiet: { series: [['ccx_notification_last_run_timestamp_seconds', '0+60x600']], at: '30m' },
  },
  TargetPaused: holds('ccx_notification_target_paused{target="service-log"}', {
    ...{ bad: 1, good: 0, at: '20m' },
    labels: { target: 'service-log' },
  }),
  TargetFailing: {
    fires: {
      series: [
        ['ccx_notification_attempts_total{target="service-log", result="delivered"}', '0+1x600'],
        ['ccx_notification_attempts_total{target="service-log", result="retry"}', '0+3x600'],
      ],
      at: '40m',
      labels: { target: 'service-log' },
    },
    quiet: {
      series: [
        ['ccx_notification_attempts_total{target="service-log", result="delivered"}', '0+3x600'],
        ['ccx_notification_attempts_total{target="service-log", result="retry"}', '0+1x600'],
      ],
      at: '40m',
    },
  },
  NotificationOverdue: holds('ccx_notification_outbox_oldest_seconds{target="notification-backend"}', {
    ...{ bad: 4_000, good: 3_000, at: '10m' },
    labels: { target: 'notification-backend' },
  }),
  NotificationsGivenUp: {
    fires: {
      series: [['ccx_notification_outbox_messages{target="service-log", state="dead"}', '1x600']],
      at: '1m',
      labels: { target: 'service-log' },
    },
    quiet: { series: [['ccx_notification_outbox_messages{target="service-log", state="pending"}', '9x600']], at: '1m' },
  },
  DecisionsLate: slow(
    'ccx_notification_report_to_decision_seconds',
    { below: '120', above: '300' },
    { target: 'notification-backend' },
  ),
  AuditFindings: holds('ccx_notification_audit_findings{kind="due-not-tried", invariant="I1"}', {
    ...{ bad: 2, good: 0, at: '1m' },
    labels: { kind: 'due-not-tried', invariant: 'I1' },
  }),
  AuditOverdue: {
    interval: '10m',
    fires: { series: [['ccx_notification_audit_timestamp_seconds', '60x600']], at: '5h' },
    // 0 before the first round.
    quiet: { series: [['ccx_notification_audit_timestamp_seconds', '0x600']], at: '5h' },
  },
  ContentStale: holds('ccx_notification_content_age_seconds', { bad: 3_700, good: 300, at: '10m' }),
  ContentMissing: counts('ccx_notification_decisions_total', { target: 'service-log', reason: 'content-missing' }),
  RenderingFailed: counts('ccx_notification_render_failures_total', { target: 'service-log', code: 'TEMPLATE_FAILED' }),
  SentRowsRemoved: grows('ccx_notification_removed_sent_rows_total'),
  TrackerAbsent: absent('ccx_tracker_pruned_events_total'),
  TracesLate: slow('ccx_tracker_status_delay_seconds', { below: '300', above: '1800' }),
  StatusDeadLettered: counts('ccx_tracker_dead_letters_total', { step: 'parse', code: 'STATUS_INVALID' }),
  TrackerLag: lag('ccx_payload_tracker_app', 'platform.payload-status', { bad: 60_000, good: 40_000, at: '40m' }),
  ResultsFail: {
    fires: { series: [['ccx_results_answers_total{route="/clusters",status="503"}', '0+1x600']], at: '30m' },
    quiet: { series: [['ccx_results_answers_total{route="/clusters",status="404"}', '0+1x600']], at: '30m' },
  },
  ContentQuestionsFail: {
    fires: { series: [['api_endpoints_status_codes{status_code="500"}', '0+1x600']], at: '30m' },
    quiet: { series: [['api_endpoints_status_codes{status_code="200"}', '0+1x600']], at: '30m' },
  },
};
