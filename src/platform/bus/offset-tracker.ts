/**
 * Which position may be committed while records finish out of order. Worked example: 5, 6, 7 are taken; 6 and 7 finish first,
 * nothing may be committed; when 5 finishes the position becomes 8. Used by every consumer that keeps many records in flight.
 */
import type { BusRecord, Position, TopicPartition } from './bus.ts';

interface PartitionWindow {
  readonly topic: string;
  readonly partition: number;
  /** Taken offsets in order; `true` once finished. */
  readonly taken: Map<bigint, boolean>;
  next: bigint | undefined;
}

export class OffsetTracker {
  readonly #windows = new Map<string, PartitionWindow>();

  /** Registers a record as in flight. Records of one partition must be taken in offset order. */
  take(record: Pick<BusRecord, 'topic' | 'partition' | 'offset'>): void {
    const key = windowKey(record);
    let window = this.#windows.get(key);
    if (window === undefined) {
      window = { topic: record.topic, partition: record.partition, taken: new Map(), next: undefined };
      this.#windows.set(key, window);
    }
    window.taken.set(record.offset, false);
  }

  finish(record: Pick<BusRecord, 'topic' | 'partition' | 'offset'>): void {
    const window = this.#windows.get(windowKey(record));
    if (window?.taken.has(record.offset)) window.taken.set(record.offset, true);
  }

  /** Positions that advanced since the last call: the contiguous finished head of each partition. */
  committable(): Position[] {
    const positions: Position[] = [];
    for (const window of this.#windows.values()) {
      let advanced = false;
      for (const [offset, finished] of window.taken) {
        if (!finished) break;
        window.taken.delete(offset);
        window.next = offset + 1n;
        advanced = true;
      }
      if (advanced && window.next !== undefined) {
        positions.push({ topic: window.topic, partition: window.partition, offset: window.next });
      }
    }
    return positions;
  }

  /** Forgets partitions that were taken away; their records belong to another member now. */
  forget(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#windows.delete(windowKey(partition));
  }

  inFlight(): number {
    let count = 0;
    for (const window of this.#windows.values()) {
      for (const finished of window.taken.values()) if (!finished) count += 1;
    }
    return count;
  }
}

function windowKey(partition: TopicPartition): string {
  return `${partition.topic}/${partition.partition}`;
}
