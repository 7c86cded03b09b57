/**
 * JSON as text and as values: single strings read and written as Go's `encoding/json` does, on text that `JsonScanner` has already found
 * valid, and whole documents of other people's. Source: notification-writer.md 4.1, 4.6.
 */
import { isUtf8 } from 'node:buffer';

const BACKSLASH = 0x5c;

/**
 * The text of the string whose quotes are at `start` and `end - 1`. Lone surrogates and every byte of invalid UTF-8 become U+FFFD, one
 * each, where a browser's decoder would fold several bytes into one.
 */
export function decodeJsonString(text: Buffer, start: number, end: number): string {
  let plain = true;
  for (let at = start + 1; at < end - 1; at += 1) {
    const byte = text[at]!;
    if (byte >= 0x80 || byte === BACKSLASH) {
      plain = false;
      break;
    }
  }
  if (plain) return text.toString('latin1', start + 1, end - 1);
  const quoted = text.subarray(start, end);
  const wellFormed = isUtf8(quoted) ? quoted.toString('utf8') : decodeInvalidUtf8(quoted);
  return (JSON.parse(wellFormed) as string).toWellFormed();
}

/** Byte by byte: a byte that begins no valid sequence is U+FFFD and the next byte is looked at afresh. */
function decodeInvalidUtf8(bytes: Buffer): string {
  const parts: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    let length = 1;
    while (length < 4 && at + length <= bytes.length && !isUtf8(bytes.subarray(at, at + length))) length += 1;
    const sequence = bytes.subarray(at, at + length);
    const valid = sequence.length === length && isUtf8(sequence);
    parts.push(valid ? sequence.toString('utf8') : '\ufffd');
    at += valid ? length : 1;
  }
  return parts.join('');
}

/** A decoded string as canonical text with its quotes; only keys need this, values keep their own spelling. */
export function encodeJsonString(value: string): string {
  return escapeLikeGo(JSON.stringify(value));
}

/** JSON.stringify has Go's short forms (\b \f \n \r \t \" \\) and its lower-case \u00xx; it leaves these five characters as they are. */
export function escapeLikeGo(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Names that are expected, found by their bytes: most strings of a message need not be decoded to be recognised. */
export class ExpectedNames {
  readonly #byLength: { readonly name: string; readonly bytes: Uint8Array }[][] = [];

  constructor(names: Iterable<string>) {
    for (const name of names) {
      const sameLength = this.#byLength[name.length] ?? [];
      sameLength.push({ name, bytes: Buffer.from(name, 'latin1') });
      this.#byLength[name.length] = sameLength;
    }
  }

  /** The text of the string whose quotes are at `start` and `end - 1`, expected or not. */
  decode(text: Buffer, start: number, end: number): string {
    for (const candidate of this.#byLength[end - start - 2] ?? []) {
      if (equalBytes(text, start + 1, candidate.bytes)) return candidate.name;
    }
    return decodeJsonString(text, start, end);
  }
}

function equalBytes(text: Buffer, at: number, bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index += 1) {
    if (text[at + index] !== bytes[index]) return false;
  }
  return true;
}

/** JSON values as types. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** A document of somebody else's, or undefined when it is none. The parser's error is dropped: it quotes the text, which may hold a secret. */
export function parseJsonBytes(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Throws for text that is no JSON, or not UTF-8. */
export function parseUtf8Json(bytes: Buffer): unknown {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
