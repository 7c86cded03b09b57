/**
 * The body of a request, read chunk by chunk and by one reader after the other: a test's few bytes, the form, and what is thrown away after
 * a refusal. Not `for await` over the request: leaving such a loop early destroys the connection, and the answer with it.
 *
 * No timer of its own: `upload-slots.ts` looks at all bodies that are waited for, once a second.
 */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../platform/clock/clock.ts';
import { within } from '../../platform/clock/deadline.ts';

/** No body is gathered by the HTTP server itself: the steps of an upload read it, and nobody else has one. */
export const gatheredBodyBytesMax = 1;

/** No rate is asked for during the first seconds of waiting for a client. */
export const bodyFirstMsMax = 5_000;
/** Then as much as brings an ordinary archive (60 KiB) within the 60 s that the operator gives it. */
export const leastBytesPerSecond = 1024;

/** After a refusal so much is still read and thrown away, because a client that is still writing does not see the answer otherwise. */
export const drainBytesMax = 16 * 1024 ** 2;

/** A client that has sent fast may fall silent for so long; the whole request has 60 s (platform/http). */
export const bodyIdleMsMax = 20_000;

/** What a reader gives up while it waits for the client, and gets back before it goes on. */
export interface Holding {
  pause(): void;
  /** Rejects where it does not come back in time. */
  resume(): Promise<void>;
}

export class RequestBody {
  bytesRead = 0;
  ended = false;
  /** Of whoever reads, given up while the client is waited for. */
  holding: Holding | undefined;
  readonly #request: IncomingMessage;
  readonly #clock: Clock;
  /** Called before the first wait, for a client that sends nothing until it is asked to. */
  #askForBody: (() => void) | undefined;
  #isListening = false;
  #failure: Error | undefined;
  #interruption: Error | undefined;
  #wake: (() => void) | undefined;
  #allowanceMs = bodyFirstMsMax;
  /** Until when the allowance is accounted for; undefined while nobody waits for the client. */
  #awaitedSinceMs: number | undefined;
  #creditedBytes = 0;

  constructor(request: IncomingMessage, clock: Clock, askForBody: (() => void) | undefined) {
    this.#request = request;
    this.#clock = clock;
    this.#askForBody = askForBody;
  }

  get isAwaited(): boolean {
    return this.#awaitedSinceMs !== undefined;
  }

  /** How much longer the client is waited for, in milliseconds. */
  allowance(nowMs: number): number {
    this.#accountFor(nowMs);
    return this.#allowanceMs;
  }

  /** Gives the client up: ends every wait for this body, now and later. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  /** Ends the wait for this body. Whoever reads on after that, reads on. */
  interrupt(error: Error): void {
    this.#interruption ??= error;
    this.#wake?.();
  }

  /** Closes the connection. */
  hangUp(): void {
    this.#request.destroy();
  }

  /**
   * Waits until so many bytes lie here, or the body is complete. Rejects when the client went away, and with what
   * `fail` or `interrupt` was given.
   */
  async arrived(bytes: number): Promise<void> {
    while (this.#request.readableLength < bytes && !this.#isSettled()) await this.#wait();
    this.#throwIfFailed();
  }

  /** The next bytes, undefined at the end. Rejects as `arrived` does, and where what was held does not come back. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = this.#take();
      if (chunk !== undefined || this.ended) return chunk;
      this.holding?.pause();
      do await this.#wait();
      while (this.#request.readableLength === 0 && !this.#isSettled());
      this.#throwIfFailed();
      await this.holding?.resume();
    }
  }

  /** The whole body as text, or undefined where it is longer than that. */
  async text(bytesMax: number): Promise<string | undefined> {
    return (await gather(() => this.next(), bytesMax))?.toString('utf8');
  }

  /**
   * Reads and throws away up to a number of bytes, for up to a time. True when the body has ended: the connection can then be used again.
   * Never rejects.
   */
  async drain(bounds: { readonly bytesMax: number; readonly msMax: number }): Promise<boolean> {
    if (this.ended) return true;
    // A client that was given up is not waited for again, and one that was not asked has sent nothing.
    if (this.#failure !== undefined || this.#askForBody !== undefined) return false;
    try {
      return await within(this.#discard(bounds.bytesMax), { clock: this.#clock, ms: bounds.msMax }, () => false);
    } catch {
      return false;
    }
  }

  /** True at the end of the body, false past that many bytes. */
  async #discard(bytesMax: number): Promise<boolean> {
    const until = this.bytesRead + bytesMax;
    while (this.bytesRead <= until) {
      if ((await this.next()) === undefined) return true;
    }
    return false;
  }

  #take(): Buffer | undefined {
    this.#throwIfFailed();
    // All that lies there, as one piece: a client that sends single bytes costs no more than one that does not.
    const chunk = this.#request.read() as Buffer | null;
    if (chunk === null) {
      this.ended = this.#request.complete;
      return undefined;
    }
    this.bytesRead += chunk.length;
    return chunk;
  }

  async #wait(): Promise<void> {
    if (!this.#isListening) this.#listen();
    this.#askForBody?.();
    this.#askForBody = undefined;
    this.#awaitedSinceMs = this.#clock.monotonicMs();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
    this.#accountFor(this.#clock.monotonicMs());
    this.#awaitedSinceMs = undefined;
  }

  #listen(): void {
    this.#isListening = true;
    const wake = () => this.#wake?.();
    const gone = (error?: Error) => {
      if (!this.#request.complete) this.fail(error ?? this.#request.errored ?? connectionLost());
      wake();
    };
    this.#request.on('readable', wake).on('end', wake).on('error', gone).on('close', gone);
    // Nothing more would be heard of it.
    if (this.#request.destroyed) process.nextTick(gone);
  }

  #accountFor(nowMs: number): void {
    if (this.#awaitedSinceMs === undefined) return;
    const arrivedBytes = this.bytesRead + this.#request.readableLength - this.#creditedBytes;
    const waitedMs = nowMs - this.#awaitedSinceMs;
    this.#allowanceMs = allowanceLeft(this.#allowanceMs, { waitedMs, arrivedBytes });
    this.#creditedBytes += arrivedBytes;
    this.#awaitedSinceMs = nowMs;
  }

  #isSettled(): boolean {
    return this.#failure !== undefined || this.#interruption !== undefined || this.#request.complete;
  }

  #throwIfFailed(): void {
    const error = this.#failure ?? this.#interruption;
    this.#interruption = undefined;
    if (error !== undefined) throw error;
  }
}

/** All until the end, or undefined where that is more. */
export async function gather(next: () => Promise<Buffer | undefined>, bytesMax: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const chunk = await next();
    if (chunk === undefined) return Buffer.concat(chunks);
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk);
  }
}

/** What Node says of a client that went away. */
function connectionLost(): Error {
  return Object.assign(new Error('the client went away'), { code: 'ECONNRESET' });
}

/**
 * How many milliseconds longer a client is waited for; not above 0: it is given up. Waiting uses the allowance up, bytes earn it: whoever sends
 * at the least rate is waited for as long as he does, and whoever sent fast may fall silent for a while. The rate alone decides, never who
 * sends.
 */
export function allowanceLeft(
  allowanceMs: number,
  since: { readonly waitedMs: number; readonly arrivedBytes: number },
): number {
  const earnedMs = (since.arrivedBytes * 1_000) / leastBytesPerSecond;
  return Math.min(bodyIdleMsMax, allowanceMs - since.waitedMs + earnedMs);
}
