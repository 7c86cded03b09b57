/**
 * Takes messages from the bus in batches, has each batch processed, and only then commits its offsets: a message is acknowledged when it
 * is stored, recognised or put aside, and not before. One batch at a time; while the database or the bus is away nothing more is taken.
 * Called by the service; `runOnce` is one turn of the loop.
 */
import { CcxError } from '../../contracts/ccx-error.ts';
import type { BusRecord, Consumer, Position, TopicPartition } from '../../platform/bus/bus.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { backoffMs } from './backoff.ts';
import type { WriterEvents } from './events.ts';
import type { Health } from './health.ts';
import { pollWaitMs } from './limits.ts';
import type { BatchControl } from './pipeline.ts';

export interface BatchBounds {
  readonly recordsMax: number;
  readonly bytesMax: number;
  /** How long a batch waits for more once it has something. */
  readonly waitMs: number;
}

export interface IntakeOptions {
  readonly clock: Clock;
  readonly events: WriterEvents;
  readonly health: Health;
  readonly bounds: BatchBounds;
  readonly process: (records: readonly BusRecord[], control: BatchControl) => Promise<void>;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #stopping = new AbortController();
  /** How often each partition was taken away. */
  readonly #losses = new Map<string, number>();
  /** What was taken and is not yet acknowledged, in portions; the bus hands nothing out twice, so nothing leaves this list before that. */
  readonly #taken: BusRecord[][] = [];
  /** The number of losses of its partition when a message was taken: a message taken before the last one belongs to somebody else. */
  readonly #takenAt = new Map<BusRecord, number>();
  #loop: Promise<void> | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** The consumer tells `partitionsLost` already while it joins its group, so that it comes second. */
  start(consumer: Consumer): void {
    this.#loop ??= this.#run(consumer);
  }

  /** Gives up what waits for a database or a bus, lets what is under way finish. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
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
   * One batch, or nothing within `waitMs`. Resolves to the number of messages that were acknowledged. After a rejection the next turn goes
   * on with the same messages.
   */
  async runOnce(consumer: Consumer, waitMs: number): Promise<number> {
    if (this.#taken.length === 0) await this.#take(consumer, waitMs);
    let acknowledged = 0;
    for (let portion = this.#taken[0]; portion !== undefined; portion = this.#taken[0]) {
      const owned = portion.filter((record) => this.#owns(record));
      if (owned.length > 0) {
        await this.#options.process(owned, this.#control());
        await this.#commit(consumer, owned);
      }
      acknowledged += portion.length;
      for (const record of portion) this.#takenAt.delete(record);
      this.#taken.shift();
      if (this.#stopping.signal.aborted) break;
    }
    return acknowledged;
  }

  async #run(consumer: Consumer): Promise<void> {
    const { clock, events, health } = this.#options;
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      try {
        await this.runOnce(consumer, pollWaitMs);
        health.report('bus', undefined);
        failures = 0;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        failures += 1;
        const known = error instanceof CcxError ? error : unexpected(error);
        if (!(error instanceof CcxError)) events.unexpectedFailure('intake', error);
        health.report('bus', known);
        const afterMs = backoffMs(failures, clock.random());
        events.stepRetried('take-messages', known, afterMs);
        await clock.sleep(afterMs, this.#stopping.signal).catch(() => undefined);
      }
    }
  }

  async #take(consumer: Consumer, waitMs: number): Promise<void> {
    const { clock, bounds } = this.#options;
    const records = await this.#poll(consumer, bounds.recordsMax, waitMs);
    const closesAt = clock.monotonicMs() + bounds.waitMs;
    let bytes = bytesOf(records);
    while (records.length > 0 && records.length < bounds.recordsMax && bytes < bounds.bytesMax) {
      const leftMs = Math.floor(closesAt - clock.monotonicMs());
      if (leftMs <= 0 || this.#stopping.signal.aborted) break;
      // The messages that are here must not wait for a bus that is away: the next turn finds out.
      const more = await this.#poll(consumer, bounds.recordsMax - records.length, leftMs).catch(() => []);
      if (more.length === 0) break;
      records.push(...more);
      bytes += bytesOf(more);
    }
    this.#taken.push(...portions(records, bounds.bytesMax));
  }

  async #poll(consumer: Consumer, recordsMax: number, waitMs: number): Promise<BusRecord[]> {
    const { signal } = this.#stopping;
    const records = await consumer.poll({ recordsMax, waitMs, signal });
    for (const record of records) this.#takenAt.set(record, this.#lossesOf(record));
    return [...records];
  }

  /** The batch's effects are durable: until the offsets have moved, nothing else is done. */
  async #commit(consumer: Consumer, records: readonly BusRecord[]): Promise<void> {
    const { clock, events, health } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const positions = positionsBehind(records.filter((record) => this.#owns(record)));
      if (positions.length === 0) return;
      try {
        await consumer.commit(positions);
        events.offsetsCommitted(positions);
        return;
      } catch (error) {
        // Somebody else has the partition: what we stored is a repeat to them.
        if (error instanceof CcxError && error.code === 'BUS_FENCED') return;
        const known = error instanceof CcxError ? error : unexpected(error);
        if (!known.retryable) throw known;
        health.report('bus', known);
        const afterMs = backoffMs(attempt, clock.random());
        events.stepRetried('commit-offsets', known, afterMs);
        await clock.sleep(afterMs, this.#stopping.signal);
      }
    }
  }

  #control(): BatchControl {
    const { health } = this.#options;
    return {
      stopping: this.#stopping.signal,
      owns: (record) => this.#owns(record),
      onHeldUp: (part, error) => health.report(part, error),
    };
  }

  #owns(record: BusRecord): boolean {
    return this.#takenAt.get(record) === this.#lossesOf(record);
  }

  #lossesOf(partition: TopicPartition): number {
    return this.#losses.get(partitionKey(partition)) ?? 0;
  }
}

/** In order, each within the bounds unless a single message is larger than them. */
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
  const positions = new Map<string, Position>();
  for (const record of records) {
    const { topic, partition, offset } = record;
    const known = positions.get(partitionKey(record));
    if (known === undefined || known.offset <= offset) {
      positions.set(partitionKey(record), { topic, partition, offset: offset + 1n });
    }
  }
  return [...positions.values()];
}

function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function unexpected(cause: unknown): CcxError {
  return new CcxError('unexpected failure', { code: 'INTERNAL_ERROR', category: 'internal', cause });
}
