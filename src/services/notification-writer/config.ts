/**
 * The writer's options, and their values as the settings that `service.ts` and the adapters take. The keys of the first table are the
 * reference's own, so that a configuration of the hosted writer is one of ours; the second table is what it does not know.
 * Source: notification-writer.md 2.3.
 */

import { STATUS_SERVICE_WRITER } from '../../contracts/payload-status.ts';
import {
  GROUP_WRITER,
  TOPIC_OCP_RESULTS,
  TOPIC_PAYLOAD_STATUS,
  TOPIC_WRITER_DEAD_LETTERS,
} from '../../contracts/topics.ts';
import { CcxError, errorCode } from '../../encoding/ccx-error.ts';
import { type BusConfig, type BusSettings, busOptions, busSettings } from '../../platform/bus/bus-options.ts';
import {
  type ConfigOf,
  defineOptions,
  type OptionRow,
  type SettingsOf,
  settingsOf,
} from '../../platform/config/options.ts';
import { tlsOptions } from '../../platform/http/own-certificate.ts';
import { brokerOptions, brokerSettings, storageOptions } from '../../platform/reference/broker-settings.ts';
import { loggingOptions, refuseUnsupportedLogging } from '../../platform/reference/reference-log.ts';

/**
 * Bytes of the messages of one transaction, and of what is fetched ahead: some four hundred reports. One message that is larger makes a batch
 * of its own.
 */
const batchBytesDefault = 4 * 1024 ** 2;
/** Clocks of the pipeline and the writer differ; the reference loses every report that comes from a clock ahead of its own. */
const futureToleranceMsDefault = 60 * 1_000;
/** How long the writer remembers up to where it stored what: longer than any topic is kept. */
const storedMessageRetentionMsDefault = 30 * 24 * 3_600_000;

/** Messages of one transaction: past a few hundred the round trips no longer count, and a retry repeats less. */
const batchRecordsDefault = 500;
/** What one configuration may ask for; the parameters of a statement are held in memory twice. */
const batchRecordsMax = 10_000;
/** How long a batch waits for more after its first message: a burst becomes few transactions, a single message does not wait. */
const batchWaitMsDefault = 10;

/** Keys of the reference. The defaults make `ccx writer` work as it is; the drop-in program has its own. */
export const referenceOptions = {
  'broker.addresses': {
    default: '',
    description: 'Kafka brokers, host:port separated by commas; when set, they are used instead of the bus.* settings',
  },
  ...brokerOptions('broker', { mechanism: '' }),
  'broker.topic': { as: 'topic', default: TOPIC_OCP_RESULTS, description: 'Topic of the reports' },
  'broker.group': { as: 'groupId', default: GROUP_WRITER, description: 'Consumer group' },
  'broker.enabled': { default: true, description: 'False: the service ends at once, with exit code 0' },
  'broker.disable_api_versions_request': {
    default: false,
    description: 'Accepted for old configurations; without effect, because the client always negotiates',
  },
  ...storageOptions('storage', 'notification'),
  'storage.db_driver': { default: 'postgres', description: 'Only postgres works' },
  ...loggingOptions,
  'metrics.namespace': {
    as: 'metricsNamespace',
    default: 'notification_writer',
    description: 'In front of the names of the metrics',
  },
  'metrics.address': { default: ':8080', description: 'Address of GET /metrics; "none" for no server' },
  'tracker.topic': {
    as: 'statusesTopic',
    off: 'none',
    default: TOPIC_PAYLOAD_STATUS,
    description: 'Topic of status messages for the payload tracker; "none" sends none',
  },
  'tracker.service_name': {
    as: 'serviceName',
    default: STATUS_SERVICE_WRITER,
    description: 'Name of this service in status messages',
  },
} as const satisfies Record<string, OptionRow>;

/** Keys that the reference does not know. */
const additionalOptions = {
  'broker.start_at': {
    as: 'startAt',
    default: 'earliest',
    choices: ['earliest', 'latest'],
    description: 'Where a group without a committed offset starts',
  },
  'storage.url': {
    default: '',
    secret: true,
    env: 'CCX_DATABASE_URL',
    description: 'postgres://user:password@host:port/name instead of the storage.pg_* settings',
    flag: 'database',
  },
  'storage.ensure_schema': {
    as: 'ensureSchema',
    default: false,
    description: 'Brings the notification schema up to date at start instead of demanding it',
  },
  'storage.record_retention': {
    type: 'duration',
    as: 'recordRetentionMs',
    default: storedMessageRetentionMsDefault,
    min: 3_600_000,
    description:
      'How long it is kept up to where a partition is stored that nothing comes from, and what earlier releases kept of each message',
  },
  'batch.records': {
    type: 'integer',
    as: 'batch.recordsMax',
    default: batchRecordsDefault,
    min: 1,
    max: batchRecordsMax,
    description: 'Messages stored in one transaction; 1 stores one by one, as the reference does',
  },
  'batch.bytes': {
    type: 'bytes',
    as: 'batch.bytesMax',
    default: batchBytesDefault,
    min: 1,
    description: 'Bytes of messages stored in one transaction',
  },
  'batch.wait': {
    type: 'duration',
    default: batchWaitMsDefault,
    min: 0,
    description: 'How long a batch waits for more messages; one that comes alone does not wait',
  },
  'check.future_tolerance': {
    type: 'duration',
    as: 'futureToleranceMs',
    default: futureToleranceMsDefault,
    min: 0,
    description:
      'How far ahead of our clock LastChecked may be; 0 is the reference, which loses reports as soon as clocks differ',
  },
  'dead_letters.topic': {
    as: 'deadLettersTopic',
    default: TOPIC_WRITER_DEAD_LETTERS,
    description: 'Topic of what cannot be stored',
  },
  'trace.enabled': { as: 'traced', default: true, description: 'Keeps the times of hops 7 and 8 of each request' },
} as const satisfies Record<string, OptionRow>;

export const notificationWriterOptions = defineOptions({
  name: 'writer',
  envPrefix: 'CCX_NOTIFICATION_WRITER',
  options: { ...referenceOptions, ...additionalOptions, ...tlsOptions, ...busOptions },
});

export type NotificationWriterConfig = ConfigOf<typeof notificationWriterOptions>;

export interface NotificationWriterSettings extends SettingsOf<typeof notificationWriterOptions> {
  /** A database that cannot be used at the start is waited for instead of ending it. */
  readonly waitsForDatabase?: boolean;
}

/** Throws `CONFIG_INVALID` where a setting asks for what there is not. */
export function notificationWriterSettings(config: NotificationWriterConfig): NotificationWriterSettings {
  if (config['storage.db_driver'] !== 'postgres') {
    throw new CcxError(`driver ${config['storage.db_driver']} is not supported`, {
      code: 'WRITER_DRIVER',
      category: 'storage',
      hint: 'set storage.db_driver to postgres',
    });
  }
  refuseUnsupportedLogging(config);
  return settingsOf(notificationWriterOptions, config);
}

/** The reference's brokers if there are any, else the bus.* settings that all our roles share. */
export function writerBusSettings(config: NotificationWriterConfig): BusSettings {
  if (config['broker.addresses'] === '') return busSettings(config as BusConfig, 'writer');
  return brokerSettings(config, 'broker', {
    clientId: config['bus.client_id'] || 'ccx-writer',
    sessionMs: config['bus.session_timeout'],
    deliveryMsMax: config['bus.delivery_timeout'],
    recordBytesMax: config['bus.record_bytes_max'],
  });
}

/** Exit codes of the reference. Source: notification-writer.md 1.4. */
export const writerExitCodes = { configuration: 1, bus: 2, kafkaCheck: 4, storage: 5, migration: 7 } as const;

/** Of the service; unknown is never 0. */
export function writerExitCode(error: unknown): number {
  const code = errorCode(error);
  if (/^(DATABASE|CCX_MIGRATION|SCHEMA|WRITER)_/.test(code)) return writerExitCodes.storage;
  return code.startsWith('BUS_') ? writerExitCodes.bus : writerExitCodes.configuration;
}

/** An empty environment variable counts as unset, so that "switched off" needs a word of its own. */
export function noneAsEmpty(text: string): string {
  return text.trim().toLowerCase() === 'none' ? '' : text;
}
