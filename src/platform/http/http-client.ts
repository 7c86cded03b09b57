/**
 * Outgoing HTTP with a deadline and a bounded answer. Failures without an answer become `CcxError`s that say whether the request may
 * have reached the other side; what a status code means is the caller's business.
 */
import { CcxError } from '../../encoding/ccx-error.ts';
import type { OutgoingWay } from './guarded-call.ts';
import type { OwnTls } from './tls-call.ts';

/** One outgoing call, unless the caller says otherwise. */
const callMsMax = 10_000;
/** Largest answer read into memory, unless the caller says otherwise. */
const answerBytesMax = 16 * 1024 * 1024;

export interface HttpCall {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly deadlineMs?: number;
  readonly answerBytesMax?: number;
  /** Whether redirects are followed; default no, so that a link cannot lead elsewhere. */
  readonly followRedirects?: boolean;
  readonly signal?: AbortSignal;
  /** Of an https call that does not go by what everybody trusts; redirects are not followed then. */
  readonly tls?: OwnTls;
  /** To an address that an operator configured, with what may be reached and by which proxy; redirects are not followed then. */
  readonly way?: OutgoingWay;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** Codes: `HTTP_TIMEOUT`, `HTTP_UNREACHABLE`, `HTTP_ANSWER_TOO_LARGE`. All but the last are retryable. */
export function callHttp(url: string, call: HttpCall = {}): Promise<HttpAnswer> {
  return withDeadline(url, call, async (response) => {
    const body = await readBounded(url, response, call.answerBytesMax ?? answerBytesMax);
    return { status: response.status, headers: response.headers, body };
  });
}

/** An answer that is read piece by piece, and never as a whole. */
interface HttpStream {
  readonly status: number;
  /** Rejects with `HTTP_ANSWER_TOO_LARGE` behind so many bytes. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Of an answer of any size: `read` takes what it needs while it comes, within the deadline. Codes as above; errors of `read` as they are. */
export function streamHttp<T>(url: string, call: HttpCall, read: (answer: HttpStream) => Promise<T>): Promise<T> {
  return withDeadline(url, call, async (response) => {
    const chunks = chunksOf(url, response, call.answerBytesMax ?? answerBytesMax);
    try {
      return await read({ status: response.status, chunks });
    } finally {
      // Whoever has enough, or fails, leaves no connection behind.
      if (response.body !== null && !response.body.locked) await response.body.cancel().catch(() => undefined);
    }
  });
}

async function withDeadline<T>(url: string, call: HttpCall, take: (response: Response) => Promise<T>): Promise<T> {
  const deadlineMs = call.deadlineMs ?? callMsMax;
  const deadline = AbortSignal.timeout(deadlineMs);
  const signal = call.signal === undefined ? deadline : AbortSignal.any([deadline, call.signal]);
  try {
    return await take(await send(url, call, signal));
  } catch (cause) {
    if (cause instanceof CcxError) throw cause;
    const failure = { category: 'connection', retryable: true, cause } as const;
    throw deadline.aborted
      ? new CcxError(`no answer from ${originOf(url)} within ${deadlineMs} ms`, { code: 'HTTP_TIMEOUT', ...failure })
      : new CcxError(`cannot reach ${originOf(url)}`, { code: 'HTTP_UNREACHABLE', ...failure });
  }
}

async function send(url: string, call: HttpCall, signal: AbortSignal): Promise<Response> {
  const { method = 'GET', headers = {}, body, tls, way } = call;
  if (way !== undefined) {
    const { callGuarded } = await import('./guarded-call.ts');
    return await callGuarded(url, { method, headers, body, way, signal });
  }
  if (tls !== undefined && url.startsWith('https:')) {
    const { callWithTls } = await import('./tls-call.ts');
    return await callWithTls(url, { method, headers, body, tls, signal });
  }
  return await fetch(url, {
    ...{ method, headers, signal },
    body: body === undefined ? null : typeof body === 'string' ? body : new Uint8Array(body),
    redirect: call.followRedirects === true ? 'follow' : 'manual',
  });
}

async function readBounded(url: string, response: Response, bytesMax: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(url, response, bytesMax)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* chunksOf(url: string, response: Response, bytesMax: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  if (response.body === null) return;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > bytesMax) {
      throw new CcxError(`the answer of ${originOf(url)} is larger than ${bytesMax} bytes`, {
        code: 'HTTP_ANSWER_TOO_LARGE',
        category: 'limit',
      });
    }
    yield chunk;
  }
}

/** Scheme and host only: paths and queries of links carry signatures. */
function originOf(url: string): string {
  return URL.parse(url)?.origin ?? '(not a URL)';
}
