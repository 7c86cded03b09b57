/**
 * Packed bytes → the files of an Insights archive, in memory, never on a disk. Called by the data pipeline (hop 4), by tools and tests.
 * Reading stops at the first byte that passes a limit, so a bomb costs no more memory than an honest archive. Deadlines of the source are
 * the caller's.
 *
 * Every failure is a `CcxError` with a code `ARCHIVE_*`; only `ARCHIVE_UNREADABLE` (the source failed) is worth another try.
 * Symbolic links, devices and FIFOs are skipped and counted, not refused: nothing follows them here, and a must-gather holds harmless
 * ones. A hard link to an earlier member is a second name for its bytes.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, type Gunzip, gunzipSync } from 'node:zlib';
import { CcxError, inputError } from '../../encoding/ccx-error.ts';
import type { ArchiveFiles, ArchiveLimits, OpenedArchive } from './archive.ts';
import { defaultArchiveLimits } from './archive.ts';
import { archiveCorrupt, archiveOverLimit, archiveTruncated } from './archive-errors.ts';
import { insightsFiles } from './insights-root.ts';
import { TarDecoder } from './tar-decoder.ts';
import { blockBytes, readTarHeader } from './tar-header.ts';

/** The ratio says nothing about small archives: one page of zeros is no bomb. */
export const ratioCheckedFromBytes = 4 * 1024 ** 2;
/** Output buffer of gunzip: large enough that an ordinary archive needs few turns, small enough for many archives at once. */
const gunzipChunkBytes = 128 * 1024;

/** A tar file, plain or gzip-compressed (told by its content) → path → bytes. A stream is consumed or destroyed in every case. */
export async function openArchive(
  source: Readable | Buffer,
  limits: ArchiveLimits = defaultArchiveLimits,
): Promise<ArchiveFiles> {
  return (await openArchiveCounting(source, limits)).files;
}

/** As `openArchive`, with what was counted on the way. */
export async function openArchiveCounting(
  source: Readable | Buffer,
  limits: ArchiveLimits = defaultArchiveLimits,
): Promise<OpenedArchive> {
  if (Buffer.isBuffer(source)) {
    const stream = unpackAtOnce(source, limits);
    if (stream !== undefined) return openedFrom(new TarDecoder(limits), [stream]);
  }
  try {
    const input = new PackedInput(source, limits.packedBytesMax);
    const head = await input.peek(sniffBytes);
    if (head.length === 0) throw inputError('ARCHIVE_EMPTY', 'Empty input archive');
    const format = archiveFormat(head);
    if (format.kind === 'other') {
      // The text is what the reference says of a file that it cannot unpack (data-pipeline.md 3.3).
      throw new CcxError(`Invalid content type: "${format.mime}"`, {
        code: 'ARCHIVE_FORMAT_UNSUPPORTED',
        category: 'input',
        hint: 'an archive is a tar file, plain or gzip-compressed',
      });
    }
    const decoder = new TarDecoder(limits);
    if (format.kind === 'gzip') await decodeGzip(input, decoder, limits.ratioMax);
    else for await (const chunk of input.chunks()) decoder.push(chunk);
    return openedFrom(decoder, []);
  } finally {
    if (source instanceof Readable) source.destroy();
  }
}

/** The archive of a decoder that is given the rest of the stream here. */
function openedFrom(decoder: TarDecoder, rest: readonly Buffer[]): OpenedArchive {
  for (const chunk of rest) decoder.push(chunk);
  decoder.end();
  const files = insightsFiles(decoder.files);
  const desktopFiles = decoder.files.size - files.size;
  return { files, unpackedBytes: decoder.unpackedBytes, skippedEntries: decoder.skippedEntries + desktopFiles };
}

/**
 * The tar stream of an ordinary gzip file in one piece, which costs half of what a stream does. Undefined for any that is not a single gzip
 * member of the size at its end, or one so large that its ratio counts: those are unpacked piece by piece, and refused there. No more memory
 * is taken than that size, and a file that unpacks to more is left at its first byte too many.
 */
function unpackAtOnce(packed: Buffer, limits: ArchiveLimits): Buffer | undefined {
  if (packed.length > limits.packedBytesMax || packed.length < gzipTrailerBytes || packed[0] !== 0x1f) return undefined;
  // Several members, zeros behind the last one and 4 GiB or more make it wrong.
  const size = packed.readUInt32LE(packed.length - 4);
  if (size === 0 || size > ratioCheckedFromBytes || size > limits.unpackedBytesMax) return undefined;
  try {
    // One byte more: zlib takes a full buffer for a sign that more is to come, and another is allocated.
    const unpacked = gunzipSync(packed, { chunkSize: Math.max(size + 1, zlibChunkBytesMin), maxOutputLength: size });
    return unpacked.length === size ? unpacked : undefined;
  } catch {
    return undefined;
  }
}

/** Checksum and size. */
const gzipTrailerBytes = 8;
const zlibChunkBytesMin = 64;

async function decodeGzip(input: PackedInput, decoder: TarDecoder, ratioMax: number): Promise<void> {
  const gunzip = createGunzip({ chunkSize: gunzipChunkBytes });
  try {
    await pipeline(input.chunks(), gunzip, async (unpacked: AsyncIterable<Buffer>) => {
      for await (const chunk of unpacked) {
        decoder.push(chunk);
        checkRatio(decoder, gunzip, ratioMax);
      }
    });
  } catch (error) {
    throw error instanceof CcxError ? error : gzipError(error);
  }
}

function checkRatio(decoder: TarDecoder, gunzip: Gunzip, ratioMax: number): void {
  if (decoder.streamBytes > ratioCheckedFromBytes && decoder.streamBytes > ratioMax * gunzip.bytesWritten) {
    throw archiveOverLimit('ARCHIVE_RATIO', `the archive unpacks to more than ${ratioMax} times its size`);
  }
}

function gzipError(cause: unknown): CcxError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'Z_BUF_ERROR' ? archiveTruncated('in the gzip data', cause) : archiveCorrupt('its gzip data', cause);
}

/** The source as counted chunks, whose first bytes can be looked at before they are read. */
class PackedInput {
  readonly #iterator: AsyncIterator<unknown> | Iterator<unknown>;
  readonly #bytesMax: number;
  #bytesRead = 0;
  #head: Buffer = Buffer.alloc(0);

  constructor(source: Readable | Buffer, bytesMax: number) {
    this.#iterator = source instanceof Readable ? source[Symbol.asyncIterator]() : [source].values();
    this.#bytesMax = bytesMax;
  }

  /** At least `bytes` bytes from the start, fewer only where the source is shorter. */
  async peek(bytes: number): Promise<Buffer> {
    while (this.#head.length < bytes) {
      const chunk = await this.#next();
      if (chunk === undefined) break;
      this.#head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    }
    return this.#head;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    if (this.#head.length > 0) yield this.#head;
    this.#head = Buffer.alloc(0);
    for (;;) {
      const chunk = await this.#next();
      if (chunk === undefined) return;
      yield chunk;
    }
  }

  async #next(): Promise<Buffer | undefined> {
    const result = await this.#read();
    if (result.done === true) return undefined;
    const chunk = Buffer.isBuffer(result.value) ? result.value : Buffer.from(result.value as Uint8Array);
    this.#bytesRead += chunk.length;
    if (this.#bytesRead > this.#bytesMax) {
      throw archiveOverLimit('ARCHIVE_PACKED_TOO_LARGE', `the archive is larger than ${this.#bytesMax} bytes`);
    }
    return chunk;
  }

  async #read(): Promise<IteratorResult<unknown>> {
    try {
      return await this.#iterator.next();
    } catch (cause) {
      if (cause instanceof CcxError) throw cause;
      // The bytes stopped coming for a reason that is not the archive's: worth another try.
      throw new CcxError('the archive cannot be read', {
        code: 'ARCHIVE_UNREADABLE',
        category: 'connection',
        retryable: true,
        cause,
      });
    }
  }
}

/** How many bytes `archiveFormat` wants to see: one tar header. */
const sniffBytes = blockBytes;

type ArchiveFormat =
  | { readonly kind: 'gzip' }
  | { readonly kind: 'tar' }
  | { readonly kind: 'other'; readonly mime: string };

const magics: readonly { readonly mime: string; readonly bytes: readonly number[] }[] = [
  { mime: 'application/zip', bytes: [0x50, 0x4b, 0x03, 0x04] },
  { mime: 'application/zip', bytes: [0x50, 0x4b, 0x05, 0x06] },
  { mime: 'application/x-bzip2', bytes: [0x42, 0x5a, 0x68] },
  { mime: 'application/x-xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { mime: 'application/zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { mime: 'application/x-7z-compressed', bytes: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c] },
  { mime: 'application/x-rar', bytes: [0x52, 0x61, 0x72, 0x21] },
  { mime: 'text/xml', bytes: [0x3c, 0x3f, 0x78, 0x6d, 0x6c] },
  { mime: 'text/html', bytes: [0x3c, 0x21, 0x64, 0x6f] },
  { mime: 'text/html', bytes: [0x3c, 0x68, 0x74, 0x6d, 0x6c] },
];

/** `head`: the first `sniffBytes` bytes, fewer only where the file is shorter. */
function archiveFormat(head: Buffer): ArchiveFormat {
  // Two bytes suffice: no other format starts so, and a file cut behind them is a truncated gzip, not an unknown kind.
  if (startsWith(head, [0x1f, 0x8b])) return { kind: 'gzip' };
  // By checksum and not by the word `ustar`, which the oldest kind of tar lacks.
  if (head.length >= blockBytes && readTarHeader(head.subarray(0, blockBytes)) !== undefined) return { kind: 'tar' };
  return {
    kind: 'other',
    mime: magics.find(({ bytes }) => startsWith(head, bytes))?.mime ?? 'application/octet-stream',
  };
}

function startsWith(head: Buffer, bytes: readonly number[]): boolean {
  return head.length >= bytes.length && bytes.every((byte, at) => head[at] === byte);
}
