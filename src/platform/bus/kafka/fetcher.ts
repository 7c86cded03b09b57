/**
 * Fetches ahead for one consumer: one request per broker at a time, over all partitions that it leads and that have room. What came is
 * kept per partition until it is taken; whose partitions these are is decided in `consumer.ts`, which adds and removes cursors.
 */
import { FetchIsolationLevels } from '@platformatic/kafka';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { pause } from '../../clock/deadline.ts';
import type { BusRecord, Position, TopicPartition } from '../bus.ts';
import { unreachable } from '../bus-errors.ts';
import type { KafkaCluster } from './cluster.ts';
import type { Purpose } from './connections.ts';
import { mostTelling, topicFailed } from './kafka-errors.ts';
import { answerMarginMs, fetchBytesMax, fetchPartitionBytesMax, fetchWaitMs, pauseBefore } from './limits.ts';
import { apis, codes } from './protocol.ts';
import { readableRecords } from './readable-records.ts';

/** The same while a partition of that broker is left out, for want of room say: it must not wait for another one's next record. */
export const partialFetchWaitMs = 25;

/** Everything about one owned partition. Undefined `next`: its position is still being looked up. */
export interface FetchCursor extends TopicPartition {
  readonly topicId: string;
  next: bigint | undefined;
  readonly buffered: BusRecord[];
  bufferedBytes: number;
  paused: boolean;
  /** A request for it is under way. */
  fetching: boolean;
}

interface FetcherListener {
  onRecords(): void;
  /** The position is not in the partition (any more): it is looked up again. */
  onOutOfRange(cursor: FetchCursor): void;
  /** The topic of that id is gone. */
  onTopicGone(cursor: FetchCursor): void;
  onTrouble(error: CcxError | undefined): void;
}

interface FetcherOptions {
  readonly cluster: KafkaCluster;
  readonly clock: Clock;
  readonly bufferedBytesMax: number;
  readonly listener: FetcherListener;
}

/** One request to one broker. */
interface FetchRound {
  readonly cursors: FetchCursor[];
  /** False while another partition of that broker is full, paused or not located: it may want to be fetched at any moment. */
  isComplete: boolean;
}

export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #cursors = new Set<FetchCursor>();
  readonly #closing = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  /** Brokers with a request under way: a second one on the same connection would wait behind the first until that finds something. */
  readonly #busy = new Set<number>();
  /** Why the last request to a broker failed. */
  readonly #failing = new Map<number, { readonly error: CcxError; readonly times: number }>();
  #looking = false;
  /** Rotates the order of partitions in requests: brokers fill an answer from the front. */
  #turn = 0;

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  add(cursor: FetchCursor): void {
    this.#cursors.add(cursor);
  }

  /** What comes for it from now on is thrown away. */
  remove(cursor: FetchCursor): void {
    this.#cursors.delete(cursor);
  }

  /** Starts what can be fetched now; called whenever a cursor was added, resumed, positioned or emptied. */
  pump(): void {
    if (this.#closing.signal.aborted || this.#looking) return;
    if (![...this.#cursors].some((cursor) => this.#roomFor(cursor) > 0)) return;
    this.#looking = true;
    this.#track(this.#startRounds());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#cursors.clear();
    await Promise.allSettled(this.#underWay);
  }

  #roomFor(cursor: FetchCursor): number {
    if (cursor.paused || cursor.fetching || cursor.next === undefined) return 0;
    // Each partition has its share, so that one that is full, or paused while full, does not starve the others.
    const share = Math.ceil(this.#options.bufferedBytesMax / this.#cursors.size);
    return Math.max(0, Math.min(fetchPartitionBytesMax, share - cursor.bufferedBytes));
  }

  /** One round per broker that is not busy. Cursors of busy ones wait for its next round, which takes them along. */
  async #startRounds(): Promise<void> {
    const { cluster, clock, listener } = this.#options;
    try {
      const cursors = [...this.#cursors];
      const topics = await cluster.topics(cursors.map(({ topic }) => topic));
      const byLeader = new Map<number, FetchRound>();
      for (const cursor of cursors) {
        const topic = topics.get(cursor.topic)!;
        if (topic instanceof CcxError && topic.code !== 'BUS_TOPIC_UNKNOWN') throw topic;
        if (topic instanceof CcxError || topic.topicId !== cursor.topicId) {
          listener.onTopicGone(cursor);
          continue;
        }
        const leader = topic.partitions[cursor.partition]?.leader ?? -1;
        const round = byLeader.get(leader) ?? { cursors: [], isComplete: true };
        byLeader.set(leader, round);
        if (this.#roomFor(cursor) > 0) round.cursors.push(cursor);
        else round.isComplete = false;
      }
      this.#failed(unknownLeader, undefined);
      for (const [leader, round] of byLeader)
        if (round.cursors.length > 0 && !this.#busy.has(leader)) this.#track(this.#round(leader, round));
    } catch (error) {
      if (!(error instanceof CcxError)) throw error;
      await pause(clock, this.#failed(unknownLeader, error), this.#closing.signal);
      // Tried again by whoever pumps next, and in any case now.
      queueMicrotask(() => this.pump());
    } finally {
      this.#looking = false;
    }
  }

  async #round(leader: number, { cursors, isComplete }: FetchRound): Promise<void> {
    const { cluster, clock } = this.#options;
    this.#busy.add(leader);
    for (const cursor of cursors) cursor.fetching = true;
    try {
      await this.#fetchFrom(leader, cursors, isComplete ? fetchWaitMs : partialFetchWaitMs);
      this.#failed(leader, undefined);
    } catch (error) {
      if (!(error instanceof CcxError)) throw error;
      for (const { topic } of cursors) cluster.forgetTopic(topic);
      await pause(clock, this.#failed(leader, error), this.#closing.signal);
    } finally {
      this.#busy.delete(leader);
      for (const cursor of cursors) cursor.fetching = false;
      this.pump();
    }
  }

  /** Notes how a broker fares, tells the listener, and says how long to wait before the next try. */
  #failed(leader: number, error: CcxError | undefined): number {
    const times = this.#failing.get(leader)?.times ?? 0;
    if (error === undefined) this.#failing.delete(leader);
    else this.#failing.set(leader, { error, times: times + 1 });
    if (!this.#closing.signal.aborted) {
      this.#options.listener.onTrouble(mostTelling([...this.#failing.values()].map((failing) => failing.error)));
    }
    return pauseBefore(times, this.#options.clock);
  }

  #track(running: Promise<void>): void {
    this.#underWay.add(running);
    // A rejection is a bug; it must not be lost.
    void running.finally(() => this.#underWay.delete(running));
  }

  async #fetchFrom(leader: number, cursors: readonly FetchCursor[], waitMs: number): Promise<void> {
    const { cluster, listener } = this.#options;
    this.#turn += 1;
    const start = this.#turn % cursors.length;
    const rotated = [...cursors.slice(start), ...cursors.slice(0, start)];
    const asked = new Map(rotated.map((cursor) => [cursor, cursor.next!]));
    const answer = await requestRecords(
      cluster,
      leader,
      rotated.map((cursor) => ({
        ...cursor,
        offset: cursor.next!,
        // `fetching` is set, so the room is asked for as it was before.
        bytesMax: this.#roomFor({ ...cursor, fetching: false }),
      })),
      { purpose: 'fetch', waitMs },
    );
    if (answer.errorCode !== codes.NONE) throw topicFailed(answer.errorCode, cursors[0]!.topic);
    let came = false;
    const failures: CcxError[] = [];
    for (const { topicId, partitions } of answer.responses) {
      for (const fetched of partitions) {
        const cursor = rotated.find(
          (candidate) => candidate.topicId === topicId && candidate.partition === fetched.partitionIndex,
        );
        // Taken away, or set to another position, while the request was under way.
        if (cursor === undefined || !this.#cursors.has(cursor) || cursor.next !== asked.get(cursor)) continue;
        if (fetched.errorCode !== codes.NONE) {
          const failure = this.#partitionFailed(cursor, fetched.errorCode);
          if (failure !== undefined) failures.push(failure);
          continue;
        }
        const { topic, partition } = cursor;
        const { records, next, bytes } = readableRecords({ topic, topicId, partition }, fetched, cursor.next!);
        cursor.next = next;
        cursor.buffered.push(...records);
        cursor.bufferedBytes += bytes;
        if (records.length > 0) came = true;
      }
    }
    if (came) listener.onRecords();
    // Last, so that a partition that fails does not take the records of the others with it.
    const failure = mostTelling(failures);
    if (failure !== undefined) throw failure;
  }

  #partitionFailed(cursor: FetchCursor, code: number): CcxError | undefined {
    switch (code) {
      case codes.OFFSET_OUT_OF_RANGE:
        cursor.next = undefined;
        this.#options.listener.onOutOfRange(cursor);
        return undefined;
      case codes.UNKNOWN_TOPIC_ID:
      case codes.INCONSISTENT_TOPIC_ID:
      case codes.UNKNOWN_TOPIC_OR_PARTITION:
        // Maybe gone, maybe not known to this broker yet: the cluster is asked again before the next round.
        return unreachable(`a broker does not know topic ${cursor.topic} now`, 'check that the topic exists');
      default:
        return topicFailed(code, cursor.topic);
    }
  }
}

/** Stands for "could not find out who leads" among the brokers that fail. */
const unknownLeader = -2;

/** Asks a broker for what partitions of it hold from an offset on; it waits for `waitMs` where there is nothing. */
export async function requestRecords(
  cluster: KafkaCluster,
  leader: number,
  wanted: readonly (Position & { readonly topicId: string; readonly bytesMax: number })[],
  { purpose, waitMs }: { readonly purpose: Purpose; readonly waitMs: number },
) {
  const bytesMax = Math.min(
    fetchBytesMax,
    wanted.reduce((sum, partition) => sum + partition.bytesMax, 0),
  );
  const topics = [...Map.groupBy(wanted, ({ topicId }) => topicId)].map(([topicId, ofTopic]) => ({
    topicId,
    partitions: ofTopic.map(({ partition, offset, bytesMax: partitionMaxBytes }) => ({
      partition,
      fetchOffset: offset,
      partitionMaxBytes,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
    })),
  }));
  return await cluster.request(
    leader,
    apis.fetch,
    // No incremental session: it saves a few hundred bytes per request and has to be kept in step over every rebalance.
    [waitMs, 1, bytesMax, FetchIsolationLevels.READ_COMMITTED, 0, -1, topics, [], ''],
    { purpose, timeoutMs: waitMs + answerMarginMs },
  );
}
