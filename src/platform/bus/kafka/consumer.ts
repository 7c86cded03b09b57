/**
 * A group member on Kafka. The session (`group-session.ts`) says what this member owns, the fetcher keeps the owned partitions filled,
 * `poll` hands out and `commit` stores positions after processing. Nothing is committed by itself, and nothing that an earlier
 * assignment handed out can be committed under a later one.
 */

import { CcxError } from '../../../encoding/ccx-error.ts';
import { pause, within } from '../../clock/deadline.ts';
import type { BusRecord, ConsumerOptions, Position, TopicPartition } from '../bus.ts';
import { partitionKey } from '../bus.ts';
import { BusConsumer, type BusConsumerDependencies, type ConsumerCursor, shareOut } from '../bus-consumer.ts';
import { unreachable } from '../bus-errors.ts';
import { bufferedBytesMaxDefault } from '../bus-options.ts';
import * as events from '../telemetry.ts';
import type { KafkaCluster } from './cluster.ts';
import { commitOffsets } from './commit-offsets.ts';
import { type FetchCursor, Fetcher } from './fetcher.ts';
import { GroupSession } from './group-session.ts';
import { mostTelling } from './kafka-errors.ts';
import { answerMarginMs, pauseBefore, rebalanceMsMax, retryMsMin, retryUntil, troubleMsMin } from './limits.ts';
import { groupPositions, listOffsets, readCommitted } from './offsets.ts';

/** Session of a group member; the reference's value. */
const sessionMsDefault = 10_000;
/** How long a member of a group that begins at the newest record waits for its leader to store where that is. */
const groupBeginMsMax = 5_000;
/** A first assignment: past it `createConsumer` fails. A rebalance may wait for every other member of the group. */
const firstJoinMsMax = rebalanceMsMax + answerMarginMs;
interface KafkaConsumerDependencies extends BusConsumerDependencies {
  /** This consumer's own: a rebalance or a fetch that waits must not hold up anybody else's requests. */
  readonly cluster: KafkaCluster;
  readonly sessionMs?: number;
}

interface KafkaCursor extends FetchCursor, ConsumerCursor {
  from: bigint | undefined;
  /** What of it is stored: a position of this assignment, or where it began. */
  stored: bigint;
}

type TroubleSource = 'group' | 'fetch' | 'positions';

export class KafkaConsumer extends BusConsumer<KafkaCursor> {
  readonly #dependencies: KafkaConsumerDependencies;
  readonly #session: GroupSession;
  readonly #fetcher: Fetcher;
  readonly #trouble = new Map<TroubleSource, { readonly error: CcxError; readonly sinceMs: number }>();
  readonly #closed = new AbortController();
  /** Counts assignments, so that what was begun for an earlier one ends. */
  #assignments = 0;
  /** The group has positions: a partition without one is new. */
  #groupBegan = false;
  #passing: Promise<void> | undefined;
  #firstAssignment = Promise.withResolvers<void>();

  constructor(options: ConsumerOptions, dependencies: KafkaConsumerDependencies) {
    super(options, dependencies, troubleMsMin);
    this.#dependencies = dependencies;
    const { cluster, clock, sessionMs = sessionMsDefault } = dependencies;
    this.#session = new GroupSession({
      cluster,
      clock,
      groupId: options.groupId,
      topics: this.options.topics,
      sessionMs,
      listener: {
        onAssigned: (partitions, continuous) => this.#onAssigned(partitions, continuous),
        onLost: () => {
          events.memberFenced(dependencies.telemetry, options.groupId);
          this.release([...this.cursors.values()]);
        },
        onTrouble: (error) => this.#note('group', error),
      },
    });
    this.#fetcher = new Fetcher({
      cluster,
      clock,
      bufferedBytesMax: options.bufferedBytesMax ?? bufferedBytesMaxDefault,
      listener: {
        onRecords: () => this.wake(),
        onOutOfRange: (cursor) => void this.#locate([cursor as KafkaCursor]),
        onTopicGone: (cursor) => {
          this.release([cursor as KafkaCursor]);
          this.#session.doubt({ rejoin: true });
        },
        onTrouble: (error) => this.#note('fetch', error),
      },
    });
  }

  /** Rejects when a topic cannot be used or the group cannot be joined in time. */
  protected override async join(): Promise<void> {
    const { cluster, clock } = this.#dependencies;
    const deadlineMs = clock.monotonicMs() + firstJoinMsMax;
    await cluster.requireTopics(this.options.topics, clock.monotonicMs() + troubleMsMin);
    this.#session.start();
    await within(this.#firstAssignment.promise, { clock, ms: Math.max(0, deadlineMs - clock.monotonicMs()) }, () => {
      const trouble = (this.#trouble.get('group') ?? this.#trouble.get('positions'))?.error;
      throw trouble ?? unreachable(`group ${this.options.groupId} did not come to an assignment`);
    });
  }

  override resume(partitions: readonly TopicPartition[]): void {
    super.resume(partitions);
    this.#fetcher.pump();
  }

  protected override beginClose(): void {
    this.#closed.abort();
    // Nobody may be waiting for it any more.
    this.#firstAssignment.promise.catch(() => undefined);
  }

  protected override async endClose(): Promise<void> {
    await this.#passing;
    await this.#session.close();
    this.cursors.clear();
    const fetcherClosed = this.#fetcher.close();
    await this.#dependencies.cluster.close();
    await fetcherClosed;
    await this.#session.ended();
  }

  protected override idle(): void {
    this.#passing ??= this.#passUnreadable().finally(() => {
      this.#passing = undefined;
    });
  }

  /**
   * Markers of transactions, and records that were taken back, are nobody's work. When everything before them is done they count as read:
   * without this a group would lag behind the end of a topic for ever.
   */
  async #passUnreadable(): Promise<void> {
    const passed = new Map<KafkaCursor, Position>();
    for (const cursor of this.cursors.values()) {
      const end = endOfDone(cursor, cursor.stored);
      if (end > cursor.stored) passed.set(cursor, { ...cursor, offset: end });
    }
    if (passed.size === 0) return;
    try {
      await this.store(passed);
    } catch (error) {
      if (!(error instanceof CcxError)) throw error;
      this.#note('positions', error);
      await pause(this.#dependencies.clock, troubleMsMin, this.#closed.signal);
    }
  }

  protected override async take(recordsMax: number): Promise<readonly BusRecord[]> {
    if (!this.#session.isSettled()) return [];
    const cursors = [...this.cursors.values()].filter((cursor) => !cursor.paused && cursor.buffered.length > 0);
    if (cursors.length === 0) return [];
    const rotated = this.inTurn(cursors);
    const shares = shareOut(
      rotated.map((cursor) => cursor.buffered.length),
      recordsMax,
    );
    const records = rotated.flatMap((cursor, index) => {
      const taken = cursor.buffered.splice(0, shares[index]!);
      if (taken.length > 0) cursor.position = taken.at(-1)!.offset + 1n;
      // Shares of the buffer are averages: which record brought which byte does not matter.
      const left = cursor.buffered.length / (cursor.buffered.length + taken.length);
      cursor.bufferedBytes = Math.round(cursor.bufferedBytes * left);
      return taken;
    });
    this.#fetcher.pump();
    return records;
  }

  /** What keeps failing is told to whoever waits for records; a leader that moves is not worth telling. */
  protected override async findTrouble(): Promise<void> {
    const { cluster, clock } = this.#dependencies;
    const troubles = [...this.#trouble.values()]
      .filter(({ error, sinceMs }) => !error.retryable || clock.monotonicMs() - sinceMs >= troubleMsMin)
      .map(({ error }) => error);
    if (troubles.length === 0) {
      const topics = await cluster.topics(this.options.topics).catch(() => undefined);
      for (const topic of topics?.values() ?? [])
        if (topic instanceof CcxError && !topic.retryable) troubles.push(topic);
    }
    const error = mostTelling(troubles);
    if (error === undefined) return;
    // Whoever polls again at once must not keep the process from doing anything else.
    await pause(clock, retryMsMin, this.#closed.signal);
    throw error;
  }

  /** Positions of partitions that changed hands meanwhile are not stored. */
  protected override async store(wanted: ReadonlyMap<KafkaCursor, Position>): Promise<readonly TopicPartition[]> {
    const entries = [...wanted].map(([cursor, position]) => ({
      cursor,
      position: { ...position, offset: endOfDone(cursor, position.offset) },
      isMine: () => this.owns(cursor),
    }));
    const refused = await commitOffsets(this.#session, entries, this.#closed.signal);
    for (const { cursor, position } of entries) if (!refused.includes(position)) cursor.stored = position.offset;
    return refused;
  }

  #onAssigned(partitions: readonly TopicPartition[], continuous: boolean): void {
    this.#assignments += 1;
    const kept = new Set(continuous ? partitions.map(partitionKey) : []);
    this.release([...this.cursors.values()].filter((cursor) => !kept.has(partitionKey(cursor))));
    this.#acquire(partitions, this.#assignments).catch((error) => this.#firstAssignment.reject(error));
  }

  async #acquire(partitions: readonly TopicPartition[], assignment: number): Promise<void> {
    const { cluster, clock } = this.#dependencies;
    const { signal } = this.#closed;
    const topics = await retryUntil({ clock, deadlineMs: Number.POSITIVE_INFINITY, signal }, () =>
      cluster.topics(partitions.map(({ topic }) => topic)),
    );
    if (assignment !== this.#assignments || signal.aborted) return;
    const acquired: KafkaCursor[] = [];
    for (const { topic, partition } of partitions) {
      const info = topics.get(topic)!;
      // Deleted since; the session sees it too.
      if (info instanceof CcxError) continue;
      const known = this.cursors.get(partitionKey({ topic, partition }));
      if (known?.topicId === info.topicId) continue;
      // Deleted and made again: what was read of the old one says nothing about the new one.
      if (known !== undefined) this.release([known]);
      acquired.push({
        topic,
        partition,
        topicId: info.topicId,
        next: undefined,
        from: undefined,
        position: 0n,
        stored: 0n,
        buffered: [],
        bufferedBytes: 0,
        paused: false,
        fetching: false,
      });
    }
    for (const cursor of acquired) this.#fetcher.add(cursor);
    this.assign(acquired);
    const isNewest = this.options.startAt === 'latest';
    // The newest record is that of now, and must not be one of later.
    if (!isNewest) this.#firstAssignment.resolve();
    const isCurrent = () => assignment === this.#assignments;
    if (isNewest) await this.#untilDone(isCurrent, () => this.#beginGroup(isCurrent));
    await this.#locate(acquired);
    if (isCurrent()) this.#firstAssignment.resolve();
  }

  /** Tries for as long as it is wanted. */
  async #untilDone(isWanted: () => boolean, run: () => Promise<void>): Promise<void> {
    const { clock } = this.#dependencies;
    for (let failures = 0; isWanted() && !this.#closed.signal.aborted; failures += 1) {
      try {
        await run();
        this.#note('positions', undefined);
        return;
      } catch (error) {
        if (!(error instanceof CcxError)) throw error;
        this.#note('positions', error);
        await pause(clock, pauseBefore(failures, clock), this.#closed.signal);
      }
    }
  }

  /**
   * A group without any position stores that it starts at the newest records: of every partition, whoever reads it, and in one request, so
   * that it has begun or has not. The leader does; others wait for it, and for no longer than a leader of another make would let them.
   */
  async #beginGroup(isCurrent: () => boolean): Promise<void> {
    const { cluster, clock } = this.#dependencies;
    const { groupId, topics: names } = this.options;
    const leaderUntilMs = clock.monotonicMs() + groupBeginMsMax;
    for (let looks = 0; !this.#groupBegan && isCurrent() && !this.#closed.signal.aborted; looks += 1) {
      const committed = await readCommitted(cluster, groupId, undefined);
      if (committed.size > 0) {
        this.#groupBegan = true;
      } else if (this.#session.isLeader || clock.monotonicMs() >= leaderUntilMs) {
        const topics = [...(await cluster.topics(names, { fresh: true })).values()];
        const partitions = topics.flatMap((topic) =>
          topic instanceof CcxError ? [] : topic.partitions.map((_, partition) => ({ topic: topic.name, partition })),
        );
        // All of them are gone: what is made now is new.
        if (partitions.length === 0) return;
        const ends = await listOffsets(cluster, partitions, 'latest');
        const entries = partitions.map((partition) => ({
          position: { ...partition, offset: ends.get(partitionKey(partition))! },
          isMine: isCurrent,
        }));
        this.#groupBegan = (await commitOffsets(this.#session, entries, this.#closed.signal)).length === 0;
      } else {
        await pause(clock, pauseBefore(looks, clock), this.#closed.signal);
      }
    }
  }

  /** Finds out where to read on, however long that takes, for those that are still ours. */
  async #locate(cursors: readonly KafkaCursor[]): Promise<void> {
    const waiting = () => cursors.filter((cursor) => cursor.next === undefined && this.owns(cursor));
    await this.#untilDone(
      () => waiting().length > 0,
      () => this.#locateOnce(waiting()),
    );
    this.#fetcher.pump();
    this.wake();
  }

  async #locateOnce(cursors: readonly KafkaCursor[]): Promise<void> {
    const { cluster, telemetry } = this.#dependencies;
    const { groupId, startAt } = this.options;
    const places = await groupPositions(cluster, groupId, cursors);
    const fresh = new Map<KafkaCursor, Position>();
    const located = cursors.map((cursor, index) => {
      const { committed, start, end } = places[index]!;
      const wanted = cursor.from === undefined ? committed : cursor.position;
      // One without a position is new to a group that has begun: nobody has read anything of it.
      if (wanted === null && startAt === 'latest') fresh.set(cursor, { ...cursor, offset: start });
      let position = wanted ?? start;
      if (wanted !== null && (wanted < start || wanted > end)) {
        // Dropped by retention, or cut off by a broker that lost records: the oldest record hides nothing.
        const records = start > wanted ? start - wanted : 0n;
        if (records > 0n) events.recordsSkipped(telemetry, groupId, { ...cursor, records });
        position = start;
      }
      return { cursor, position };
    });
    // Stored before anything is read: when its topic was the group's only one, a restart would take the group for one that begins.
    if (fresh.size > 0) await this.store(fresh);
    for (const { cursor, position } of located) {
      if (cursor.from === undefined) cursor.stored = position;
      cursor.from = cursor.from === undefined || position < cursor.from ? position : cursor.from;
      cursor.position = position;
      cursor.next = position;
    }
  }

  protected override release(cursors: readonly KafkaCursor[]): void {
    for (const cursor of cursors) this.#fetcher.remove(cursor);
    super.release(cursors);
  }

  #note(source: TroubleSource, error: CcxError | undefined): void {
    const { clock, telemetry } = this.#dependencies;
    const known = this.#trouble.get(source);
    if (error === undefined) {
      if (this.#trouble.delete(source)) events.consumerRecovered(telemetry, this.options.groupId, source);
      return;
    }
    if (known?.error.code !== error.code) events.consumerTroubled(telemetry, this.options.groupId, source, error);
    this.#trouble.set(source, { error, sinceMs: known?.sinceMs ?? clock.monotonicMs() });
    if (!error.retryable) {
      this.#firstAssignment.reject(error);
      this.wake();
    }
  }
}

/** Where a partition's work ends that is done up to `offset`: behind what nobody can read, when that is all that follows in what was fetched. */
function endOfDone({ position, next, buffered }: KafkaCursor, offset: bigint): bigint {
  return offset >= position && buffered.length === 0 && next !== undefined && next > offset ? next : offset;
}
