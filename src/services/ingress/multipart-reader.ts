/**
 * A `multipart/form-data` body → its parts, one after the other, as a stream with the back-pressure of whoever reads them. Used by
 * `steps/receive-form.ts`; which part counts is decided there.
 *
 * Ours and not busboy: what is a boundary, a header and a file is Go's `mime/multipart` to the letter, because clients were tried with that
 * one: lines may end in LF alone, a boundary that other characters follow is content, quoted-printable parts are decoded, and a part is a
 * file if and only if it has a filename. The content type of a part comes out verbatim. Source: ingress.md A.4.2, A.4.3.
 */
import { type CcxError, inputError } from '../../encoding/ccx-error.ts';
import { parseMediaType } from './decide/media-type.ts';
import { QuotedPrintable } from './quoted-printable.ts';

/** One part's headers; a genuine part has two short lines. */
export const partHeaderBytesMax = 16 * 1024;
/** A boundary and its line end, or a line before the first boundary: Go's buffer. */
export const boundaryLineBytesMax = 4 * 1024;

/** Go's limit (1000 parts pass, more are a bad form). */
export const partsMax = 1000;
/** RFC 2046 says 70; the operator's has 60. */
export const boundaryCharactersMax = 200;

export interface PartHeader {
  readonly name: string;
  /** Empty for a plain value. */
  readonly filename: string;
  /** Verbatim; empty where there is none. */
  readonly contentType: string;
}

/** Where the bytes come from; undefined is the end. */
interface ByteSource {
  next(): Promise<Buffer | undefined>;
}

const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;
const SPACE = 0x20;
const TAB = 0x09;

/** The boundary of a form's content type; undefined where it is no form. */
export function formBoundary(contentType: string | undefined): string | undefined {
  const mediaType = contentType === undefined ? undefined : parseMediaType(contentType);
  if (mediaType?.value !== 'multipart/form-data') return undefined;
  const boundary = mediaType.parameters.get('boundary');
  return boundary === undefined || boundary === '' || boundary.length > boundaryCharactersMax ? undefined : boundary;
}

/** Every failure is a `CcxError` with code `FORM_INVALID`; errors of the source pass unchanged. */
export class MultipartReader {
  readonly #source: ByteSource;
  /** `--boundary`. */
  readonly #dashBoundary: Buffer;
  /** A line end and the boundary. The line end is the one behind the first boundary. */
  #delimiter: Buffer;
  #lineEnd = Buffer.from('\r\n');
  #buffer: Buffer = Buffer.alloc(0);
  #isSourceEnded = false;
  #parts = 0;
  #state: 'between' | 'body' | 'ended' = 'between';
  /** A part's first bytes may be the boundary without a line end before it. */
  #isAtStart = false;
  #decoder: QuotedPrintable | undefined;

  constructor(source: ByteSource, boundary: string) {
    this.#source = source;
    this.#dashBoundary = Buffer.from(`--${boundary}`, 'latin1');
    this.#delimiter = Buffer.concat([this.#lineEnd, this.#dashBoundary]);
  }

  /** The next part's header, undefined behind the last one. What is left of the part before is skipped. */
  async nextPart(): Promise<PartHeader | undefined> {
    while (this.#state === 'body') await this.#rawChunk();
    if (this.#state === 'ended' || (await this.#isLast())) return undefined;
    this.#parts += 1;
    if (this.#parts > partsMax) throw formInvalid(`it has more than ${partsMax} parts`);
    const headers = await this.#readHeaders();
    if (headers === undefined) return undefined;
    this.#state = 'body';
    this.#isAtStart = true;
    const isQuotedPrintable = headers.get('content-transfer-encoding')?.toLowerCase() === 'quoted-printable';
    this.#decoder = isQuotedPrintable ? new QuotedPrintable() : undefined;
    return partHeader(headers);
  }

  /** The next bytes of the current part, undefined at its end. Never empty. */
  async chunk(): Promise<Buffer | undefined> {
    const decoder = this.#decoder;
    if (decoder === undefined) return await this.#rawChunk();
    for (;;) {
      const raw = await this.#rawChunk();
      const decoded = raw === undefined ? decoder.end() : decoder.decode(raw);
      if (decoded === undefined) throw formInvalid('a part is no quoted-printable text');
      if (decoded.length > 0) return decoded;
      if (raw === undefined) return undefined;
    }
  }

  async #rawChunk(): Promise<Buffer | undefined> {
    if (this.#state !== 'body') return undefined;
    for (;;) {
      const found = this.#findBoundary();
      if (found === 0 && this.#state !== 'body') return undefined;
      if (found > 0) return this.#take(found);
      if (this.#isSourceEnded) throw formInvalid('it ends too early');
      await this.#fill();
    }
  }

  /** How many bytes at the start of the buffer are content for sure. 0 with the state changed: the part ends here. */
  #findBoundary(): number {
    const buffer = this.#buffer;
    if (this.#isAtStart) {
      if (startsWith(buffer, this.#dashBoundary)) {
        const verdict = this.#judgeBehind(this.#dashBoundary.length);
        if (verdict === 'boundary') this.#state = 'between';
        return verdict === 'content' ? this.#dashBoundary.length : 0;
      }
      if (startsWith(this.#dashBoundary, buffer)) return 0;
    }
    const at = buffer.indexOf(this.#delimiter);
    if (at !== -1) {
      const verdict = this.#judgeBehind(at + this.#delimiter.length);
      if (verdict === 'content') return at + this.#delimiter.length;
      if (at === 0 && verdict === 'boundary') this.#state = 'between';
      return at;
    }
    // The end of the buffer may be the start of a boundary.
    const tail = buffer.lastIndexOf(this.#delimiter[0]!);
    return tail !== -1 && startsWith(this.#delimiter, buffer.subarray(tail)) ? tail : buffer.length;
  }

  /** What follows a boundary: blanks, a line end or the two dashes of the end. Anything else makes it content. */
  #judgeBehind(at: number): 'boundary' | 'content' | 'unknown' {
    const [first, second] = [this.#buffer[at], this.#buffer[at + 1]];
    if (first === undefined) return this.#isSourceEnded ? 'boundary' : 'unknown';
    if (first === SPACE || first === TAB || first === CR || first === LF) return 'boundary';
    if (first !== DASH) return 'content';
    if (second === undefined) return this.#isSourceEnded ? 'content' : 'unknown';
    return second === DASH ? 'boundary' : 'content';
  }

  /** Reads the line of the boundary; true where it is the last one. */
  async #isLast(): Promise<boolean> {
    for (let isBehindLineEnd = false; ; ) {
      const line = await this.#readLine(boundaryLineBytesMax, 'a line between the parts is too long');
      const rest = startsWith(line, this.#dashBoundary) ? line.subarray(this.#dashBoundary.length) : undefined;
      if (rest !== undefined && this.#isBoundaryEnd(rest)) return false;
      if (rest?.[0] === DASH && rest[1] === DASH) {
        const behind = withoutBlanks(rest.subarray(2));
        if (behind.length === 0 || behind.equals(this.#lineEnd)) {
          this.#state = 'ended';
          return true;
        }
      }
      if (line.at(-1) !== LF) throw formInvalid('it ends too early');
      // Anything may stand before the first boundary.
      if (this.#parts === 0) continue;
      if (isBehindLineEnd || !line.equals(this.#lineEnd)) throw formInvalid('something stands between its parts');
      isBehindLineEnd = true;
    }
  }

  /** A boundary line ends as all lines of the form do, which the first one decides. */
  #isBoundaryEnd(rest: Buffer): boolean {
    const behind = withoutBlanks(rest);
    if (this.#parts === 0 && behind.length === 1 && behind[0] === LF) {
      this.#lineEnd = this.#lineEnd.subarray(1);
      this.#delimiter = this.#delimiter.subarray(1);
    }
    return behind.equals(this.#lineEnd);
  }

  /** Names in lower case; the first of several counts. Undefined where the form ends before they do, which Go takes for its end. */
  async #readHeaders(): Promise<ReadonlyMap<string, string> | undefined> {
    const lines: string[] = [];
    for (let bytes = 0; ; ) {
      const line = await this.#readLine(partHeaderBytesMax - bytes, 'the headers of a part are too long');
      if (line.length === 0) this.#state = 'ended';
      bytes += line.length;
      const text = line.toString('utf8').replace(/\r?\n$/, '');
      if (text === '') break;
      // A line that starts with a blank goes on the line before.
      if (!/^[ \t]/.test(text)) lines.push(trimmed(text));
      else if (lines.length > 0) lines.push(`${lines.pop()} ${trimmed(text)}`);
      else throw malformedHeader();
    }
    const headers = new Map<string, string>();
    for (const line of lines) {
      const match = /^([!#$%&'*+.^_`|~0-9A-Za-z -]+):([^\x00-\x08\x0a-\x1f\x7f]*)$/.exec(line);
      if (match === null) throw malformedHeader();
      const name = match[1]!.toLowerCase();
      if (!headers.has(name)) headers.set(name, trimmed(match[2]!));
    }
    return this.#state === 'ended' ? undefined : headers;
  }

  /** With its line end, which only the last line of a body may lack. */
  async #readLine(bytesMax: number, tooLong: string): Promise<Buffer> {
    for (;;) {
      const at = this.#buffer.subarray(0, bytesMax).indexOf(LF);
      if (at !== -1) return this.#take(at + 1);
      if (this.#buffer.length >= bytesMax) throw formInvalid(tooLong);
      if (this.#isSourceEnded) return this.#take(this.#buffer.length);
      await this.#fill();
    }
  }

  #take(bytes: number): Buffer {
    const taken = this.#buffer.subarray(0, bytes);
    this.#buffer = this.#buffer.subarray(bytes);
    this.#isAtStart = false;
    return taken;
  }

  async #fill(): Promise<void> {
    const chunk = await this.#source.next();
    if (chunk === undefined) this.#isSourceEnded = true;
    else this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
  }
}

function formInvalid(why: string): CcxError {
  return inputError('FORM_INVALID', `the form cannot be read: ${why}`);
}

function malformedHeader(): CcxError {
  return formInvalid('a part has a malformed header');
}

function trimmed(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}

function partHeader(headers: ReadonlyMap<string, string>): PartHeader {
  const disposition = parseMediaType(headers.get('content-disposition') ?? '');
  const isFormData = disposition?.value === 'form-data';
  return {
    name: isFormData ? (disposition.parameters.get('name') ?? '') : '',
    filename: disposition?.parameters.get('filename') ?? '',
    contentType: headers.get('content-type') ?? '',
  };
}

function startsWith(buffer: Buffer, prefix: Buffer): boolean {
  return buffer.length >= prefix.length && buffer.subarray(0, prefix.length).equals(prefix);
}

function withoutBlanks(bytes: Buffer): Buffer {
  let at = 0;
  while (bytes[at] === SPACE || bytes[at] === TAB) at += 1;
  return bytes.subarray(at);
}
