/** The payload tracker's metrics. Written by `events.ts` only. */
import { Counter, Histogram, type Registry } from 'prom-client';

const secondsBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** From a fraction of a second to a backlog of hours. */
const delayBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];

export type TrackerMetrics = ReturnType<typeof createTrackerMetrics>;

export function createTrackerMetrics(registry: Registry) {
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
