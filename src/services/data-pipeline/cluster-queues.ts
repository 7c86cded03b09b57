/**
 * Keeps the announcements of one cluster in their order: the next begins when the one before it has ended, however long that is tried again.
 * Used by `pipeline.ts`; announcements that do not name their cluster are in no order.
 */
import type { Upload } from './upload.ts';

export class ClusterQueues {
  /** By organization and cluster: resolves when the last one that came has ended. */
  readonly #ends = new Map<string, Promise<void>>();

  async run<T>({ orgId, clusterId }: Pick<Upload, 'orgId' | 'clusterId'>, work: () => Promise<T>): Promise<T> {
    if (clusterId === undefined) return work();
    const queue = `${orgId}/${clusterId.toLowerCase()}`;
    const before = this.#ends.get(queue);
    const ended = Promise.withResolvers<void>();
    this.#ends.set(queue, ended.promise);
    try {
      await before;
      return await work();
    } finally {
      ended.resolve();
      if (this.#ends.get(queue) === ended.promise) this.#ends.delete(queue);
    }
  }
}
