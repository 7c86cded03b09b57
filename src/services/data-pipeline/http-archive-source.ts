/**
 * Fetches archives over HTTP: into memory, never more than allowed, with a deadline for the answer, for silence and for the whole, and with a least rate.
 * Whether a link may be followed at all is decided before (`decide/is-allowed-link.ts`). Redirects are not followed: they would lead
 * around that decision. The texts are the reference's where it has one for the case. Source: data-pipeline.md 3.1.
 */
import { CcxError, inputError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { judgeAnswer } from './decide/is-allowed-link.ts';

/** How often the deadlines of a download are looked at; an overrun is noticed at most this late. */
const downloadWatchMs = 250;

export interface DownloadRequest {
  readonly url: string;
  readonly bytesMax: number;
  /** Asked before that many bytes in all are held; a refusal ends the download with `DOWNLOAD_NO_ROOM`. */
  readonly reserve: (bytes: number) => boolean;
  readonly signal: AbortSignal;
}

export interface DownloadOptions {
  readonly clock: Clock;
  /** Until the headers of the answer. */
  readonly answerMsMax: number;
  /** Between two pieces of the body. */
  readonly stallMsMax: number;
  readonly downloadMsMax: number;
  /** From the headers of the answer until a rate is asked for, and that rate, on average. */
  readonly slowMsMax: number;
  readonly bytesPerSecondMin: number;
}

/** The whole archive. Rejects with a `CcxError` (codes `DOWNLOAD_*`, `ARCHIVE_EMPTY`, `ARCHIVE_TOO_BIG`), or with the signal's reason. */
export async function download(request: DownloadRequest, options: DownloadOptions): Promise<Buffer> {
  const watch = new DownloadWatch(options);
  try {
    const response = await fetch(request.url, {
      redirect: 'manual',
      // Otherwise a server may pack the archive once more, and its length would no longer be the archive's.
      headers: { 'accept-encoding': 'identity', accept: '*/*' },
      signal: AbortSignal.any([request.signal, watch.signal]),
    });
    watch.answered();
    checkStatus(response);
    const body = await readBody(response, request, watch);
    if (body.length === 0) throw inputError('ARCHIVE_EMPTY', 'Empty input archive');
    return body;
  } catch (error) {
    request.signal.throwIfAborted();
    if (error instanceof CcxError) throw error;
    if (watch.late !== undefined) throw tooLate(watch.late, error);
    throw new CcxError(connectionError, {
      ...{ code: 'DOWNLOAD_UNREACHABLE', category: 'connection', retryable: true },
      cause: error,
    });
  } finally {
    watch.end();
  }
}

const connectionError = 'Connection error while downloading the file';

export function tooLate(late: string, cause: unknown): CcxError {
  return new CcxError(`${connectionError}: ${late}`, {
    ...{ code: 'DOWNLOAD_TIMEOUT', category: 'connection', retryable: true },
    cause,
  });
}

function checkStatus(response: Response): void {
  const verdict = judgeAnswer(response.status);
  if (verdict === 'archive') return;
  const isRedirect = response.status >= 300 && response.status < 400;
  const answered = `the server answered ${response.status}${isRedirect ? ', a redirect, which is not followed' : ''}`;
  const isForbidden = response.status === 403;
  throw new CcxError(`Unknown error while downloading the file: ${answered}`, {
    code: isRedirect ? 'DOWNLOAD_REDIRECTED' : isForbidden ? 'DOWNLOAD_FORBIDDEN' : 'DOWNLOAD_STATUS',
    category: 'connection',
    retryable: verdict === 'try-again',
    hint: isForbidden
      ? 'the link has most likely ended: see links.lifetime of ingress and what it logs of it; where the bucket is our own, set s3.bucket'
      : undefined,
  });
}

function readBody(response: Response, request: DownloadRequest, watch: DownloadWatch): Promise<Buffer> {
  return gatherBody(response.body ?? [], announcedLength(response), request, watch);
}

/** `announced`: how long it says that it is. Rejects where there is no room for so much. */
export async function gatherBody(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  announced: number | undefined,
  request: Pick<DownloadRequest, 'bytesMax' | 'reserve'>,
  watch: DownloadWatch,
): Promise<Buffer> {
  if (announced !== undefined) checkRoom(announced, request);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    watch.progressed(chunk.byteLength);
    size += chunk.byteLength;
    checkRoom(size, request);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** Undefined for a chunked body, and for one that was packed although we asked for it as it is. */
function announcedLength(response: Response): number | undefined {
  if (response.headers.has('content-encoding')) return undefined;
  const text = response.headers.get('content-length');
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function checkRoom(bytes: number, request: Pick<DownloadRequest, 'bytesMax' | 'reserve'>): void {
  if (bytes > request.bytesMax) {
    throw new CcxError('The archive is too big. Skipping', {
      code: 'ARCHIVE_TOO_BIG',
      category: 'limit',
      hint: 'download.max_archive_size sets the limit',
    });
  }
  if (!request.reserve(bytes)) {
    throw new CcxError('no room for the archive at the moment', {
      code: 'DOWNLOAD_NO_ROOM',
      category: 'limit',
      retryable: true,
    });
  }
}

/** The deadlines of one download, looked at in one timer. */
export class DownloadWatch {
  readonly #options: DownloadOptions;
  readonly #startedMs: number;
  readonly #abort = new AbortController();
  readonly #stop: () => void;
  #phaseMs: number;
  #hasAnswered = false;
  #answeredMs = 0;
  #bytes = 0;
  /** Which deadline has passed. */
  late: string | undefined;

  constructor(options: DownloadOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
    this.#phaseMs = this.#startedMs;
    this.#stop = options.clock.every(downloadWatchMs, () => this.#look());
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  answered(): void {
    this.#hasAnswered = true;
    this.progressed(0);
    this.#answeredMs = this.#phaseMs;
  }

  progressed(bytes: number): void {
    this.#bytes += bytes;
    this.#phaseMs = this.#options.clock.monotonicMs();
  }

  /** Closes the connection of a body that was not read to its end. */
  end(): void {
    this.#stop();
    this.#abort.abort();
  }

  #look(): void {
    const { clock, answerMsMax, stallMsMax, downloadMsMax, bytesPerSecondMin } = this.#options;
    const now = clock.monotonicMs();
    const phaseMsMax = this.#hasAnswered ? stallMsMax : answerMsMax;
    if (now - this.#startedMs > downloadMsMax) this.late = `not complete within ${downloadMsMax} ms`;
    else if (now - this.#phaseMs > phaseMsMax) {
      this.late = this.#hasAnswered ? `silence for ${stallMsMax} ms` : `no answer within ${answerMsMax} ms`;
    } else if (this.#isSlow(now)) this.late = `less than ${bytesPerSecondMin} bytes a second`;
    else return;
    this.#abort.abort();
  }

  #isSlow(nowMs: number): boolean {
    const { slowMsMax, bytesPerSecondMin } = this.#options;
    const bodyMs = nowMs - this.#answeredMs;
    return this.#hasAnswered && bodyMs > slowMsMax && this.#bytes * 1_000 < bodyMs * bytesPerSecondMin;
  }
}
