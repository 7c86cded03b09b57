/**
 * Links to archives that ingress serves itself, at `/download/{id}`, for object stores that serve nothing. Signed and valid for a day, unless
 * signing is switched off: the reference gives archives to whoever knows an id. Source: ingress.md A.6.2, A.14.
 */
import type { Clock } from '../../platform/clock/clock.ts';
import type { ArchiveLinks } from './ports.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface DownloadLinksOptions {
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

  create(requestId: string): Promise<string> {
    return this.#create(requestId, this.#options.baseUrl());
  }

  /**
   * A link that was signed with our keys, for whatever address and however long ago, made anew for this address; undefined for any other,
   * and where links are not signed, because then nothing tells ours from those of others.
   */
  async renew(link: string, baseUrl: string): Promise<string | undefined> {
    const url = URL.parse(link);
    const segment = /\/download\/([^/]+)$/.exec(url?.pathname ?? '')?.[1];
    const { keys } = this.#options;
    if (url === null || segment === undefined || keys === undefined) return undefined;
    const requestId = decoded(segment);
    const { searchParams: query } = url;
    const text = signedText(requestId, query.get('expires') ?? '');
    if (!(await keys.verify(text, query.get('signature') ?? ''))) return undefined;
    return this.#create(requestId, baseUrl);
  }

  async #create(requestId: string, baseUrl: string): Promise<string> {
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
    const expires = query.get('expires') ?? '';
    const isSigned = await keys.verify(signedText(requestId, expires), query.get('signature') ?? '');
    if (!isSigned) return 'forbidden';
    return clock.now().getTime() <= Number(expires) * 1000 ? 'valid' : 'expired';
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

/** The id comes last, so that no id can pass for another one with another end. */
function signedText(requestId: string, expires: string): string {
  return `download\n${expires}\n${requestId}`;
}
