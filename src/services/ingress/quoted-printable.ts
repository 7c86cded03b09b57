/**
 * Quoted-printable text → bytes, piece by piece, as Go's `mime/quotedprintable` reads it: a soft line break may end in LF alone, an equals
 * sign that two hex digits do not follow stands for itself, bytes above 0x7f pass. Used by `multipart-reader.ts`.
 */
const CR = 0x0d;
const LF = 0x0a;
const EQUALS = 0x3d;
const blanks = new Set([LF, CR, 0x20, 0x09]);
/** Go's buffer; the standard allows 76 characters. */
const lineBytesMax = 4_096;

export class QuotedPrintable {
  #line: Buffer = Buffer.alloc(0);

  /** What is complete by now; undefined for what is no such text. */
  decode(piece: Buffer): Buffer | undefined {
    this.#line = Buffer.concat([this.#line, piece]);
    const decoded: Buffer[] = [];
    for (;;) {
      const at = this.#line.indexOf(LF);
      if (at >= lineBytesMax || (at === -1 && this.#line.length >= lineBytesMax)) return undefined;
      if (at === -1) return Buffer.concat(decoded);
      const line = decodeLine(this.#line.subarray(0, at + 1), false);
      if (line === undefined) return undefined;
      decoded.push(line);
      this.#line = this.#line.subarray(at + 1);
    }
  }

  /** What is left, at the end of the text. */
  end(): Buffer | undefined {
    const line = this.#line;
    this.#line = Buffer.alloc(0);
    return decodeLine(line, true);
  }
}

function decodeLine(whole: Buffer, isLast: boolean): Buffer | undefined {
  let end = whole.length;
  while (end > 0 && blanks.has(whole[end - 1]!)) end -= 1;
  const lineEnd = whole.at(-1) !== LF ? '' : whole.at(-2) === CR ? '\r\n' : '\n';
  if (whole[end - 1] !== EQUALS) return unescaped(Buffer.concat([whole.subarray(0, end), Buffer.from(lineEnd)]));
  const behind = whole.toString('latin1', end).replace(/^[ \t]+/, '');
  const isSoftBreak = /^\r?\n/.test(behind) || (behind === '' && end > 1 && isLast);
  return isSoftBreak ? unescaped(whole.subarray(0, end - 1)) : undefined;
}

function unescaped(line: Buffer): Buffer | undefined {
  const bytes: number[] = [];
  for (let at = 0; at < line.length; at += 1) {
    const byte = line[at]!;
    if (byte !== EQUALS) {
      if ((byte < 0x20 && !blanks.has(byte)) || byte === 0x7f) return undefined;
      bytes.push(byte);
      continue;
    }
    const digits = line.toString('latin1', at + 1, at + 3);
    if (digits === '' || /^[\r\n]/.test(digits)) return undefined;
    const isEscape = /^[0-9A-Fa-f]{2}$/.test(digits);
    bytes.push(isEscape ? Number.parseInt(digits, 16) : byte);
    if (isEscape) at += 2;
  }
  return Buffer.from(bytes);
}
