/**
 * The producing side of the embedded bus. Sends that arrive while a transaction is under way wait and share the next one, so that many
 * callers with one record each cost one fsync together, not one each.
 */
import type { Clock } from '../../clock/clock.ts';
import type { Database } from '../../database/database.ts';
import type { OutgoingRecord, Position, Producer, SendOptions, SettleRecord } from '../bus.ts';
import { closed, topicUnknown } from '../bus-errors.ts';
import { type PreparedRecord, prepareEach, prepareRecord } from '../outgoing-record.ts';
import { createPartitioner } from '../partitioner.ts';
import { type AppendRecord, appendRecords, topicGone } from './append.ts';
import { busErrorOf } from './bus-error-of.ts';
import type { Topic, TopicDirectory } from './storage.ts';

/** Waiting sends of one producer that share a transaction: one fsync for all of them. */
const transactionRecordsMax = 10_000;
const transactionBytesMax = 32 * 1024 * 1024;
/** Looks at the topics again before a send gives up on a topic that was deleted under it. */
const staleTopicAttemptsMax = 2;

interface PostgresProducerDependencies {
  readonly database: Database;
  readonly topics: TopicDirectory;
  readonly clock: Clock;
  readonly recordBytesMax: number;
}

interface WaitingSend {
  readonly records: readonly PreparedRecord[];
  readonly together: boolean | undefined;
  readonly bytes: number;
  readonly resolve: (positions: readonly Position[]) => void;
  readonly reject: (error: unknown) => void;
  attempts: number;
}

export class PostgresProducer implements Producer {
  readonly #dependencies: PostgresProducerDependencies;
  readonly #choosePartitions = createPartitioner();
  #waiting: WaitingSend[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(dependencies: PostgresProducerDependencies) {
    this.#dependencies = dependencies;
  }

  async send(records: readonly OutgoingRecord[], { together }: SendOptions = {}): Promise<readonly Position[]> {
    if (this.#closed) throw closed('producer');
    if (records.length === 0) return [];
    return await this.#append(
      records.map((record) => prepareRecord(record, this.#dependencies.recordBytesMax)),
      together,
    );
  }

  /** Of one topic all or nothing: they are stored by one transaction. */
  async sendEach(records: readonly OutgoingRecord[], settle: SettleRecord): Promise<void> {
    if (this.#closed) return void records.forEach((_, index) => void settle(index, closed('producer')));
    const prepared = prepareEach(records, this.#dependencies.recordBytesMax, settle);
    const ofTopics = [...Map.groupBy(prepared, ({ record }) => record.topic).values()];
    await Promise.all(
      ofTopics.map(async (ready) => {
        let positions: readonly Position[];
        try {
          positions = await this.#append(
            ready.map(({ record }) => record),
            false,
          );
        } catch (error) {
          return void ready.forEach(({ index }) => void settle(index, error as Error));
        }
        ready.forEach(({ index }, at) => void settle(index, positions[at]!));
      }),
    );
  }

  #append(records: readonly PreparedRecord[], together: boolean | undefined): Promise<readonly Position[]> {
    const bytes = records.reduce((sum, record) => sum + record.bytes, 0);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, together, bytes, resolve, reject, attempts: 0 });
      this.#running ??= this.#drain();
    });
  }

  /** Waits for what was sent before. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#sendTogether(this.#takeBatch());
    this.#running = undefined;
  }

  #takeBatch(): WaitingSend[] {
    let records = 0;
    let bytes = 0;
    let count = 0;
    for (const send of this.#waiting) {
      records += send.records.length;
      bytes += send.bytes;
      if (count > 0 && (records > transactionRecordsMax || bytes > transactionBytesMax)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #sendTogether(sends: readonly WaitingSend[]): Promise<void> {
    const ready: { readonly send: WaitingSend; readonly topics: ReadonlyMap<string, Topic> }[] = [];
    for (const send of sends) {
      // Each on its own: a send to an unknown topic must not fail its neighbours.
      const topics = await this.#dependencies.topics
        .resolve(send.records.map((record) => record.topic))
        .catch((error) => {
          send.reject(busErrorOf(error));
          return undefined;
        });
      if (topics !== undefined) ready.push({ send, topics });
    }
    if (ready.length === 0) return;

    const rows = ready.flatMap(({ send, topics }) => this.#rowsOf(send, topics));
    try {
      const { database, clock } = this.#dependencies;
      const now = clock.now().getTime();
      const offsets = await database.transaction((tx) => appendRecords(tx, rows, now));
      let at = 0;
      for (const { send } of ready) {
        const start = at;
        at += send.records.length;
        send.resolve(
          rows
            .slice(start, at)
            .map(({ topic, partition }, index) => ({ topic, partition, offset: offsets[start + index]! })),
        );
      }
    } catch (error) {
      if (error === topicGone) this.#tryAgain(ready.map(({ send }) => send));
      else for (const { send } of ready) send.reject(busErrorOf(error));
    }
  }

  /** A topic was deleted under us: look again, and let each send find out by itself whether its topics are still there. */
  #tryAgain(sends: readonly WaitingSend[]): void {
    const topicNames = [...new Set(sends.flatMap((send) => send.records.map((record) => record.topic)))];
    this.#dependencies.topics.forget(topicNames);
    for (const send of [...sends].reverse()) {
      send.attempts += 1;
      if (send.attempts > staleTopicAttemptsMax) send.reject(topicUnknown(topicNames));
      else this.#waiting.unshift(send);
    }
  }

  #rowsOf({ records, together }: WaitingSend, topics: ReadonlyMap<string, Topic>): AppendRecord[] {
    const partitions = this.#choosePartitions(records, (topic) => topics.get(topic)!.partitions, together);
    return records.map((record, index) => {
      return { ...record, topicId: topics.get(record.topic)!.topicId, partition: partitions[index]! };
    });
  }
}
