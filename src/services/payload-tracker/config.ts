/** The payload tracker's options, and their values as the settings that `service.ts` takes. */
import { GROUP_TRACKER, TOPIC_PAYLOAD_STATUS, TOPIC_TRACKER_DEAD_LETTERS } from '../../contracts/topics.ts';
import { busOptions } from '../../platform/bus/bus-options.ts';
import { defineOptions, type SettingsOf } from '../../platform/config/options.ts';
import { tlsOptions } from '../../platform/http/own-certificate.ts';

const batchBytesDefault = 8 * 1024 ** 2;
/** Two weeks: an operator comes back from a holiday and asks what became of an upload. */
const retentionAgeMsDefault = 14 * 24 * 3_600_000;

/** Statuses of one transaction. */
const batchRecordsDefault = 1_000;
const batchRecordsMax = 10_000;
/** How long a batch waits for more: an archive has a status at every hop, and somebody may be looking at it. */
const batchWaitMsDefault = 100;
/** About a gigabyte of table and index; some 300 000 uploads. */
const retentionRowsDefault = 5_000_000;
/** Port of the tracker's own HTTP; the reference's is 80 behind a service address. */
const httpPortDefault = 8084;

export const payloadTrackerOptions = defineOptions({
  name: 'tracker',
  envPrefix: 'CCX_TRACKER',
  options: {
    'incoming.topic': { as: 'topic', default: TOPIC_PAYLOAD_STATUS, description: 'Topic of the status messages' },
    'incoming.group_id': { as: 'groupId', default: GROUP_TRACKER, description: 'Consumer group' },
    'incoming.start_at': {
      as: 'startAt',
      default: 'earliest',
      choices: ['earliest', 'latest'],
      description: 'Where a group without a committed offset starts',
    },
    'dead_letters.topic': {
      as: 'deadLettersTopic',
      default: TOPIC_TRACKER_DEAD_LETTERS,
      description: 'Topic of what cannot be read',
    },
    'batch.records': {
      type: 'integer',
      as: 'batch.recordsMax',
      default: batchRecordsDefault,
      min: 1,
      max: batchRecordsMax,
      description: 'Statuses stored in one transaction',
    },
    'batch.bytes': {
      type: 'bytes',
      as: 'batch.bytesMax',
      default: batchBytesDefault,
      min: 1,
      description: 'Bytes of statuses stored in one transaction',
    },
    'batch.wait': {
      type: 'duration',
      default: batchWaitMsDefault,
      min: 0,
      description: 'How long a batch waits for more statuses',
    },
    'retention.age': {
      type: 'duration',
      default: retentionAgeMsDefault,
      min: 60_000,
      description: 'How long events are kept',
    },
    'retention.rows': {
      type: 'integer',
      as: 'retention.rowsMax',
      default: retentionRowsDefault,
      min: 1_000,
      description: 'How many events are kept; the oldest go first',
    },
    ...tlsOptions,
    'http.host': { default: '0.0.0.0', flag: 'host', description: 'Address to listen on' },
    'http.port': {
      type: 'integer',
      default: httpPortDefault,
      min: 0,
      max: 65_535,
      flag: 'port',
      description: 'Port of /v1/payloads, /metrics, /ready and /live; 0 takes any free one',
    },
    'database.url': {
      default: '',
      secret: true,
      env: 'CCX_DATABASE_URL',
      flag: 'database',
      description: 'postgres://user:password@host:port/name of the database that keeps the events',
    },
    'logging.level': {
      default: 'info',
      choices: ['debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      flag: 'log-level',
      description: 'Least level of the JSON log lines',
    },
    ...busOptions,
  },
});

export type PayloadTrackerSettings = SettingsOf<typeof payloadTrackerOptions>;
