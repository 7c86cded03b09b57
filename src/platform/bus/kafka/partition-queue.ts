/**
 * The way of records into one partition, one batch at a time. A batch keeps its producer id and sequence number over all its tries, so the
 * broker stores it once however often the answer is lost; the next batch goes only when this one is decided. Called by `producer.ts`.
 */
import { type MessageRecord, NumericMap } from '@platformatic/kafka';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { pause } from '../../clock/deadline.ts';
import { unreachable } from '../bus-errors.ts';
import type { PreparedRecord } from '../outgoing-record.ts';
import type { KafkaCluster } from './cluster.ts';
import { clusterFailed, topicFailed } from './kafka-errors.ts';
import { pauseBefore, unknownTopicMsMax } from './limits.ts';
import { apis, codes } from './protocol.ts';

/** One try of a batch: a broker that hangs leaves time for another one before the delivery deadline. */
const produceMsMax = 10_000;
/** Records of one batch. Below the brokers' limit of a batch (message.max.bytes, 1 048 588) with room for framing. */
const batchBytesMax = 1_000_000;
/** What a record costs in a batch beside its bytes, at most: lengths, deltas, attributes. */
const recordFramingBytesMax = 40;
const headerFramingBytesMax = 10;

interface QueueOptions {
  readonly topic: string;
  readonly partition: number;
  readonly cluster: KafkaCluster;
  readonly clock: Clock;
  readonly identity: ProducerIdentity;
}

export interface QueueEntry {
  readonly records: readonly PreparedRecord[];
  readonly timestampMs: number;
  /** On `clock.monotonicMs()`. */
  readonly deadlineMs: number;
  /** What one record meets is nothing to the others; else nothing behind the first failure is sent. */
  readonly each: boolean;
}

/** Offset of a record, or why it has none. */
type QueueOutcome = bigint | Error;

interface WaitingEntry extends QueueEntry {
  readonly resolve: (outcomes: readonly QueueOutcome[]) => void;
  /** Records taken into batches so far; a large entry takes several. */
  taken: number;
  readonly outcomes: QueueOutcome[];
}

interface Batch {
  readonly messages: MessageRecord[];
  /** Whose records these are, in order: entry and how many. */
  readonly parts: { readonly entry: WaitingEntry; readonly count: number }[];
  readonly bytes: number;
  readonly deadlineMs: number;
}

interface Stamp {
  readonly producer: ProducerId;
  readonly sequence: number;
}

const acksFromAll = -1;

/** One of the records is at fault, and no other one. */
const refusedCodes: ReadonlySet<string> = new Set(['BUS_RECORD_TOO_LARGE', 'BUS_RECORD_REFUSED']);

export class PartitionQueue {
  readonly #options: QueueOptions;
  readonly #waiting = new Set<WaitingEntry>();
  #running = false;
  /** Smaller than others' where the topic takes no more, which a broker says of a whole batch. */
  #bytesMax = batchBytesMax;
  /** Halved again and again while a batch is refused for one of its records. */
  #recordsMax = Number.POSITIVE_INFINITY;
  #sequence: { readonly producer: ProducerId; next: number } | undefined;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** What became of each record; never rejects. One without an offset may be stored all the same. */
  append(entry: QueueEntry): Promise<readonly QueueOutcome[]> {
    return new Promise((resolve) => {
      this.#waiting.add({ ...entry, resolve, taken: 0, outcomes: [] });
      if (!this.#running) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#running = true;
    // Everything that is sent in the same turn of the event loop travels together.
    await Promise.resolve();
    for (let batch = this.#nextBatch(); batch !== undefined; batch = this.#nextBatch()) {
      let baseOffset: bigint | Error;
      try {
        baseOffset = await this.#deliver(batch);
      } catch (error) {
        if (this.#putBack(batch, error)) continue;
        baseOffset = error as Error;
      }
      this.#recordsMax = Number.POSITIVE_INFINITY;
      this.#settle(batch, baseOffset);
    }
    this.#running = false;
  }

  /** A broker refuses a batch whole, whichever of its records it means: smaller ones find that out. False where there is no smaller one. */
  #putBack({ messages, parts, bytes }: Batch, error: unknown): boolean {
    const code = error instanceof CcxError ? error.code : '';
    if (!refusedCodes.has(code) || messages.length === 1) return false;
    if (code === 'BUS_RECORD_TOO_LARGE') this.#bytesMax = Math.ceil(bytes / 2);
    else this.#recordsMax = Math.ceil(messages.length / 2);
    for (const { entry, count } of parts) entry.taken -= count;
    return true;
  }

  #nextBatch(): Batch | undefined {
    const messages: MessageRecord[] = [];
    const parts: Batch['parts'] = [];
    let bytes = 0;
    let deadlineMs = Number.POSITIVE_INFINITY;
    for (const entry of this.#waiting) {
      let count = 0;
      for (const record of entry.records.slice(entry.taken)) {
        const cost = record.bytes + recordFramingBytesMax + record.headers.length * headerFramingBytesMax;
        if (messages.length > 0 && (bytes + cost > this.#bytesMax || messages.length >= this.#recordsMax)) break;
        bytes += cost;
        count += 1;
        messages.push(this.#messageOf(record, entry.timestampMs));
      }
      if (count === 0) break;
      entry.taken += count;
      parts.push({ entry, count });
      deadlineMs = Math.min(deadlineMs, entry.deadlineMs);
      if (entry.taken < entry.records.length) break;
    }
    return parts.length === 0 ? undefined : { messages, parts, bytes, deadlineMs };
  }

  #messageOf(record: PreparedRecord, timestampMs: number): MessageRecord {
    const { topic, partition } = this.#options;
    return {
      topic,
      partition,
      timestamp: BigInt(timestampMs),
      ...(record.key === null ? {} : { key: record.key }),
      // The library's type has no tombstones, its encoder does.
      value: record.value as Buffer,
      // One key per header, not per name: names may repeat. Its type has no null values either.
      headers: new Map(record.headers.map(([name, value]) => [Buffer.from(name), value as Buffer])),
    };
  }

  #settle(batch: Batch, baseOffset: bigint | Error): void {
    let next = baseOffset;
    for (const { entry, count } of batch.parts) {
      for (let n = 0; n < count; n += 1) {
        entry.outcomes.push(next);
        if (typeof next === 'bigint') next += 1n;
      }
      if (next instanceof Error && !entry.each) {
        while (entry.outcomes.length < entry.records.length) entry.outcomes.push(next);
      }
      if (entry.outcomes.length < entry.records.length) continue;
      this.#waiting.delete(entry);
      entry.resolve(entry.outcomes);
    }
  }

  /** Until the broker has it, says that it never will, or the time is over. Answers with the offset of the first record. */
  async #deliver(batch: Batch): Promise<bigint> {
    const { clock, identity } = this.#options;
    let stamp: Stamp | undefined;
    let unknownUntilMs: number | undefined;
    for (let attempt = 0; ; attempt += 1) {
      try {
        stamp ??= await this.#stamp(batch);
        const leftMs = batch.deadlineMs - clock.monotonicMs();
        return await this.#produce(batch, stamp, Math.max(1, Math.min(leftMs, produceMsMax)));
      } catch (failure) {
        if (!(failure instanceof CcxError)) throw failure;
        // The producer was lost.
        if (this.#sequence === undefined) stamp = undefined;
        const pauseMs = pauseBefore(attempt, clock);
        if (failure.code === 'BUS_TOPIC_UNKNOWN') unknownUntilMs ??= clock.monotonicMs() + unknownTopicMsMax;
        // A topic that was just made is unknown to some brokers for a moment.
        const passing = failure.retryable || clock.monotonicMs() < (unknownUntilMs ?? 0);
        if (!passing || clock.monotonicMs() + pauseMs >= batch.deadlineMs) {
          // Whether the last try was stored is unknown: its sequence number must not be used for anything else.
          this.#sequence = undefined;
          if (stamp !== undefined) await identity.discard(stamp.producer);
          throw failure;
        }
        await pause(clock, pauseMs);
      }
    }
  }

  async #stamp(batch: Batch): Promise<Stamp> {
    const producer = await this.#options.identity.current();
    if (this.#sequence?.producer !== producer) this.#sequence = { producer, next: 0 };
    const sequence = this.#sequence.next;
    // Sequence numbers wrap around as Java's int does, without the sign.
    this.#sequence.next = (sequence + batch.messages.length) % 0x80000000;
    return { producer, sequence };
  }

  /** One try; answers with the offset of the first record. */
  async #produce(batch: Batch, stamp: Stamp, timeoutMs: number): Promise<bigint> {
    const { topic, partition, cluster, identity } = this.#options;
    try {
      const leader = (await cluster.topic(topic)).partitions[partition]?.leader ?? -1;
      const sequences = new NumericMap([[`${topic}:${partition}`, stamp.sequence]]);
      const answer = await cluster.request(
        leader,
        apis.produce,
        [
          acksFromAll,
          timeoutMs,
          batch.messages,
          { producerId: stamp.producer.id, producerEpoch: stamp.producer.epoch, sequences },
        ],
        { purpose: 'produce', timeoutMs },
      );
      const stored = typeof answer === 'boolean' ? undefined : answer.responses[0]?.partitionResponses[0];
      const code = stored?.errorCode ?? -1;
      if (
        stored !== undefined &&
        (code === codes.NONE || (code === codes.DUPLICATE_SEQUENCE_NUMBER && stored.baseOffset >= 0n))
      ) {
        return stored.baseOffset;
      }
      if (!producerLost.has(code)) throw topicFailed(code, topic);
      // The broker no longer knows this producer (its state expired, or a batch before us failed half-way).
      await identity.discard(stamp.producer);
      this.#sequence = undefined;
      throw unreachable(`Kafka lost the state of this producer for ${topic}`);
    } catch (error) {
      cluster.forgetTopic(topic);
      throw error;
    }
  }
}

const producerLost: ReadonlySet<number> = new Set([
  codes.OUT_OF_ORDER_SEQUENCE_NUMBER,
  codes.UNKNOWN_PRODUCER_ID,
  codes.INVALID_PRODUCER_EPOCH,
]);

interface ProducerId {
  readonly id: bigint;
  readonly epoch: number;
}

/** Only transactions use the timeout; the broker wants one anyway. */
const transactionTimeoutMs = 60_000;

/**
 * The producer id that makes repeated tries of a batch count once. One per producer; a queue that finds it unusable asks for a new one,
 * and the others change over with their next batch.
 */
export class ProducerIdentity {
  readonly #cluster: KafkaCluster;
  #current: Promise<ProducerId> | undefined;

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster;
  }

  /** One try; a failed one is not remembered. */
  current(): Promise<ProducerId> {
    if (this.#current === undefined) {
      const asking = this.#ask();
      this.#current = asking;
      asking.catch(() => {
        if (this.#current === asking) this.#current = undefined;
      });
    }
    return this.#current;
  }

  /** The next `current` asks for a new id, unless somebody else has seen to that already. */
  async discard(unusable: ProducerId): Promise<void> {
    const current = await this.#current?.catch(() => undefined);
    if (current === unusable) this.#current = undefined;
  }

  async #ask(): Promise<ProducerId> {
    const answer = await this.#cluster.requestAny(apis.initProducerId, [null, transactionTimeoutMs, -1n, -1]);
    if (answer.errorCode !== codes.NONE) throw clusterFailed(answer.errorCode, 'produce idempotently');
    if (answer.producerId < 0n) throw unreachable('Kafka gave no producer id');
    return { id: answer.producerId, epoch: answer.producerEpoch };
  }
}
