/**
 * What is the same in a group member on either bus: polls come one after the other, wait, are woken, and end with the consumer; each poll
 * begins with another partition; partitions that are released are gone at once, and whoever wanted to know is told; only what the
 * assignment handed out is committed. What is read and stored, and who says what is owned, is the adapter's.
 */
import type { Clock } from '../clock/clock.ts';
import { pause } from '../clock/deadline.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import {
  type BusRecord,
  type Consumer,
  type ConsumerOptions,
  type PollOptions,
  type Position,
  partitionKey,
  type TopicPartition,
} from './bus.ts';
import { closed, fenced } from './bus-errors.ts';
import * as events from './telemetry.ts';

export interface BusConsumerDependencies {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Called once, when the consumer is closed. */
  readonly onClosed: () => void;
}

/** One owned partition. */
export interface ConsumerCursor extends TopicPartition {
  /** Where this assignment began: a commit below it belongs to an earlier one. Undefined until it is known. */
  readonly from: bigint | undefined;
  /** Behind the last record that was handed out. */
  position: bigint;
  paused: boolean;
}

export abstract class BusConsumer<Cursor extends ConsumerCursor> implements Consumer {
  /** The partitions that are ours, by `<topic>/<partition>`. */
  protected readonly cursors = new Map<string, Cursor>();
  /** Each topic once. */
  protected readonly options: ConsumerOptions;
  readonly #dependencies: BusConsumerDependencies;
  readonly #lookEveryMs: number;
  #polling: Promise<unknown> = Promise.resolve();
  /** Which partition is served first; moves on with every poll. */
  #turn = 0;
  /** Counts reasons to look again; a waiting poll is woken through the controller. */
  #wakes = 0;
  #waiting: AbortController | undefined;
  #closing: Promise<void> | undefined;

  /** `lookEveryMs` is the longest wait between two looks: a wake is a hint. */
  constructor(options: ConsumerOptions, dependencies: BusConsumerDependencies, lookEveryMs: number) {
    this.options = { ...options, topics: [...new Set(options.topics)] };
    this.#dependencies = dependencies;
    this.#lookEveryMs = lookEveryMs;
  }

  /** Joins the group; resolves with the first assignment. */
  protected abstract join(): Promise<void>;
  /** What is there now, at most so many. */
  protected abstract take(recordsMax: number): Promise<readonly BusRecord[]>;
  /** Nothing came in time: rejects with what is in the way, if something is. */
  protected abstract findTrouble(): Promise<void>;
  /** Answers with what was refused, because somebody else owns it now. */
  protected abstract store(wanted: ReadonlyMap<Cursor, Position>): Promise<readonly TopicPartition[]>;
  /** Nothing new is begun from here on. */
  protected abstract beginClose(): void;
  /** No poll is under way any more. */
  protected abstract endClose(): Promise<void>;
  /** Called when nothing is there, before the wait. */
  protected idle(): void {}
  /** Called when a commit was refused. */
  protected doubt(): void {}

  /** A consumer that cannot join is closed. */
  async start(): Promise<void> {
    try {
      await this.join();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async poll(options: PollOptions): Promise<readonly BusRecord[]> {
    this.#assertOpen();
    const turn = this.#polling.then(() => this.#poll(options));
    this.#polling = turn.catch(() => undefined);
    return await turn;
  }

  async commit(positions: readonly Position[]): Promise<void> {
    this.#assertOpen();
    const wanted = new Map<Cursor, Position>();
    const refused: TopicPartition[] = [];
    for (const position of positions) {
      const cursor = this.cursors.get(partitionKey(position));
      // A position outside what this assignment handed out belongs to an earlier one, or to an earlier topic of that name.
      if (cursor?.from === undefined || position.offset < cursor.from || position.offset > cursor.position) {
        refused.push(position);
      } else {
        wanted.set(cursor, position);
      }
    }
    if (wanted.size > 0) refused.push(...(await this.store(wanted)));
    if (refused.length === 0) return;
    this.doubt();
    throw fenced(refused);
  }

  assignment(): readonly TopicPartition[] {
    return [...this.cursors.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#setPaused(partitions, true);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#setPaused(partitions, false);
    this.wake();
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#dependencies.onClosed();
      this.beginClose();
      this.wake();
      await this.#polling;
      await this.endClose();
      this.cursors.clear();
    })();
    return this.#closing;
  }

  protected get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** A reason to look again. */
  protected wake(): void {
    this.#wakes += 1;
    this.#waiting?.abort();
  }

  /** Until the next wake, at most `ms`. */
  protected async wait(ms: number, signal?: AbortSignal): Promise<void> {
    this.#waiting = new AbortController();
    const signals = signal === undefined ? this.#waiting.signal : AbortSignal.any([this.#waiting.signal, signal]);
    await pause(this.#dependencies.clock, Math.min(ms, this.#lookEveryMs), signals);
    this.#waiting = undefined;
  }

  /** In another order with every call, so that no partition keeps the others waiting. */
  protected inTurn(cursors: readonly Cursor[]): readonly Cursor[] {
    this.#turn = (this.#turn + 1) % Math.max(1, cursors.length);
    return [...cursors.slice(this.#turn), ...cursors.slice(0, this.#turn)];
  }

  /** Is it still this one, and not a later assignment of the same partition? */
  protected owns(cursor: Cursor): boolean {
    return this.cursors.get(partitionKey(cursor)) === cursor;
  }

  protected assign(cursors: readonly Cursor[]): void {
    for (const cursor of cursors) this.cursors.set(partitionKey(cursor), cursor);
    if (cursors.length > 0) events.partitionsAssigned(this.#dependencies.telemetry, this.options.groupId, cursors);
  }

  /** They leave the map at once: records of a read that is under way are thrown away and never handed out. */
  protected release(cursors: readonly Cursor[]): void {
    if (cursors.length === 0) return;
    for (const cursor of cursors) this.cursors.delete(partitionKey(cursor));
    const { telemetry } = this.#dependencies;
    const partitions = cursors.map(({ topic, partition }) => ({ topic, partition }));
    events.partitionsRevoked(telemetry, this.options.groupId, partitions);
    try {
      this.options.onRevoked?.(partitions);
    } catch (error) {
      events.callbackFailed(telemetry, this.options.groupId, error);
    }
  }

  /** Of a consumer that is closed nobody may ask anything. */
  #assertOpen(): void {
    if (this.isClosing) throw closed('consumer');
  }

  #setPaused(partitions: readonly TopicPartition[], paused: boolean): void {
    for (const partition of partitions) {
      const cursor = this.cursors.get(partitionKey(partition));
      if (cursor !== undefined) cursor.paused = paused;
    }
  }

  async #poll({ recordsMax, waitMs, signal }: PollOptions): Promise<readonly BusRecord[]> {
    const { clock } = this.#dependencies;
    const deadlineMs = clock.monotonicMs() + waitMs;
    // A poll that was waiting when the consumer was closed ends with nothing.
    while (!this.isClosing) {
      const wakes = this.#wakes;
      const records = await this.take(recordsMax);
      if (records.length > 0) return records;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0 || signal?.aborted === true) {
        await this.findTrouble();
        return [];
      }
      this.idle();
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
