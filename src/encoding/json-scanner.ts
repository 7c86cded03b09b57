/**
 * Walks JSON text in a Buffer once, checks it as strictly as Go's `encoding/json` does, says in its words what is wrong, and tells where
 * values begin and end without building them; copies a value as canonical text. Used by `parse-ocp-results.ts` and `shrunk-report.ts`, where
 * most of a message is thrown away and the rest is kept byte for byte, and by `go-decoder.ts`, whose clients are answered with those
 * words. Decoding of strings is in `json-text.ts`. Source: notification-writer.md 4.1, 4.6.
 *
 * Positions go in and out as numbers instead of living in a field, each byte of a string costs one table look-up, and the constants are
 * this module's own, because imported ones are not folded into the compiled loops (measured: twice the time).
 */

/** Containers inside each other; Go's decoder refuses the next one as a syntax error. */
export const jsonDepthMax = 10_000;

/** Thrown by the scanner for text that is not JSON, in the words of Go's `encoding/json`. Caught where the text is judged. */
export class JsonSyntaxError extends Error {
  /** Of the byte that cannot stand where it stands; the length of the text where it ends too early. */
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.name = 'JsonSyntaxError';
    this.at = at;
  }
}

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
/** From an opening to its closing bracket: `[` to `]` and `{` to `}`. */
const CLOSING_OFFSET = 2;

/** What a byte inside a string asks for: nothing at all, which is nearly every byte. */
const CLASS_PLAIN = 0;
const CLASS_QUOTE = 1;
const CLASS_BACKSLASH = 2;
const CLASS_CONTROL = 3;
/** `<`, `>`, `&`: six bytes in canonical text. */
const CLASS_HTML = 4;
/** First byte of U+2028 and U+2029, which are six instead of three bytes in canonical text. */
const CLASS_E2 = 5;

/** Places that Go names in more than one of its errors. */
const inString = 'in string literal';
const afterKey = 'after object key';
const afterMember = 'after object key:value pair';

const stringClasses: Uint8Array = buildStringClasses();

function buildStringClasses(): Uint8Array {
  const classes = new Uint8Array(256);
  classes.fill(CLASS_CONTROL, 0, SPACE);
  classes[QUOTE] = CLASS_QUOTE;
  classes[BACKSLASH] = CLASS_BACKSLASH;
  for (const character of '<>&') classes[character.charCodeAt(0)] = CLASS_HTML;
  classes[0xe2] = CLASS_E2;
  return classes;
}

/** Every `skip…` takes the position of the first byte and answers the position behind what it skipped, or throws `JsonSyntaxError`. */
export class JsonScanner {
  readonly text: Buffer;
  /** Insignificant whitespace walked over so far: bytes that canonical text leaves out. */
  whitespaceBytes = 0;
  /** How many bytes canonical text adds to what was walked over so far, by its escapes. */
  escapeGrowthBytes = 0;
  /** The opening bracket of each open container, by depth. */
  #opened = new Uint8Array(64);

  constructor(text: Buffer) {
    this.text = text;
  }

  skipSpace(from: number): number {
    const text = this.text;
    let at = from;
    while (at < text.length) {
      const byte = text[at]!;
      if (byte !== SPACE && byte !== NEWLINE && byte !== RETURN && byte !== TAB) break;
      at += 1;
    }
    this.whitespaceBytes += at - from;
    return at;
  }

  /** Steps over the colon behind a key, and the whitespace on both sides of it. */
  skipColon(from: number): number {
    const at = this.skipSpace(from);
    if (this.text[at] !== COLON) this.fail(at, afterKey);
    return this.skipSpace(at + 1);
  }

  /** The same of the comma behind an object's member. */
  skipComma(from: number): number {
    const at = this.skipSpace(from);
    if (this.text[at] !== COMMA) this.fail(at, afterMember);
    return this.skipSpace(at + 1);
  }

  /** Steps over whitespace; the text must end there. */
  skipToEnd(from: number): void {
    const at = this.skipSpace(from);
    if (at < this.text.length) this.fail(at, 'after top-level value');
  }

  /** The position must be at the opening quote. */
  skipString(from: number): number {
    const text = this.text;
    const end = text.length;
    // Values are looked at before, so that this is a key.
    if (from >= end || text[from] !== QUOTE) this.fail(from, 'looking for beginning of object key string');
    let at = from + 1;
    for (;;) {
      while (at < end && stringClasses[text[at]!] === CLASS_PLAIN) at += 1;
      if (at >= end) this.fail(end, inString);
      const kind = stringClasses[text[at]!];
      if (kind === CLASS_QUOTE) return at + 1;
      at = this.#skipUnusual(at, kind);
    }
  }

  #skipUnusual(at: number, kind: number | undefined): number {
    if (kind === CLASS_BACKSLASH) return this.#skipEscape(at);
    if (kind === CLASS_CONTROL) this.fail(at, inString);
    if (kind === CLASS_HTML) this.escapeGrowthBytes += 5;
    else if (isLineSeparator(this.text, at)) this.escapeGrowthBytes += 3;
    return at + 1;
  }

  /** One value of any kind, which lies in `depthAround` containers. Iterative, because the depth is the sender's choice. */
  skipValue(from: number, depthAround: number): number {
    const text = this.text;
    let at = from;
    let depth = 0;
    for (;;) {
      const byte = text[at];
      if (byte === QUOTE) at = this.skipString(at);
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        depth += 1;
        this.#open(at, depth, depthAround);
        at += 1;
        if (text[at]! <= SPACE) at = this.skipSpace(at);
        if (text[at] !== byte + CLOSING_OFFSET) {
          if (byte === OPEN_BRACE) at = this.#skipKey(at);
          continue;
        }
        at += 1;
        depth -= 1;
      } else at = this.#skipWordOrNumber(at);

      // Behind a value: close what ends here, then go on with the next value.
      for (;;) {
        if (depth === 0) return at;
        if (text[at]! <= SPACE) at = this.skipSpace(at);
        const opened = this.#opened[depth]!;
        if (text[at] === COMMA) {
          at += 1;
          if (text[at]! <= SPACE) at = this.skipSpace(at);
          if (opened === OPEN_BRACE) at = this.#skipKey(at);
          break;
        }
        if (text[at] !== opened + CLOSING_OFFSET) {
          this.fail(at, opened === OPEN_BRACE ? afterMember : 'after array element');
        }
        at += 1;
        depth -= 1;
      }
    }
  }

  #skipKey(from: number): number {
    const text = this.text;
    let at = this.skipString(from);
    if (text[at]! <= SPACE) at = this.skipSpace(at);
    if (text[at] !== COLON) this.fail(at, afterKey);
    at += 1;
    if (text[at]! <= SPACE) at = this.skipSpace(at);
    return at;
  }

  #open(at: number, depth: number, depthAround: number): void {
    if (depthAround + depth > jsonDepthMax) this.fail(at, 'exceeded max depth');
    if (depth >= this.#opened.length) {
      const larger = new Uint8Array(this.#opened.length * 2);
      larger.set(this.#opened);
      this.#opened = larger;
    }
    this.#opened[depth] = this.text[at]!;
  }

  #skipWordOrNumber(from: number): number {
    const byte = this.text[from];
    if (byte === 0x74) return this.#skipWord(from, 'true');
    if (byte === 0x66) return this.#skipWord(from, 'false');
    if (byte === 0x6e) return this.#skipWord(from, 'null');
    return this.#skipNumber(from);
  }

  #skipWord(from: number, word: string): number {
    for (let index = 0; index < word.length; index += 1) {
      if (this.text[from + index] !== word.charCodeAt(index)) {
        this.#failInside(from + index, `in literal ${word} (expecting '${word[index]}')`);
      }
    }
    return from + word.length;
  }

  #skipNumber(from: number): number {
    const text = this.text;
    let at = from;
    if (text[at] === MINUS) at += 1;
    else if (!isDigit(text[at])) this.fail(at, 'looking for beginning of value');
    at = text[at] === ZERO ? at + 1 : this.#skipDigits(at, 'in numeric literal');
    if (text[at] === DOT) at = this.#skipDigits(at + 1, 'after decimal point in numeric literal');
    if (text[at] === 0x65 || text[at] === 0x45) {
      at += 1;
      if (text[at] === MINUS || text[at] === PLUS) at += 1;
      at = this.#skipDigits(at, 'in exponent of numeric literal');
    }
    return at;
  }

  /** At least one. */
  #skipDigits(from: number, place: string): number {
    const text = this.text;
    let at = from;
    while (isDigit(text[at])) at += 1;
    if (at === from) this.#failInside(at, place);
    return at;
  }

  #skipEscape(from: number): number {
    switch (this.text[from + 1]) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f:
      case 0x62:
      case 0x66:
      case 0x6e:
      case 0x72:
      case 0x74:
        return from + 2;
      case 0x75:
        for (let at = from + 2; at < from + 6; at += 1) {
          if (!isHexDigit(this.text[at])) this.#failInside(at, 'in \\u hexadecimal character escape');
        }
        return from + 6;
      default:
        return this.#failInside(from + 1, 'in string escape code');
    }
  }

  /** Throws for the byte at the position, which cannot stand in this place, or for the missing rest of the text. */
  fail(at: number, place: string): never {
    const byte = this.text[at];
    if (byte === undefined) throw new JsonSyntaxError('unexpected end of JSON input', this.text.length);
    throw new JsonSyntaxError(`invalid character ${quotedByte(byte)} ${place}`, at);
  }

  /** The same inside a word, a number or an escape: to Go, the end of the text is a blank there. */
  #failInside(at: number, place: string): never {
    throw new JsonSyntaxError(`invalid character ${quotedByte(this.text[at] ?? SPACE)} ${place}`, at);
  }
}

/** Where a value lies in its text. */
export interface JsonSlice {
  readonly start: number;
  readonly end: number;
}

/** Copies a value of `text` into `target` as canonical text; answers the position behind it. */
export function writeCanonical(text: Buffer, slice: JsonSlice, target: Buffer, at: number): number {
  const { end } = slice;
  let from = slice.start;
  let to = at;
  while (from < end) {
    const byte = text[from]!;
    from += 1;
    if (byte <= SPACE) continue;
    target[to] = byte;
    to += 1;
    if (byte !== QUOTE) continue;
    for (;;) {
      let inside = text[from]!;
      while (stringClasses[inside] === CLASS_PLAIN) {
        target[to] = inside;
        to += 1;
        from += 1;
        inside = text[from]!;
      }
      const kind = stringClasses[inside]!;
      from += 1;
      if (kind === CLASS_HTML) {
        to += target.write(`\\u00${inside.toString(16)}`, to, 'latin1');
      } else if (inside === 0xe2 && isLineSeparator(text, from - 1)) {
        to += target.write(text[from + 1] === 0xa8 ? '\\u2028' : '\\u2029', to, 'latin1');
        from += 2;
      } else {
        target[to] = inside;
        to += 1;
        if (inside === QUOTE) break;
        if (inside === BACKSLASH) {
          target[to] = text[from]!;
          from += 1;
          to += 1;
        }
      }
    }
  }
  return to;
}

/** Whether the byte E2 at this position begins U+2028 or U+2029. */
function isLineSeparator(text: Uint8Array, at: number): boolean {
  return text[at + 1] === 0x80 && (text[at + 2]! & 0xfe) === 0xa8;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function isHexDigit(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

const shortEscapes: ReadonlyMap<string, string> = new Map([
  ["'", "\\'"],
  ['\\', '\\\\'],
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
]);

/** As Go quotes a byte that it takes for a character. */
function quotedByte(byte: number): string {
  const character = String.fromCharCode(byte);
  const isPrintable = byte >= 0x20 && byte !== 0x7f && !(byte >= 0x80 && byte <= 0xa0) && byte !== 0xad;
  const hex = byte < 0x80 ? `\\x${byte.toString(16).padStart(2, '0')}` : `\\u${byte.toString(16).padStart(4, '0')}`;
  return `'${shortEscapes.get(character) ?? (isPrintable ? character : hex)}'`;
}
