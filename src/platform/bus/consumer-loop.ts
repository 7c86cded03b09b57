/**
 * What is the same in a group member on either bus: polls come one after the other, wait, are woken, and end with the consumer; each poll
 * begins with another partition; partitions that are released are gone at once, and whoever wanted to know is told. What is read and
 * committed, and who says what is owned, is the adapter's.
 */
import type { Clock } from '../clock/clock.ts';
import { pause } from '../clock/deadline.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type BusRecord, type ConsumerOptions, type PollOptions, partitionKey, type TopicPartition } from './bus.ts';
import { closed } from './bus-errors.ts';
import * as events from './telemetry.ts';

interface LoopSteps {
  /** What is there now, at most so many. */
  take(recordsMax: number): readonly BusRecord[] | Promise<readonly BusRecord[]>;
  /** Nothing came in time: rejects with what is in the way, if something is. */
  findTrouble(): Promise<void>;
  /** Called when nothing is there, before the wait. */
  idle?(): void;
  /** Longest wait between two looks, in milliseconds: a wake is a hint. */
  readonly lookEveryMs: number;
}

interface ConsumerLoopDependencies {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export class ConsumerLoop<Cursor extends TopicPartition> {
  /** The partitions that are ours, by `<topic>/<partition>`. */
  readonly cursors = new Map<string, Cursor>();
  readonly #options: Pick<ConsumerOptions, 'groupId' | 'onRevoked'>;
  readonly #dependencies: ConsumerLoopDependencies;
  readonly #steps: LoopSteps;
  #polling: Promise<unknown> = Promise.resolve();
  /** Which partition is served first; moves on with every poll. */
  #turn = 0;
  /** Counts reasons to look again; a waiting poll is woken through the controller. */
  #wakes = 0;
  #waiting: AbortController | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    options: Pick<ConsumerOptions, 'groupId' | 'onRevoked'>,
    dependencies: ConsumerLoopDependencies,
    steps: LoopSteps,
  ) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#steps = steps;
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** Of a consumer that is closed nobody may ask anything. */
  assertOpen(): void {
    if (this.isClosing) throw closed('consumer');
  }

  async poll(options: PollOptions): Promise<readonly BusRecord[]> {
    this.assertOpen();
    const turn = this.#polling.then(() => this.#poll(options));
    this.#polling = turn.catch(() => undefined);
    return await turn;
  }

  /** A reason to look again. */
  wake(): void {
    this.#wakes += 1;
    this.#waiting?.abort();
  }

  /** Until the next wake, at most `ms`. */
  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    this.#waiting = new AbortController();
    const signals = signal === undefined ? this.#waiting.signal : AbortSignal.any([this.#waiting.signal, signal]);
    await pause(this.#dependencies.clock, Math.min(ms, this.#steps.lookEveryMs), signals);
    this.#waiting = undefined;
  }

  /** In another order with every call, so that no partition keeps the others waiting. */
  inTurn<Item>(items: readonly Item[]): readonly Item[] {
    this.#turn = (this.#turn + 1) % Math.max(1, items.length);
    return [...items.slice(this.#turn), ...items.slice(0, this.#turn)];
  }

  assignment(): readonly TopicPartition[] {
    return [...this.cursors.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  /** Is it still this one, and not a later assignment of the same partition? */
  owns(cursor: Cursor): boolean {
    return this.cursors.get(partitionKey(cursor)) === cursor;
  }

  assign(cursors: readonly Cursor[]): void {
    for (const cursor of cursors) this.cursors.set(partitionKey(cursor), cursor);
    if (cursors.length > 0) events.partitionsAssigned(this.#dependencies.telemetry, this.#options.groupId, cursors);
  }

  /** They leave the map at once: records of a read that is under way are thrown away and never handed out. */
  release(cursors: readonly Cursor[]): void {
    if (cursors.length === 0) return;
    for (const cursor of cursors) this.cursors.delete(partitionKey(cursor));
    const { telemetry } = this.#dependencies;
    const partitions = cursors.map(({ topic, partition }) => ({ topic, partition }));
    events.partitionsRevoked(telemetry, this.#options.groupId, partitions);
    try {
      this.#options.onRevoked?.(partitions);
    } catch (error) {
      events.callbackFailed(telemetry, this.#options.groupId, error);
    }
  }

  /** Once; `end` is called when no poll is under way any more. */
  close(begin: () => void, end: () => Promise<void>): Promise<void> {
    this.#closing ??= (async () => {
      begin();
      this.wake();
      await this.#polling;
      await end();
      this.cursors.clear();
    })();
    return this.#closing;
  }

  async #poll({ recordsMax, waitMs, signal }: PollOptions): Promise<readonly BusRecord[]> {
    const { clock } = this.#dependencies;
    const deadlineMs = clock.monotonicMs() + waitMs;
    // A poll that was waiting when the consumer was closed ends with nothing.
    while (!this.isClosing) {
      const wakes = this.#wakes;
      const records = await this.#steps.take(recordsMax);
      if (records.length > 0) return records;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0 || signal?.aborted === true) {
        await this.#steps.findTrouble();
        return [];
      }
      this.#steps.idle?.();
      if (wakes === this.#wakes) await this.wait(leftMs, signal);
    }
    return [];
  }
}

/**
 * How many records of each partition one look fetches: as even as what is there allows, so that a long backlog does not starve the others.
 * `available[i]` records wait in partition i; at most `total` are taken. Earlier partitions get the odd ones, so callers rotate.
 */
export function shareOut(available: readonly number[], total: number): number[] {
  const shares = available.map(() => 0);
  let left = total;
  let open = available.map((_, index) => index).filter((index) => available[index]! > 0);
  while (left > 0 && open.length > 0) {
    const even = Math.max(1, Math.floor(left / open.length));
    for (const index of open) {
      const take = Math.min(even, available[index]! - shares[index]!, left);
      shares[index]! += take;
      left -= take;
    }
    open = open.filter((index) => available[index]! > shares[index]!);
  }
  return shares;
}
