/**
 * Takes announcements from the bus, keeps a bounded number of them in work, and commits how far all of them are done. What is done with
 * one announcement is `pipeline.ts`; this file only decides when the next ones may come. Made by `service.ts`.
 */
import { errorText } from '../../contracts/ccx-error.ts';
import type { Bus, BusRecord, Consumer, TopicPartition } from '../../platform/bus/bus.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { PipelineEvents } from './events.ts';
import { busPauseMs, drainMsMax, pollWaitMs, resumeShare, uncommittedRecordsMax } from './limits.ts';
import { OffsetCommitter } from './offset-committer.ts';

export interface IntakeOptions {
  readonly bus: Bus;
  readonly topic: string;
  readonly groupId: string;
  readonly startAt: 'earliest' | 'latest';
  readonly inFlightMax: number;
  readonly clock: Clock;
  readonly events: PipelineEvents;
  /** Resolves to true when the record's effect is durable, to false when it was given up and is due again. Never rejects. */
  readonly process: (record: BusRecord, control: WorkControl) => Promise<boolean>;
}

export interface WorkControl {
  /** The work is to end now: its partition was lost, or the time to stop is over. */
  readonly abandoned: AbortSignal;
  /** The service stops: nothing is waited for any more, what runs may finish. */
  readonly stopping: AbortSignal;
}

interface Work {
  readonly record: BusRecord;
  readonly abandon: AbortController;
  readonly ended: Promise<void>;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #works = new Set<Work>();
  readonly #stopping = new AbortController();
  readonly #consumer: Consumer;
  readonly #committer: OffsetCommitter;
  #loop: Promise<void> = Promise.resolve();
  #roomMade = Promise.withResolvers<void>();
  /** Why the last poll failed; undefined once one has succeeded. */
  #trouble: string | undefined = 'the bus was not polled yet';

  /** Joins the group; rejects when the bus cannot be used at all. */
  static async open(options: IntakeOptions): Promise<Intake> {
    const lost: { intake?: Intake } = {};
    const consumer = await options.bus.createConsumer({
      groupId: options.groupId,
      topics: [options.topic],
      startAt: options.startAt,
      onRevoked: (partitions) => lost.intake?.lose(partitions),
    });
    lost.intake = new Intake(options, consumer);
    return lost.intake;
  }

  constructor(options: IntakeOptions, consumer: Consumer) {
    this.#options = options;
    this.#consumer = consumer;
    const { clock, events } = options;
    this.#committer = new OffsetCommitter({
      consumer,
      clock,
      onCommitted: (positions) => events.offsetsCommitted(positions),
      onFailed: (error) => events.busUnavailable('commit', error),
      onLost: (partitions) => this.#abandon(partitions),
    });
  }

  start(): void {
    this.#loop = this.#run();
  }

  inFlight(): number {
    return this.#works.size;
  }

  trouble(): string | undefined {
    return this.#trouble;
  }

  /** True when everything that was taken is done and committed, and nothing more is there to take. */
  async idle(): Promise<boolean> {
    if (this.#works.size > 0 || !this.#committer.idle()) return false;
    const lags = await this.#options.bus.admin.lag(this.#options.groupId, [this.#options.topic]);
    return lags.every(({ committed, start, end }) => {
      if (committed !== null) return committed >= end;
      return this.#options.startAt === 'latest' || end === start;
    });
  }

  /** One turn of the loop: waits for room, takes what is there, starts the work. Resolves to the number of records taken. */
  async runOnce(): Promise<number> {
    await this.#waitForRoom();
    if (this.#stopping.signal.aborted) return 0;
    const recordsMax = this.#options.inFlightMax - this.#works.size;
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
    const patience = new AbortController();
    const drained = Promise.all([...this.#works].map((work) => work.ended));
    await Promise.race([drained, this.#options.clock.sleep(drainMsMax, patience.signal).catch(() => undefined)]);
    patience.abort();
    for (const work of this.#works) work.abandon.abort();
    await drained;
    await this.#committer.close();
    await this.#consumer.close();
  }

  /** Called when partitions were taken away: what is in flight of them is due elsewhere. */
  lose(partitions: readonly TopicPartition[]): void {
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
        await this.#options.clock.sleep(busPauseMs, signal).catch(() => undefined);
      }
    }
  }

  #begin(record: BusRecord): void {
    this.#committer.take(record);
    const abandon = new AbortController();
    const control: WorkControl = { abandoned: abandon.signal, stopping: this.#stopping.signal };
    const work: Work = {
      record,
      abandon,
      ended: this.#options.process(record, control).then((isDone) => {
        this.#works.delete(work);
        // A lost record may have come back meanwhile; the new work answers for it.
        if (isDone && !abandon.signal.aborted) this.#committer.finish(record);
        this.#makeRoom();
      }),
    };
    this.#works.add(work);
  }

  #abandon(partitions: readonly TopicPartition[]): void {
    for (const work of this.#works) {
      const isLost = partitions.some(
        ({ topic, partition }) => topic === work.record.topic && partition === work.record.partition,
      );
      if (isLost) work.abandon.abort();
    }
  }

  /** While there is no room the partitions are paused, so that the bus client fetches nothing ahead. */
  async #waitForRoom(): Promise<void> {
    if (this.#hasRoom(this.#options.inFlightMax - 1)) return;
    const paused = this.#consumer.assignment();
    this.#consumer.pause(paused);
    const resumeAt = Math.floor(this.#options.inFlightMax * resumeShare);
    while (!this.#hasRoom(resumeAt) && !this.#stopping.signal.aborted) {
      this.#roomMade = Promise.withResolvers();
      await this.#roomMade.promise;
    }
    this.#consumer.resume(paused);
  }

  #hasRoom(inFlightMax: number): boolean {
    return this.#works.size <= inFlightMax && this.#committer.spread() < uncommittedRecordsMax;
  }

  #makeRoom(): void {
    this.#roomMade.resolve();
  }
}
