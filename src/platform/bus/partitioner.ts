/**
 * Which partition a record goes to. Used by the producers of both adapters, so that the same key is in the same place on either bus.
 */

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;
const shift = 24;

/** The hash's sign bit is cut, not negated: that is what Kafka does. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** Records with a key by their key; records without one take turns, so that a burst of them spreads over all consumers. */
export function createPartitioner() {
  const turns = new Map<string, number>();
  return ({ topic, partitions, key }: { topic: string; partitions: number; key: Uint8Array | null }): number => {
    if (key !== null) return partitionOfKey(key, partitions);
    const turn = turns.get(topic) ?? 0;
    turns.set(topic, (turn + 1) % 0x40000000);
    return turn % partitions;
  };
}

/** The 32-bit hash as a signed integer, as Java has it. */
export function murmur2(data: Uint8Array): number {
  const length = data.length;
  let hash = (seed ^ length) | 0;
  const wholeWords = length & ~3;
  for (let at = 0; at < wholeWords; at += 4) {
    let word = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
    word = Math.imul(word, multiplier);
    word ^= word >>> shift;
    word = Math.imul(word, multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  const rest = length & 3;
  if (rest === 3) hash ^= data[wholeWords + 2]! << 16;
  if (rest >= 2) hash ^= data[wholeWords + 1]! << 8;
  if (rest >= 1) hash = Math.imul(hash ^ data[wholeWords]!, multiplier);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  return hash ^ (hash >>> 15);
}
