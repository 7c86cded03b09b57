/**
 * Commits how far the group has come: the contiguous finished head of each partition, again and again until the bus has it. Used by the
 * intake. A position that the bus refuses because somebody else owns the partition now is dropped, and `onLost` called.
 */

import { errorCode } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import type { BusRecord, Position, TopicPartition } from '../bus.ts';
import { partitionKey } from '../bus.ts';
import { OffsetTracker } from './offset-tracker.ts';

/** Pause after the bus refused a poll or a commit. */
export const busPauseMs = 1_000;

interface OffsetCommitterOptions {
  readonly commit: (positions: readonly Position[]) => Promise<void>;
  readonly clock: Clock;
  readonly onCommitted: (positions: readonly Position[]) => void;
  readonly onFailed: (error: unknown) => void;
  readonly onLost: (partitions: readonly TopicPartition[]) => void;
}

export class OffsetCommitter {
  readonly #options: OffsetCommitterOptions;
  readonly #tracker = new OffsetTracker();
  readonly #pending = new Map<string, Position>();
  readonly #stopping = new AbortController();
  #committing: Promise<void> | undefined;

  constructor(options: OffsetCommitterOptions) {
    this.#options = options;
  }

  take(record: BusRecord): void {
    this.#tracker.take(record);
  }

  /** See the tracker. */
  spread(partition: TopicPartition): number {
    return this.#tracker.spread(partition);
  }

  finish(record: BusRecord): void {
    this.#tracker.finish(record);
    for (const position of this.#tracker.committable()) this.#pending.set(partitionKey(position), position);
    if (this.#pending.size > 0) this.#committing ??= this.#commitAll();
  }

  forget(partitions: readonly TopicPartition[]): void {
    this.#tracker.forget(partitions);
    for (const partition of partitions) this.#pending.delete(partitionKey(partition));
  }

  /** True when everything that is finished is committed. */
  idle(): boolean {
    return this.#pending.size === 0 && this.#committing === undefined;
  }

  /** One last try for what is still to be committed; never throws. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#committing;
    if (this.#pending.size > 0) await this.#commitOnce([...this.#pending.values()]);
  }

  async #commitAll(): Promise<void> {
    // What finishes in the same turn is committed together.
    await Promise.resolve();
    while (this.#pending.size > 0 && !this.#stopping.signal.aborted) {
      if (!(await this.#commitOnce([...this.#pending.values()]))) {
        await this.#options.clock.sleep(busPauseMs, this.#stopping.signal).catch(() => undefined);
      }
    }
    this.#committing = undefined;
  }

  /** False when the bus could not be reached. */
  async #commitOnce(positions: readonly Position[]): Promise<boolean> {
    try {
      await this.#options.commit(positions);
      for (const position of positions) {
        if (this.#pending.get(partitionKey(position))?.offset === position.offset)
          this.#pending.delete(partitionKey(position));
      }
      this.#options.onCommitted(positions);
      return true;
    } catch (error) {
      if (errorCode(error) === 'BUS_FENCED') return this.#dropFenced(positions);
      this.#options.onFailed(error);
      return false;
    }
  }

  /** One of several may be fenced: tried one by one, so that the others are kept. */
  async #dropFenced(positions: readonly Position[]): Promise<boolean> {
    if (positions.length === 1) {
      this.forget(positions);
      this.#options.onLost(positions);
      return true;
    }
    let isReached = true;
    for (const position of positions) isReached = (await this.#commitOnce([position])) && isReached;
    return isReached;
  }
}
