/**
 * Announcements of several uploads in one send: while one is under way the next ones wait, and then go together. Nobody waits for company: a
 * lone announcement goes at once. Made by `announcer.ts`.
 */
import type { OutgoingRecord } from '../../platform/bus/bus.ts';
import type { BusSender } from './bus-sender.ts';

/** Announcements of one send; with the largest metadata and identities some 20 MB. */
const groupRecordsMax = 100;

interface Waiting {
  readonly record: OutgoingRecord;
  readonly arrivedLate: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class GroupedSends {
  readonly #sender: Pick<BusSender, 'send'>;
  readonly #isUnsendable: (error: unknown) => boolean;
  #waiting: Waiting[] = [];
  #isSending = false;

  /** `isUnsendable`: of a failure that is a record's own, and says nothing of the bus. */
  constructor(sender: Pick<BusSender, 'send'>, isUnsendable: (error: unknown) => boolean) {
    this.#sender = sender;
    this.#isUnsendable = isUnsendable;
  }

  /** As the sender's own, for one record. Where the bus fails those that wait fail with it: it would let each of them wait as long again. */
  send(record: OutgoingRecord, arrivedLate: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, arrivedLate, resolve, reject });
      if (!this.#isSending) void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, groupRecordsMax);
      try {
        await this.#sendGroup(group);
      } catch (error) {
        for (const { reject } of [...group, ...this.#waiting.splice(0)]) reject(error);
      }
    }
    this.#isSending = false;
  }

  /** Where one of several cannot be sent at all, the bus does not say which: then each is sent by itself. */
  async #sendGroup(group: readonly Waiting[]): Promise<void> {
    try {
      await this.#sender.send(
        group.map(({ record }) => record),
        () => {
          for (const { arrivedLate } of group) arrivedLate();
        },
      );
    } catch (error) {
      if (!this.#isUnsendable(error)) throw error;
      if (group.length > 1) for (const one of group) await this.#sendGroup([one]);
      else group[0]!.reject(error);
      return;
    }
    for (const { resolve } of group) resolve();
  }
}
