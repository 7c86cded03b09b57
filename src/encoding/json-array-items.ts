/**
 * The items of a JSON array that comes in pieces, one after the other: what is held is one item, however long the array is. Each is the text
 * between two commas, and is for whoever reads it to parse; what is no array is an error. Used for answers that grow with a fleet.
 */
import { CcxError } from './ccx-error.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Rejects with `JSON_ARRAY_INVALID` for a text that is none, ends early or has an item of more than `itemBytesMax`. */
export async function* jsonArrayItems(chunks: AsyncIterable<Uint8Array>, itemBytesMax: number): AsyncGenerator<string> {
  const invalid = (why: string) =>
    new CcxError(`the answer is no JSON array that can be read: ${why}`, {
      code: 'JSON_ARRAY_INVALID',
      category: 'input',
    });
  /** 0 before the array, 1 in it, 2 and more inside an item, -1 behind it. */
  let depth = 0;
  let inString = false;
  let escaped = false;
  let parts: Buffer[] = [];
  let size = 0;
  const take = (bytes: Uint8Array) => {
    size += bytes.byteLength;
    if (size > itemBytesMax) throw invalid(`an item has more than ${itemBytesMax} bytes`);
    // Copied: a piece may be the network's own memory.
    parts.push(Buffer.from(bytes));
  };
  const item = (): string | undefined => {
    const text = Buffer.concat(parts).toString('utf8').trim();
    parts = [];
    size = 0;
    return text === '' ? undefined : text;
  };
  for await (const chunk of chunks) {
    let from = depth >= 1 ? 0 : undefined;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at]!;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
        continue;
      }
      if (depth === 0) {
        if (isBlank(byte)) continue;
        if (byte !== OPEN_BRACKET) throw invalid('it does not begin with [');
        depth = 1;
        from = at + 1;
      } else if (depth === -1) {
        if (!isBlank(byte)) throw invalid('something stands behind it');
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) depth += 1;
      else if (depth > 1 && (byte === CLOSE_BRACKET || byte === CLOSE_BRACE)) depth -= 1;
      else if (depth === 1 && (byte === COMMA || byte === CLOSE_BRACKET)) {
        take(chunk.subarray(from, at));
        const text = item();
        if (text !== undefined) yield text;
        from = at + 1;
        if (byte === CLOSE_BRACKET) {
          depth = -1;
          from = undefined;
        }
      }
    }
    if (from !== undefined && depth >= 1) take(chunk.subarray(from));
  }
  if (depth !== -1) throw invalid('it ends early');
}
