/**
 * What members of a classic consumer group tell each other through the coordinator: which topics they read, and who gets which partition.
 * Version 0 of Kafka's embedded format; later versions only add fields behind it, which are skipped when others send them.
 */
import { Reader, Writer } from '@platformatic/kafka';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { byTopic, type TopicPartition } from '../bus.ts';

const version = 0;
const noUserData = -1;

export function encodeSubscription(topics: readonly string[]): Buffer {
  return encode([...topics], (writer, topic) => writer.appendString(topic, false));
}

/** Topics that the member reads, whatever version it speaks. */
export function decodeSubscription(encoded: Buffer): readonly string[] {
  return decode(encoded, readTopic);
}

export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  return encode([...byTopic(partitions)], (writer, [topic, ofTopic]) => {
    writer.appendString(topic, false);
    writer.appendArray([...ofTopic], (own, { partition }) => own.appendInt32(partition), false, false);
  });
}

/** An empty buffer is a member without partitions. */
export function decodeAssignment(encoded: Buffer): readonly TopicPartition[] {
  if (encoded.length === 0) return [];
  return decode(encoded, (reader) => {
    const topic = readTopic(reader);
    return reader.readArray(() => ({ topic, partition: reader.readInt32() }), false, false);
  }).flat();
}

function encode<Item>(items: Item[], write: (writer: Writer, item: Item) => void): Buffer {
  return Writer.create().appendInt16(version).appendArray(items, write, false, false).appendInt32(noUserData).buffer;
}

/** A length below zero would lead back over what was read already, and a count that is a lie would then never end. */
function readTopic(reader: Reader): string {
  const start = reader.position;
  const topic = reader.readString(false);
  if (reader.position <= start) throw new RangeError('a name has a length below zero');
  return topic;
}

/** What members of other makes wrote is input: it may be anything. */
function decode<Item>(encoded: Buffer, read: (reader: Reader) => Item): Item[] {
  const reader = Reader.from(encoded);
  try {
    reader.readInt16();
    // Each item has bytes of its own, so a count that is a lie ends with the data.
    return reader.readArray(read, false, false);
  } catch (cause) {
    throw new CcxError('a member of the consumer group speaks another protocol', {
      code: 'BUS_GROUP_PROTOCOL',
      category: 'input',
      retryable: true,
      cause,
      hint: 'let no other kind of client use this group, or change the setting that names it',
    });
  }
}

/**
 * Kafka's two classic assignors, computed by whoever leads the group. `roundrobin` spreads topics with one partition over the members and
 * is what our members prefer; `range` is what the reference services speak, so that both can share a group while one replaces the other.
 */
export interface GroupMember {
  readonly memberId: string;
  readonly topics: readonly string[];
}

type Assignment = ReadonlyMap<string, readonly TopicPartition[]>;

/** `partitionCounts` names existing topics only; the others are nobody's. Every member is in the answer, maybe with nothing. */
export type Assignor = (members: readonly GroupMember[], partitionCounts: ReadonlyMap<string, number>) => Assignment;

export const assignors: ReadonlyMap<string, Assignor> = new Map<string, Assignor>([
  ['roundrobin', assignRoundRobin],
  ['range', assignRange],
]);

/** Topics by name, partitions in order, dealt to members by id in a circle that skips those who do not read the topic. */
function assignRoundRobin(members: readonly GroupMember[], partitionCounts: ReadonlyMap<string, number>): Assignment {
  const { ordered, assignment } = begin(members);
  let turn = 0;
  for (const [topic, count] of byName(partitionCounts)) {
    if (!ordered.some((member) => member.topics.includes(topic))) continue;
    for (let partition = 0; partition < count; partition += 1) {
      while (!ordered[turn % ordered.length]!.topics.includes(topic)) turn += 1;
      assignment.get(ordered[turn % ordered.length]!.memberId)!.push({ topic, partition });
      turn += 1;
    }
  }
  return assignment;
}

/** Topic by topic a stretch of neighbours for each reader, the first ones get one more where it does not divide. */
function assignRange(members: readonly GroupMember[], partitionCounts: ReadonlyMap<string, number>): Assignment {
  const { ordered, assignment } = begin(members);
  for (const [topic, count] of byName(partitionCounts)) {
    const readers = ordered.filter((member) => member.topics.includes(topic));
    if (readers.length === 0) continue;
    const each = Math.floor(count / readers.length);
    const extra = count % readers.length;
    let partition = 0;
    for (const [index, reader] of readers.entries()) {
      for (let left = each + (index < extra ? 1 : 0); left > 0; left -= 1) {
        assignment.get(reader.memberId)!.push({ topic, partition });
        partition += 1;
      }
    }
  }
  return assignment;
}

function begin(members: readonly GroupMember[]) {
  const ordered = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const assignment = new Map(ordered.map((member): [string, TopicPartition[]] => [member.memberId, []]));
  return { ordered, assignment };
}

function byName(partitionCounts: ReadonlyMap<string, number>): [string, number][] {
  return [...partitionCounts].sort(([a], [b]) => (a < b ? -1 : 1));
}
