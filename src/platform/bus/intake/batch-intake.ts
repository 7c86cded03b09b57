/**
 * Takes records from the bus in batches, has each batch processed, and only then commits its offsets: a record is acknowledged when its
 * effect is durable, and not before. One batch at a time; the next one is fetched meanwhile, and everything done of it that needs no database.
 * While the database or the bus is away nothing more is taken. Used by the services that store what they read (notification writer, payload tracker); `runOnce` is one turn of the loop.
 */

import { CcxError } from '../../../encoding/ccx-error.ts';
import { backoffMs } from '../../clock/backoff.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Health, Need } from '../../lifecycle/health.ts';
import type { BusRecord, Consumer, Position, TopicPartition } from '../bus.ts';
import { partitionKey } from '../bus.ts';
import { type StepAnswer, type StepAttempt, unexpected, untilAnswered } from './step.ts';

/** One poll of a batch intake; a stop interrupts it. */
const intakePollMs = 1_000;
/** A batch of at least this part of its bounds is followed by more, as a rule. */
const largeShare = 4;
/** Pause of a batch intake before something that failed for lack of a database or a bus is tried again; doubles with each attempt. */
const retryBounds = { msMin: 100, msMax: 15_000 };

export interface BatchBounds {
  readonly recordsMax: number;
  /** One record that is larger makes a batch of its own. */
  readonly bytesMax: number;
  /** How long a batch waits for more once it has something; what comes longer than that after the batch before waits for nothing. */
  readonly waitMs: number;
  /** That waits, too: nobody is in a hurry. */
  readonly waitsAlways?: boolean;
}

/** What the service's events make of what happens here. */
interface BatchIntakeEvents {
  offsetsCommitted(positions: readonly Position[]): void;
  /** `step` is a step of the service, `take-records` or `commit-offsets`. */
  stepRetried(step: string, error: CcxError, afterMs: number): void;
  partitionsLost(partitions: readonly TopicPartition[]): void;
  /** A bug; the same records are processed again after a pause. */
  unexpectedFailure(doing: string, error: unknown): void;
}

interface BatchIntakeOptions {
  readonly clock: Clock;
  readonly events: BatchIntakeEvents;
  readonly health: Health;
  readonly bounds: BatchBounds;
  /**
   * Does of a batch what waits for nothing, while the one before is finished, and answers with what finishes it: that resolves when the effect
   * of every record is durable, and rejects when the batch was given up, which is then begun anew. Records that were lost meanwhile
   * (`owns`) are left out by whoever finishes.
   */
  readonly begin: (records: readonly BusRecord[], control: BatchControl) => Promise<FinishBatch>;
}

export type FinishBatch = () => Promise<void>;

/** A batch that is taken and not yet acknowledged. */
interface Portion {
  readonly records: readonly BusRecord[];
  begun: Promise<FinishBatch> | undefined;
}

/** What the processing of a batch may ask of the intake. */
export type BatchControl = Pick<BatchIntake, 'owns' | 'untilDone'>;

export class BatchIntake {
  readonly #options: BatchIntakeOptions;
  readonly #stopping = new AbortController();
  /** How often each partition was taken away. */
  readonly #losses = new Map<string, number>();
  /** What was taken and is not yet acknowledged, in portions; the bus hands nothing out twice, so nothing leaves this list before that. */
  readonly #taken: Portion[] = [];
  /** The number of losses of its partition when a record was taken: a record taken before the last one belongs to somebody else. */
  readonly #takenAt = new Map<BusRecord, number>();
  /** What is fetched while a large batch is finished: where there was so much there is more. */
  #ahead: Promise<readonly Portion[]> | undefined;
  /** Batches are begun one after the other. */
  #beginning: Promise<unknown> = Promise.resolve();
  /** When a batch was acknowledged last. What is there at the start may be many. */
  #acknowledgedMs = Number.POSITIVE_INFINITY;
  #loop: Promise<void> | undefined;

  constructor(options: BatchIntakeOptions) {
    this.#options = options;
  }

  /** The consumer calls `partitionsLost` already while it joins its group, so that it comes second. */
  start(consumer: Consumer): void {
    this.#loop ??= this.#run(consumer);
  }

  /** Gives up what waits for a database or a bus, lets what is under way finish. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await this.#ahead;
    await this.#beginning;
  }

  idle(): boolean {
    return this.#taken.length === 0;
  }

  /** For the consumer's `onRevoked`. */
  partitionsLost(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#losses.set(partitionKey(partition), this.#lossesOf(partition) + 1);
    this.#options.events.partitionsLost(partitions);
  }

  /**
   * One batch, or nothing within `waitMs`. Resolves to the number of records that were acknowledged. After a rejection the next turn goes
   * on with the same records.
   */
  async runOnce(consumer: Consumer, waitMs: number): Promise<number> {
    if (this.#taken.length === 0) await this.#take(consumer, waitMs);
    let acknowledged = 0;
    for (let portion = this.#taken[0]; portion !== undefined; portion = this.#taken[0]) {
      await this.#process(portion);
      await this.#commit(consumer, portion.records);
      acknowledged += portion.records.length;
      for (const record of portion.records) this.#takenAt.delete(record);
      this.#taken.shift();
      this.#acknowledgedMs = this.#options.clock.monotonicMs();
      if (this.#stopping.signal.aborted) break;
    }
    return acknowledged;
  }

  /** False once the record's partition was taken away: its new owner processes it. */
  owns(record: BusRecord): boolean {
    return this.#takenAt.get(record) === this.#lossesOf(record);
  }

  /**
   * Makes attempts until one is done, for steps that a missing database or bus can hold up but nothing else. Readiness says so meanwhile.
   * Rejects when the service stops.
   */
  async untilDone<T>(step: string, needs: Need, attempt: (attempt: StepAttempt) => Promise<StepAnswer<T>>): Promise<T> {
    const { clock, events, health } = this.#options;
    const { signal } = this.#stopping;
    const wait = async (afterMs: number, error: CcxError) => {
      health.report(needs, error);
      events.stepRetried(step, error, afterMs);
      await clock.sleep(afterMs, signal);
    };
    const answer = await untilAnswered(attempt, { clock, bounds: retryBounds, signal, wait });
    if (answer.kind !== 'done') throw new Error(`step ${step} answered ${answer.kind}`);
    health.report(needs, undefined);
    return answer.value;
  }

  async #run(consumer: Consumer): Promise<void> {
    const { clock, events, health } = this.#options;
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      try {
        await this.runOnce(consumer, intakePollMs);
        health.report('bus', undefined);
        failures = 0;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        failures += 1;
        if (!(error instanceof CcxError)) events.unexpectedFailure('intake', error);
        health.report('bus', asCcxError(error));
        const afterMs = backoffMs(retryBounds, failures, clock.random());
        events.stepRetried('take-records', asCcxError(error), afterMs);
        await clock.sleep(afterMs, this.#stopping.signal).catch(() => undefined);
      }
    }
  }

  async #process(portion: Portion): Promise<void> {
    if (!portion.records.some((record) => this.owns(record))) return;
    try {
      const finish = await this.#begin(portion);
      const next = this.#taken[1];
      // It is met again, and its failure with it, when its turn comes.
      if (next !== undefined) this.#begin(next).catch(() => undefined);
      await finish();
    } catch (error) {
      portion.begun = undefined;
      throw error;
    }
  }

  #begin(portion: Portion): Promise<FinishBatch> {
    portion.begun ??= this.#beginNow(portion.records);
    return portion.begun;
  }

  #beginNow(records: readonly BusRecord[]): Promise<FinishBatch> {
    const begun = this.#beginning.then(() =>
      this.#options.begin(
        records.filter((record) => this.owns(record)),
        this,
      ),
    );
    this.#beginning = begun.catch(() => undefined);
    return begun;
  }

  async #take(consumer: Consumer, waitMs: number): Promise<void> {
    const ahead = (await this.#ahead) ?? [];
    this.#ahead = undefined;
    const taken = ahead.length > 0 ? ahead : await this.#gather(consumer, waitMs);
    this.#taken.push(...taken);
    if (this.#isLarge(taken)) this.#ahead = this.#takeAhead(consumer);
  }

  #isLarge(portions: readonly Portion[]): boolean {
    const { recordsMax, bytesMax } = this.#options.bounds;
    const records = portions.flatMap((portion) => portion.records);
    return records.length * largeShare >= recordsMax || bytesOf(records) * largeShare >= bytesMax;
  }

  /** A failure is met again, and reported, by the next turn. */
  async #takeAhead(consumer: Consumer): Promise<readonly Portion[]> {
    // Until the batch before is acknowledged.
    this.#acknowledgedMs = Number.POSITIVE_INFINITY;
    const portions = await this.#gather(consumer, 0).catch(() => []);
    // Behind the one that is about to be begun.
    if (portions[0] !== undefined) this.#begin(portions[0]).catch(() => undefined);
    return portions;
  }

  async #gather(consumer: Consumer, waitMs: number): Promise<readonly Portion[]> {
    const { clock, bounds } = this.#options;
    const records = await this.#poll(consumer, bounds.recordsMax, waitMs);
    const startedMs = clock.monotonicMs();
    // One that comes alone is not to wait for others; where many come the first of them goes ahead.
    const isLone = bounds.waitsAlways !== true && startedMs - this.#acknowledgedMs >= bounds.waitMs;
    const closesAt = isLone ? startedMs : startedMs + bounds.waitMs;
    let bytes = bytesOf(records);
    while (records.length > 0 && records.length < bounds.recordsMax && bytes < bounds.bytesMax) {
      const leftMs = Math.floor(closesAt - clock.monotonicMs());
      if (leftMs <= 0 || this.#stopping.signal.aborted) break;
      // The records that are here must not wait for a bus that is away: the next turn finds out.
      const more = await this.#poll(consumer, bounds.recordsMax - records.length, leftMs).catch(() => []);
      if (more.length === 0) break;
      records.push(...more);
      bytes += bytesOf(more);
    }
    return portions(records, bounds.bytesMax).map((portion) => ({ records: portion, begun: undefined }));
  }

  async #poll(consumer: Consumer, recordsMax: number, waitMs: number): Promise<BusRecord[]> {
    const records = await consumer.poll({ recordsMax, waitMs, signal: this.#stopping.signal });
    for (const record of records) this.#takenAt.set(record, this.#lossesOf(record));
    return [...records];
  }

  /** The batch's effects are durable: until the offsets have moved, nothing else is done. */
  async #commit(consumer: Consumer, records: readonly BusRecord[]): Promise<void> {
    const { clock, events, health } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const positions = positionsBehind(records.filter((record) => this.owns(record)));
      if (positions.length === 0) return;
      try {
        await consumer.commit(positions);
        events.offsetsCommitted(positions);
        return;
      } catch (error) {
        // Somebody else has the partition now: what was stored here is a repeat to them.
        if (error instanceof CcxError && error.code === 'BUS_FENCED') return;
        const known = asCcxError(error);
        if (!known.retryable) throw error;
        health.report('bus', known);
        const afterMs = backoffMs(retryBounds, attempt, clock.random());
        events.stepRetried('commit-offsets', known, afterMs);
        await clock.sleep(afterMs, this.#stopping.signal);
      }
    }
  }

  #lossesOf(partition: TopicPartition): number {
    return this.#losses.get(partitionKey(partition)) ?? 0;
  }
}

/** In order, each within the bounds unless a single record is larger than them. */
function portions(records: readonly BusRecord[], bytesMax: number): BusRecord[][] {
  const found: BusRecord[][] = [];
  let bytes = 0;
  for (const record of records) {
    const size = record.value?.length ?? 0;
    const last = found.at(-1);
    if (last === undefined || bytes + size > bytesMax) {
      found.push([record]);
      bytes = size;
    } else {
      last.push(record);
      bytes += size;
    }
  }
  return found;
}

function bytesOf(records: readonly BusRecord[]): number {
  return records.reduce((sum, record) => sum + (record.value?.length ?? 0), 0);
}

function positionsBehind(records: readonly BusRecord[]): Position[] {
  // In order per partition, so the last one of each counts.
  const positions = records.map(({ topic, partition, offset }) => ({ topic, partition, offset: offset + 1n }));
  return [...new Map(positions.map((position) => [partitionKey(position), position])).values()];
}

function asCcxError(error: unknown): CcxError {
  return error instanceof CcxError ? error : unexpected(error);
}
