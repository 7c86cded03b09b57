/** The effective configuration as four log records, without secrets. Source: notification-writer.md 1.5. */
import type { Logger } from 'pino';
import type { NotificationWriterConfig } from '../config.ts';

export function showConfiguration(config: NotificationWriterConfig, log: Logger): void {
  log.info(
    {
      'Broker addresses': config['broker.addresses'],
      'Security protocol': config['broker.security_protocol'],
      'Cert path': config['broker.cert_path'],
      'Sasl mechanism': config['broker.sasl_mechanism'],
      'Sasl username': config['broker.sasl_username'],
      Topic: config['broker.topic'],
      Group: config['broker.group'],
      Enabled: config['broker.enabled'],
    },
    'Broker configuration',
  );
  log.info(
    {
      Driver: config['storage.db_driver'],
      'DB Name': config['storage.pg_db_name'],
      Username: config['storage.pg_username'],
      Host: config['storage.pg_host'],
      Port: config['storage.pg_port'],
      LogSQLQueries: config['storage.log_sql_queries'],
    },
    'Storage configuration',
  );
  log.info(
    { Level: config['logging.log_level'], 'Pretty colored debug logging': config['logging.debug'] },
    'Logging configuration',
  );
  log.info({ Namespace: config['metrics.namespace'], Address: config['metrics.address'] }, 'Metrics configuration');
}
