/**
 * Settings of the all-in-one process itself. Each service keeps its own settings and environment names; this file only says where they get
 * other defaults here.
 */
import { type ConfigOf, defineOptions, type SettingsOf, settingsOf } from '../platform/config/options.ts';
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
    'run.host': {
      type: 'string',
      as: 'host',
      default: '127.0.0.1',
      flag: 'host',
      description: 'Address that ingress listens on',
    },
    'run.port': {
      type: 'integer',
      as: 'port',
      default: 3000,
      min: 0,
      max: 65_535,
      flag: 'port',
      description: 'Port of ingress; 0 takes any free one',
    },
    'run.operations_port': {
      type: 'integer',
      as: 'operationsPort',
      default: 0,
      min: 0,
      max: 65_535,
      flag: 'operations-port',
      description: 'Port of /metrics and /ready of all services together, on the same address; 0 takes any free one',
    },
    'run.kafka': {
      type: 'list',
      as: 'kafkaBrokers',
      default: [],
      split: 'comma-or-whitespace',
      flag: 'kafka',
      description: 'Kafka brokers (host:port) to use in place of the embedded topics',
    },
    'run.database': {
      type: 'string',
      as: 'databaseUrl',
      default: '',
      secret: true,
      flag: 'database',
      description: 'PostgreSQL to use in place of the embedded one, postgres://user:password@host/name',
    },
    'run.idle_timeout': {
      type: 'duration',
      as: 'idleMsMax',
      default: 300_000,
      min: 1_000,
      flag: 'timeout',
      description: 'With --once: how long to wait until nothing is in flight',
    },
    'retention.archives': {
      type: 'duration',
      as: 'retention.archivesMs',
      default: 72 * 3_600_000,
      min: 60_000,
      description: 'How long archives are kept',
    },
    'retention.archives_bytes': {
      type: 'bytes',
      as: 'retention.archivesBytes',
      default: 10 * 1024 ** 3,
      min: 1024 ** 2,
      description: 'How many bytes of archives are kept; the oldest go first',
    },
    'retention.topics': {
      type: 'duration',
      as: 'retention.topicsMs',
      default: 7 * 24 * 3_600_000,
      min: 60_000,
      description: 'How long embedded topics keep records, dead letters among them',
    },
    'retention.topics_bytes': {
      type: 'bytes',
      as: 'retention.topicsBytes',
      default: 1024 ** 3,
      min: 1024 ** 2,
      description: 'How many bytes one embedded topic keeps',
    },
    'logging.level': {
      type: 'string',
      as: 'logLevel',
      default: 'error',
      choices: ['debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      flag: 'log-level',
      description: 'Least level of the JSON log lines on standard error, beside the lines for people',
    },
  },
});

export interface AllInOneSettings extends SettingsOf<typeof allInOneOptions> {
  readonly dataFolder: string;
  /** The roles' sections are in it, too. */
  readonly configFile?: string;
}

export function allInOneSettings(config: ConfigOf<typeof allInOneOptions>, configFile?: string): AllInOneSettings {
  return {
    ...settingsOf(allInOneOptions, config),
    dataFolder: config['run.data'] === '' ? defaultDataFolder() : config['run.data'],
    ...(configFile === undefined ? {} : { configFile }),
  };
}
