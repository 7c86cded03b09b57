/**
 * The notification service's settings: the reference's keys with its shipped values, plus ours. Every consumer of this table gets the same
 * settings; where its dependencies come from (database, brokers, secrets) is put together in `open-dependencies.ts`.
 * Source: notification-service.md 3.4.
 */
import { STATUS_SERVICE_NOTIFIER } from '../../contracts/payload-status.ts';
import type { PlatformTargetName } from '../../contracts/tables.ts';
import { TOPIC_NOTIFICATIONS } from '../../contracts/topics.ts';
import { busOptions } from '../../platform/bus/bus-options.ts';
import { type ConfigOf, defineOptions, inSection, type SettingsOf, settingsOf } from '../../platform/config/options.ts';
import { tlsOptions } from '../../platform/http/own-certificate.ts';
import { brokerOptions, storageOptions } from '../../platform/reference/broker-settings.ts';
import { vaultOptions } from '../../platform/secrets/vault/vault-settings.ts';
import { DEFAULT_EVENT_FILTER } from './decide/compile-event-filter.ts';
import type { ClusterFilter } from './decide/disabled-rules.ts';
import type { Scope } from './decide/verdicts.ts';
import type { ReceiverTarget } from './ports.ts';
import { receiverOptions } from './receivers/receiver-options.ts';

const minuteMs = 60_000;
const dayMs = 24 * 3_600_000;
const accepted = 'Accepted for old configurations; without effect';

/** Thresholds, filter, tags and cooldown of one target. */
function policyOptions<Section extends string>(
  section: Section,
  defaults: { readonly totalRisk: number; readonly tagFilter: boolean; readonly tags: readonly string[] },
) {
  return inSection(section, {
    likelihood_threshold: { type: 'integer', default: 0, description: 'Value of likelihoodThreshold in the filter' },
    impact_threshold: { type: 'integer', default: 0, description: 'Value of impactThreshold in the filter' },
    severity_threshold: { type: 'integer', default: 0, description: 'Value of severityThreshold in the filter' },
    total_risk_threshold: {
      type: 'integer',
      default: defaults.totalRisk,
      description: 'Value of totalRiskThreshold in the filter: 1 low, 2 moderate, 3 important, 4 critical',
    },
    event_filter: {
      default: DEFAULT_EVENT_FILTER,
      description: 'An issue passes when this expression is greater than 0',
    },
    tag_filter_enabled: { default: defaults.tagFilter, description: 'Only rules that have all the tags' },
    tags: { default: defaults.tags, description: 'The tags of the tag filter' },
    cooldown: {
      default: '1 week',
      description: 'How long an issue that was notified is not notified again; PostgreSQL interval, 0 for none',
    },
    cluster_cap: {
      type: 'integer',
      default: 0,
      min: 0,
      description:
        'Issues of one cluster notified in one UTC day, highest total risk first; the others wait for the next. Total risk 4 never waits. 0: no cap',
    },
  });
}

export const notificationServiceOptions = defineOptions({
  name: 'notifier',
  envPrefix: 'CCX_NOTIFICATION_SERVICE',
  options: {
    'storage.url': {
      default: '',
      secret: true,
      env: 'CCX_DATABASE_URL',
      flag: 'database',
      description:
        'Notification database, postgres://user:password@host:port/name, instead of the storage.pg_* settings',
    },
    ...storageOptions('storage', 'notification'),
    ...storageOptions('aggregator_storage', 'aggregator'),
    'disabled_rules.ignore': {
      default: true,
      flag: 'ignore-disabled-rules',
      description:
        'Do not read disabled rules from the aggregator database; only acknowledgements (ccx acks) disable rules then',
    },
    'kafka_broker.enabled': {
      default: true,
      description: 'Notify through the notification backend, topic platform.notifications.ingress',
    },
    'kafka_broker.addresses': {
      default: '',
      description: 'Kafka brokers of that topic, host:port separated by commas; empty: the bus of the bus.* settings',
    },
    ...brokerOptions('kafka_broker', { mechanism: 'PLAIN' }),
    'kafka_broker.topic': { default: TOPIC_NOTIFICATIONS, description: 'Topic of the notifications' },
    'kafka_broker.timeout': {
      type: 'duration',
      default: minuteMs,
      min: 1,
      description: 'How long one message may take',
    },
    ...policyOptions('kafka_broker', { totalRisk: 2, tagFilter: false, tags: [] }),
    'service_log.enabled': { default: false, description: 'Notify through Service Log' },
    'service_log.client_id': { default: '', secret: true, description: 'OAuth client' },
    'service_log.client_secret': { default: '', secret: true, description: 'Secret of the OAuth client' },
    'service_log.created_by': {
      default: `service-account-${STATUS_SERVICE_NOTIFIER}`,
      description: 'Field created_by of entries',
    },
    'service_log.username': { default: 'insights-advisor', description: 'Field username of entries' },
    'service_log.token_url': { default: '', description: 'Token service; empty: the hosted one' },
    'service_log.url': {
      default: 'https://api.openshift.com/api/service_logs/v1/cluster_logs/',
      description: 'Where entries are posted',
    },
    'service_log.timeout': { type: 'duration', default: 15_000, min: 1, description: 'How long one call may take' },
    'service_log.rule_details_uri': {
      default: 'https://console.redhat.com/openshift/insights/advisor/recommendations/{module}|{error_key}',
      description: 'Link at the end of an entry',
    },
    'service_log.send_resolved': {
      default: false,
      description:
        'Also post an entry when an issue that an entry was posted about is resolved (issues.resolved_after)',
    },
    ...policyOptions('service_log', { totalRisk: 0, tagFilter: true, tags: ['osd_customer'] }),
    'dependencies.content_server': {
      default: '',
      description: 'Content service, host:port; empty: the content that comes with this program',
    },
    'dependencies.content_endpoint': {
      default: '/api/v1/content',
      description: 'Path of the content, appended to the server',
    },
    'dependencies.content_folder': {
      default: '',
      description: "Folder with our own content, in the content service's layout; empty: what comes with this program",
    },
    'dependencies.content_first': {
      default: 'server-only',
      choices: ['server-only', 'server', 'own'],
      description:
        'With a content server: whether our own content counts beside it, and which counts where both know a rule',
    },
    'dependencies.content_exceptions': {
      default: [],
      split: 'comma-or-whitespace',
      description:
        'Rules (names of their folders) of which the other content counts; needs content_first server or own',
    },
    'rules.packs': {
      default: [],
      split: 'comma',
      description: 'Folders of rule packs, the same as of the data pipeline: their texts stand beside the content',
    },
    'dependencies.template_renderer_server': {
      default: '',
      description: 'Template renderer for Service Log texts; empty: rendered here',
    },
    'dependencies.template_renderer_endpoint': { default: '/v1/rendered_reports', description: 'Path of the renderer' },
    'notifications.insights_advisor_url': { default: '', description: accepted },
    'notifications.cluster_details_uri': {
      default: 'https://console.redhat.com/openshift/details/{cluster_id}#insights',
      description: 'Link to a cluster',
    },
    'notifications.rule_details_uri': {
      default: 'https://console.redhat.com/openshift/details/{cluster_id}/insights/{module}/{error_key}',
      description: 'Link to a rule',
    },
    'processing.filter_allowed_clusters': { default: false, description: 'Only allowed_clusters' },
    'processing.allowed_clusters': { default: [], description: 'Clusters to notify about' },
    'processing.filter_blocked_clusters': { default: false, description: 'All but blocked_clusters' },
    'processing.blocked_clusters': { default: [], description: 'Clusters not to notify about' },
    'metrics.job_name': { default: 'ccx_notification_service', description: 'Job at the Pushgateway' },
    'metrics.namespace': { default: 'ccx_notification_service', description: 'First part of names' },
    'metrics.subsystem': { default: 'to_notification_backend', description: 'Second part of names' },
    'metrics.gateway_url': { default: 'localhost:9091', description: 'Pushgateway' },
    'metrics.gateway_auth_token': {
      default: '',
      secret: true,
      description: 'Basic credentials of the Pushgateway, encoded; empty: nothing is pushed',
    },
    'metrics.retries': { type: 'integer', default: 3, min: 0, description: 'Tries of the last push' },
    'metrics.retry_after': { type: 'duration', default: minuteMs, min: 0, description: 'Pause between them' },
    'metrics.gateway_time_between_push': {
      type: 'duration',
      default: 30_000,
      min: 0,
      description: 'Pause between pushes; 0 pushes at the end only',
    },
    'cleaner.max_age': {
      default: '90 days',
      description:
        'Age at which rows of new_reports and reported are deleted, PostgreSQL interval; what a cooldown counts by stays until it ends',
    },
    'cleaner.enabled': { default: false, description: 'Delete them while the service runs' },
    'follow.poll': { type: 'duration', default: 5_000, min: 10, description: 'How late a report may be noticed' },
    'follow.min_gap': {
      type: 'duration',
      default: 20,
      min: 0,
      description: 'Shortest pause between two runs: what is stored meanwhile is worked on together',
    },
    'follow.full_sweep': {
      type: 'duration',
      default: 10 * minuteMs,
      min: 1_000,
      description: 'All clusters are looked at',
    },
    'delivery.concurrency': {
      type: 'integer',
      default: 8,
      min: 1,
      max: 1_000,
      description: 'Attempts at once in Service Log; Kafka takes whole claims',
    },
    'delivery.claim': {
      type: 'integer',
      as: 'delivery.claimMax',
      default: 200,
      min: 1,
      max: 5_000,
      description: 'Messages claimed together',
    },
    'delivery.deadline': { type: 'duration', default: minuteMs, min: 1_000, description: 'With --once: one message' },
    'delivery.run_deadline': { type: 'duration', default: 50 * minuteMs, min: 1_000, description: 'With --once: all' },
    'delivery.lease': { type: 'duration', default: 2 * minuteMs, min: 30_000, description: 'Claim of a dead process' },
    'delivery.retry_window': {
      type: 'duration',
      default: dayMs,
      min: minuteMs,
      description: 'After this a message that certainly did not arrive is given up and listed as dead',
    },
    'delivery.backoff_min': { type: 'duration', default: 500, min: 1, description: 'First pause after a failure' },
    'delivery.backoff_max': { type: 'duration', default: 5 * minuteMs, min: 1, description: 'Longest pause' },
    'first_run.messages': {
      type: 'integer',
      as: 'firstRun.messagesMax',
      default: 1_000,
      min: 0,
      description:
        'Messages of a first run at once; the others wait, and one-shot runs write an error row for each waiting cluster. 0: all at once',
    },
    'first_run.every': {
      type: 'duration',
      default: 10 * minuteMs,
      min: 1_000,
      description: 'As many again after this',
    },
    'issues.resolved_after': {
      type: 'integer',
      default: 2,
      min: 1,
      max: 1_000,
      description: 'An issue is resolved when so many reports of its cluster in a row are without it',
    },
    'issues.stale_after': {
      type: 'duration',
      default: 7 * dayMs,
      min: 60 * minuteMs,
      description:
        'A cluster that has not reported for so long is stale, which is said once; its issues stay as they are',
    },
    'retention.outbox': { type: 'duration', default: 30 * dayMs, min: dayMs, description: 'Finished messages' },
    'retention.issues': {
      type: 'duration',
      default: 400 * dayMs,
      min: dayMs,
      description: 'Closed issues with what was decided about them, and clusters that do not report any more',
    },
    'retention.events': {
      type: 'duration',
      default: 400 * dayMs,
      min: dayMs,
      description: 'What happened to issues, in whole months where the role may make and drop tables',
    },
    'retention.ledger': {
      type: 'duration',
      default: 0,
      description: `${accepted}: what was decided about an issue goes with it, see retention.issues`,
    },
    'audit.every': {
      type: 'duration',
      default: 60 * minuteMs,
      min: 0,
      description:
        'Pause between two rounds of the auditor, which looks for what was decided and never finished; 0: none',
    },
    'audit.overdue': {
      type: 'duration',
      default: 120 * minuteMs,
      min: 0,
      description: 'What has been due for longer is a finding of the auditor',
    },
    'operations.host': { default: '0.0.0.0', description: 'Where /metrics, /ready and /live listen' },
    'operations.port': { type: 'integer', default: 9103, min: 0, max: 65_535, description: 'Their port' },
    ...tlsOptions,
    'logging.log_level': { default: 'info', description: 'debug, info, warn, error or fatal' },
    ...vaultOptions,
    ...busOptions,
  },
  lists: { receivers: receiverOptions },
});

export type NotificationServiceConfig = ConfigOf<typeof notificationServiceOptions>;

type RowSettings = SettingsOf<typeof notificationServiceOptions>;

export interface TargetPolicySettings extends Readonly<ReturnType<typeof policyOf>> {
  /** Of a receiver; absent: it is for everybody. */
  readonly scope?: Scope;
}

/** A receiver and what it wants to be told. */
export interface Receiver {
  readonly target: ReceiverTarget;
  readonly policy: TargetPolicySettings;
}

export type PushSettings = Omit<RowSettings['metrics'], 'namespace' | 'subsystem'>;

export interface NotificationServiceSettings
  extends Pick<RowSettings, 'follow' | 'delivery' | 'firstRun' | 'issues' | 'audit'> {
  /** `once`: one run, one row of `reported` per cluster and target. `follow`: runs as reports arrive, rows for new reports only. */
  readonly mode: 'once' | 'follow';
  /** `database`: decisions and leases follow the server's clock, so that processes agree. `clock`: the process's own, for tests. */
  readonly timeSource: 'database' | 'clock';
  readonly policies: Readonly<Record<PlatformTargetName, TargetPolicySettings>>;
  readonly clusters: ClusterFilter;
  /** Whose report of a cluster counts: its owner's where `ccx.cluster_owners` names one, or whoever's is newest, as in the reference. */
  readonly reportsOf: 'owner' | 'anybody';
  readonly contentRefreshMs: number;
  readonly disabledRulesRefreshMs: number;
  /** Without `push` nothing is pushed. */
  readonly metrics: Pick<RowSettings['metrics'], 'namespace' | 'subsystem'> & { readonly push?: PushSettings };
  readonly retention: Omit<RowSettings['retention'], 'ledgerMs'> & {
    /** PostgreSQL interval: older rows of `new_reports` and `reported` are deleted; empty leaves them to others. */
    readonly reportsMaxAge: string;
    readonly everyMs: number;
  };
}

export function notificationServiceSettings(
  config: NotificationServiceConfig,
  mode: NotificationServiceSettings['mode'],
): NotificationServiceSettings {
  const { follow, delivery, firstRun, issues, audit, retention, metrics } = settingsOf(
    notificationServiceOptions,
    config,
  );
  const { outboxMs, issuesMs, eventsMs } = retention;
  // Pushing wants a namespace and a token, as in the reference. Source: notification-service.md 12.3.
  const { namespace, subsystem, ...push } = metrics;
  const pushes = namespace !== '' && push.gatewayAuthToken !== '';
  return {
    ...{ follow, delivery, firstRun, issues, audit },
    mode,
    timeSource: 'database',
    policies: {
      'notification-backend': policyOf(config, 'kafka_broker'),
      'service-log': policyOf(config, 'service_log'),
    },
    clusters: {
      allowOnly: config['processing.filter_allowed_clusters'],
      allowed: new Set(config['processing.allowed_clusters']),
      block: config['processing.filter_blocked_clusters'],
      blocked: new Set(config['processing.blocked_clusters']),
    },
    reportsOf: 'owner',
    contentRefreshMs: 5 * minuteMs,
    disabledRulesRefreshMs: minuteMs,
    metrics: { namespace, subsystem, ...(pushes ? { push } : {}) },
    retention: {
      ...{ outboxMs, issuesMs, eventsMs },
      reportsMaxAge: config['cleaner.enabled'] ? config['cleaner.max_age'] : '',
      everyMs: 60 * minuteMs,
    },
  };
}

function policyOf(config: NotificationServiceConfig, section: 'kafka_broker' | 'service_log') {
  return {
    /** That these came from, for the hints of errors. */
    section: section as string,
    /** PostgreSQL interval; blank, or with a first word `0`: no cooldown. Source: notification-service.md 8.2. */
    cooldown: config[`${section}.cooldown`],
    /** `none`: as in the reference it is no cooldown. */
    negativeCooldown: 'refused' as 'none' | 'refused',
    /** Empty: the total risk against its threshold. Source: notification-service.md 7.1. */
    eventFilter: config[`${section}.event_filter`],
    likelihoodThreshold: config[`${section}.likelihood_threshold`],
    impactThreshold: config[`${section}.impact_threshold`],
    severityThreshold: config[`${section}.severity_threshold`],
    totalRiskThreshold: config[`${section}.total_risk_threshold`],
    tagFilterEnabled: config[`${section}.tag_filter_enabled`],
    tags: config[`${section}.tags`],
    /** Issues of one cluster in one UTC day; 0: no cap. */
    clusterCap: config[`${section}.cluster_cap`],
    /** The notification backend drops every event type but one. Source: consumers.md 1.5. */
    sendResolved: section === 'service_log' && config['service_log.send_resolved'],
  };
}
