/** What happened, one function per business event: its log line, its metrics and its announcement. Nothing here throws and nothing is awaited. */

import type { TraceEvent } from '../../contracts/trace-event.ts';
import { type CcxError, errorFields } from '../../encoding/ccx-error.ts';
import { parseRfc3339 } from '../../encoding/rfc3339.ts';
import type { BusRecord } from '../../platform/bus/bus.ts';
import { batchConsumerEvents } from '../../platform/bus/intake/batch-consumer.ts';
import { placeOf } from '../../platform/bus/telemetry.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { Counter, Histogram, type Registry } from '../../platform/telemetry/prometheus.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';

export type TrackerEvents = ReturnType<typeof createTrackerEvents>;

export function createTrackerEvents(telemetry: Telemetry, clock: Clock) {
  const { log } = telemetry;
  const metrics = createTrackerMetrics(telemetry.registry);
  return {
    ...batchConsumerEvents(telemetry, metrics.retries, 'partitions were taken away; another tracker has them now'),
    recordTaken(): void {
      metrics.consumed.inc();
    },
    statusStored({ requestId, service, status, at }: TraceEvent): void {
      metrics.stored.inc();
      const happened = parseRfc3339(at)?.micros;
      const delay = happened === undefined ? 0 : Number(clock.nowMicros() - happened) / 1e6;
      metrics.delaySeconds.observe(Math.max(0, delay));
      telemetry.announce('status-stored', { requestId, service, status });
    },
    messageDeadLettered(record: BusRecord, step: string, error: CcxError): void {
      metrics.deadLetters.inc({ step, code: error.code });
      log.warn({ ...placeOf(record), step, ...errorFields(error) }, 'message put into the dead-letter topic');
      telemetry.announce('message-dead-lettered', { code: error.code, step });
    },
    batchFinished(records: number, ms: number): void {
      metrics.batchSeconds.observe(ms / 1000);
      log.debug({ records, ms: Math.round(ms) }, 'batch finished');
    },
    started(details: Readonly<Record<string, unknown>>): void {
      log.info(details, 'payload tracker started');
    },
    eventsPruned(count: number): void {
      metrics.pruned.inc(count);
      if (count > 0) log.info({ count }, 'old events removed');
    },
    pruningFailed(error: unknown): void {
      log.warn(errorFields(error), 'old events could not be removed');
    },
    questionFailed(error: unknown): void {
      log.warn(errorFields(error), 'a question about a request could not be answered');
    },
  };
}

const secondsBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** From a fraction of a second to a backlog of hours. */
const delayBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];

function createTrackerMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter({ name: `ccx_tracker_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `ccx_tracker_${name}`, help, buckets, registers });
  return {
    consumed: counter('consumed_messages_total', 'Status messages taken from the bus'),
    stored: counter('stored_statuses_total', 'Statuses stored, or known before'),
    deadLetters: counter('dead_letters_total', 'Messages put into the dead-letter topic', ['step', 'code']),
    retries: counter('retries_total', 'Attempts that failed and were made again', ['step', 'code']),
    pruned: counter('pruned_events_total', 'Events removed because of their age or their number'),
    batchSeconds: histogram(
      'batch_seconds',
      'From the first message of a batch until its offsets may move on',
      secondsBuckets,
    ),
    delaySeconds: histogram('status_delay_seconds', 'From what a status tells until it is stored', delayBuckets),
  };
}
