/**
 * The producing side of the Kafka adapter: acks from all in-sync replicas, a producer id with sequence numbers so that a repeated try is
 * stored once, and a deadline per send. Order within a partition holds whatever fails, because each partition has its own queue with one
 * request under way; sends that wait meanwhile share the next one.
 *
 * Not the client library's producer: it repeats batches of several partitions together, so one leader that moves holds up the others, and
 * after a lost answer a later batch may overtake an earlier one.
 */
import type { Clock } from '../../clock/clock.ts';
import type { OutgoingRecord, Position, Producer, SendOptions, SettleRecord } from '../bus.ts';
import { closed } from '../bus-errors.ts';
import { type PreparedRecord, prepareEach, prepareRecord } from '../outgoing-record.ts';
import { createPartitioner } from '../partitioner.ts';
import type { KafkaCluster, TopicInfo } from './cluster.ts';
import { PartitionQueue, ProducerIdentity, type QueueEntry } from './partition-queue.ts';

interface KafkaProducerDependencies {
  /** This producer's own. */
  readonly cluster: KafkaCluster;
  readonly clock: Clock;
  readonly recordBytesMax: number;
  readonly deliveryMsMax: number;
  readonly onClosed: () => void;
}

export class KafkaProducer implements Producer {
  readonly #dependencies: KafkaProducerDependencies;
  readonly #choosePartitions = createPartitioner();
  readonly #identity: ProducerIdentity;
  readonly #queues = new Map<string, PartitionQueue>();
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;

  constructor(dependencies: KafkaProducerDependencies) {
    this.#dependencies = dependencies;
    this.#identity = new ProducerIdentity(dependencies.cluster);
  }

  async send(records: readonly OutgoingRecord[], options: SendOptions = {}): Promise<readonly Position[]> {
    if (this.#closed) throw closed('producer');
    if (records.length === 0) return [];
    return await this.#watch(this.#send(records, options));
  }

  async sendEach(records: readonly OutgoingRecord[], settle: SettleRecord): Promise<void> {
    if (this.#closed) return void records.forEach((_, index) => void settle(index, closed('producer')));
    await this.#watch(this.#sendEach(records, settle));
  }

  /** Waits for what was sent before, each until its own deadline. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    await this.#dependencies.cluster.close();
    this.#dependencies.onClosed();
  }

  async #watch<T>(sending: Promise<T>): Promise<T> {
    this.#underWay.add(sending);
    try {
      return await sending;
    } finally {
      this.#underWay.delete(sending);
    }
  }

  async #send(records: readonly OutgoingRecord[], { together }: SendOptions): Promise<readonly Position[]> {
    const { recordBytesMax, cluster } = this.#dependencies;
    const times = this.#times();
    const prepared = records.map((record) => prepareRecord(record, recordBytesMax));
    const names = [...new Set(prepared.map((record) => record.topic))];
    const topics = await cluster.requireTopics(names, times.deadlineMs);
    const positions: Position[] = [];
    let failure: Error | undefined;
    // All queues end before the answer: after an error nothing of this send arrives any more.
    await this.#append(prepared, topics, { ...times, together, each: false }, (index, outcome) => {
      if (outcome instanceof Error) failure ??= outcome;
      else positions[index] = outcome;
    });
    if (failure !== undefined) throw failure;
    return positions;
  }

  async #sendEach(records: readonly OutgoingRecord[], settle: SettleRecord): Promise<void> {
    const times = this.#times();
    const prepared = prepareEach(records, this.#dependencies.recordBytesMax, settle);
    const ofTopics = [...Map.groupBy(prepared, ({ record }) => record.topic)];
    await Promise.all(
      ofTopics.map(async ([topic, ready]) => {
        const indexed: SettleRecord = (at, outcome) => settle(ready[at]!.index, outcome);
        let topics: ReadonlyMap<string, TopicInfo>;
        try {
          topics = await this.#dependencies.cluster.requireTopics([topic], times.deadlineMs);
        } catch (error) {
          return void ready.forEach((_, at) => void indexed(at, error as Error));
        }
        const appended = ready.map(({ record }) => record);
        await this.#append(appended, topics, { ...times, together: false, each: true }, indexed);
      }),
    );
  }

  #times() {
    const { clock, deliveryMsMax } = this.#dependencies;
    return { deadlineMs: clock.monotonicMs() + deliveryMsMax, timestampMs: clock.now().getTime() };
  }

  async #append(
    prepared: readonly PreparedRecord[],
    topics: ReadonlyMap<string, TopicInfo>,
    how: Pick<QueueEntry, 'timestampMs' | 'deadlineMs' | 'each'> & Pick<SendOptions, 'together'>,
    settle: SettleRecord,
  ): Promise<void> {
    const { together, ...times } = how;
    const partitionsOf = (topic: string) => topics.get(topic)!.partitions.length;
    const partitions = this.#choosePartitions(prepared, partitionsOf, together);
    const byQueue = Map.groupBy(prepared.keys(), (index) => this.#queueOf(prepared[index]!.topic, partitions[index]!));
    await Promise.all(
      [...byQueue].map(async ([queue, indexes]) => {
        const outcomes = await queue.append({ records: indexes.map((index) => prepared[index]!), ...times });
        for (const [at, index] of indexes.entries()) {
          const outcome = outcomes[at]!;
          const { topic } = prepared[index]!;
          const position = { topic, partition: partitions[index]! };
          settle(index, typeof outcome === 'bigint' ? { ...position, offset: outcome } : outcome);
        }
      }),
    );
  }

  #queueOf(topic: string, partition: number): PartitionQueue {
    const key = `${topic}/${partition}`;
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      const { cluster, clock } = this.#dependencies;
      queue = new PartitionQueue({ topic, partition, cluster, clock, identity: this.#identity });
      this.#queues.set(key, queue);
    }
    return queue;
  }
}
