/**
 * Takes announcements from the bus, far ahead of the places in which archives are worked on, and commits how far all of them are done. What is
 * done with one announcement, and which is next, is `pipeline.ts`; this file only decides when more may come. Made by `service.ts`.
 *
 * Reading ahead is what lets one organization's announcement pass those that another sent before it; announcements are small.
 */
import { errorText } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { pause, within } from '../../clock/deadline.ts';
import {
  type Bus,
  type BusRecord,
  type Consumer,
  hasReadEverything,
  type Position,
  partitionKey,
  type TopicPartition,
} from '../bus.ts';
import { busPauseMs, OffsetCommitter } from './offset-committer.ts';

/** One poll of the bus; a stop does not wait for it. */
const pollWaitMs = 1_000;
/** Share of the stop's time that archives in flight get to finish; the rest is for commits and for closing. */
export const drainMsMax = 6 * 1_000;

/** Records of one poll. */
const pollRecordsMax = 500;
/** Partitions are resumed once what was read ahead fell to this share of the maximum: fewer, larger polls. */
const resumeShare = 0.75;
/**
 * Offsets of one partition that may be taken past one that is not done. It bounds what a crash repeats, and what has to be remembered,
 * while one archive is tried again and others pass by.
 */
export const uncommittedRecordsMax = 10_000;

interface IntakeOptions {
  readonly bus: Bus;
  readonly topic: string;
  readonly groupId: string;
  readonly startAt: 'earliest' | 'latest';
  /** Announcements that are taken and not done, and the bytes of their records. */
  readonly readAheadRecordsMax: number;
  readonly readAheadBytesMax: number;
  readonly clock: Clock;
  readonly events: StreamIntakeEvents;
  /** Resolves to true when the record's effect is durable, to false when it was given up and is due again. Never rejects. */
  readonly process: (record: BusRecord, control: WorkControl) => Promise<boolean>;
}

/** What the service's telemetry makes of what happens here. */
export interface StreamIntakeEvents {
  offsetsCommitted(positions: readonly Position[]): void;
  busUnavailable(doing: 'poll' | 'commit', error: unknown): void;
}

export interface WorkControl {
  /** The work is to end now: its partition was lost, or the time to stop is over. */
  readonly abandoned: AbortSignal;
  /** The service stops: nothing is waited for any more, what runs may finish. */
  readonly stopping: AbortSignal;
}

interface Work {
  readonly record: BusRecord;
  readonly bytes: number;
  readonly abandon: AbortController;
  readonly ended: Promise<void>;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #works = new Set<Work>();
  #bytes = 0;
  /** Partitions with so much taken past a record that is not done that no more of them is taken. */
  #full: readonly TopicPartition[] = [];
  readonly #stopping = new AbortController();
  /** Set by `open`, before anything is taken. */
  #consumer!: Consumer;
  readonly #committer: OffsetCommitter;
  #loop: Promise<void> = Promise.resolve();
  #roomMade = Promise.withResolvers<void>();
  /** Why the last poll failed; undefined once one has succeeded. */
  #trouble: string | undefined = 'the bus was not polled yet';

  constructor(options: IntakeOptions) {
    this.#options = options;
    const { clock, events } = options;
    this.#committer = new OffsetCommitter({
      commit: (positions) => this.#consumer.commit(positions),
      clock,
      onCommitted: (positions) => events.offsetsCommitted(positions),
      onFailed: (error) => events.busUnavailable('commit', error),
      onLost: (partitions) => this.#abandon(partitions),
    });
  }

  /** Joins the group; rejects when the bus cannot be used at all. */
  async open(): Promise<void> {
    const { bus, groupId, topic, startAt } = this.#options;
    const onRevoked = (partitions: readonly TopicPartition[]) => this.#lose(partitions);
    this.#consumer = await bus.createConsumer({ groupId, topics: [topic], startAt, onRevoked });
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Announcements that are taken and not done. */
  taken(): number {
    return this.#works.size;
  }

  /** Partitions that are read here now. */
  assignment(): readonly TopicPartition[] {
    return this.#consumer.assignment();
  }

  trouble(): string | undefined {
    return this.#trouble;
  }

  /** True when everything that was taken is done and committed, and nothing more is there to take. */
  async idle(): Promise<boolean> {
    if (this.#works.size > 0 || !this.#committer.idle()) return false;
    const { bus, groupId, topic, startAt } = this.#options;
    return hasReadEverything(bus, groupId, [topic], startAt);
  }

  /** One turn of the loop: waits for room, takes what is there, starts the work. Resolves to the number of records taken. */
  async runOnce(): Promise<number> {
    await this.#waitForRoom();
    if (this.#stopping.signal.aborted) return 0;
    this.#pauseFull();
    const room = this.#options.readAheadRecordsMax - this.#works.size;
    const recordsMax = Math.min(pollRecordsMax, room);
    const records = await this.#consumer.poll({ recordsMax, waitMs: pollWaitMs, signal: this.#stopping.signal });
    this.#trouble = undefined;
    for (const record of records) this.#begin(record);
    return records.length;
  }

  /** Lets the work in flight finish for a while, gives up the rest uncommitted, leaves the group. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#roomMade.resolve();
    await this.#loop;
    const drained = Promise.all([...this.#works].map((work) => work.ended));
    await within(drained, { clock: this.#options.clock, ms: drainMsMax }, () => undefined);
    for (const work of this.#works) work.abandon.abort();
    await drained;
    await this.#committer.close();
    await this.#consumer.close();
  }

  /** Partitions were taken away: what is in flight of them is due elsewhere. */
  #lose(partitions: readonly TopicPartition[]): void {
    this.#committer.forget(partitions);
    this.#abandon(partitions);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.runOnce();
      } catch (error) {
        if (signal.aborted) return;
        this.#trouble = `the bus cannot be read: ${errorText(error)}`;
        this.#options.events.busUnavailable('poll', error);
        await pause(this.#options.clock, busPauseMs, signal);
      }
    }
  }

  #begin(record: BusRecord): void {
    this.#committer.take(record);
    const abandon = new AbortController();
    const control: WorkControl = { abandoned: abandon.signal, stopping: this.#stopping.signal };
    const bytes = recordBytes(record);
    this.#bytes += bytes;
    const work: Work = {
      record,
      bytes,
      abandon,
      ended: this.#options.process(record, control).then((isDone) => {
        this.#works.delete(work);
        this.#bytes -= bytes;
        // A lost record may have come back meanwhile; the new work answers for it.
        if (isDone && !abandon.signal.aborted) this.#committer.finish(record);
        this.#roomMade.resolve();
      }),
    };
    this.#works.add(work);
  }

  #abandon(partitions: readonly TopicPartition[]): void {
    const lost = new Set(partitions.map(partitionKey));
    for (const work of this.#works) if (lost.has(partitionKey(work.record))) work.abandon.abort();
  }

  /** While there is no room the partitions are paused, so that the bus client fetches nothing ahead. */
  async #waitForRoom(): Promise<void> {
    const { readAheadRecordsMax, readAheadBytesMax } = this.#options;
    if (this.#holdsAtMost(readAheadRecordsMax - 1, readAheadBytesMax - 1)) return;
    const paused = this.#consumer.assignment();
    this.#consumer.pause(paused);
    const records = Math.floor(readAheadRecordsMax * resumeShare);
    const bytes = Math.floor(readAheadBytesMax * resumeShare);
    while (!this.#holdsAtMost(records, bytes) && !this.#stopping.signal.aborted) {
      this.#roomMade = Promise.withResolvers();
      await this.#roomMade.promise;
    }
    this.#consumer.resume(paused);
    this.#full = [];
  }

  #holdsAtMost(records: number, bytes: number): boolean {
    return this.#works.size <= records && this.#bytes <= bytes;
  }

  /** A partition whose oldest announcement is tried again and again stops, and the others go on. */
  #pauseFull(): void {
    const full = this.#consumer
      .assignment()
      .filter((partition) => this.#committer.spread(partition) >= uncommittedRecordsMax);
    const has = (list: readonly TopicPartition[], one: TopicPartition) =>
      list.map(partitionKey).includes(partitionKey(one));
    const freed = this.#full.filter((partition) => !has(full, partition));
    if (freed.length > 0) this.#consumer.resume(freed);
    const added = full.filter((partition) => !has(this.#full, partition));
    if (added.length > 0) this.#consumer.pause(added);
    this.#full = full;
  }
}

function recordBytes({ key, value, headers }: BusRecord): number {
  const ofHeaders = headers.reduce((sum, header) => sum + header.name.length + (header.value?.length ?? 0), 0);
  return (key?.length ?? 0) + (value?.length ?? 0) + ofHeaders;
}
