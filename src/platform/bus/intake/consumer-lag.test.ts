/** Lag is shown for what this member reads, as long as it can be asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createManualClock } from '../../clock/manual-clock.ts';
import type { Bus, PartitionLag, TopicPartition } from '../bus.ts';
import { watchLag } from './consumer-lag.ts';

const everyMs = 15_000;
const place = (partition: number, committed: bigint | null, start: bigint, end: bigint): PartitionLag => ({
  ...{ topic: 't', partition, committed, start, end },
});

function watch(startAt: 'earliest' | 'latest' = 'earliest') {
  const registry = new Registry();
  const clock = createManualClock();
  const bench = { places: [] as PartitionLag[], away: false, owned: [0, 1, 2, 3] };
  const lag = async () => {
    if (bench.away) throw new Error('away');
    return bench.places;
  };
  const consumer = {
    assignment: (): TopicPartition[] => bench.owned.map((partition) => ({ topic: 't', partition })),
  };
  const bus = { admin: { lag } } as unknown as Bus;
  const watched = watchLag({ bus, consumer, topic: 't', groupId: 'g', startAt, clock, registry });
  return {
    bench,
    watched,
    async shown() {
      await clock.advance(everyMs);
      const text = await registry.metrics();
      const found = text.matchAll(/^ccx_consumer_lag_records\{group="g",topic="t",partition="(\d)"\} (\d+)$/gm);
      const fromPage = Object.fromEntries([...found].map(([, partition, value]) => [partition, Number(value)]));
      const fromState = Object.fromEntries(watched.lags().map(({ partition, records }) => [partition, records]));
      assert.deepEqual(fromState, fromPage);
      return fromPage;
    },
  };
}

test('what is not acknowledged of the own partitions, and not what retention took', async () => {
  const { bench, watched, shown } = watch();
  bench.places = [place(0, 3n, 0n, 10n), place(1, null, 4n, 10n), place(2, 2n, 5n, 10n), place(3, 10n, 0n, 10n)];
  assert.deepEqual(await shown(), { 0: 7, 1: 6, 2: 5, 3: 0 });
  bench.owned = [1];
  assert.deepEqual(await shown(), { 1: 6 });
  bench.away = true;
  assert.deepEqual(await shown(), {}, 'an old number would pass for the truth');
  bench.away = false;
  assert.deepEqual(await shown(), { 1: 6 });
  await watched.stop();
});

test('a group that starts at the newest record is behind nothing before it acknowledged one', async () => {
  const { bench, watched, shown } = watch('latest');
  bench.places = [place(0, null, 0n, 10n), place(1, 9n, 0n, 10n)];
  assert.deepEqual(await shown(), { 0: 0, 1: 1 });
  await watched.stop();
});
