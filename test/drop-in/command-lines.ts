/**
 * Command lines of the two drop-in programs: what they end with, and what the reference ends with. `command-lines.process.test.ts` runs each;
 * `docs/compatibility.md` shows each. A row whose two codes differ says why.
 * Sources: notification-writer.md 1.4, 12; notification-service.md 2.6, 17.
 */
export type ProgramName = 'ccx-notification-writer' | 'ccx-notification-service';

type Defect = `${'writer Q' | 'service Q' | 'D'}${number}`;

export interface CommandLine {
  readonly program: ProgramName;
  readonly args: readonly string[];
  /** The situation in words; absent where there is nothing to say. */
  readonly given?: string;
  /** Settings as environment names behind the program's prefix; `undefined` takes one of the usual ones away. */
  readonly settings?: Readonly<Record<string, string | undefined>>;
  /** Environment as it is. */
  readonly env?: Readonly<Record<string, string>>;
  /** The database: migrated, as usual; empty; or not reachable. */
  readonly database?: 'empty' | 'away';
  /** There is a report with an issue that was never notified. */
  readonly newIssue?: boolean;
  readonly ends: number;
  readonly reference: number;
  /** Needed where the two differ. */
  readonly why?: string;
  /** What has to be in the output. */
  readonly says?: RegExp;
  /** The defects of the reference that the line shows to be gone, by their numbers in the specification. */
  readonly defect?: Defect | `${Defect}, ${Defect}`;
}

const writer = (
  args: string,
  ends: number,
  rest: Omit<CommandLine, 'program' | 'args' | 'ends' | 'reference'> & { readonly reference?: number } = {},
): CommandLine => ({
  ...{ program: 'ccx-notification-writer', args: words(args), ends, reference: ends },
  ...rest,
});

const service = (
  args: string,
  ends: number,
  rest: Omit<CommandLine, 'program' | 'args' | 'ends' | 'reference'> & { readonly reference?: number } = {},
): CommandLine => ({
  ...{ program: 'ccx-notification-service', args: words(args), ends, reference: ends },
  ...rest,
});

/** Split at blanks; a tilde stands for a blank inside an argument. */
function words(text: string): readonly string[] {
  return text === '' ? [] : text.split(' ').map((word) => word.replaceAll('~', ' '));
}

/** A port at which nobody listens. */
const nobody = '127.0.0.1:1';
const contentAway = { DEPENDENCIES__CONTENT_SERVER: `http://${nobody}/` };
const kafkaAway = {
  KAFKA_BROKER__ENABLED: 'true',
  KAFKA_BROKER__ADDRESSES: nobody,
  SERVICE_LOG__ENABLED: 'false',
};
const aggregatorAway = {
  AGGREGATOR_STORAGE__DB_DRIVER: 'postgres',
  AGGREGATOR_STORAGE__PG_HOST: '127.0.0.1',
  AGGREGATOR_STORAGE__PG_PORT: '1',
};
const instant = '--instant-reports --ignore-disabled-rules';
const brokersAway = {
  BROKER__ENABLED: 'true',
  BROKER__ADDRESSES: nobody,
  BROKER__TOPIC: 't',
  BROKER__GROUP: 'g',
  METRICS__ADDRESS: 'none',
};

export const commandLines: readonly CommandLine[] = [
  writer('--help', 0, { says: /^Usage of ccx-notification-writer:\n/ }),
  writer('-h', 0),
  writer('--unknown', 2, { says: /^flag provided but not defined: -unknown\nUsage of / }),
  writer('--migrate', 2, { says: /^flag needs an argument: -migrate\n/ }),
  writer('--version=maybe', 2, { says: /invalid boolean value "maybe" for -version: parse error/ }),
  writer('--version', 0, { says: /^CCX Notification Writer version 1\.0$/m }),
  writer('-version extra', 0, { says: /^CCX Notification Writer version 1\.0$/m }),
  writer('--authors', 0, { says: /^Pavel Tisnovsky, Red Hat Inc\.$/m }),
  writer('--show-configuration', 0, { says: /"Cert path":"".*"message":"Broker configuration"/ }),
  writer('--version', 1, {
    given: 'a configuration file that is not there',
    env: { CCX_NOTIFICATION_WRITER_CONFIG_FILE: '/nowhere/config' },
    says: /fatal error config file: .*Not Found in/,
  }),
  writer('--version', 1, { given: 'a port that is no number', settings: { STORAGE__PG_PORT: 'x' }, says: /PG_PORT/ }),
  writer('--version', 1, {
    given: 'CloudWatch switched on',
    settings: { LOGGING__LOGGING_TO_CLOUD_WATCH_ENABLED: 'true' },
    says: /collect standard output/,
  }),
  writer('--version', 0, {
    given: 'Sentry switched on',
    settings: { LOGGING__LOGGING_TO_SENTRY_ENABLED: 'true' },
    says: /"level":"warn".*logging\.logging_to_sentry_enabled is not supported/,
  }),
  writer('--db-init-migration', 0, { database: 'empty', says: /"message":"SQL statement"/ }),
  writer('--db-init', 0, { database: 'empty', says: /"message":"SQL statement"/ }),
  writer('--db-init', 0, { given: 'the tables are there' }),
  writer('--migrate latest', 0),
  writer('--migrate 3', 0),
  writer('--migrate 9', 7),
  writer('--migrate -1', 7),
  writer('--migrate latest', 7, { database: 'empty', says: /no such table: migration_info/ }),
  writer('--migrate soon', 7, {
    defect: 'writer Q12',
    reference: 0,
    why: 'the reference migrates down to 0 and deletes columns and tables for a typing mistake',
  }),
  writer('--migration-info', 0, {
    defect: 'writer Q2',
    says: /"message":"Current DB version: 8"[\s\S]*"message":"Maximum available version: 8"/,
  }),
  writer('--migration-info', 7, { database: 'empty' }),
  writer('--new-reports-cleanup', 0, { says: /"Rows deleted":0.*"message":"Cleanup `new_reports` finished"/ }),
  writer('--old-reports-cleanup', 0, { says: /"message":"Cleanup `reported` finished"/ }),
  writer('--read-errors-cleanup', 0, { says: /"message":"Cleanup `read_errors` finished"/ }),
  writer('--print-new-reports-for-cleanup', 0, { says: /"message":"PrintReportsForCleanup operation"/ }),
  writer('--print-old-reports-for-cleanup', 0, { says: /FROM reported/ }),
  writer('--print-read-errors-for-cleanup', 0, { says: /FROM read_errors/ }),
  writer('--new-reports-cleanup --max-age a~while', 5, { says: /MAX_AGE_INVALID.*--max-age/ }),
  writer('--new-reports-cleanup', 5, { database: 'empty' }),
  writer('--truncate-old-reports', 0),
  writer('--truncate-old-reports', 5, {
    defect: 'writer Q13',
    database: 'empty',
    says: /^(?![\s\S]*drop)[\s\S]*relation \\"reported\\" does not exist.*"operation":"truncate-old-reports"/i,
  }),
  writer('--db-cleanup', 0),
  writer('--db-cleanup', 5, { database: 'empty' }),
  writer('--db-drop-tables', 5, { database: 'empty' }),
  ...[
    '--db-init',
    '--db-init-migration',
    '--new-reports-cleanup',
    '--print-old-reports-for-cleanup',
    '--db-cleanup',
  ].map((operation) =>
    writer(operation, 5, { database: 'away', says: /cannot reach the database server at .*ECONNREFUSED/ }),
  ),
  writer('--migrate latest', 7, { database: 'away' }),
  writer('--db-init', 5, {
    given: 'no database is configured',
    settings: { STORAGE__PG_HOST: undefined },
    says: /no database is configured: storage\.pg_host is not set/,
  }),
  writer('--db-init', 5, {
    given: 'a host with a blank in its name',
    settings: { STORAGE__PG_HOST: 'data base' },
    says: /"data base\\" in storage\.pg_host is no host/,
  }),
  writer('--db-init', 5, {
    given: 'no port is configured',
    settings: { STORAGE__PG_PORT: undefined },
    says: /no port of the database is configured beside storage\.pg_host/,
  }),
  writer('--db-init', 5, {
    given: 'a driver that does not exist',
    settings: { STORAGE__DB_DRIVER: 'oracle' },
    says: /driver oracle is not supported/,
  }),
  writer('--db-init-migration', 5, {
    given: 'driver `sqlite3`',
    settings: { STORAGE__DB_DRIVER: 'sqlite3' },
    reference: 0,
    why: 'the reference makes a table in a private database that is gone when it ends',
  }),
  writer('--check-kafka', 4, {
    given: 'no broker answers',
    defect: 'writer Q1',
    settings: { ...brokersAway, BROKER__ADDRESSES: `${nobody},127.0.0.1:2` },
    reference: 0,
    why: 'the reference computes 4 and forgets it; a script that asks wants to know',
    says: /Couldn't connect to any of the provided brokers/,
  }),
  writer('', 0, { given: 'the broker is disabled', says: /"message":"Broker is disabled, not starting it"/ }),
  writer('', 2, { given: 'no broker answers', settings: brokersAway, says: /"message":"Do selected operation"/ }),
  writer('', 2, {
    given: 'an unknown SASL mechanism',
    settings: { ...brokersAway, BROKER__SECURITY_PROTOCOL: 'SASL_PLAINTEXT', BROKER__SASL_MECHANISM: 'not-used' },
  }),

  service('--help', 0, { says: /^ {2}-vmodule value$/m }),
  service('--weekly-reports', 2),
  service('-v=x --instant-reports', 2, { says: /^invalid value "x" for flag -v: strconv\.Atoi/ }),
  service('-v=2 -logtostderr --show-version', 0, { says: /^Notification service version 1\.0$/m }),
  service('--show-version', 0, { given: 'without configuration', says: /^Notification service version 1\.0\n$/ }),
  service('--show-authors', 0, { says: /^Pavel Tisnovsky, Papa Bakary Camara, Red Hat Inc\.\n$/ }),
  service('', 1, { says: /"message":"Type of report needs to be specified on command line"/ }),
  service('--verbose --cleanup-on-startup', 1),
  service('--show-configuration', 0, { says: /"message":"ServiceLog configuration"/ }),
  service('--show-configuration', 0, { given: 'no timeout is configured', says: /"Timeout":"0s"/ }),
  service('--show-configuration', 0, {
    given: 'the targets have thresholds of their own',
    defect: 'service Q21',
    settings: { KAFKA_BROKER__TOTAL_RISK_THRESHOLD: '1', SERVICE_LOG__TOTAL_RISK_THRESHOLD: '3' },
    says: /"Total risk threshold":1,.*"Broker configuration"[\s\S]*"Total risk threshold":3,.*"ServiceLog configuration"/,
  }),
  service('--show-configuration', 1, {
    given: 'a configuration file that is not there',
    env: { CCX_NOTIFICATION_SERVICE_CONFIG_FILE: '/nowhere/config' },
    says: /fatal error config file:/,
  }),
  service('--show-configuration', 1, {
    given: 'a threshold that is no number',
    settings: { SERVICE_LOG__TOTAL_RISK_THRESHOLD: 'x' },
  }),
  service(instant, 1, {
    given: 'CloudWatch switched on without a log group',
    settings: { LOGGING__LOGGING_TO_CLOUD_WATCH_ENABLED: 'true' },
    says: /collect standard output/,
  }),
  service(instant, 1, {
    given: 'Sentry switched on',
    settings: { LOGGING__LOGGING_TO_SENTRY_ENABLED: 'true' },
    reference: 0,
    why: 'nobody would hear of a failing cron job; the text names the alternatives',
  }),
  service(instant, 1, {
    given: 'Sentry switched on beside `logging.debug`',
    defect: 'service Q22',
    settings: { LOGGING__LOGGING_TO_SENTRY_ENABLED: 'true', LOGGING__DEBUG: 'true' },
    reference: 0,
    why: 'the same; the reference forgets Sentry without a word',
    says: /logging_to_sentry_enabled is not supported/,
  }),
  service(instant, 0),
  service(`${instant} --verbose`, 0, { says: /"configured":"","internal":0,.*"message":"Log level"/ }),
  service(`${instant} --cleanup-on-startup`, 0, { says: /Cleanup `reported` finished/ }),
  service(`${instant} --cleanup-on-startup --max-age=never`, 8, {
    says: /"message":"Cleanup records from `new_reports` table failed"/,
  }),
  service(instant, 1, {
    given: 'no target is enabled',
    settings: { SERVICE_LOG__ENABLED: 'false' },
    says: /"message":"No known event destination configured\. Aborting\."/,
  }),
  service(instant, 3, {
    given: 'a driver that does not exist',
    settings: { STORAGE__DB_DRIVER: 'mysql' },
    says: /driver is not supported/,
  }),
  service(instant, 3, { database: 'away', says: /cannot reach the database server at .*ECONNREFUSED/ }),
  service(instant, 3, { given: 'the tables are missing', database: 'empty', says: /SCHEMA_MISSING/ }),
  service(instant, 3, {
    given: 'a cooldown that is no interval',
    settings: { SERVICE_LOG__COOLDOWN: 'soon' },
    says: /COOLDOWN_INVALID/,
  }),
  service(instant, 0, {
    given: 'a negative cooldown',
    settings: { SERVICE_LOG__COOLDOWN: '-1 week' },
    says: /"level":"warn","setting":"service_log\.cooldown"/,
  }),
  service(instant, 0, {
    given: 'negative times',
    settings: { SERVICE_LOG__TIMEOUT: '-1s', METRICS__RETRY_AFTER: '-1m', METRICS__RETRIES: '-1' },
    says: /service_log\.timeout is negative/,
  }),
  service(instant, 4, { given: 'no content service', settings: contentAway, says: /CONTENT_UNAVAILABLE/ }),
  service(instant, 4, { given: 'neither content service nor database', settings: contentAway, database: 'away' }),
  service(instant, 5, { given: 'no broker answers', settings: kafkaAway, says: /Couldn't initialize Kafka producer/ }),
  service(instant, 5, {
    given: 'no broker answers, and no topic is configured',
    settings: { ...kafkaAway, KAFKA_BROKER__TOPIC: undefined },
  }),
  service(instant, 5, {
    given: 'neither broker nor content service nor database',
    settings: { ...kafkaAway, ...contentAway },
    database: 'away',
  }),
  service(instant, 5, {
    given: 'a file of authorities that is not there',
    defect: 'D10, service Q13',
    settings: { ...kafkaAway, KAFKA_BROKER__SECURITY_PROTOCOL: 'SSL', KAFKA_BROKER__CERT_PATH: '/nowhere/ca.pem' },
    says: /open \/nowhere\/ca\.pem: no such file or directory/,
  }),
  service(instant, 5, {
    given: 'no broker answers, and the event filter cannot be used',
    settings: { ...kafkaAway, KAFKA_BROKER__EVENT_FILTER: 'totalRisk >' },
  }),
  service(instant, 11, {
    given: 'a client that the token service refuses',
    settings: { SERVICE_LOG__CLIENT_ID: 'SOMEBODY' },
    says: /TOKEN_/,
  }),
  service(instant, 11, {
    given: 'no client id',
    defect: 'D9, service Q2',
    settings: { SERVICE_LOG__CLIENT_ID: undefined },
    reference: 0,
    why: 'the reference logs it and goes on without a producer: 0 with nothing to send, else a crash (2)',
  }),
  service(instant, 10, {
    given: 'an event filter that cannot be used',
    defect: 'service Q6',
    settings: { SERVICE_LOG__EVENT_FILTER: 'totalRisk >' },
    reference: 0,
    why: 'the reference notifies nobody and ends with 0 (with 2 for an unbalanced parenthesis)',
    says: /EVENT_FILTER_INVALID/,
  }),
  service(instant, 1, {
    given: 'a renderer that is no address',
    settings: { DEPENDENCIES__TEMPLATE_RENDERER_SERVER: 'a b' },
    says: /template_renderer_server/,
  }),
  service('--instant-reports', 12, {
    given: 'no aggregator database is configured',
    says: /aggregator_storage\.db_driver is not set.*--ignore-disabled-rules/,
  }),
  service('--instant-reports', 12, {
    given: 'no aggregator host is configured',
    settings: { AGGREGATOR_STORAGE__DB_DRIVER: 'postgres' },
    says: /aggregator_storage\.pg_host is not set/,
  }),
  service('--instant-reports', 12, { given: 'the aggregator database is away', settings: aggregatorAway }),
  service('--instant-reports', 12, {
    given: 'neither aggregator nor content service nor database',
    settings: contentAway,
    database: 'away',
  }),
  service('--instant-reports', 5, { given: 'neither broker nor aggregator database', settings: kafkaAway }),
  service(instant, 0, {
    given: 'no content service is configured',
    settings: { DEPENDENCIES__CONTENT_SERVER: undefined },
    reference: 4,
    why: "the rules' content that comes with this program is used",
  }),
  service(instant, 0, {
    given: 'both targets are enabled',
    settings: { KAFKA_BROKER__ENABLED: 'true' },
    env: { CCX_NOTIFICATION_SERVICE__BUS__KIND: 'postgres' },
    reference: 1,
    why: 'the flow asks for both; a warning says what it means',
    says: /"level":"warn".*both targets are enabled/,
  }),
  service(instant, 0, {
    given: 'a new issue, and Service Log is away',
    newIssue: true,
    says: /"level":"error".*nothing was delivered/,
  }),
  service('--print-new-reports-for-cleanup', 0, { says: /"message":"PrintReportsForCleanup operation"/ }),
  service('--print-old-reports-for-cleanup --max-age=10~days', 0, { says: /"max age":"10 days".*FROM reported/ }),
  service('--new-reports-cleanup', 0, { says: /"message":"Cleanup operation for all organizations"/ }),
  service('--old-reports-cleanup', 0, { says: /Cleanup `reported` finished/ }),
  service('--old-reports-cleanup --max-age=never', 8),
  service('--old-reports-cleanup', 8, {
    database: 'away',
    says: /"message":"Cleanup records from `reported` table failed"/,
  }),
  service('--print-new-reports-for-cleanup', 8, { database: 'empty' }),
];
