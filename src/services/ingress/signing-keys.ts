/**
 * The keys that sign download links. One can be configured; otherwise ingress makes one and keeps it in the object store, where every ingress
 * process finds it. Two processes that start at once may each make one: everybody signs with the first in order and accepts all, so that
 * no link is lost. Used by `download-links.ts`.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Clock } from '../../platform/clock/clock.ts';
import { INGRESS_PREFIX, type ObjectStore } from '../../platform/objects/object-store.ts';

const signingKeyBytes = 32;
/** A wrong signature makes us look whether another process has made a key; not more often than this. */
const signingKeyReloadMs = 1_000;

const keysPrefix = `${INGRESS_PREFIX}signingkey`;

export interface SigningKeysOptions {
  readonly objects: ObjectStore;
  readonly clock: Clock;
  /** Empty: kept in the store. */
  readonly configuredKey: string;
}

export class SigningKeys {
  readonly #options: SigningKeysOptions;
  #keys: readonly Buffer[] = [];
  #loadedMs = Number.NEGATIVE_INFINITY;

  static async open(options: SigningKeysOptions): Promise<SigningKeys> {
    const keys = new SigningKeys(options);
    if (options.configuredKey !== '') {
      keys.#keys = [Buffer.from(options.configuredKey, 'utf8')];
      return keys;
    }
    await keys.#load();
    if (keys.#keys.length === 0) {
      await options.objects.put(
        `${keysPrefix}${options.clock.uuid().replaceAll('-', '')}`,
        randomBytes(signingKeyBytes),
      );
      await keys.#load();
    }
    return keys;
  }

  private constructor(options: SigningKeysOptions) {
    this.#options = options;
  }

  /** Hexadecimal HMAC-SHA256. */
  sign(text: string): string {
    return signature(this.#keys[0]!, text).toString('hex');
  }

  async verify(text: string, hex: string): Promise<boolean> {
    if (!/^[0-9a-f]{64}$/.test(hex)) return false;
    const given = Buffer.from(hex, 'hex');
    const matches = () => this.#keys.some((key) => timingSafeEqual(signature(key, text), given));
    if (matches()) return true;
    // Another process may have made a key since.
    const { clock, configuredKey } = this.#options;
    if (configuredKey !== '' || clock.monotonicMs() - this.#loadedMs < signingKeyReloadMs) return false;
    await this.#load();
    return matches();
  }

  async #load(): Promise<void> {
    const { objects, clock } = this.#options;
    const keys: Buffer[] = [];
    for await (const { key: name } of objects.list(keysPrefix)) {
      const found = await objects.get(name);
      const key = found === undefined ? undefined : await buffer(found.body);
      // A torn one signs nothing: anybody could guess it.
      if (key?.length === signingKeyBytes) keys.push(key);
    }
    this.#keys = keys;
    this.#loadedMs = clock.monotonicMs();
  }
}

function signature(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
