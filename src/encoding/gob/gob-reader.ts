/** The primitives of a gob stream: a cursor over bytes that never reads past them. Used by `decodeGob` only. */
import { gobInvalid } from './gob-value.ts';

export class GobReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** A number that the stream needs to be small: a length, a count, a field number. */
  uint(): number {
    const value = this.wholeUint();
    if (typeof value === 'bigint') throw gobInvalid('a length is out of range');
    return value;
  }

  int(): number {
    const value = this.wholeInt();
    if (typeof value === 'bigint') throw gobInvalid('a type number is out of range');
    return value;
  }

  /** How many elements follow; each takes at least one byte. */
  count(): number {
    const count = this.uint();
    if (count > this.#bytes.length - this.#at) throw gobInvalid('more elements than bytes');
    return count;
  }

  wholeUint(): number | bigint {
    const value = this.#uint64();
    return typeof value === 'bigint' && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  /** The lowest bit tells whether the rest is to be complemented. */
  wholeInt(): number | bigint {
    const raw = BigInt(this.#uint64());
    const value = (raw & 1n) === 1n ? ~(raw >> 1n) : raw >> 1n;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  float(): number {
    const bits = Buffer.alloc(8);
    bits.writeBigUInt64BE(BigInt(this.#uint64()));
    return bits.readDoubleLE();
  }

  /** A length and that many bytes, as a view. */
  bytes(): Buffer {
    const length = this.uint();
    if (length > this.#bytes.length - this.#at) throw gobInvalid('it ends in the middle of a value');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Below 128 one byte; otherwise 256 minus the number of bytes, then those, most significant first. */
  #uint64(): number | bigint {
    const first = this.#byte();
    if (first < 128) return first;
    const length = 256 - first;
    if (length > 8) throw gobInvalid('a number has more than 64 bits');
    if (length <= 6) {
      let value = 0;
      for (let index = 0; index < length; index += 1) value = value * 256 + this.#byte();
      return value;
    }
    let value = 0n;
    for (let index = 0; index < length; index += 1) value = (value << 8n) | BigInt(this.#byte());
    return value;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw gobInvalid('it ends in the middle of a value');
    this.#at += 1;
    return byte;
  }
}
