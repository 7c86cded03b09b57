/**
 * Which position may be committed while records finish out of order. Worked example: 5, 6, 7 are taken; 6 and 7 finish first,
 * nothing may be committed; when 5 finishes the position becomes 8. Used by every consumer that keeps many records in flight.
 *
 * `committable` is called once per finished record, so it must not look at what did not change: it costs what newly became committable.
 */

import type { BusRecord, Position, TopicPartition } from '../bus.ts';
import { partitionKey } from '../bus.ts';

/** Committed offsets that an offset tracker keeps before it cuts its list; small enough to be nothing, large enough to be rare. */
export const compactAfterTaken = 1_024;

interface PartitionWindow {
  readonly topic: string;
  readonly partition: number;
  /** Offsets in the order they were taken; those before `head` are committed and only wait for compaction. */
  order: bigint[];
  head: number;
  /** What was taken and is not committable yet; `true` once finished. */
  readonly taken: Map<bigint, boolean>;
  /** The first offset that is not done yet, and the one behind the last that was taken. */
  first: bigint;
  end: bigint;
}

export class OffsetTracker {
  readonly #windows = new Map<string, PartitionWindow>();
  /** Windows whose oldest record has finished: the only ones that can advance. */
  readonly #ready = new Set<PartitionWindow>();

  /** Registers a record as in flight. Records of one partition must be taken in offset order. */
  take(record: Pick<BusRecord, 'topic' | 'partition' | 'offset'>): void {
    const key = partitionKey(record);
    let window = this.#windows.get(key);
    if (window === undefined) {
      const { topic, partition } = record;
      window = { topic, partition, order: [], head: 0, taken: new Map(), first: record.offset, end: record.offset };
      this.#windows.set(key, window);
    }
    window.end = record.offset + 1n;
    const known = window.taken.get(record.offset);
    if (known === false) return;
    // Taken again after it finished: it is in flight once more and holds its place.
    if (known === undefined) window.order.push(record.offset);
    window.taken.set(record.offset, false);
    if (window.order[window.head] === record.offset) this.#ready.delete(window);
  }

  /** Marks a record as done. Records that were never taken, or whose partition was forgotten, are ignored. */
  finish(record: Pick<BusRecord, 'topic' | 'partition' | 'offset'>): void {
    const window = this.#windows.get(partitionKey(record));
    if (window?.taken.get(record.offset) !== false) return;
    window.taken.set(record.offset, true);
    if (window.order[window.head] === record.offset) this.#ready.add(window);
  }

  /** Positions that advanced since the last call: the contiguous finished head of each partition. */
  committable(): Position[] {
    const positions: Position[] = [];
    for (const window of this.#ready) {
      let last: bigint | undefined;
      for (;;) {
        const offset = window.order[window.head];
        if (offset === undefined || window.taken.get(offset) !== true) break;
        window.taken.delete(offset);
        window.head += 1;
        last = offset;
      }
      compact(window);
      if (last === undefined) continue;
      window.first = last + 1n;
      positions.push({ topic: window.topic, partition: window.partition, offset: window.first });
    }
    this.#ready.clear();
    return positions;
  }

  /** Forgets partitions that were taken away; their records belong to another member now. */
  forget(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const window = this.#windows.get(partitionKey(partition));
      if (window === undefined) continue;
      this.#ready.delete(window);
      this.#windows.delete(partitionKey(partition));
    }
  }

  /**
   * How many offsets of a partition lie between what could be committed and what was taken: what would be delivered again after a crash. One
   * slow record makes it grow while others pass by.
   */
  spread(partition: TopicPartition): number {
    const window = this.#windows.get(partitionKey(partition));
    return window === undefined ? 0 : Number(window.end - window.first);
  }
}

/** Cuts the committed front off once it is most of the list, so that the cost per record stays constant. */
function compact(window: PartitionWindow): void {
  if (window.head < compactAfterTaken || window.head * 2 < window.order.length) return;
  window.order = window.order.slice(window.head);
  window.head = 0;
}
