/**
 * A `multipart/form-data` body → its parts, one after the other, as a stream with the back-pressure of whoever reads them. Used by
 * `steps/receive-form.ts`; which part counts is decided there.
 *
 * Ours and not busboy: ingress is bound to the content type of a part verbatim, with parameters and case, and to Go's notion that a part is a
 * file if and only if it has a filename. busboy hands out the lower-cased type without parameters. Source: ingress.md A.4.2, A.4.3.
 */
import { CcxError } from '../../contracts/ccx-error.ts';
import { boundaryCharactersMax, boundaryLineBytesMax, partHeaderBytesMax, partsMax } from './limits.ts';

export interface PartHeader {
  readonly name: string;
  /** Empty for a plain value. */
  readonly filename: string;
  /** Verbatim; empty where there is none. */
  readonly contentType: string;
}

/** Where the bytes come from; undefined is the end. */
export interface ByteSource {
  next(): Promise<Buffer | undefined>;
}

const lineEnd = Buffer.from('\r\n');
const headerEnd = Buffer.from('\r\n\r\n');
const dash = 0x2d;
/** What may follow a boundary (RFC 2046): the dashes of the end, blanks, a line end. Anything else is content. */
const afterBoundary = new Set([dash, 0x20, 0x09, 0x0d]);

/** The boundary of a form's content type; undefined where it is no form. */
export function formBoundary(contentType: string | undefined): string | undefined {
  if (contentType === undefined) return undefined;
  const { value, parameters } = parseHeaderParameters(contentType);
  if (value !== 'multipart/form-data') return undefined;
  const boundary = parameters.get('boundary');
  return boundary === undefined || boundary === '' || boundary.length > boundaryCharactersMax ? undefined : boundary;
}

/** Every failure is a `CcxError` with code `FORM_INVALID`; errors of the source pass unchanged. */
export class MultipartReader {
  readonly #source: ByteSource;
  readonly #delimiter: Buffer;
  /** Starts with a line end that nobody sent, so that the first boundary looks like every other. */
  #buffer: Buffer = lineEnd;
  #parts = 0;
  #state: 'preamble' | 'body' | 'between' | 'ended' = 'preamble';

  constructor(source: ByteSource, boundary: string) {
    this.#source = source;
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** The next part's header, undefined behind the last one. What is left of the part before is skipped. */
  async nextPart(): Promise<PartHeader | undefined> {
    while (this.#state === 'preamble' || this.#state === 'body') await this.chunk();
    if (this.#state === 'ended') return undefined;
    this.#parts += 1;
    if (this.#parts > partsMax) throw formInvalid(`it has more than ${partsMax} parts`);
    const header = await this.#readHeader();
    this.#state = 'body';
    return header;
  }

  /** The next bytes of the current part, undefined at its end. Never empty. */
  async chunk(): Promise<Buffer | undefined> {
    if (this.#state !== 'body' && this.#state !== 'preamble') return undefined;
    let searchFrom = 0;
    for (;;) {
      const at = this.#buffer.indexOf(this.#delimiter, searchFrom);
      if (at === -1) {
        const sure = this.#buffer.length - (this.#delimiter.length - 1);
        if (sure > 0) return this.#take(sure);
        await this.#fill();
        continue;
      }
      const behind = this.#buffer[at + this.#delimiter.length];
      if (behind === undefined) {
        await this.#fill();
      } else if (!afterBoundary.has(behind)) {
        searchFrom = at + 1;
      } else if (at > 0) {
        return this.#take(at);
      } else {
        await this.#closePart();
        return undefined;
      }
    }
  }

  async #closePart(): Promise<void> {
    this.#buffer = this.#buffer.subarray(this.#delimiter.length);
    while (this.#buffer.length < 2) await this.#fill();
    if (this.#buffer[0] === dash && this.#buffer[1] === dash) {
      this.#state = 'ended';
      return;
    }
    const end = await this.#find(lineEnd, boundaryLineBytesMax, 'a boundary line is too long');
    if (/[^ \t]/.test(this.#buffer.toString('latin1', 0, end)))
      throw formInvalid('a boundary line holds something else');
    // The line end stays: before a part without headers it is one half of the empty line.
    this.#buffer = this.#buffer.subarray(end);
    this.#state = 'between';
  }

  /** Leaves the last line end of the header in the buffer, so that an empty body's boundary is found at its start. */
  async #readHeader(): Promise<PartHeader> {
    const end = await this.#find(headerEnd, partHeaderBytesMax, 'the headers of a part are too long');
    const header = readPartHeader(this.#buffer.toString('utf8', 0, end));
    this.#buffer = this.#buffer.subarray(end + lineEnd.length);
    await this.#dropHeaderLineEnd();
    return header;
  }

  /** The body begins behind the line end, unless a boundary does: Go takes a part whose body is missing altogether. */
  async #dropHeaderLineEnd(): Promise<void> {
    while (this.#buffer.length <= this.#delimiter.length) await this.#fill();
    const isBoundary =
      this.#buffer.indexOf(this.#delimiter) === 0 && afterBoundary.has(this.#buffer[this.#delimiter.length]!);
    if (!isBoundary) this.#buffer = this.#buffer.subarray(lineEnd.length);
  }

  /** Position of a pattern within the first bytes of the buffer. */
  async #find(pattern: Buffer, bytesMax: number, tooLong: string): Promise<number> {
    for (;;) {
      const at = this.#buffer.subarray(0, bytesMax + pattern.length).indexOf(pattern);
      if (at !== -1) return at;
      if (this.#buffer.length > bytesMax) throw formInvalid(tooLong);
      await this.#fill();
    }
  }

  #take(bytes: number): Buffer {
    const taken = this.#buffer.subarray(0, bytes);
    this.#buffer = this.#buffer.subarray(bytes);
    return taken;
  }

  async #fill(): Promise<void> {
    const chunk = await this.#source.next();
    if (chunk === undefined) throw formInvalid('it ends too early');
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
  }
}

export function formInvalid(why: string): CcxError {
  return new CcxError(`the form cannot be read: ${why}`, { code: 'FORM_INVALID', category: 'input' });
}

function readPartHeader(block: string): PartHeader {
  const headers = new Map<string, string>();
  // A line that starts with a blank goes on the line before.
  for (const line of block.replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    if (line === '') continue;
    const colon = line.indexOf(':');
    if (colon <= 0) throw formInvalid('a part has a malformed header');
    const name = line.slice(0, colon).toLowerCase();
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  const { value, parameters } = parseHeaderParameters(headers.get('content-disposition') ?? '');
  const isFormData = value === 'form-data';
  return {
    name: isFormData ? (parameters.get('name') ?? '') : '',
    filename: isFormData ? (parameters.get('filename') ?? parameters.get('filename*') ?? '') : '',
    contentType: headers.get('content-type') ?? '',
  };
}

/** `value; name=token; name="quoted \" text"`; the value and the names in lower case. Nothing but the value where it is malformed. */
function parseHeaderParameters(header: string): {
  readonly value: string;
  readonly parameters: ReadonlyMap<string, string>;
} {
  const [value = ''] = header.split(';', 1);
  const parameters = new Map<string, string>();
  const pattern = /\s*;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))\s*/y;
  pattern.lastIndex = value.length;
  while (pattern.lastIndex < header.length) {
    const match = pattern.exec(header);
    if (match === null) break;
    const name = match[1]!.toLowerCase();
    // Go refuses a name that comes twice, and with it the whole header.
    if (parameters.has(name)) return { value: '', parameters: new Map() };
    parameters.set(name, match[3] ?? match[2]!.replace(/\\(.)/g, '$1'));
  }
  return { value: value.trim().toLowerCase(), parameters };
}
