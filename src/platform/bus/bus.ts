/**
 * The message bus as our services use it: Kafka's semantics, narrowed. Two adapters pass the same contract suite
 * (`bus.contract.ts`): `postgres/` for the embedded default, `kafka/` for production. A service cannot tell which one it is on.
 *
 * What both promise: records with the same key go to the same partition; order within a partition; an offset is visible only
 * after all smaller ones; a record stays due until a member of its group commits a position past it; after a crash or a
 * rebalance uncommitted records are delivered again (so consumers are idempotent).
 * What stays with callers: serialising, retry policy, dead letters.
 */

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A position is the offset of the next record to read: last processed + 1. */
export interface Position extends TopicPartition {
  readonly offset: bigint;
}

export interface RecordHeader {
  readonly name: string;
  /** Present where the name is no UTF-8: its bytes, which `name` cannot hold. */
  readonly nameBytes?: Buffer;
  /** Null is not empty: Kafka has both. */
  readonly value: Buffer | null;
}

export interface BusRecord extends TopicPartition {
  /** Of what a consumer hands out: another one after the topic was deleted and made again. */
  readonly topicId?: string;
  readonly offset: bigint;
  readonly key: Buffer | null;
  /** Null is Kafka's tombstone. */
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
  /** Milliseconds since the epoch, set by the producer or the broker. */
  readonly timestampMs: number;
}

export interface OutgoingRecord {
  readonly topic: string;
  /** Same key, same partition. Null or absent: any partition. */
  readonly key?: string | Buffer | null;
  readonly value: string | Buffer | null;
  /** Of a record that is passed on: byte for byte, in this order and before `headers`, whatever their names. */
  readonly headersBefore?: readonly RecordHeader[];
  readonly headers?: Readonly<Record<string, string>>;
}

export interface SendOptions {
  /** Records without a key go to few partitions, a few at a time: less work, where it does not matter that all consumers get some at once. */
  readonly together?: boolean;
}

export interface Producer {
  /**
   * Resolves when every record is durable (Kafka: acks from all in-sync replicas), with positions in the order given. All or error:
   * what no bus would take (`BUS_RECORD_TOO_LARGE`, `BUS_TOPIC_UNKNOWN`) is refused before anything is stored; after any other error,
   * such as `BUS_UNREACHABLE` (retryable), some or all of the records may be stored, so whoever sends again may send twice.
   * Sends that nobody waited for keep their order within a partition.
   */
  send(records: readonly OutgoingRecord[], options?: SendOptions): Promise<readonly Position[]>;
  /**
   * Each record for itself: what one of them meets (too large, a topic that is not there, a leader that is away) costs the others nothing.
   * `settle` is called once for each, with its place in `records`, as soon as its outcome is known: where it lies, or the error that `send`
   * would have rejected with. Resolves when all are settled and never rejects.
   */
  sendEach(records: readonly OutgoingRecord[], settle: SettleRecord): Promise<void>;
  close(): Promise<void>;
}

export type SettleRecord = (index: number, outcome: Position | Error) => void;

export interface ConsumerOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  /**
   * Where a group begins that has committed nothing at all. `latest` is stored for the group at once, for every partition and before
   * `createConsumer` resolves, so a restart before its first commit does not skip what came in between. In a group that has begun, a
   * partition without a position (added, or of a topic that was made since) is new, and read from its beginning in either case.
   */
  readonly startAt: 'earliest' | 'latest';
  /** Upper bound of what is fetched and not yet handed out. */
  readonly bufferedBytesMax?: number;
  /** Called after partitions were taken from this member; records of theirs that are in flight may be redelivered elsewhere. */
  readonly onRevoked?: (partitions: readonly TopicPartition[]) => void;
}

export interface PollOptions {
  readonly recordsMax: number;
  /** How long to wait for the first record; an empty answer after that is normal. */
  readonly waitMs: number;
  /** Aborting ends the wait with an empty answer. */
  readonly signal?: AbortSignal;
}

export interface Consumer {
  /**
   * The next records in order per partition; never again the same ones within one assignment of the partition. Where there are none
   * because something fails (`BUS_UNREACHABLE`, `BUS_TOPIC_UNKNOWN`, `BUS_TOPIC_PERMISSION` …) it rejects once the wait is over; the
   * consumer goes on by itself, so the answer to a failed poll is another poll. Positions that are not stored any more (retention) move
   * up to the oldest record.
   */
  poll(options: PollOptions): Promise<readonly BusRecord[]>;
  /**
   * Stores positions for the group, durable when it resolves. A position of a partition that this member no longer owns, or that this
   * assignment of it never handed out, is refused with code `BUS_FENCED` (not retryable): drop the work, somebody else has it. The other
   * positions of a refused call are stored all the same.
   */
  commit(positions: readonly Position[]): Promise<void>;
  /** What this member owns now. */
  assignment(): readonly TopicPartition[];
  /** Stop and resume handing out records of partitions, for back-pressure; commits and membership go on. A partition that is lost forgets it. */
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** Leaves the group; what is not committed is due again. A poll that waits ends with nothing. Never rejects because the bus is away. */
  close(): Promise<void>;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Records older than this may be dropped; absent keeps the adapter's default. */
  readonly retentionMs?: number;
  readonly retentionBytes?: number;
}

export interface PartitionLag extends TopicPartition {
  /** Next offset to read for the group; null when it never committed. */
  readonly committed: bigint | null;
  /** Offset that the next record will get. */
  readonly end: bigint;
  /** Oldest offset still stored. */
  readonly start: bigint;
}

export interface BusAdmin {
  /** Creates what is missing; leaves existing topics as they are. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>;
  deleteTopic(name: string): Promise<void>;
  listTopics(): Promise<readonly string[]>;
  /** How long the topic keeps records at least; infinity where that is for ever. Rejects where we may not know. */
  retentionMs(topic: string): Promise<number>;
  /** Every partition of the topics, with the group's position. */
  lag(groupId: string, topics: readonly string[]): Promise<readonly PartitionLag[]>;
  /** Reads a range without a group, for dead letters and tools: up to `recordsMax` records from `from` on. */
  read(from: Position, recordsMax: number): Promise<readonly BusRecord[]>;
}

export interface Bus {
  readonly kind: 'postgres' | 'kafka';
  readonly admin: BusAdmin;
  createProducer(): Promise<Producer>;
  createConsumer(options: ConsumerOptions): Promise<Consumer>;
  /** Rejects with a clear `CcxError` when the bus cannot be reached now. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** The last header of that name as UTF-8 text; duplicate names are folded to the last one, as the reference does. */
export function headerText(record: Pick<BusRecord, 'headers'>, name: string): string | undefined {
  const header = record.headers.findLast((candidate) => candidate.name === name);
  return header === undefined ? undefined : (header.value?.toString('utf8') ?? '');
}

/** What a step needs that ends in a send: a producer, or what stands before one. */
export interface RecordSender {
  send(records: readonly OutgoingRecord[]): Promise<unknown>;
}

/** One text per partition, for maps. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

export function byTopic<Place extends TopicPartition>(places: readonly Place[]): ReadonlyMap<string, readonly Place[]> {
  return Map.groupBy(places, ({ topic }) => topic);
}

/**
 * Whether a consumer group has acknowledged everything that is there; half of what "idle" means for a service. A group that starts at the
 * latest record and has acknowledged none has nothing to read of what was there before.
 */
export async function hasReadEverything(
  bus: Bus,
  groupId: string,
  topics: readonly string[],
  startAt: 'earliest' | 'latest' = 'earliest',
): Promise<boolean> {
  const partitions = await bus.admin.lag(groupId, topics);
  return partitions.every(({ committed, start, end }) =>
    committed === null ? startAt === 'latest' || start >= end : committed >= end,
  );
}
