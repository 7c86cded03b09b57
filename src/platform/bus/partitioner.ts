/**
 * Which partition a record goes to. Used by the producers of both adapters, so that the same key is in the same place on either bus.
 */
import { murmur2 } from './murmur2.ts';

export interface PartitionChoice {
  readonly topic: string;
  readonly partitions: number;
  readonly key: Uint8Array | null;
}

/** The hash's sign bit is cut, not negated: that is what Kafka does. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** Records with a key by their key; records without one take turns, so that a burst of them spreads over all consumers. */
export function createPartitioner(): (choice: PartitionChoice) => number {
  const turns = new Map<string, number>();
  return ({ topic, partitions, key }) => {
    if (key !== null) return partitionOfKey(key, partitions);
    const turn = turns.get(topic) ?? 0;
    turns.set(topic, (turn + 1) % 0x40000000);
    return turn % partitions;
  };
}
