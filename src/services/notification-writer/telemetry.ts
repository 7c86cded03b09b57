/**
 * What happened, one function per business event: its log line, its metrics, its status messages for the payload tracker and its
 * announcement. Nothing here throws and nothing is awaited.
 */

import { type CcxError, errorFields } from '../../encoding/ccx-error.ts';
import type { BusRecord } from '../../platform/bus/bus.ts';
import { batchConsumerEvents } from '../../platform/bus/intake/batch-consumer.ts';
import { placeOf } from '../../platform/bus/telemetry.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { StatusSender } from '../../platform/records/status-sender.ts';
import { Counter, Gauge, Histogram, type Registry } from '../../platform/telemetry/prometheus.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import type { IgnoredFact, ParsedReport, ReportSubject } from './report.ts';
import type { InsertedReport } from './store.ts';

interface WriterEventsOptions {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly metrics: WriterMetrics;
  readonly statuses: StatusSender;
}

/** One message from taking to storing. */
export interface TakenMessage {
  readonly record: BusRecord;
  readonly subject: ReportSubject;
  /** By the monotonic clock. */
  readonly takenMs: number;
}

export type WriterEvents = ReturnType<typeof createWriterEvents>;

/** The schema version that the pipeline writes; another one is warned about and stored. */
const expectedVersion = 2;

export function createWriterEvents(options: WriterEventsOptions) {
  return { ...checkEvents(options), ...outcomeEvents(options), ...serviceEvents(options) };
}

function checkEvents({ telemetry, clock, metrics, statuses }: WriterEventsOptions) {
  const { log } = telemetry;
  return {
    recordTaken(record: BusRecord): void {
      metrics.consumed.inc();
      log.debug(placeOf(record), 'message taken');
    },
    /** Read and valid; nothing is known of its time yet. */
    reportReceived({ record, subject }: TakenMessage, version: number): void {
      metrics.parsed.inc();
      if (version !== expectedVersion) {
        log.warn(
          { ...placeOf(record), ...contextOf(subject), version },
          `schema version is not ${expectedVersion}; the message is stored all the same`,
        );
      }
      metrics.versionChecked.inc();
    },
    /** Those of the above that were read in one go. */
    reportsReceived(subjects: readonly ReportSubject[]): void {
      statuses.reportAll(
        subjects.map(({ requestId }) => requestId),
        ['received'],
      );
    },
    reportShrunk({ subject }: TakenMessage, report: ParsedReport): void {
      metrics.marshaled.inc();
      metrics.shrunk.inc();
      log.debug(
        { ...contextOf(subject), originalBytes: report.originalBytes, shrunkBytes: report.text.length },
        'report shrunk',
      );
    },
    timeChecked(): void {
      metrics.timeChecked.inc();
    },
    /** The report itself is stored all the same. */
    factsIgnored({ record, subject }: TakenMessage, ignored: readonly IgnoredFact[]): void {
      if (ignored.length === 0) return;
      for (const fact of ignored) metrics.factsIgnored.inc({ fact });
      log.debug(
        { ...placeOf(record), ...contextOf(subject), ignored },
        'what the message tells beside its report is ignored',
      );
    },
    /** Hop 7. */
    reportParsed({ subject, takenMs }: TakenMessage): void {
      telemetry.announce('report-parsed', {
        requestId: subject.requestId,
        hop: 7,
        elapsedMs: clock.monotonicMs() - takenMs,
        cluster: subject.cluster,
      });
    },
  };
}

function outcomeEvents({ telemetry, clock, metrics, statuses }: WriterEventsOptions) {
  const { log } = telemetry;
  return {
    /** Of messages of one batch. Both statuses carry the same time, as in the reference. */
    outcomesKnown(subjects: readonly ReportSubject[], outcome: 'success' | 'error'): void {
      statuses.reportAll(
        subjects.map(({ requestId }) => requestId),
        ['processed', outcome],
      );
    },
    /** Hop 8. */
    reportStored({ record, subject, takenMs }: TakenMessage, bytes: number, updatedAt: string): void {
      metrics.stored.inc();
      metrics.delaySeconds.observe(Math.max(0, (clock.now().getTime() - record.timestampMs) / 1000));
      metrics.storedBytes.inc(bytes);
      log.debug({ ...placeOf(record), ...contextOf(subject), bytes, updatedAt }, 'report stored');
      telemetry.announce('report-stored', {
        requestId: subject.requestId,
        hop: 8,
        elapsedMs: clock.monotonicMs() - takenMs,
        orgId: subject.orgId,
        cluster: subject.cluster,
        updatedAt,
      });
    },
    reportRepeated({ record, subject }: TakenMessage, by: Extract<InsertedReport, { kind: 'repeated' }>['by']): void {
      metrics.repeats.inc();
      log.info({ ...placeOf(record), ...contextOf(subject), by }, 'message was stored before; no second row');
      telemetry.announce('report-repeated', { requestId: subject.requestId, by, cluster: subject.cluster });
    },
    messageDeadLettered({ record, subject }: TakenMessage, step: string, error: CcxError): void {
      metrics.errors.inc();
      metrics.deadLetters.inc({ step, code: error.code });
      log.warn(
        { ...placeOf(record), ...contextOf(subject), step, ...errorFields(error) },
        'message put into the dead-letter topic',
      );
      telemetry.announce('message-dead-lettered', { requestId: subject.requestId, code: error.code, step });
    },
    /** Once its rows are committed; the attempt that did it. */
    batchStored(ms: number): void {
      metrics.storeSeconds.observe(ms / 1000);
    },
    batchFinished(batch: { records: number; stored: number; repeated: number; refused: number; ms: number }): void {
      metrics.batchRecords.observe(batch.records);
      metrics.batchSeconds.observe(batch.ms / 1000);
      log.info({ ...batch, ms: Math.round(batch.ms) }, 'batch finished');
    },
  };
}

function serviceEvents({ telemetry, metrics }: WriterEventsOptions) {
  const { log } = telemetry;
  return {
    ...batchConsumerEvents(telemetry, metrics.retries, 'partitions were taken away; another writer has them now'),
    started(details: Readonly<Record<string, unknown>>): void {
      log.info(details, 'notification writer started');
    },
    /** A start that waits; `logged` once a minute. */
    databaseAwaited(error: CcxError, { logged }: { readonly logged: boolean }): void {
      metrics.waitingForDatabase.set(1);
      metrics.retries.inc({ step: 'bring-up-tables', code: error.code });
      if (!logged) return;
      log.error({ ...errorFields(error), hint: error.hint }, 'nothing is consumed until the database can be used');
      telemetry.announce('database-awaited', { code: error.code });
    },
    databaseFound(attempts: number): void {
      metrics.waitingForDatabase.set(0);
      if (attempts > 1) log.info({ attempts }, 'the database can be used; consuming');
    },
    traceFailed(error: unknown): void {
      log.warn(errorFields(error), 'the trace could not be written; reports are not affected');
    },
    maintenanceFinished(removed: number): void {
      if (removed > 0) log.info({ removed }, 'records of reports that are gone were removed');
    },
    maintenanceFailed(error: unknown): void {
      log.warn(errorFields(error), 'records of reports that are gone could not be removed');
    },
  };
}

function contextOf(subject: ReportSubject) {
  return { requestId: subject.requestId, organization: subject.orgId, cluster: subject.cluster };
}

/** Batches take from a millisecond (one message) to seconds (a slow disk). */
const batchSecondsBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** From a fraction of a second to a backlog of hours. */
const delayBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200];
const batchRecordsBuckets = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500];

type WriterMetrics = ReturnType<typeof createWriterMetrics>;

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
    storeSeconds: histogram(
      'store_seconds',
      'One transaction that stores a batch, its commit included',
      batchSecondsBuckets,
    ),
    delaySeconds: histogram(
      'report_delay_seconds',
      "From the message's time on the bus until its report is stored",
      delayBuckets,
    ),
    batchRecords: histogram('batch_records', 'Messages in a batch', batchRecordsBuckets),
  };
}

/** The black-box environment of the reference configures `notification-writer`, which is no metric name. */
function metricName(namespace: string): string {
  return namespace.replace(/[^a-zA-Z0-9_:]/g, '_').replace(/^(?=\d)/, '_');
}
