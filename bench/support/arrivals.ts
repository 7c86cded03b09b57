/** When records with certain keys have come to a consumer. */
import type { Bus } from '../../src/platform/bus/bus.ts';
import type { BenchContext } from './benchmark.ts';

export interface Arrivals {
  /** To be asked before the record is sent. Resolves to the moment, by the clock of the benchmark; rejects where it does not come. */
  of(key: string): Promise<number>;
}

const arrivalMsMax = 60_000;

/** Reads the topic from now on. */
export async function watchArrivals(
  { clock, lifecycle }: Pick<BenchContext, 'clock' | 'lifecycle'>,
  bus: Bus,
  topic: string,
): Promise<Arrivals> {
  const waiting = new Map<string, PromiseWithResolvers<number>>();
  const consumer = await bus.createConsumer({ groupId: clock.uuid(), topics: [topic], startAt: 'latest' });
  const stopping = new AbortController();
  const reading = (async () => {
    while (!stopping.signal.aborted) {
      const records = await consumer.poll({ recordsMax: 500, waitMs: 1_000, signal: stopping.signal });
      const arrivedMs = clock.monotonicMs();
      for (const { key } of records) {
        waiting.get(String(key))?.resolve(arrivedMs);
        waiting.delete(String(key));
      }
    }
  })();
  lifecycle.defer('consumer', async () => {
    stopping.abort();
    await reading;
    await consumer.close();
  });
  return {
    async of(key) {
      const arrival = Promise.withResolvers<number>();
      waiting.set(key, arrival);
      const cancel = clock.after(arrivalMsMax, () => arrival.reject(new Error(`no record about ${key} came`)));
      return await arrival.promise.finally(cancel);
    },
  };
}
