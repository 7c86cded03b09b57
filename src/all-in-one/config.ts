/**
 * Settings of the all-in-one process itself. Each service keeps its own settings and environment names; this file only says where they get
 * other defaults here.
 */
import { type ConfigOf, defineOptions } from '../platform/config/options.ts';
import { defaultDataFolder } from '../platform/database/embedded/default-data-folder.ts';

export const allInOneOptions = defineOptions({
  name: 'all-in-one',
  envPrefix: 'CCX_ALL_IN_ONE',
  options: {
    'run.data': {
      type: 'string',
      default: '',
      flag: 'data',
      description:
        'Folder that keeps everything; default ./data (as root in a closed folder /var/lib/ccx-notifications)',
    },
    'run.host': { type: 'string', default: '127.0.0.1', flag: 'host', description: 'Address that ingress listens on' },
    'run.port': {
      type: 'integer',
      default: 3000,
      min: 0,
      max: 65_535,
      flag: 'port',
      description: 'Port of ingress; 0 takes any free one',
    },
    'run.operations_port': {
      type: 'integer',
      default: 0,
      min: 0,
      max: 65_535,
      flag: 'operations-port',
      description: 'Port of /metrics and /ready of all services together, on the same address; 0 takes any free one',
    },
    'run.kafka': {
      type: 'list',
      default: [],
      split: 'comma-or-whitespace',
      flag: 'kafka',
      description: 'Kafka brokers (host:port) to use in place of the embedded topics',
    },
    'run.database': {
      type: 'string',
      default: '',
      secret: true,
      flag: 'database',
      description: 'PostgreSQL to use in place of the embedded one, postgres://user:password@host/name',
    },
    'run.idle_timeout': {
      type: 'duration',
      default: 300_000,
      min: 1_000,
      flag: 'timeout',
      description: 'With --once: how long to wait until nothing is in flight',
    },
    'retention.archives': {
      type: 'duration',
      default: 72 * 3_600_000,
      min: 60_000,
      description: 'How long archives are kept',
    },
    'retention.archives_bytes': {
      type: 'bytes',
      default: 10 * 1024 ** 3,
      min: 1024 ** 2,
      description: 'How many bytes of archives are kept; the oldest go first',
    },
    'retention.topics': {
      type: 'duration',
      default: 7 * 24 * 3_600_000,
      min: 60_000,
      description: 'How long embedded topics keep records, dead letters among them',
    },
    'retention.topics_bytes': {
      type: 'bytes',
      default: 1024 ** 3,
      min: 1024 ** 2,
      description: 'How many bytes one embedded topic keeps',
    },
    'logging.level': {
      type: 'string',
      default: 'error',
      choices: ['debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      flag: 'log-level',
      description: 'Least level of the JSON log lines on standard error, beside the lines for people',
    },
  },
});

export interface AllInOneSettings {
  readonly dataFolder: string;
  readonly host: string;
  readonly port: number;
  readonly operationsPort: number;
  /** Empty: topics are tables of the database. */
  readonly kafkaBrokers: readonly string[];
  /** Empty: the embedded PostgreSQL. */
  readonly databaseUrl: string;
  readonly idleMsMax: number;
  readonly retention: {
    readonly archivesMs: number;
    readonly archivesBytes: number;
    readonly topicsMs: number;
    readonly topicsBytes: number;
  };
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
}

export function allInOneSettings(config: ConfigOf<typeof allInOneOptions>): AllInOneSettings {
  return {
    dataFolder: config['run.data'] === '' ? defaultDataFolder() : config['run.data'],
    host: config['run.host'],
    port: config['run.port'],
    operationsPort: config['run.operations_port'],
    kafkaBrokers: config['run.kafka'],
    databaseUrl: config['run.database'],
    idleMsMax: config['run.idle_timeout'],
    retention: {
      archivesMs: config['retention.archives'],
      archivesBytes: config['retention.archives_bytes'],
      topicsMs: config['retention.topics'],
      topicsBytes: config['retention.topics_bytes'],
    },
    logLevel: config['logging.level'] as AllInOneSettings['logLevel'],
  };
}
