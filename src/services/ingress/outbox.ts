/**
 * Announcements that could not be sent, kept beside the archives until the bus is back. A hosted ingress has no database and no disk of its
 * own; what it does have is the object store that it has just written the archive to. Owned by `announcer.ts`.
 *
 * Several ingress processes may share one store. Each sends what it kept itself, also after a restart under the same host name. What others
 * kept is theirs, unless the bus has worked for a while and it still lies there: then its owner is gone.
 */
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { UploadAnnouncement } from '../../contracts/upload-announcement.ts';
import { CcxError, inputError } from '../../encoding/ccx-error.ts';
import { isJsonObject } from '../../encoding/json-text.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { INGRESS_PREFIX, type ObjectStore, OUTBOX_PREFIX } from '../../platform/objects/object-store.ts';
import type { IngressSettings } from './config.ts';

/** A living owner sends its own within seconds once the bus works; what is still there after this time of a working bus has none. */
export const orphanAfterMs = 60_000;

export interface KeptAnnouncement {
  readonly requestId: string;
  readonly service: string;
  readonly queueKey: string | null;
  /** Its link is made when it is sent. Releases up to 0.1.0 have kept one, which is not used. */
  readonly announcement: Omit<UploadAnnouncement, 'url'>;
}

/** `instance`, a host name, is what a restarted process recognises its own by. */
interface OutboxOptions extends Pick<IngressSettings, 'instance' | 'outboxEntriesMax' | 'outboxBytesMax'> {
  readonly objects: ObjectStore;
  readonly clock: Clock;
}

interface Entry {
  readonly bytes: number;
  /** False until it is durable. */
  kept: boolean;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #mark: string;
  /** What this process has to send, by key; keys ascend with time. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  /** Entries of others, and since when (monotonic ms) they have been seen while the bus worked. */
  readonly #strangers = new Map<string, number>();

  /** Finds what an earlier process of the same name has left. */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const outbox = new Outbox(options);
    for await (const { key, sizeBytes } of options.objects.list(OUTBOX_PREFIX)) {
      if (key.includes(outbox.#mark)) outbox.#add(key, sizeBytes, true);
    }
    return outbox;
  }

  private constructor(options: OutboxOptions) {
    this.#options = options;
    this.#mark = `x${createHash('sha256').update(options.instance).digest('hex').slice(0, 12)}x`;
  }

  get entries(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  isFull(): boolean {
    const { outboxEntriesMax, outboxBytesMax } = this.#options;
    return this.#entries.size >= outboxEntriesMax || this.#bytes >= outboxBytesMax;
  }

  /** Durable when it resolves to the entry's key. Rejects with `OUTBOX_FULL`, or with the store's error. */
  async keep(kept: KeptAnnouncement): Promise<string> {
    if (this.isFull()) throw outboxFull(this.#entries.size, this.#bytes);
    const body = Buffer.from(JSON.stringify(kept));
    const { clock, objects } = this.#options;
    const key = `${OUTBOX_PREFIX}${String(clock.nowMicros()).padStart(17, '0')}${this.#mark}${clock.uuid().slice(-12)}`;
    const entry = this.#add(key, body.length, false);
    try {
      await objects.put(key, body);
    } catch (error) {
      this.#forget(key);
      throw error;
    }
    entry.kept = true;
    return key;
  }

  /** The oldest ones that are durable, in the order in which they were kept. */
  oldest(count: number): string[] {
    const keys: string[] = [];
    for (const [key, entry] of this.#entries) {
      if (keys.length >= count) break;
      if (entry.kept) keys.push(key);
    }
    return keys;
  }

  /** Undefined where somebody else was faster. Rejects with `OUTBOX_ENTRY_BROKEN` for something that ingress has not written. */
  async read(key: string): Promise<KeptAnnouncement | undefined> {
    const found = await this.#options.objects.get(key);
    if (found === undefined) return undefined;
    const text = (await buffer(found.body)).toString('utf8');
    try {
      const kept: unknown = JSON.parse(text);
      if (isKeptAnnouncement(kept)) return kept;
    } catch {
      // Told below.
    }
    throw inputError('OUTBOX_ENTRY_BROKEN', `${key} holds no announcement`);
  }

  /** After it was sent. */
  async remove(key: string): Promise<void> {
    await this.#options.objects.delete(key);
    this.#forget(key);
  }

  /** An entry that the bus will never take: it must not hold up the ones behind it, and must not be lost. Resolves to where it lies now. */
  async setAside(key: string): Promise<string> {
    const { objects } = this.#options;
    const aside = `${INGRESS_PREFIX}unsendable-${key.slice(OUTBOX_PREFIX.length)}`;
    const found = await objects.get(key);
    if (found !== undefined) await objects.put(aside, await buffer(found.body));
    await this.remove(key);
    return aside;
  }

  /**
   * Looks for entries whose owner is gone. Only where there are entries of others the bus is asked whether it works, which rejects where it
   * does not. Resolves to the number adopted.
   */
  async adoptOrphans(checkBus: () => Promise<void>): Promise<number> {
    const present = new Map<string, number>();
    for await (const { key, sizeBytes } of this.#options.objects.list(OUTBOX_PREFIX)) {
      if (!this.#entries.has(key)) present.set(key, sizeBytes);
    }
    const works =
      present.size > 0 &&
      (await checkBus().then(
        () => true,
        () => false,
      ));
    for (const key of this.#strangers.keys()) if (!works || !present.has(key)) this.#strangers.delete(key);
    if (!works) return 0;

    const nowMs = this.#options.clock.monotonicMs();
    let adopted = 0;
    for (const [key, bytes] of present) {
      const sinceMs = this.#strangers.get(key);
      if (sinceMs === undefined) this.#strangers.set(key, nowMs);
      else if (nowMs - sinceMs >= orphanAfterMs) {
        this.#strangers.delete(key);
        this.#add(key, bytes, true);
        adopted += 1;
      }
    }
    return adopted;
  }

  #add(key: string, bytes: number, kept: boolean): Entry {
    const entry = { bytes, kept };
    this.#entries.set(key, entry);
    this.#bytes += bytes;
    return entry;
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

function isKeptAnnouncement(value: unknown): value is KeptAnnouncement {
  return (
    isJsonObject(value) &&
    typeof value['requestId'] === 'string' &&
    typeof value['service'] === 'string' &&
    (value['queueKey'] === null || typeof value['queueKey'] === 'string') &&
    isJsonObject(value['announcement'])
  );
}

function outboxFull(entries: number, bytes: number): CcxError {
  return new CcxError(`${entries} announcements (${bytes} bytes) wait for the bus already`, {
    code: 'OUTBOX_FULL',
    category: 'limit',
    retryable: true,
    hint: 'bring the bus back, or raise outbox.entries_max and outbox.bytes_max',
  });
}
