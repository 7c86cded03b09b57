/** The effective configuration as nine log records, without secrets. Source: notification-service.md 2.5. */
import type { Logger } from 'pino';
import type { Program } from './load-program-config.ts';

export function showConfiguration(config: Program['config'], log: Logger): void {
  showTargets(config, log);
  log.info(storageFields(config, 'storage'), 'Storage configuration');
  log.info(storageFields(config, 'aggregator_storage'), 'Aggregator storage configuration');
  log.info(
    {
      'Content server': config['dependencies.content_server'],
      'Content endpoint': config['dependencies.content_endpoint'],
      'Template renderer server': config['dependencies.template_renderer_server'],
      'Template renderer endpoint': config['dependencies.template_renderer_endpoint'],
    },
    'Dependencies configuration',
  );
  log.info(
    { Level: config['logging.log_level'], 'Pretty colored debug logging': config['logging.debug'] },
    'Logging configuration',
  );
  log.info(
    {
      'Insights Advisor URL': config['notifications.insights_advisor_url'],
      'Cluster details URI': config['notifications.cluster_details_uri'],
      'Rule details URI': config['notifications.rule_details_uri'],
    },
    'Notifications configuration',
  );
  log.info(
    {
      Namespace: config['metrics.namespace'],
      Subsystem: config['metrics.subsystem'],
      'Push Gateway': config['metrics.gateway_url'],
      Retries: config['metrics.retries'],
      'Retry after': goDuration(config['metrics.retry_after']),
    },
    'Metrics configuration',
  );
  log.info(
    {
      'Filter allowed clusters': config['processing.filter_allowed_clusters'],
      'List of allowed clusters': config['processing.allowed_clusters'],
      'Filter blocked clusters': config['processing.filter_blocked_clusters'],
      'List of blocked clusters': config['processing.blocked_clusters'],
    },
    'Processing configuration',
  );
}

function showTargets(config: Program['config'], log: Logger): void {
  log.info(
    {
      Enabled: config['kafka_broker.enabled'],
      Addresses: config['kafka_broker.addresses'],
      SecurityProtocol: config['kafka_broker.security_protocol'],
      SaslMechanism: config['kafka_broker.sasl_mechanism'],
      Topic: config['kafka_broker.topic'],
      Timeout: goDuration(config['kafka_broker.timeout']),
      ...thresholdFields(config, 'kafka_broker'),
      ...tagFields(config, 'kafka_broker'),
    },
    'Broker configuration',
  );
  log.info(
    {
      Enabled: config['service_log.enabled'],
      ClientID: config['service_log.client_id'],
      'Created by': config['service_log.created_by'],
      Username: config['service_log.username'],
      ...thresholdFields(config, 'service_log'),
      'OCM URL': config['service_log.url'],
      ...tagFields(config, 'service_log'),
    },
    'ServiceLog configuration',
  );
}

type TargetSection = 'kafka_broker' | 'service_log';

function thresholdFields(config: Program['config'], section: TargetSection) {
  return {
    'Likelihood threshold': config[`${section}.likelihood_threshold`],
    'Impact threshold': config[`${section}.impact_threshold`],
    'Severity threshold': config[`${section}.severity_threshold`],
    'Total risk threshold': config[`${section}.total_risk_threshold`],
    CoolDown: config[`${section}.cooldown`],
    'Event filter': config[`${section}.event_filter`],
  };
}

function tagFields(config: Program['config'], section: TargetSection) {
  return {
    'Filter by tags': config[`${section}.tag_filter_enabled`],
    'List of tags': config[`${section}.tags`],
  };
}

function storageFields(config: Program['config'], section: 'storage' | 'aggregator_storage') {
  return {
    Driver: config[`${section}.db_driver`],
    'DB Name': config[`${section}.pg_db_name`],
    Username: config[`${section}.pg_username`],
    Host: config[`${section}.pg_host`],
    Port: config[`${section}.pg_port`],
    LogSQLQueries: config[`${section}.log_sql_queries`],
    Parameters: config[`${section}.pg_params`],
  };
}

const nanosecondsPerMs = 1e6;
const microsecondsPerMs = 1e3;

/** `1m0s`, `1h30m0s`, `1.5s`, `250ms`, `2µs`, `30ns`, `0s`, as Go prints durations. */
export function goDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  const sign = milliseconds < 0 ? '-' : '';
  const size = Math.abs(milliseconds);
  if (size < 1 / microsecondsPerMs) return `${sign}${Math.round(size * nanosecondsPerMs)}ns`;
  if (size < 1) return `${sign}${Math.round(size * nanosecondsPerMs) / 1_000}µs`;
  if (size < 1_000) return `${sign}${size}ms`;
  const hours = Math.floor(size / 3_600_000);
  const minutes = Math.floor((size % 3_600_000) / 60_000);
  const seconds = `${(size % 60_000) / 1_000}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}
