/**
 * `deploy/grafana`: the dashboards of the flow, of each service and of the notifications. Grafana's own builders make the JSON; what is
 * asked of Prometheus is here, and `dashboardQueries` lets tests put it to a real one.
 */
import { ReduceDataOptionsBuilder } from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

interface Query {
  /** PromQL; `$__rate_interval` and `$namespace` are Grafana's variables. */
  readonly expr: string;
  readonly legend: string;
}

interface Panel {
  readonly title: string;
  readonly means: string;
  /** Grafana's name of it: `short`, `s`, `bytes`, `reqps`, `percentunit`. */
  readonly unit: string;
  readonly as?: 'graph' | 'number';
  readonly queries: readonly Query[];
}

interface Dashboard {
  /** Name of the file, and its uid with `ccx-` before it. */
  readonly name: string;
  readonly title: string;
  readonly rows: Readonly<Record<string, readonly Panel[]>>;
}

/** Series of one installation: where Prometheus watches several namespaces of Kubernetes, the one that is chosen. */
function of(metric: string, labels = ''): string {
  return `${metric}{namespace=~"$namespace"${labels === '' ? '' : `, ${labels}`}}`;
}

function rate(metric: string, by = '', labels = ''): string {
  return `sum${by === '' ? '' : ` by (${by})`} (rate(${of(metric, labels)}[$__rate_interval]))`;
}

function total(metric: string, by = '', labels = ''): string {
  return `sum${by === '' ? '' : ` by (${by})`} (${of(metric, labels)})`;
}

function quantiles(histogram: string, by = ''): Query[] {
  const labels = by === '' ? 'le' : `le, ${by}`;
  return ['0.5', '0.95'].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (${labels}) (rate(${of(`${histogram}_bucket`)}[$__rate_interval])))`,
    legend: `${by === '' ? '' : `{{${by}}} `}${quantile === '0.5' ? 'half' : '95 of 100'}`,
  }));
}

function graph(title: string, unit: string, means: string, ...queries: Query[]): Panel {
  return { title, unit, means, queries };
}

function number(title: string, unit: string, means: string, expr: string): Panel {
  return { title, unit, means, as: 'number', queries: [{ expr, legend: title }] };
}

const q = (expr: string, legend: string): Query => ({ expr, legend });

/** Of the services that take tokens: what the accounts service said of those that their file does not know. */
const accountsPanel = (questions: string) =>
  graph(
    'Accounts service',
    'short',
    'Questions each second about unknown tokens, by their answer; busy: too many were open.',
    q(rate(questions, 'outcome'), '{{outcome}}'),
  );

const lagPanel = (group: string) =>
  graph(
    'Lag',
    'short',
    'Records of the topic that the group has not acknowledged.',
    q(total('ccx_consumer_lag_records', 'topic', `group="${group}"`), '{{topic}}'),
  );

/** Of processes that answer with the metrics of the role: an all-in-one is in each of its dashboards. */
const processPanels = (job: string): readonly Panel[] => [
  graph(
    'Processor',
    'short',
    'Cores that each process uses.',
    q(`rate(${of('process_cpu_seconds_total', `job=~"${job}|ccx-all-in-one"`)}[$__rate_interval])`, '{{instance}}'),
  ),
  graph(
    'Memory',
    'bytes',
    'Resident memory of each process, without its child processes.',
    q(of('process_resident_memory_bytes', `job=~"${job}|ccx-all-in-one"`), '{{instance}}'),
  ),
];

export const dashboards: readonly Dashboard[] = [
  {
    name: 'flow',
    title: 'CCX Notifications: the flow',
    rows: {
      'In and out': [
        number('Uploads a minute', 'short', 'Archives taken.', `${rate('ingress_responses', '', 'code="202"')} * 60`),
        number('Reports a minute', 'short', 'Reports stored.', `${rate('notification_writer_stored_messages')} * 60`),
        number(
          'Notifications in 24 hours',
          'short',
          'Messages delivered, of all targets.',
          `sum(increase(${of('ccx_notification_messages_finished_total', 'state="delivered"')}[24h]))`,
        ),
        number(
          'Oldest due message',
          's',
          'How long it has been due; nothing is due where this is 0.',
          `max(${of('ccx_notification_outbox_oldest_seconds')})`,
        ),
        graph(
          'Hop by hop',
          'short',
          'Each second; lines lie on each other where everything flows.',
          q(rate('ingress_responses', '', 'code="202"'), '2 archives taken'),
          q(rate('ccx_consumer_received_total'), '3 announcements read'),
          q(rate('ccx_consumer_extracted_total'), '4 archives opened'),
          q(rate('ccx_engine_processed_total'), '5 rules applied'),
          q(rate('ccx_published_total'), '6 reports published'),
          q(rate('notification_writer_parse_incoming_message'), '7 reports read'),
          q(rate('notification_writer_stored_messages'), '8 reports stored'),
          q(
            `sum(rate(${of('ccx_notification_report_to_decision_seconds_count')}[$__rate_interval]))`,
            '10 reports decided',
          ),
          q(rate('ccx_notification_messages_finished_total', '', 'state="delivered"'), '12 messages delivered'),
        ),
      ],
      'What waits': [
        graph(
          'Lag',
          'short',
          'Records that a group has not acknowledged.',
          q(total('ccx_consumer_lag_records', 'group, topic'), '{{group}} on {{topic}}'),
        ),
        graph(
          'Outboxes',
          'short',
          'Announcements and messages that wait to be sent.',
          q(total('ccx_ingress_outbox_entries'), 'announcements'),
          q(total('ccx_notification_outbox_messages', 'target, state'), '{{target}} {{state}}'),
        ),
        graph(
          'From report to notification',
          's',
          'From a report being stored until a notification of it is delivered.',
          ...quantiles('ccx_notification_report_to_notification_seconds', 'target'),
        ),
      ],
      'What goes wrong': [
        graph(
          'Dead letters in an hour',
          'short',
          'What was given up, by step and reason.',
          q(`sum by (code) (increase(${of('ccx_data_pipeline_dead_letters_total')}[1h]))`, 'announcement {{code}}'),
          q(`sum by (code) (increase(${of('ccx_writer_dead_letters_total')}[1h]))`, 'report {{code}}'),
          q(`sum by (code) (increase(${of('ccx_tracker_dead_letters_total')}[1h]))`, 'status {{code}}'),
        ),
        graph(
          'Attempts that failed',
          'short',
          'Each second; they are made again.',
          q(rate('ccx_data_pipeline_retries_total', 'code'), 'pipeline {{code}}'),
          q(rate('ccx_writer_retries_total', 'code'), 'writer {{code}}'),
          q(rate('ccx_tracker_retries_total', 'code'), 'tracker {{code}}'),
          q(rate('ccx_notification_attempts_total', 'result', 'result!="delivered"'), 'delivery {{result}}'),
        ),
        graph(
          'Processes that answer',
          'short',
          'Scrapes of each job that were answered.',
          q(`sum by (job) (up{job=~"ccx-.+"})`, '{{job}}'),
        ),
      ],
    },
  },
  {
    name: 'ingress',
    title: 'CCX Notifications: ingress',
    rows: {
      Uploads: [
        graph('Answers', 'reqps', 'By status.', q(rate('ingress_responses', 'code'), '{{code}}')),
        graph('Refused', 'reqps', 'By reason.', q(rate('ccx_ingress_refused_total', 'code'), '{{code}}')),
        graph('Who uploads', 'reqps', 'By client.', q(rate('ingress_requests', 'useragent'), '{{useragent}}')),
        graph('Size', 'bytes', 'Of the uploaded file.', ...quantiles('ingress_payload_sizes')),
        graph('Until stored', 's', 'From the end of the form.', ...quantiles('ingress_stage_seconds')),
        graph(
          'In work',
          'short',
          'Uploads and connections at this moment.',
          q(total('ccx_ingress_uploads_in_flight'), 'uploads'),
          q(total('ccx_ingress_uploads_waiting'), 'waiting'),
          q(total('ccx_ingress_upload_slots_taken'), 'slots taken'),
          q(total('ccx_ingress_connections'), 'connections'),
        ),
        graph(
          'Connections refused',
          'short',
          'Each second.',
          q(rate('ccx_ingress_connections_refused_total'), 'refused'),
        ),
        accountsPanel('ccx_ingress_account_questions_total'),
      ],
      Bus: [
        graph(
          'Acknowledged',
          'short',
          'Messages each second.',
          q(rate('ingress_kafka_produced', 'topic'), '{{topic}}'),
        ),
        graph(
          'Failed',
          'short',
          'Attempts each second.',
          q(rate('ingress_kafka_produce_failures', 'topic'), '{{topic}}'),
        ),
        graph('Until acknowledged', 's', 'By the bus.', ...quantiles('ingress_publish_seconds', 'topic')),
        graph(
          'Outbox',
          'short',
          'Announcements that wait for the bus, put in and sent from it each second.',
          q(total('ccx_ingress_outbox_entries'), 'waiting'),
          q(rate('ccx_ingress_announcements_kept_total'), 'kept'),
          q(rate('ccx_ingress_announcements_relayed_total'), 'sent'),
          q(rate('ccx_ingress_announcements_set_aside_total'), 'set aside'),
        ),
        graph('Outbox, bytes', 'bytes', 'Of what waits.', q(total('ccx_ingress_outbox_bytes'), 'bytes')),
      ],
      Process: [
        graph(
          'Disk',
          'bytes',
          'What the disk of the archives has left.',
          q(of('ccx_ingress_store_free_bytes'), '{{instance}}'),
        ),
        ...processPanels('ccx-ingress'),
        graph('Event loop', 's', 'How late it is.', q(of('nodejs_eventloop_lag_p99_seconds'), '{{instance}}')),
      ],
    },
  },
  {
    name: 'data-pipeline',
    title: 'CCX Notifications: data pipeline',
    rows: {
      Archives: [
        lagPanel('ccx_data_pipeline_app'),
        graph(
          'Through the steps',
          'short',
          'Each second.',
          q(rate('ccx_consumer_received_total'), 'received'),
          q(rate('ccx_consumer_extracted_total'), 'opened'),
          q(rate('ccx_engine_processed_total'), 'rules applied'),
          q(rate('ccx_published_total'), 'published'),
          q(rate('ccx_failures_total'), 'failed'),
          q(rate('ccx_consumer_filtered_total'), 'of others'),
          q(rate('ccx_data_pipeline_dropped_total', 'reason'), 'dropped: {{reason}}'),
        ),
        graph('Size', 'bytes', 'Of archives, packed.', ...quantiles('ccx_data_pipeline_archive_bytes')),
        graph('Fetching', 's', 'An archive.', ...quantiles('ccx_download_duration_seconds')),
        graph('Opening and rules', 's', 'An archive.', ...quantiles('ccx_process_duration_seconds')),
        graph('Publishing', 's', 'A report.', ...quantiles('ccx_publish_duration_seconds')),
        graph(
          'In work',
          'short',
          'Announcements at this moment.',
          q(total('ccx_data_pipeline_in_flight'), 'in work'),
          q(total('ccx_data_pipeline_places_waiting'), 'waiting for bus or runners'),
          q(total('ccx_data_pipeline_read_ahead'), 'read ahead'),
          q(total('ccx_data_pipeline_waiting'), 'waiting for another attempt'),
        ),
        graph('Held in memory', 'bytes', 'Packed archives.', q(total('ccx_data_pipeline_in_flight_bytes'), 'bytes')),
      ],
      Rules: [
        graph(
          'Without a result',
          'short',
          'Each second.',
          q(rate('ccx_data_pipeline_rule_failures_total', 'rule, code'), '{{rule}} {{code}}'),
        ),
        graph(
          'Kept from looking',
          'short',
          'Each second. Rules that lacked what every cluster has, met a broken file, failed or were left out; ccx rules coverage says over what.',
          q(
            rate('ccx_data_pipeline_rule_skips_total', 'rule, reason', 'reason!="MISSING_REQUIREMENTS"'),
            '{{rule}} {{reason}}',
          ),
        ),
        graph(
          'Runners replaced',
          'short',
          'In ten minutes.',
          q(`sum by (pool, code) (increase(${of('ccx_runner_replaced_total')}[10m]))`, '{{pool}} {{code}}'),
        ),
        graph(
          'Left out',
          'short',
          'Rules in quarantine, and hosts of archives that are left alone.',
          q(`max(${of('ccx_data_pipeline_rules_quarantined')})`, 'rules'),
          q(`max(${of('ccx_data_pipeline_hosts_away')})`, 'hosts'),
        ),
        graph(
          'Rule packs',
          'short',
          'Rules of packs in force; 1 where the last change of a pack has a fault, and the one before it goes on.',
          q(`max(${of('ccx_data_pipeline_pack_rules')})`, 'rules'),
          q(`max(${of('ccx_data_pipeline_packs_stale')})`, 'a change is not in force'),
        ),
        graph(
          'Over their share',
          'short',
          'Organizations that took more than their share of the runners while others waited, each second.',
          q(rate('ccx_data_pipeline_organizations_over_share_total'), 'times'),
        ),
      ],
      Trouble: [
        graph(
          'Dead letters',
          'short',
          'Each second.',
          q(rate('ccx_data_pipeline_dead_letters_total', 'step, code'), '{{step}} {{code}}'),
        ),
        graph(
          'Retries',
          'short',
          'Each second.',
          q(rate('ccx_data_pipeline_retries_total', 'step, code'), '{{step}} {{code}}'),
        ),
        graph(
          'Passed over in archives',
          'short',
          'Each second. Links that lead nowhere and devices; JSON files that are over what is parsed.',
          q(rate('ccx_data_pipeline_skipped_entries_total'), 'entries'),
          q(rate('ccx_data_pipeline_oversized_files_total'), 'JSON files'),
        ),
        ...processPanels('ccx-data-pipeline'),
      ],
    },
  },
  {
    name: 'writer',
    title: 'CCX Notifications: notification writer',
    rows: {
      Reports: [
        lagPanel('ccx_notification_app'),
        graph(
          'Incoming',
          'short',
          'Messages each second.',
          q(rate('notification_writer_consumed_messages'), 'consumed'),
          q(rate('notification_writer_parse_incoming_message'), 'read'),
          q(rate('notification_writer_check_schema_version'), 'version checked'),
          q(rate('notification_writer_check_last_checked_timestamp'), 'time checked'),
          q(rate('notification_writer_consuming_errors'), 'errors'),
        ),
        graph(
          'Outgoing',
          'short',
          'Reports each second.',
          q(rate('notification_writer_shrink_report'), 'shrunk'),
          q(rate('notification_writer_stored_messages'), 'stored'),
          q(rate('ccx_writer_repeated_messages_total'), 'repeated'),
        ),
        graph('Stored', 'Bps', 'Bytes each second.', q(rate('notification_writer_stored_bytes'), 'bytes')),
        graph('From the bus until stored', 's', 'A report.', ...quantiles('ccx_writer_report_delay_seconds')),
      ],
      Database: [
        graph('Transactions', 's', 'That store a batch, commit included.', ...quantiles('ccx_writer_store_seconds')),
        graph('Batches', 's', 'Until their offsets move on.', ...quantiles('ccx_writer_batch_seconds')),
        graph('Messages in a batch', 'short', 'How many.', ...quantiles('ccx_writer_batch_records')),
        graph(
          'Waits for its database',
          'short',
          '1 while nothing is taken.',
          q(of('ccx_writer_waiting_for_database'), '{{instance}}'),
        ),
      ],
      Trouble: [
        graph(
          'Dead letters',
          'short',
          'Each second.',
          q(rate('ccx_writer_dead_letters_total', 'step, code'), '{{step}} {{code}}'),
        ),
        graph(
          'Retries',
          'short',
          'Each second.',
          q(rate('ccx_writer_retries_total', 'step, code'), '{{step}} {{code}}'),
        ),
        ...processPanels('ccx-writer'),
      ],
    },
  },
  {
    name: 'notification-service',
    title: 'CCX Notifications: notification service',
    rows: {
      Runs: [
        graph(
          'Since the last run that ended well',
          's',
          'A run begins every few seconds.',
          q(`time() - max(${of('ccx_notification_last_run_timestamp_seconds')} > 0)`, 'seconds'),
        ),
        graph('Last run', 's', 'How long it took.', q(of('ccx_notification_last_run_seconds'), '{{instance}}')),
        graph(
          'Runs',
          'short',
          'Each second, by how they ended.',
          q(rate('ccx_notification_runs_total', 'result'), '{{result}}'),
        ),
        graph(
          'Operations',
          's',
          "By the reference's names: half of them take less.",
          q(
            `histogram_quantile(0.5, sum by (le, operation) (rate(${of('ccx_notification_service_to_notification_backend_operation_duration_seconds_bucket')}[$__rate_interval])))`,
            '{{operation}}',
          ),
        ),
      ],
      Decisions: [
        graph(
          'Reports',
          'short',
          'Considered each second.',
          q(rate('ccx_notification_reports_total', 'target, outcome'), '{{target}} {{outcome}}'),
        ),
        graph(
          'Until decided',
          's',
          'From a report being stored.',
          ...quantiles('ccx_notification_report_to_decision_seconds', 'target'),
        ),
        graph('Rule content', 's', 'Its age.', q(`max(${of('ccx_notification_content_age_seconds')})`, 'age')),
      ],
      Auditor: [
        graph(
          'Findings',
          'short',
          'Of its last round.',
          q(`max by (kind, invariant) (${of('ccx_notification_audit_findings')})`, '{{kind}} {{invariant}}'),
        ),
        graph(
          'Looked through',
          'short',
          'Rows of its last round.',
          q(`max by (of) (${of('ccx_notification_audit_rows')})`, '{{of}}'),
        ),
      ],
      Trouble: [
        graph(
          'Errors',
          'short',
          "Each second, by the reference's names.",
          ...['fetch_content', 'read_cluster_list', 'read_reported', 'producer_setup', 'storage_setup'].map((name) =>
            q(rate(`ccx_notification_service_to_notification_backend_${name}_errors`), name),
          ),
        ),
        graph(
          'Rows of others',
          'short',
          'Of reported: written, or removed, by somebody else; each second.',
          q(rate('ccx_notification_foreign_sent_rows_total'), 'written'),
          q(rate('ccx_notification_removed_sent_rows_total'), 'removed'),
        ),
        graph(
          'Clock',
          'short',
          'Steps in an hour.',
          q(`sum by (direction) (increase(${of('ccx_notification_clock_steps_total')}[1h]))`, '{{direction}}'),
        ),
        ...processPanels('ccx-notifier'),
      ],
    },
  },
  {
    name: 'notifications',
    title: 'CCX Notifications: notifications',
    rows: {
      Told: [
        number(
          'Delivered in 24 hours',
          'short',
          'Messages.',
          `sum(increase(${of('ccx_notification_messages_finished_total', 'state="delivered"')}[24h]))`,
        ),
        number(
          'Wait',
          'short',
          'Messages that are due.',
          total('ccx_notification_outbox_messages', '', 'state=~"pending|claimed"'),
        ),
        number(
          'Given up or unknown',
          'short',
          'ccx notifications list shows them.',
          total('ccx_notification_outbox_messages', '', 'state=~"dead|unknown"'),
        ),
        number('Paused targets', 'short', 'Nothing is tried there.', `sum(${of('ccx_notification_target_paused')})`),
        graph(
          'Finished',
          'short',
          'Messages each second, by how.',
          q(rate('ccx_notification_messages_finished_total', 'target, state'), '{{target}} {{state}}'),
        ),
        graph(
          'Attempts',
          'short',
          'Each second, by how they ended.',
          q(rate('ccx_notification_attempts_total', 'target, result'), '{{target}} {{result}}'),
        ),
        graph(
          'From report to notification',
          's',
          'The report is older where a cooldown had to end.',
          ...quantiles('ccx_notification_report_to_notification_seconds', 'target'),
        ),
      ],
      'Why, and why not': [
        graph(
          'Decisions',
          'short',
          'About issues each second, by reason.',
          q(rate('ccx_notification_decisions_total', 'target, reason'), '{{target}} {{reason}}'),
        ),
        graph(
          'Issues',
          'short',
          'What reports said of them, each second.',
          q(rate('ccx_notification_issue_events_total', 'event'), '{{event}}'),
        ),
      ],
      Outbox: [
        graph(
          'Messages',
          'short',
          'That are not delivered.',
          q(total('ccx_notification_outbox_messages', 'target, state'), '{{target}} {{state}}'),
        ),
        graph(
          'Oldest',
          's',
          'How long it has been due.',
          q(`max by (target) (${of('ccx_notification_outbox_oldest_seconds')})`, '{{target}}'),
        ),
        graph(
          'Paused',
          'short',
          '1 while nothing is tried.',
          q(`max by (target) (${of('ccx_notification_target_paused')})`, '{{target}}'),
        ),
      ],
      Alertmanagers: [
        graph(
          'Alerts',
          'short',
          'Active; with a label that cannot be posted; silenced in Alertmanager.',
          q(`max by (target, state) (${of('ccx_notification_alerts')})`, '{{target}} {{state}}'),
        ),
        graph(
          'Posts',
          'short',
          'Each second, by how they ended.',
          q(rate('ccx_notification_alert_posts_total', 'target, address, result'), '{{target}} {{address}} {{result}}'),
        ),
        graph(
          'Refused',
          'short',
          'Single alerts each second; each is left out for an hour.',
          q(rate('ccx_notification_alerts_refused_total', 'target, address'), '{{target}} {{address}}'),
        ),
        graph(
          'Since the last round',
          's',
          'How long ago each was last posted all that is active.',
          q(
            `time() - max by (target, address) (${of('ccx_notification_alerts_posted_timestamp_seconds')})`,
            '{{target}} {{address}}',
          ),
        ),
        graph(
          'Round',
          's',
          'How long that took.',
          q(`max by (target, address) (${of('ccx_notification_alert_round_seconds')})`, '{{target}} {{address}}'),
        ),
      ],
      Texts: [
        graph(
          'Not rendered',
          'short',
          'Clusters each second.',
          q(rate('ccx_notification_render_failures_total', 'target, code'), '{{target}} {{code}}'),
        ),
        graph(
          'Plain texts',
          'short',
          'Issues each second.',
          q(rate('ccx_notification_rendering_fallbacks_total', 'code'), '{{code}}'),
        ),
      ],
    },
  },
  {
    name: 'results',
    title: 'CCX Notifications: results API',
    rows: {
      Answers: [
        graph('Answers', 'reqps', 'By status.', q(rate('ccx_results_answers_total', 'status'), '{{status}}')),
        graph('Questions', 'reqps', 'By route.', q(rate('ccx_results_answers_total', 'route'), '{{route}}')),
        graph('Time', 's', 'Until answered.', ...quantiles('ccx_results_answer_seconds')),
        graph(
          'Turned away',
          'short',
          'Each second: for want of room, or for a host that this is not.',
          q(rate('ccx_results_refused_connections_total'), 'no room'),
          q(rate('ccx_results_refused_hosts_total'), 'another host'),
        ),
        accountsPanel('ccx_results_account_questions_total'),
      ],
      Process: [
        graph(
          'Rule content',
          's',
          'Its age where it could not be renewed.',
          q(`max(${of('ccx_results_content_age_seconds')})`, 'age'),
        ),
        ...processPanels('ccx-results'),
      ],
    },
  },
  {
    name: 'tracker-and-content',
    title: 'CCX Notifications: payload tracker and content service',
    rows: {
      'Payload tracker': [
        lagPanel('ccx_payload_tracker_app'),
        graph(
          'Statuses',
          'short',
          'Each second.',
          q(rate('ccx_tracker_consumed_messages_total'), 'consumed'),
          q(rate('ccx_tracker_stored_statuses_total'), 'stored'),
          q(rate('ccx_tracker_pruned_events_total'), 'removed for their age'),
          q(rate('ccx_tracker_dead_letters_total', 'code'), 'dead letter {{code}}'),
        ),
        graph('Until stored', 's', 'From what a status tells.', ...quantiles('ccx_tracker_status_delay_seconds')),
        graph(
          'Statuses given up',
          'short',
          'Each second, while the bus was away; traces lack them.',
          q(rate('ccx_ingress_statuses_dropped_total'), 'ingress'),
          q(rate('ccx_data_pipeline_statuses_dropped_total'), 'data pipeline'),
          q(rate('ccx_writer_statuses_dropped_total'), 'writer'),
        ),
        ...processPanels('ccx-tracker'),
      ],
      'Content service': [
        graph(
          'Answers',
          'reqps',
          'By status.',
          q(rate('api_endpoints_status_codes', 'status_code'), '{{status_code}}'),
        ),
        graph('Questions', 'reqps', 'By path.', q(rate('api_endpoints_requests', 'endpoint'), '{{endpoint}}')),
        graph('Time', 's', 'Until answered.', ...quantiles('api_endpoints_response_time')),
        graph(
          'Rendered',
          'short',
          'Report items each second, by what became of them.',
          q(rate('ccx_content_rendered_items_total', 'outcome'), '{{outcome}}'),
        ),
      ],
    },
  },
];

/** Where Grafana's variables stand, what they mean by default. */
export function dashboardQueries({ rows }: Dashboard): string[] {
  return Object.values(rows)
    .flat()
    .flatMap(({ queries }) => queries.map(({ expr }) => expr))
    .map((expr) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$namespace', '.*'));
}

/** What Grafana imports, or provisions from a folder. */
export function renderDashboard({ name, title, rows }: Dashboard): string {
  const source = { type: 'prometheus', uid: '$datasource' };
  const builder = new DashboardBuilder(title)
    .uid(`ccx-${name}`)
    .tags(['ccx-notifications'])
    .refresh('30s')
    .time({ from: 'now-6h', to: 'now' })
    .timezone('browser')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(
      new QueryVariableBuilder('namespace')
        .label('Namespace')
        .datasource(source)
        .query('label_values(up{job=~"ccx-.+"}, namespace)')
        .includeAll(true)
        // Also series without the label, as outside Kubernetes.
        .allValue('.*')
        .current({ selected: true, text: 'All', value: '$__all' }),
    );
  for (const [row, panels] of Object.entries(rows)) {
    builder.withRow(new RowBuilder(row));
    for (const panel of panels) builder.withPanel(panelOf(panel, source));
  }
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}

function panelOf({ title, unit, means, as, queries }: Panel, source: { readonly type: string; readonly uid: string }) {
  const newest = new ReduceDataOptionsBuilder().calcs(['lastNotNull']);
  const panel =
    as === 'number'
      ? new StatBuilder().span(6).height(4).reduceOptions(newest)
      : new TimeseriesBuilder().span(8).height(8).min(0).fillOpacity(10);
  panel.title(title).description(means).unit(unit).datasource(source);
  for (const [index, { expr, legend }] of queries.entries()) {
    panel.withTarget(
      new DataqueryBuilder()
        .refId(String.fromCharCode(65 + index))
        .expr(expr)
        .legendFormat(legend),
    );
  }
  return panel;
}
