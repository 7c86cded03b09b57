/**
 * The writer's metrics. Names and help texts of the first group are those of the reference, with the namespace in front of each of them
 * and nothing without it, so that dashboards go on working; ours are added with the prefix `ccx_writer_`. Written by `events.ts` only.
 * Source: notification-writer.md 9.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Batches take from a millisecond (one message) to seconds (a slow disk). */
const batchSecondsBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const batchRecordsBuckets = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500];

export type WriterMetrics = ReturnType<typeof createWriterMetrics>;

export function createWriterMetrics(registry: Registry, namespace: string) {
  const registers = [registry];
  const prefix = namespace === '' ? '' : `${metricName(namespace)}_`;
  const named = (name: string, help: string) => new Counter({ name: `${prefix}${name}`, help, registers });
  const own = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter({ name: `ccx_writer_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `ccx_writer_${name}`, help, buckets, registers });
  return {
    consumed: named('consumed_messages', 'The total number of messages consumed from Kafka'),
    errors: named('consuming_errors', 'The total number of errors during consuming messages from Kafka'),
    parsed: named('parse_incoming_message', 'The total number of parsed messages'),
    versionChecked: named('check_schema_version', 'The total number of messages with successful schema check'),
    marshaled: named('marshal_report', 'The total number of marshaled reports'),
    shrunk: named('shrink_report', 'The total number of shrunk reports'),
    timeChecked: named('check_last_checked_timestamp', 'The total number of messages with last checked timestamp'),
    stored: named('stored_messages', 'The total number of messages stored into database'),
    storedBytes: named('stored_bytes', 'The total number of bytes stored into database'),

    repeats: own('repeated_messages_total', 'Messages that were recognised as stored before'),
    deadLetters: own('dead_letters_total', 'Messages put into the dead-letter topic', ['step', 'code']),
    factsIgnored: own('facts_ignored_total', 'What messages tell beside the report and could not be used', ['fact']),
    retries: own('retries_total', 'Attempts that failed and were made again', ['step', 'code']),
    statusesDropped: own('statuses_dropped_total', 'Status messages that could not be sent in time'),
    waitingForDatabase: new Gauge({
      name: 'ccx_writer_waiting_for_database',
      help: '1 while a started writer takes nothing because its database or its tables are not there',
      registers,
    }),
    batchSeconds: histogram(
      'batch_seconds',
      'From the first message of a batch until its offsets may move on',
      batchSecondsBuckets,
    ),
    batchRecords: histogram('batch_records', 'Messages in a batch', batchRecordsBuckets),
  };
}

/** The black-box environment of the reference configures `notification-writer`, which is no metric name. */
function metricName(namespace: string): string {
  return namespace.replace(/[^a-zA-Z0-9_:]/g, '_').replace(/^(?=\d)/, '_');
}
