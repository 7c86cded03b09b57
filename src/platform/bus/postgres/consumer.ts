/**
 * A group member on the embedded bus. Two things run side by side: membership (renewed three times per lease, brought up to date when
 * the group changes) says which partitions are ours; `poll` reads those. They meet in the cursors (`bus-consumer.ts`).
 *
 * The same rules bind a member that merely believes to be one: past the end of its lease, by its own clock, it hands out nothing.
 */

import type { Database, Queryable } from '../../database/database.ts';
import type { BusRecord, ConsumerOptions, PollOptions, Position, TopicPartition } from '../bus.ts';
import { partitionKey } from '../bus.ts';
import { BusConsumer, type BusConsumerDependencies, type ConsumerCursor } from '../bus-consumer.ts';
import { topicUnknown } from '../bus-errors.ts';
import { bufferedBytesMaxDefault } from '../bus-options.ts';
import * as events from '../telemetry.ts';
import { withBusErrors } from './bus-error-of.ts';
import type { BusHint } from './channel.ts';
import {
  joinGroup,
  leaveGroup,
  type Member,
  type OwnedPartition,
  renewLease,
  synchronizeMember,
} from './membership.ts';
import type { ReadCursor, RecordReader } from './record-reader.ts';

const renewalsPerLease = 3;

interface PostgresConsumerDependencies extends BusConsumerDependencies {
  readonly database: Database;
  readonly reader: RecordReader;
  readonly leaseMs: number;
  readonly pollEveryMs: number;
}

interface PostgresCursor extends ReadCursor, ConsumerCursor {
  position: bigint;
}

export class PostgresConsumer extends BusConsumer<PostgresCursor> {
  readonly #dependencies: PostgresConsumerDependencies;
  #member: Member;
  /** Until then a hint would find no member and take it for one that lost its lease. */
  #joined = false;
  #generation: bigint | undefined;
  #leaseUntilMs = 0;
  #missingTopics: readonly string[] = [];
  #stopRenewing: () => void = () => undefined;
  #synchronizing: Promise<void> | undefined;
  #synchronizeAgain = false;
  #failing = false;

  constructor(options: ConsumerOptions, dependencies: PostgresConsumerDependencies) {
    super(options, dependencies, dependencies.pollEveryMs);
    this.#dependencies = dependencies;
    this.#member = this.#newMember();
  }

  /** The first assignment is empty while others still hold everything. */
  protected override async join(): Promise<void> {
    const { database, clock, leaseMs } = this.#dependencies;
    await withBusErrors(async () => {
      await joinGroup(database, this.#member);
      this.#joined = true;
      await this.#synchronize();
    });
    this.#stopRenewing = clock.every(leaseMs / renewalsPerLease, () => this.#renew());
  }

  override async poll(options: PollOptions): Promise<readonly BusRecord[]> {
    return await withBusErrors(() => super.poll(options));
  }

  protected override async store(wanted: ReadonlyMap<PostgresCursor, Position>): Promise<readonly TopicPartition[]> {
    const stored = await withBusErrors(() => commitPositions(this.#dependencies.database, this.#member, wanted));
    return [...wanted.keys()].filter(({ topicId, partition }) => !stored.has(`${topicId}/${partition}`));
  }

  /** The rows know better than we do who owns what. */
  protected override doubt(): void {
    this.#synchronizeSoon();
  }

  protected override beginClose(): void {
    this.#stopRenewing();
  }

  protected override async endClose(): Promise<void> {
    const { database, telemetry } = this.#dependencies;
    await this.#synchronizing?.catch(() => undefined);
    try {
      await leaveGroup(database, this.#member);
    } catch (error) {
      // Then the lease ends by itself.
      events.membershipFailed(telemetry, this.options.groupId, error);
    }
  }

  /** Called by the bus for every NOTIFY. */
  onHint(hint: BusHint): void {
    if (!this.#joined) return;
    if (hint.kind === 'records') {
      for (const cursor of this.cursors.values()) {
        if (cursor.topicId !== hint.topicId) continue;
        this.wake();
        return;
      }
    } else if (hint.kind === 'anything' || hint.groupId === this.options.groupId) {
      this.#synchronizeSoon();
      this.wake();
    }
  }

  protected override async take(recordsMax: number): Promise<readonly BusRecord[]> {
    const { reader, telemetry } = this.#dependencies;
    if (!this.#leaseHolds()) {
      // Past the lease, or after it was lost, everything is released before the member asks for its place again.
      this.release([...this.cursors.values()]);
      await this.#synchronize();
    }
    const readable = [...this.cursors.values()].filter((cursor) => !cursor.paused);
    if (readable.length === 0) return [];
    const pages = await reader.read(this.inTurn(readable), {
      recordsMax,
      bytesMax: this.options.bufferedBytesMax ?? bufferedBytesMaxDefault,
    });
    // A topic that is gone, or gone and made again: the hint about it may be on its way, or lost.
    if (readable.some((cursor) => cursor.head === undefined)) await this.#synchronize();
    if (!this.#leaseHolds()) return [];
    return pages.flatMap(({ cursor, records, next, dropped }) => {
      // Released, or paused, while the read was under way.
      if (!this.owns(cursor) || cursor.paused) return [];
      if (dropped > 0n) {
        const { topic, partition } = cursor;
        events.recordsSkipped(telemetry, this.options.groupId, { topic, partition, records: dropped });
      }
      cursor.position = next;
      return records;
    });
  }

  protected override async findTrouble(): Promise<void> {
    if (this.#missingTopics.length === 0) return;
    // Whoever polls again at once must not keep the process from doing anything else.
    await this.wait(this.#dependencies.pollEveryMs);
    throw topicUnknown(this.#missingTopics);
  }

  #leaseHolds(): boolean {
    return this.#dependencies.clock.monotonicMs() < this.#leaseUntilMs;
  }

  async #renew(): Promise<void> {
    const { database, clock, telemetry, leaseMs } = this.#dependencies;
    const startedMs = clock.monotonicMs();
    try {
      const answer = await renewLease(database, this.#member, this.#generation);
      if (answer !== 'stale') this.#leaseUntilMs = startedMs + leaseMs;
      if (answer !== 'unchanged') await this.#synchronize();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) events.membershipFailed(telemetry, this.options.groupId, error);
      this.#failing = true;
    }
  }

  #synchronizeSoon(): void {
    if (this.isClosing) return;
    this.#synchronize().catch((error) => {
      events.membershipFailed(this.#dependencies.telemetry, this.options.groupId, error);
    });
  }

  /** One at a time; a call during a run makes it run once more, and every caller waits for the last run. */
  #synchronize(): Promise<void> {
    this.#synchronizeAgain = true;
    this.#synchronizing ??= this.#runSynchronize().finally(() => {
      this.#synchronizing = undefined;
    });
    return this.#synchronizing;
  }

  async #runSynchronize(): Promise<void> {
    while (this.#synchronizeAgain && !this.isClosing) {
      this.#synchronizeAgain = false;
      await this.#synchronizeOnce();
    }
  }

  async #synchronizeOnce(): Promise<void> {
    const { database, clock, telemetry, leaseMs } = this.#dependencies;
    const startedMs = clock.monotonicMs();
    const answer = await synchronizeMember(database, this.#member, (partition) => {
      const cursor = this.cursors.get(partitionKey(partition));
      if (cursor !== undefined) this.release([cursor]);
    });
    if (answer === undefined) {
      events.memberFenced(telemetry, this.options.groupId);
      this.release([...this.cursors.values()]);
      this.#member = this.#newMember();
      this.#generation = undefined;
      await joinGroup(database, this.#member);
      this.#synchronizeAgain = true;
      return;
    }
    this.#leaseUntilMs = startedMs + leaseMs;
    this.#generation = answer.generation;
    this.#missingTopics = answer.missingTopics;
    this.#acquire(answer.owned);
  }

  #acquire(owned: readonly OwnedPartition[]): void {
    const ownedIds = new Map(owned.map((partition) => [partitionKey(partition), partition.topicId]));
    // A topic that was deleted and made again has another id: what was read of the old one says nothing about the new one.
    const all = [...this.cursors.values()];
    this.release(all.filter((cursor) => ownedIds.get(partitionKey(cursor)) !== cursor.topicId));
    const acquired = owned.filter((partition) => !this.cursors.has(partitionKey(partition)));
    if (acquired.length === 0) return;
    this.assign(
      acquired.map(({ topicId, topic, partition, position }) => {
        return { topicId, topic, partition, from: position, position, head: undefined, paused: false };
      }),
    );
    this.wake();
  }

  #newMember(): Member {
    const { groupId, topics, startAt } = this.options;
    const { clock, leaseMs } = this.#dependencies;
    return { groupId, memberId: clock.uuid(), topics, startAt, leaseMs };
  }
}

/**
 * Stores positions of a group, for those partitions only that the member still owns under a living lease. Answers with the stored ones as
 * `<topicId>/<partition>`; what is missing there has another owner. The check and the write are one statement on locked rows: a partition
 * that changes hands meanwhile is either stored before its new owner looks, or not at all.
 */
async function commitPositions(
  database: Queryable,
  member: Member,
  wanted: ReadonlyMap<PostgresCursor, Position>,
): Promise<ReadonlySet<string>> {
  const values = [...wanted].map(
    ([{ topicId, partition }, { offset }]) => `(${topicId}, ${partition}, ${offset}::bigint)`,
  );
  const { rows } = await database.query<{ topic_id: bigint; partition: number }>(
    `WITH wanted (topic_id, partition, committed) AS (VALUES ${values.join(', ')}),
     locked AS (
       SELECT p.topic_id, p.partition, w.committed
       FROM ccx.bus_positions p JOIN wanted w ON p.topic_id = w.topic_id AND p.partition = w.partition
       WHERE p.group_id = $1 AND p.owner = $2
         AND EXISTS (SELECT FROM ccx.bus_members m WHERE m.member_id = $2 AND m.lease_until > clock_timestamp())
       ORDER BY p.topic_id, p.partition
       FOR UPDATE OF p
     )
     UPDATE ccx.bus_positions p SET committed = l.committed
     FROM locked l
     WHERE p.group_id = $1 AND p.topic_id = l.topic_id AND p.partition = l.partition
     RETURNING p.topic_id, p.partition`,
    [member.groupId, member.memberId],
  );
  return new Set(rows.map((row) => `${row.topic_id}/${row.partition}`));
}
