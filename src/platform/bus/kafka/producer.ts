/**
 * The producing side of the Kafka adapter: acks from all in-sync replicas, a producer id with sequence numbers so that a repeated try is
 * stored once, and a deadline per send. Order within a partition holds whatever fails, because each partition has its own queue with one
 * request under way; sends that wait meanwhile share the next one.
 *
 * Not the client library's producer: it repeats batches of several partitions together, so one leader that moves holds up the others, and
 * after a lost answer a later batch may overtake an earlier one.
 */
import type { Clock } from '../../clock/clock.ts';
import type { OutgoingRecord, Position, Producer, SendOptions } from '../bus.ts';
import { closed } from '../bus-errors.ts';
import { prepareRecord } from '../outgoing-record.ts';
import { createPartitioner } from '../partitioner.ts';
import type { KafkaCluster } from './cluster.ts';
import { PartitionQueue, ProducerIdentity } from './partition-queue.ts';

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
    const sending = this.#send(records, options);
    this.#underWay.add(sending);
    try {
      return await sending;
    } finally {
      this.#underWay.delete(sending);
    }
  }

  /** Waits for what was sent before, each until its own deadline. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    await this.#dependencies.cluster.close();
    this.#dependencies.onClosed();
  }

  async #send(records: readonly OutgoingRecord[], { together }: SendOptions): Promise<readonly Position[]> {
    const { clock, recordBytesMax, deliveryMsMax } = this.#dependencies;
    const deadlineMs = clock.monotonicMs() + deliveryMsMax;
    const timestampMs = clock.now().getTime();
    const prepared = records.map((record) => prepareRecord(record, recordBytesMax));
    const names = [...new Set(prepared.map((record) => record.topic))];
    const topics = await this.#dependencies.cluster.requireTopics(names, deadlineMs);

    const partitionsOf = (topic: string) => topics.get(topic)!.partitions.length;
    const partitions = this.#choosePartitions(prepared, partitionsOf, together);
    const byQueue = Map.groupBy(prepared.keys(), (index) => this.#queueOf(prepared[index]!.topic, partitions[index]!));

    const offsets: bigint[] = [];
    // All queues end before the answer: after an error nothing of this send arrives any more.
    const outcomes = await Promise.allSettled(
      [...byQueue].map(async ([queue, indexes]) => {
        const entry = { records: indexes.map((index) => prepared[index]!), timestampMs, deadlineMs };
        const stored = await queue.append(entry);
        for (const [at, index] of indexes.entries()) offsets[index] = stored[at]!;
      }),
    );
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
    return prepared.map(({ topic }, index) => ({ topic, partition: partitions[index]!, offset: offsets[index]! }));
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
