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

/** So many records of one send travel together where their sender wants it: each partition costs a request. */
export const recordsPerTurn = 8;

/** What of a record says where it goes. */
interface Addressed {
  readonly topic: string;
  readonly key: Uint8Array | null;
}

/**
 * The partitions of the records of one send: of those with a key by their key; others take turns, so that a burst of them spreads over all
 * consumers: one by one, or `together`, a few at a time.
 */
export function createPartitioner() {
  const turns = new Map<string, number>();
  return (records: readonly Addressed[], partitionsOf: (topic: string) => number, together = false): number[] => {
    const perTurn = together ? recordsPerTurn : 1;
    const placed = new Map<string, number>();
    const chosen = records.map(({ topic, key }) => {
      if (key !== null) return partitionOfKey(key, partitionsOf(topic));
      const before = placed.get(topic) ?? 0;
      placed.set(topic, before + 1);
      return ((turns.get(topic) ?? 0) + Math.floor(before / perTurn)) % partitionsOf(topic);
    });
    for (const [topic, count] of placed)
      turns.set(topic, ((turns.get(topic) ?? 0) + Math.ceil(count / perTurn)) % 0x40000000);
    return chosen;
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
