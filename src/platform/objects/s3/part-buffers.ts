/**
 * The memory that archives are gathered in before they go to S3 in parts. Streams that fill fast take turns with a few buffers. One whose
 * client is slow holds its buffer for long: after a while it does not count any more, so that nobody waits for it. Made by `s3-store.ts`,
 * which bounds the streams.
 */
import type { Clock } from '../../clock/clock.ts';

/** Filled in turns: 40 MiB. */
export const sharedBuffers = 8;
/** Filling and sending a part takes half a second on a machine that does both ends of it for sixteen at once. */
export const turnMsMax = 5_000;

export class PartBuffers {
  readonly #clock: Clock;
  readonly #bytes: number;
  /** Memory that was touched once stays with the process anyway. */
  readonly #idle: Buffer[] = [];
  /** Those in use for less than a turn, and how to take their timers back. */
  readonly #turns = new Map<Buffer, () => void>();
  readonly #line: (() => void)[] = [];

  constructor(bytes: number, clock: Clock) {
    this.#bytes = bytes;
    this.#clock = clock;
  }

  /** Resolves in the order of asking, at once or when one's turn comes. Its contents are anything. */
  async take(): Promise<Buffer> {
    if (this.#turns.size >= sharedBuffers) await new Promise<void>((resolve) => this.#line.push(resolve));
    // Not from the pool of small buffers, and without zeros: what was not filled yet takes no memory.
    const buffer = this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
    this.#turns.set(
      buffer,
      this.#clock.after(turnMsMax, () => this.#endTurn(buffer)),
    );
    return buffer;
  }

  giveBack(buffer: Buffer): void {
    this.#idle.push(buffer);
    this.#turns.get(buffer)?.();
    this.#endTurn(buffer);
  }

  #endTurn(buffer: Buffer): void {
    if (this.#turns.delete(buffer)) this.#line.shift()?.();
  }
}
