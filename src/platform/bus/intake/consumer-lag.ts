/**
 * How far a group member is behind, partition by partition: the gauge `ccx_consumer_lag_records` and what `ccx roles` shows. Asked of the
 * bus now and then and not when somebody scrapes. Used by the services that read from the bus.
 */

import type { Clock } from '../../clock/clock.ts';
import { within } from '../../clock/deadline.ts';
import { Gauge, type Registry } from '../../telemetry/prometheus.ts';
import { type Bus, type Consumer, type PartitionLag, partitionKey, type TopicPartition } from '../bus.ts';

/** A look costs a few requests to the brokers, or one small statement. */
const lookEveryMs = 15_000;
const lookMsMax = 10_000;

interface LagOptions {
  readonly bus: Bus;
  readonly consumer: Pick<Consumer, 'assignment'>;
  readonly topic: string;
  readonly groupId: string;
  readonly startAt: 'earliest' | 'latest';
  readonly clock: Clock;
  readonly registry: Registry;
}

interface Lag extends TopicPartition {
  /** Records that the group has not acknowledged. */
  readonly records: number;
}

/**
 * Looks now and every 15 seconds, until stopped. Only partitions that this member owns are shown, so that members of a group can be added
 * up; while the bus cannot be asked none are: an old number would pass for the truth.
 */
export function watchLag({ bus, consumer, topic, groupId, startAt, clock, registry }: LagOptions) {
  const gauge = lagGauge(registry);
  const stopping = new AbortController();
  let lags: readonly Lag[] = [];

  async function look(): Promise<void> {
    const found = await within(
      bus.admin.lag(groupId, [topic]).catch(() => []),
      { clock, ms: lookMsMax, signal: stopping.signal },
      () => [],
    );
    const owned = new Set(consumer.assignment().map(partitionKey));
    for (const { topic: gone, partition } of lags) gauge.remove({ group: groupId, topic: gone, partition });
    lags = found
      .filter((partition) => owned.has(partitionKey(partition)))
      .map((place) => ({ topic, partition: place.partition, records: lagOf(place, startAt) }));
    for (const { partition, records } of lags) gauge.set({ group: groupId, topic, partition }, records);
  }

  let looking = look();
  const stopTimer = clock.every(lookEveryMs, () => {
    looking = look();
    return looking;
  });
  return {
    lags: () => lags,
    async stop(): Promise<void> {
      stopTimer();
      stopping.abort();
      await looking;
    },
  };
}

/** A group that starts at the newest record and has acknowledged none is behind nothing; records that retention took are not due. */
function lagOf({ committed, start, end }: PartitionLag, startAt: 'earliest' | 'latest'): number {
  if (committed === null && startAt === 'latest') return 0;
  const from = committed === null || committed < start ? start : committed;
  return from > end ? 0 : Number(end - from);
}

/** One process may have several consumers on one registry. */
export function lagGauge(registry: Registry) {
  const name = 'ccx_consumer_lag_records';
  const existing = registry.getSingleMetric(name);
  if (existing !== undefined) return existing as Gauge<'group' | 'topic' | 'partition'>;
  return new Gauge({
    name,
    help: 'Records of the partitions that this member of the group reads which the group has not acknowledged',
    labelNames: ['group', 'topic', 'partition'],
    registers: [registry],
  });
}
