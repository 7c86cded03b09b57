/**
 * Settings of the all-in-one process itself, and its data folder. Each service keeps its own settings and environment names; this file only says where they get
 * other defaults here.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ConfigFile } from '../platform/config/config-file.ts';
import type { LoadedConfig } from '../platform/config/load-config.ts';
import { type ConfigOf, defineOptions, type SettingsOf, settingsOf } from '../platform/config/options.ts';
import { databaseOfUrl } from '../platform/database/configured-database.ts';
import type { DatabaseLocation } from '../platform/database/database.ts';
import { defaultDataFolder } from '../platform/database/database-location.ts';
import { tlsOptions } from '../platform/http/own-certificate.ts';

export const allInOneOptions = defineOptions({
  name: 'all-in-one',
  envPrefix: 'CCX_ALL_IN_ONE',
  options: {
    'run.data': {
      default: '',
      flag: 'data',
      description:
        'Folder that keeps everything; default ./data (as root in a closed folder /var/lib/ccx-notifications)',
    },
    'run.host': { as: 'host', default: '127.0.0.1', flag: 'host', description: 'Address that ingress listens on' },
    'run.port': {
      type: 'integer',
      as: 'port',
      default: 3000,
      min: 0,
      max: 65_535,
      flag: 'port',
      description: 'Port of ingress; 0 takes any free one',
    },
    ...tlsOptions,
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
      as: 'kafkaBrokers',
      default: [],
      split: 'comma-or-whitespace',
      flag: 'kafka',
      description: 'Kafka brokers (host:port) to use in place of the embedded topics',
    },
    'run.database': {
      as: 'databaseUrl',
      default: '',
      secret: true,
      flag: 'database',
      description: 'PostgreSQL to use in place of the embedded one, postgres://user:password@host/name',
    },
    'run.s3': {
      as: 's3',
      default: '',
      secret: true,
      flag: 's3',
      description:
        'Bucket to keep archives in, in place of the data folder: http(s)://key:secret@host:port/bucket, or s3://bucket at Amazon; without key and secret the credential chain of AWS; ?region=… and more behind it',
    },
    'run.alertmanager': {
      as: 'alertmanager',
      default: '',
      secret: true,
      flag: 'alertmanager',
      description:
        'Alertmanager to post every active issue to, in place of the stand-ins: http(s)://host:port, several with commas between. More about it in [[notifier.receivers]]',
    },
    'run.idle_timeout': {
      type: 'duration',
      as: 'idleMsMax',
      default: 300_000,
      min: 1_000,
      flag: 'timeout',
      description: 'With --once: how long to wait until nothing is in flight',
    },
    'mail.to': {
      default: [],
      flag: 'mail',
      description: 'Whom to mail what is new, in place of the stand-ins: one address, or several with commas between',
    },
    'mail.smtp': {
      default: '',
      flag: 'smtp',
      description:
        'With --mail: the mail server, host or host:port; with smtps:// TLS from the beginning, else STARTTLS',
    },
    'mail.from': {
      default: '',
      flag: 'mail-from',
      description: 'With --mail: the sender; default ccx-notifications at the domain of the first address',
    },
    'mail.ca_file': {
      default: '',
      description: "With --mail: PEM file of the authority of the server's certificate, beside the known ones",
    },
    'mail.username': { default: '', description: 'With --mail: the login at the server' },
    'mail.password': { default: '', secret: true, description: 'With --mail: the password of mail.username' },
    'retention.archives': {
      type: 'duration',
      default: 72 * 3_600_000,
      min: 60_000,
      description: 'How long archives are kept; in a bucket its lifecycle says it',
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
      as: 'logLevel',
      default: 'error',
      choices: ['debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      flag: 'log-level',
      description: 'Least level of the JSON log lines on standard error, beside the lines for people',
    },
  },
});

export interface AllInOneSettings extends SettingsOf<typeof allInOneOptions> {
  /** One of your own; with an empty URL the embedded one. */
  readonly database: DatabaseLocation;
  readonly dataFolder: string;
  /** From which mail.password came, and is read again; empty: from none. */
  readonly mailPasswordFile: string;
  /** The roles' sections are in it, too. */
  readonly configFile?: ConfigFile;
}

export function allInOneSettings(
  config: ConfigOf<typeof allInOneOptions>,
  configFile?: ConfigFile,
  secretFiles: LoadedConfig<typeof allInOneOptions>['secretFiles'] = {},
): AllInOneSettings {
  return {
    ...settingsOf(allInOneOptions, config),
    database: databaseOfUrl({ config, secretFiles }, 'run.database', 'run.database (--database)'),
    mailPasswordFile: secretFiles['mail.password']?.path ?? '',
    dataFolder: config['run.data'] === '' ? defaultDataFolder() : config['run.data'],
    ...(configFile === undefined ? {} : { configFile }),
  };
}

/**
 * The folder that holds everything an installation keeps, and where in it what lies. Each part creates its own folder; who owns the whole
 * is the embedded PostgreSQL's business, which refuses a second process before anything else is opened.
 */
export interface DataFolder {
  readonly root: string;
  readonly postgres: string;
  readonly objects: string;
  readonly receivers: string;
  /** True until `markUsed` was called once: nobody has sent anything through this installation. */
  isNew(): boolean;
  markUsed(): void;
}

export function dataFolderAt(path: string): DataFolder {
  const root = resolve(path);
  const marker = join(root, 'used');
  return {
    root,
    postgres: join(root, 'postgres'),
    objects: join(root, 'objects'),
    receivers: join(root, 'receivers'),
    isNew: () => !existsSync(marker),
    markUsed() {
      try {
        writeFileSync(marker, 'An archive has gone through this installation.\n');
      } catch {
        // On a full disk: then the demonstration is shown once more.
      }
    },
  };
}
