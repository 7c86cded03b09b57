/**
 * Links to archives: of the object store itself, or, where it serves nothing, to ingress's own `/download/{id}`. Those are signed and valid for
 * a day, unless signing is switched off: the reference gives archives to whoever knows an id. Source: ingress.md A.6, A.14.
 */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Clock } from '../../platform/clock/clock.ts';
import { INGRESS_PREFIX, type ObjectStore } from '../../platform/objects/object-store.ts';

const signingKeyBytes = 32;
/** A wrong signature makes us look whether another process has made a key; not more often than this. */
const signingKeyReloadMs = 1_000;

/** Where archives can be fetched from. */
export interface ArchiveLinks {
  /** A link that whoever has it may follow for a day. */
  create(requestId: string): Promise<string>;
}

interface StoreLinksOptions {
  readonly objects: ObjectStore;
  readonly lifetimeMs: number;
  readonly clock: Clock;
  /** Told at the start how long links live, and later, at most hourly, where that is less than the setting. Must not throw. */
  readonly onLife: (life: { readonly lifeMs: number; readonly settingMs: number }) => void;
}

const shortLifeToldEveryMs = 3_600_000;

/** Links that the store signs: they end with the credentials that signed them, if those end first. */
export class StoreLinks implements ArchiveLinks {
  readonly #options: StoreLinksOptions;
  #toldMs: number;

  /** Rejects where nothing can be signed. */
  static async open(options: StoreLinksOptions): Promise<StoreLinks> {
    const settingMs = options.lifetimeMs;
    const { lifeMs } = await options.objects.signLink!(`${INGRESS_PREFIX}startcheck`, settingMs);
    options.onLife({ lifeMs, settingMs });
    return new StoreLinks(options);
  }

  private constructor(options: StoreLinksOptions) {
    this.#options = options;
    this.#toldMs = options.clock.monotonicMs();
  }

  async create(requestId: string): Promise<string> {
    const { objects, lifetimeMs: settingMs, clock, onLife } = this.#options;
    const { url, lifeMs } = await objects.signLink!(requestId, settingMs);
    const nowMs = clock.monotonicMs();
    if (lifeMs < settingMs && nowMs - this.#toldMs >= shortLifeToldEveryMs) {
      this.#toldMs = nowMs;
      onLife({ lifeMs, settingMs });
    }
    return url;
  }
}

interface DownloadLinksOptions {
  /** Of the web listener, as consumers reach it; without a slash at its end. */
  readonly baseUrl: () => string;
  /** Absent: links are not signed and do not end. */
  readonly keys: SigningKeys | undefined;
  readonly lifetimeMs: number;
  readonly clock: Clock;
}

export class DownloadLinks implements ArchiveLinks {
  readonly #options: DownloadLinksOptions;

  constructor(options: DownloadLinksOptions) {
    this.#options = options;
  }

  /**
   * A link that was signed with our keys, for whatever address and however long ago, made anew for this address; undefined for any other,
   * and where links are not signed, because then nothing tells ours from those of others.
   */
  async renew(link: string, baseUrl: string): Promise<string | undefined> {
    const requestId = await this.idOf(link, baseUrl);
    return requestId === undefined ? undefined : await this.create(requestId, baseUrl);
  }

  /** The request id of a link that was signed with our keys, as for `renew`. */
  async idOf(link: string, baseUrl: string): Promise<string | undefined> {
    // A link without an address: one that a release made while it stopped, which knew no address then.
    const url = URL.parse(link, baseUrl);
    const segment = /\/download\/([^/]+)$/.exec(url?.pathname ?? '')?.[1];
    const { keys } = this.#options;
    if (url === null || segment === undefined || keys === undefined) return undefined;
    const requestId = decoded(segment);
    return (await isSigned(requestId, url.searchParams, keys)) ? requestId : undefined;
  }

  async create(requestId: string, baseUrl: string = this.#options.baseUrl()): Promise<string> {
    const { keys, lifetimeMs, clock } = this.#options;
    const url = `${baseUrl}/download/${encodeURIComponent(requestId)}`;
    if (keys === undefined) return url;
    const expires = Math.floor((clock.now().getTime() + lifetimeMs) / 1000);
    return `${url}?expires=${expires}&signature=${keys.sign(signedText(requestId, String(expires)))}`;
  }

  /** Whether a request for that id may be served, and why not. */
  async judge(requestId: string, query: URLSearchParams): Promise<'valid' | 'expired' | 'forbidden'> {
    const { keys, clock } = this.#options;
    if (keys === undefined) return 'valid';
    if (!(await isSigned(requestId, query, keys))) return 'forbidden';
    return clock.now().getTime() <= Number(query.get('expires')) * 1000 ? 'valid' : 'expired';
  }
}

/** What cannot be decoded is no id of ours, and no signature fits it. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

async function isSigned(requestId: string, query: URLSearchParams, keys: SigningKeys): Promise<boolean> {
  return await keys.verify(signedText(requestId, query.get('expires') ?? ''), query.get('signature') ?? '');
}

/** The id comes last, so that no id can pass for another one with another end. */
function signedText(requestId: string, expires: string): string {
  return `download\n${expires}\n${requestId}`;
}

/**
 * The keys that sign download links. One can be configured; otherwise ingress makes one and keeps it in the object store, where every ingress
 * process finds it. Two processes that start at once may each make one: everybody signs with the first in order and accepts all, so that
 * no link is lost.
 */
const keysPrefix = `${INGRESS_PREFIX}signingkey`;

interface SigningKeysOptions {
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
      const name = `${keysPrefix}${options.clock.uuid().replaceAll('-', '')}`;
      await options.objects.put(name, randomBytes(signingKeyBytes));
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
