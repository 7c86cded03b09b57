/** Reads the lines `<job id> <label>` that a child writes before each step; used by `runner-child.ts`. */
import { labelBytesMax } from './limits.ts';

export class LabelReader {
  readonly #onLabel: (id: number, text: string) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onLabel: (id: number, text: string) => void) {
    this.#onLabel = onLabel;
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(0x0a, from);
      if (end < 0) break;
      const line = bytes.toString('utf8', from, end);
      const match = /^(\d+) (.*)$/.exec(line);
      if (match !== null) this.#onLabel(Number(match[1]), match[2]!);
      from = end + 1;
    }
    // A line without an end that is longer than any label is not ours: code in the child wrote to the descriptor itself.
    this.#rest = bytes.length - from > 2 * labelBytesMax ? Buffer.alloc(0) : Buffer.from(bytes.subarray(from));
  }
}
