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
import { createGunzip, type Gunzip } from 'node:zlib';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { ArchiveFiles, ArchiveLimits, OpenedArchive } from './archive.ts';
import {
  archiveCorrupt,
  archiveEmpty,
  archiveFormatUnsupported,
  archivePackedTooLarge,
  archiveRatio,
  archiveTruncated,
  archiveUnreadable,
} from './archive-errors.ts';
import { archiveFormat, sniffBytes } from './archive-format.ts';
import { findInsightsRoot } from './insights-root.ts';
import { defaultArchiveLimits } from './limits.ts';
import { TarDecoder } from './tar-decoder.ts';

/** The ratio says nothing about small archives: one page of zeros is no bomb. */
export const ratioCheckedFromBytes = 4 * 1024 ** 2;
/** Output buffer of gunzip: large enough that an ordinary archive needs few turns, small enough for many archives at once. */
const gunzipChunkBytes = 128 * 1024;

/** A tar file, plain or gzip-compressed (told by its content) → path → bytes. A stream is consumed or destroyed in every case. */
export async function openArchive(
  source: Readable | Buffer,
  limits: ArchiveLimits = defaultArchiveLimits,
): Promise<ArchiveFiles> {
  return (await openArchiveWithSummary(source, limits)).files;
}

/** As `openArchive`, with what was met on the way. */
export async function openArchiveWithSummary(
  source: Readable | Buffer,
  limits: ArchiveLimits = defaultArchiveLimits,
): Promise<OpenedArchive> {
  try {
    const input = new PackedInput(source, limits.packedBytesMax);
    const head = await input.peek(sniffBytes);
    if (head.length === 0) throw archiveEmpty();
    const format = archiveFormat(head);
    if (format.kind === 'other') throw archiveFormatUnsupported(format.mime);
    const decoder = new TarDecoder(limits);
    if (format.kind === 'gzip') await decodeGzip(input, decoder, limits.ratioMax);
    else for await (const chunk of input.chunks()) decoder.push(chunk);
    decoder.end();
    const { files, strippedDirectory, desktopFiles } = findInsightsRoot(decoder.files);
    return {
      files,
      summary: {
        format: format.kind === 'gzip' ? 'tar.gz' : 'tar',
        packedBytes: input.bytesRead,
        unpackedBytes: decoder.unpackedBytes,
        entries: decoder.entries,
        skippedEntries: decoder.skippedEntries + desktopFiles,
        duplicateEntries: decoder.duplicateEntries,
        strippedDirectory,
      },
    };
  } finally {
    if (source instanceof Readable) source.destroy();
  }
}

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
    throw archiveRatio(ratioMax);
  }
}

function gzipError(cause: unknown): CcxError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'Z_BUF_ERROR' ? archiveTruncated('in the gzip data', cause) : archiveCorrupt('its gzip data', cause);
}

/** The source as counted chunks, whose first bytes can be looked at before they are read. */
class PackedInput {
  bytesRead = 0;
  readonly #iterator: AsyncIterator<unknown> | Iterator<unknown>;
  readonly #bytesMax: number;
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
    this.bytesRead += chunk.length;
    if (this.bytesRead > this.#bytesMax) throw archivePackedTooLarge(this.#bytesMax);
    return chunk;
  }

  async #read(): Promise<IteratorResult<unknown>> {
    try {
      return await this.#iterator.next();
    } catch (cause) {
      throw cause instanceof CcxError ? cause : archiveUnreadable(cause);
    }
  }
}
