/**
 * Sees to it that every stored archive is announced: at once while the bus answers, otherwise by way of the outbox, in order, as soon as it
 * is back. Made by `service.ts`; asked by `steps/store-archive.ts`.
 */

import { HEADER_SERVICE } from '../../contracts/topics.ts';
import { serializeUploadAnnouncement } from '../../contracts/upload-announcement.ts';
import { errorCode, errorText } from '../../encoding/ccx-error.ts';
import { parseRfc3339 } from '../../encoding/rfc3339.ts';
import type { OutgoingRecord } from '../../platform/bus/bus.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { within } from '../../platform/clock/deadline.ts';
import type { BusSender, SendingBus } from './bus-sender.ts';
import type { ArchiveLinks } from './download-links.ts';
import { GroupedSends } from './grouped-sends.ts';
import type { KeptAnnouncement, Outbox } from './outbox.ts';
import type { IngressEvents } from './telemetry.ts';

export const relayEveryMs = 1_000;
export const relayRecordsMax = 100;
/** How often the outbox is looked through for announcements of processes that are gone. */
export const orphanScanEveryMs = 20_000;
/** Stopping waits so long for what the bus has not taken yet; one cleanup has 10 s, and a send in flight may take five of them. */
const stopFlushMsMax = 3_000;

interface AnnouncerOptions {
  readonly topic: string;
  readonly sender: BusSender;
  readonly outbox: Outbox;
  readonly links: ArchiveLinks;
  readonly bus: Pick<SendingBus, 'check'>;
  readonly clock: Clock;
  readonly events: IngressEvents;
}

/** What the bus refuses whatever its state: another try is of no use. */
function isUnsendable(error: unknown): boolean {
  return ['BUS_RECORD_TOO_LARGE', 'BUS_INVALID'].includes(errorCode(error));
}

/** One that waits in the outbox. */
interface Due {
  readonly key: string;
  readonly kept: KeptAnnouncement;
}

export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #groups: GroupedSends;
  #stopRelay: (() => void) | undefined;
  #relaying: Promise<void> | undefined;
  #sending = 0;
  #lastScanMs: number;
  /** Why the last attempt failed; undefined once one has succeeded. */
  #trouble: string | undefined;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#groups = new GroupedSends(options.sender, isUnsendable);
    this.#lastScanMs = options.clock.monotonicMs();
  }

  /** Begins to send what an earlier process has left. */
  start(): void {
    this.#stopRelay = this.#options.clock.every(relayEveryMs, () => this.relayOnce());
  }

  /**
   * `sent`: the bus has it. `kept`: it lies in the outbox, also where its link could not be signed. Rejects with `OUTBOX_FULL` or an error of the object store when it is neither,
   * with `BUS_RECORD_TOO_LARGE` when it can never be sent.
   */
  async announce(kept: KeptAnnouncement): Promise<'sent' | 'kept'> {
    const { outbox, events } = this.#options;
    // Nothing overtakes what waits, and nobody waits for a bus that has just failed.
    if (outbox.entries > 0) {
      await outbox.keep(kept);
      events.announcementKept(kept.requestId, this.#trouble ?? 'others wait');
      return 'kept';
    }
    let copy: string | undefined;
    this.#sending += 1;
    try {
      await this.#groups.send(await this.#recordOf(kept), () => {
        // Acknowledged after we gave up waiting: the copy in the outbox need not go out, too. Where it does, that is a repeat, no loss.
        if (copy !== undefined) outbox.remove(copy).catch(() => undefined);
      });
      this.#trouble = undefined;
      return 'sent';
    } catch (error) {
      if (isUnsendable(error)) throw error;
      this.#trouble = errorText(error);
      copy = await outbox.keep(kept);
      events.announcementKept(kept.requestId, this.#trouble);
      return 'kept';
    } finally {
      this.#sending -= 1;
    }
  }

  /** True while a new announcement could neither be sent nor kept. */
  isFull(): boolean {
    // An empty outbox may be "full", too, where it is configured away: then the bus decides.
    return this.#options.outbox.entries > 0 && this.#options.outbox.isFull();
  }

  idle(): boolean {
    return this.#sending === 0 && this.#relaying === undefined && this.#options.outbox.entries === 0;
  }

  /** One sentence when the bus is away, for people. */
  trouble(): string | undefined {
    const waiting = this.#options.outbox.entries;
    if (this.#trouble === undefined && waiting === 0) return undefined;
    return `${waiting} announcements wait in the outbox: ${this.#trouble ?? 'they are being sent'}`;
  }

  /** Sends what waits, oldest first, until nothing is left or the bus fails. Never rejects. */
  async relayOnce(): Promise<void> {
    this.#relaying ??= this.#relay().finally(() => {
      this.#relaying = undefined;
    });
    await this.#relaying;
  }

  /** Gives what waits a last chance, bounded in time; the rest stays in the outbox for the next start. */
  async stop(): Promise<void> {
    this.#stopRelay?.();
    await within(this.relayOnce(), { clock: this.#options.clock, ms: stopFlushMsMax }, () => undefined);
  }

  async #relay(): Promise<void> {
    try {
      await this.#scanForOrphans();
      while (await this.#relayBatch()) {
        // Until nothing waits.
      }
    } catch (error) {
      this.#trouble = errorText(error);
      this.#options.events.relayFailed(error);
    }
  }

  /** True when there may be more. */
  async #relayBatch(): Promise<boolean> {
    const keys = this.#options.outbox.oldest(relayRecordsMax);
    if (keys.length === 0) return false;
    const due: Due[] = [];
    for (const key of keys) {
      const kept = await this.#read(key);
      if (kept !== undefined) due.push({ key, kept });
    }
    await this.#sendDue(due);
    return true;
  }

  /** Where one of several cannot be sent at all, the bus does not say which: then each is sent by itself, and that one set apart. */
  async #sendDue(due: readonly Due[]): Promise<void> {
    const { outbox, sender, events } = this.#options;
    try {
      if (due.length > 0) await sender.send(await Promise.all(due.map(({ kept }) => this.#recordOf(kept))));
    } catch (error) {
      if (!isUnsendable(error)) throw error;
      const [first] = due;
      if (due.length > 1) for (const one of due) await this.#sendDue([one]);
      else events.announcementUnsendable(first!.kept.requestId, await outbox.setAside(first!.key), error);
      return;
    }
    this.#trouble = undefined;
    for (const { key, kept } of due) {
      await outbox.remove(key);
      events.announcementRelayed(kept.requestId, this.#ageMs(kept));
    }
  }

  /** Undefined for what is gone, or was no announcement. */
  async #read(key: string): Promise<KeptAnnouncement | undefined> {
    const { outbox, events } = this.#options;
    try {
      const kept = await outbox.read(key);
      if (kept !== undefined) return kept;
      await outbox.remove(key);
    } catch (error) {
      if (errorCode(error) !== 'OUTBOX_ENTRY_BROKEN') throw error;
      events.announcementUnsendable('', await outbox.setAside(key), error);
    }
    return undefined;
  }

  async #scanForOrphans(): Promise<void> {
    const { bus, clock, outbox, events } = this.#options;
    if (clock.monotonicMs() - this.#lastScanMs < orphanScanEveryMs) return;
    this.#lastScanMs = clock.monotonicMs();
    const adopted = await outbox.adoptOrphans(() => bus.check());
    if (adopted > 0) events.orphansAdopted(adopted);
  }

  /** Since the archive was stored. */
  #ageMs(kept: KeptAnnouncement): number {
    const storedAt = parseRfc3339(kept.announcement.timestamp)?.micros;
    // The clock may have been set back meanwhile.
    return storedAt === undefined ? 0 : Math.max(0, Number((this.#options.clock.nowMicros() - storedAt) / 1000n));
  }

  /** Its link is signed when it is sent, and has its whole life before it however long the announcement has waited. */
  async #recordOf(kept: KeptAnnouncement): Promise<OutgoingRecord> {
    const url = await this.#options.links.create(kept.requestId);
    return {
      topic: this.#options.topic,
      key: kept.queueKey,
      value: serializeUploadAnnouncement({ ...kept.announcement, url }),
      headers: { [HEADER_SERVICE]: kept.service },
    };
  }
}
