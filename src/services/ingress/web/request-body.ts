/**
 * The body of a request, read chunk by chunk and by one reader after the other: a test's few bytes, the form, and what is thrown away after
 * a refusal. Not `for await` over the request: leaving such a loop early destroys the connection, and the answer with it.
 */
import type { Readable } from 'node:stream';
import { CcxError } from '../../../contracts/ccx-error.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { bodyIdleMsMax } from '../limits.ts';
import { withDeadline } from '../with-deadline.ts';

export class RequestBody {
  bytesRead = 0;
  ended = false;
  readonly #iterator: AsyncIterator<Buffer>;
  /** A read that was given up waiting for; the next reader gets its chunk. */
  #reading: Promise<IteratorResult<Buffer>> | undefined;

  readonly #clock: Clock;

  constructor(stream: Readable, clock: Clock) {
    this.#clock = clock;
    this.#iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** The next bytes, undefined at the end. Rejects when the client went away, and with `BODY_STALLED` when it says nothing any more. */
  async next(): Promise<Buffer | undefined> {
    if (this.ended) return undefined;
    this.#reading ??= this.#iterator.next();
    const { done, value } = await withDeadline(this.#reading, { clock: this.#clock, ms: bodyIdleMsMax, late: stalled });
    this.#reading = undefined;
    if (done === true) {
      this.ended = true;
      return undefined;
    }
    this.bytesRead += value.length;
    return value;
  }

  /** The whole body as text, or undefined where it is longer than that. */
  async text(bytesMax: number): Promise<string | undefined> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for (;;) {
      const chunk = await this.next();
      if (chunk === undefined) return Buffer.concat(chunks).toString('utf8');
      bytes += chunk.length;
      if (bytes > bytesMax) return undefined;
      chunks.push(chunk);
    }
  }

  /**
   * Reads and throws away up to a number of bytes, for up to a time. True when the body has ended: the connection can then be used again.
   * Never rejects.
   */
  async drain(bounds: { readonly bytesMax: number; readonly msMax: number }): Promise<boolean> {
    if (this.ended) return true;
    const timer = new AbortController();
    const late = this.#clock.sleep(bounds.msMax, timer.signal).then(
      () => 'late' as const,
      () => 'late' as const,
    );
    const until = this.bytesRead + bounds.bytesMax;
    try {
      while (this.bytesRead <= until) {
        const outcome = await Promise.race([this.next(), late]);
        if (outcome === 'late') return false;
        if (outcome === undefined) return true;
      }
      return false;
    } catch {
      return false;
    } finally {
      timer.abort();
    }
  }
}

function stalled(): CcxError {
  return new CcxError(`the client has sent nothing for ${bodyIdleMsMax} ms`, {
    code: 'BODY_STALLED',
    category: 'input',
  });
}
