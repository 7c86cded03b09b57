/**
 * The frames of a tar stream → its regular files, under limits. Fed by `open-archive.ts`, chunk by chunk. Fails on what matters (size, type,
 * path), passes over what does not, and always knows the length of what it passes over: a reader that is out of step takes a file's
 * content for entries.
 *
 * Framing is ours and not node-tar's: its parser looks for gzip once more inside of what it is given and unpacks that beyond our limits,
 * gathers whatever follows the end mark in one buffer that it copies with every chunk, and its headers throw on an absurd time.
 */
import type { ArchiveLimits } from './archive.ts';
import {
  archiveCorrupt,
  archiveEntryTooLarge,
  archiveNotTar,
  archiveOverLimit,
  archivePathUnsafe,
  archiveTooManyEntries,
  archiveTrailingData,
  archiveTruncated,
  archiveUnpackedTooLarge,
  shownPath,
} from './archive-errors.ts';
import { applyPaxRecords, type PaxOverrides, readSparseMap } from './pax-records.ts';
import {
  blockBytes,
  readSparseExtension,
  readSparseHeader,
  readTarHeader,
  type SparseRegion,
  type TarHeader,
} from './tar-header.ts';

/** One extended header (pax, GNU long name): a path, times, a desktop's extended attributes. Go's archive/tar ends at the same. */
export const extendedHeaderBytesMax = 1024 ** 2;

const zeros = Buffer.alloc(64 * 1024);
const noBytes = Buffer.alloc(0);

/** A sparse file before its body is read. */
interface SparseFile {
  readonly path: string;
  readonly realSize: number;
  readonly storedSize: number;
  /** Empty until the body is there, where the map begins the body. */
  readonly regions: SparseRegion[];
  readonly mapInBody: boolean;
}

/** What is done with the body that is being read. */
type Body =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'sparse'; readonly file: SparseFile }
  | { readonly kind: 'pax' | 'long-path' | 'long-link-path' }
  | { readonly kind: 'ignored' };

export class TarDecoder {
  readonly files = new Map<string, Buffer>();
  skippedEntries = 0;
  /** Of the tar stream. */
  streamBytes = 0;
  /** What is counted towards the limit: the stream, the holes of sparse files, and a linked file once more for each of its names. */
  unpackedBytes = 0;

  readonly #limits: ArchiveLimits;
  readonly #partialHeader = Buffer.alloc(blockBytes);
  #partialHeaderBytes = 0;
  #entries = 0;
  #extendedHeaders = 0;
  /** Applies to the next entry that is no extended header. */
  #pending: PaxOverrides = {};
  /** Of a sparse file whose regions go on in the next block. */
  #sparse: SparseFile | undefined;
  #body: Body | undefined;
  /** What was read of it, once anything was. */
  #bodyContent: Buffer = noBytes;
  #bodyBytes = 0;
  #bodyBytesRead = 0;
  #paddingBytes = 0;
  #zeroBlocks = 0;

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  /** Files that lie in one chunk are parts of it, not copies: it must not be written to any more, and lives as long as they do. */
  push(chunk: Buffer): void {
    this.streamBytes += chunk.length;
    this.#count(chunk.length);
    let at = 0;
    while (at < chunk.length) {
      if (this.#zeroBlocks >= 2) {
        if (!isZero(chunk.subarray(at))) throw archiveTrailingData();
        return;
      }
      if (this.#body !== undefined) at += this.#readBody(chunk, at);
      else if (this.#paddingBytes > 0) at += this.#skipPadding(chunk, at);
      else at += this.#readBlock(chunk, at);
    }
  }

  /** Call when no more chunks come. */
  end(): void {
    if (this.#body !== undefined || this.#sparse !== undefined) throw archiveTruncated('in the middle of a file');
    if (this.#partialHeaderBytes > 0) {
      throw this.#sawHeader() ? archiveTruncated('in the middle of a header') : archiveNotTar();
    }
    if (this.#paddingBytes > 0) throw archiveTruncated('behind a file');
    // GNU tar takes a file without an end mark; a plain tar that was cut between two entries looks the same, so we do not.
    if (this.#zeroBlocks === 0) throw archiveTruncated('it has no end mark');
  }

  #count(bytes: number): void {
    this.unpackedBytes += bytes;
    if (this.unpackedBytes > this.#limits.unpackedBytesMax) {
      throw archiveUnpackedTooLarge(this.#limits.unpackedBytesMax);
    }
  }

  #sawHeader(): boolean {
    return this.#entries + this.#extendedHeaders > 0;
  }

  #readBlock(chunk: Buffer, at: number): number {
    const available = chunk.length - at;
    if (this.#partialHeaderBytes === 0 && available >= blockBytes) {
      this.#openBlock(chunk.subarray(at, at + blockBytes));
      return blockBytes;
    }
    const taken = Math.min(blockBytes - this.#partialHeaderBytes, available);
    chunk.copy(this.#partialHeader, this.#partialHeaderBytes, at, at + taken);
    this.#partialHeaderBytes += taken;
    if (this.#partialHeaderBytes === blockBytes) {
      this.#partialHeaderBytes = 0;
      this.#openBlock(this.#partialHeader);
    }
    return taken;
  }

  #openBlock(block: Buffer): void {
    if (this.#sparse === undefined) this.#openEntry(block);
    else this.#extendSparse(this.#sparse, block);
  }

  #readBody(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#bodyBytes - this.#bodyBytesRead, chunk.length - at);
    if (this.#body?.kind !== 'ignored') {
      if (taken === this.#bodyBytes) this.#bodyContent = chunk.subarray(at, at + taken);
      else {
        if (this.#bodyBytesRead === 0) this.#bodyContent = Buffer.allocUnsafeSlow(this.#bodyBytes);
        chunk.copy(this.#bodyContent, this.#bodyBytesRead, at, at + taken);
      }
    }
    this.#bodyBytesRead += taken;
    if (this.#bodyBytesRead === this.#bodyBytes) this.#closeBody();
    return taken;
  }

  #skipPadding(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#paddingBytes, chunk.length - at);
    this.#paddingBytes -= taken;
    return taken;
  }

  #openEntry(block: Buffer): void {
    if (block[0] === 0 && isZero(block)) {
      this.#zeroBlocks += 1;
      return;
    }
    if (this.#zeroBlocks > 0) throw archiveTrailingData();
    const header = readTarHeader(block);
    if (header === undefined) {
      throw this.#sawHeader() ? archiveCorrupt('a header has a wrong checksum') : archiveNotTar();
    }
    switch (header.kind) {
      case 'pax-header':
        this.#openExtendedHeader('pax', header);
        return;
      case 'long-path':
      case 'long-link-path':
        this.#openExtendedHeader(header.kind, header);
        return;
      case 'global-pax-header':
        this.#openExtendedHeader('ignored', header);
        return;
      default:
        this.#openOrdinaryEntry(header, block);
    }
  }

  #openExtendedHeader(kind: 'pax' | 'long-path' | 'long-link-path' | 'ignored', header: TarHeader): void {
    this.#extendedHeaders += 1;
    // Every entry may have its own, so they are held to the same number; endless ones would otherwise cost time.
    if (this.#extendedHeaders > this.#limits.entriesMax) throw archiveTooManyEntries(this.#limits.entriesMax);
    const size = known(header.size);
    if (size > extendedHeaderBytesMax) {
      const text = `an extended header of the archive is larger than ${extendedHeaderBytesMax} bytes`;
      throw archiveOverLimit('ARCHIVE_HEADER_TOO_LARGE', text);
    }
    this.#openBody({ kind }, size);
  }

  #openOrdinaryEntry(header: TarHeader, block: Buffer): void {
    this.#entries += 1;
    if (this.#entries > this.#limits.entriesMax) throw archiveTooManyEntries(this.#limits.entriesMax);
    const pending = this.#pending;
    this.#pending = {};
    const bodySize = pending.size ?? header.size;
    if (header.kind === 'label') {
      this.#skip(bodySize);
      return;
    }
    const given = pending.sparse?.path ?? pending.path;
    if (given === undefined && header.nameHidesBytes) throw archivePathUnsafe(header.name, 'holds a NUL');
    const name = given ?? header.name;
    const path = archivePath(name, this.#limits);

    const kind = header.kind === 'file' && name.endsWith('/') ? 'directory-with-body' : header.kind;
    switch (kind) {
      case 'directory':
        return;
      case 'directory-with-body':
        this.#openBody({ kind: 'ignored' }, known(bodySize));
        return;
      case 'special':
        this.skippedEntries += 1;
        return;
      case 'hard-link':
        this.#link(path, pending.linkPath ?? header.linkName);
        return;
      case 'file':
      case 'sparse-file':
        this.#openFile({ header, block, pending, path, name });
        return;
      default:
        this.#skip(bodySize);
    }
  }

  #skip(size: number | undefined): void {
    this.skippedEntries += 1;
    this.#openBody({ kind: 'ignored' }, known(size));
  }

  #openFile(entry: {
    readonly header: TarHeader;
    readonly block: Buffer;
    readonly pending: PaxOverrides;
    readonly path: string;
    readonly name: string;
  }): void {
    const { header, block, pending, path } = entry;
    const size = known(pending.size ?? header.size);
    if (path === '') throw archivePathUnsafe(entry.name, 'names no file');
    if (size > this.#limits.entryBytesMax) throw archiveEntryTooLarge(path, this.#limits.entryBytesMax);
    if (header.kind === 'sparse-file') {
      const map = readSparseHeader(block);
      if (map === undefined) throw archiveCorrupt('a sparse map has no numbers');
      const file = this.#sparseFile({ path, realSize: map.realSize, storedSize: size, regions: [...map.regions] });
      if (map.goesOn) this.#sparse = file;
      else this.#openSparse(file);
      return;
    }
    if (pending.sparse !== undefined) {
      const { realSize, regions, mapInBody = false } = pending.sparse;
      if (realSize === undefined) throw archiveCorrupt('a sparse file has no size');
      this.#openSparse(this.#sparseFile({ path, realSize, storedSize: size, regions, mapInBody }));
      return;
    }
    this.#openBody({ kind: 'file', path }, size);
  }

  #sparseFile(file: Omit<SparseFile, 'mapInBody'> & { readonly mapInBody?: boolean }): SparseFile {
    if (file.realSize > this.#limits.entryBytesMax) throw archiveEntryTooLarge(file.path, this.#limits.entryBytesMax);
    this.#count(Math.max(file.realSize - file.storedSize, 0));
    return { mapInBody: false, ...file };
  }

  #extendSparse(file: SparseFile, block: Buffer): void {
    const extension = readSparseExtension(block);
    if (extension === undefined) throw archiveCorrupt('a sparse map has no numbers');
    file.regions.push(...extension.regions);
    if (file.regions.length > this.#regionsMax())
      throw archiveCorrupt('a sparse map has more regions than its file has blocks');
    if (extension.goesOn) return;
    this.#sparse = undefined;
    this.#openSparse(file);
  }

  #openSparse(file: SparseFile): void {
    this.#openBody({ kind: 'sparse', file }, file.storedSize);
  }

  /** More than that many pieces of data no file has that the limit lets in. */
  #regionsMax(): number {
    return Math.ceil(this.#limits.entryBytesMax / blockBytes) + 1;
  }

  /** A second name for the bytes of an earlier member; a link to anything else leads nowhere in here. */
  #link(path: string, target: string): void {
    const bytes = this.files.get(memberOf(target, this.#limits) ?? '');
    if (bytes === undefined || path === '') {
      this.skippedEntries += 1;
      return;
    }
    this.#count(bytes.length);
    this.files.set(path, bytes);
  }

  #openBody(body: Body, size: number): void {
    // Told before it is read: nothing that the limit forbids is waited for.
    if (size > this.#limits.unpackedBytesMax) throw archiveUnpackedTooLarge(this.#limits.unpackedBytesMax);
    this.#body = body;
    this.#bodyBytes = size;
    this.#bodyBytesRead = 0;
    if (size === 0) this.#closeBody();
  }

  #closeBody(): void {
    const body = this.#body;
    const bytes = this.#bodyContent;
    this.#body = undefined;
    this.#bodyContent = noBytes;
    this.#paddingBytes = (blockBytes - (this.#bodyBytes % blockBytes)) % blockBytes;
    if (body === undefined) return;
    switch (body.kind) {
      case 'file':
        this.files.set(body.path, bytes);
        return;
      case 'sparse':
        this.files.set(body.file.path, expanded(body.file, bytes, this.#regionsMax()));
        return;
      case 'pax':
        applyPaxRecords(bytes, this.#pending);
        return;
      case 'long-path':
        this.#pending.path = longName(bytes);
        return;
      case 'long-link-path':
        this.#pending.linkPath = longName(bytes);
        return;
      case 'ignored':
        return;
    }
  }
}

function known(size: number | undefined): number {
  if (size === undefined) throw archiveCorrupt('a header has no size');
  return size;
}

/** Where a link's target lies in the archive; undefined for one that cannot name a member. */
function memberOf(target: string, limits: ArchiveLimits): string | undefined {
  try {
    return archivePath(target, limits);
  } catch {
    return undefined;
  }
}

/** The file with its holes, which are zeros. */
function expanded(file: SparseFile, body: Buffer, regionsMax: number): Buffer {
  let regions: readonly SparseRegion[] = file.regions;
  let at = 0;
  if (file.mapInBody) {
    const map = readSparseMap(body, regionsMax);
    regions = map.regions;
    at = Math.ceil(map.end / blockBytes) * blockBytes;
  }
  const bytes = Buffer.alloc(file.realSize);
  let end = 0;
  for (const region of regions) {
    if (region.offset < end || region.offset + region.bytes > file.realSize || at + region.bytes > body.length) {
      throw archiveCorrupt('a sparse map does not fit its file');
    }
    body.copy(bytes, region.offset, at, at + region.bytes);
    at += region.bytes;
    end = region.offset + region.bytes;
  }
  if (at !== body.length) throw archiveCorrupt('a sparse map does not fit its file');
  return bytes;
}

/** GNU's long name: text with a NUL at its end, or as many as fill it up. What hides behind them stays, and is refused as a part of the path. */
function longName(bytes: Buffer): string {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.toString('utf8', 0, end);
}

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (!part.equals(zeros.subarray(0, part.length))) return false;
  }
  return true;
}

/** Without `./`, doubled and trailing slashes; empty for the root itself. */
function archivePath(name: string, limits: Pick<ArchiveLimits, 'pathBytesMax' | 'pathDepthMax'>): string {
  const plainDepth = depthOfPlainPath(name);
  if (plainDepth !== undefined && name.length <= limits.pathBytesMax && plainDepth <= limits.pathDepthMax) return name;
  if (name.includes('\0')) throw archivePathUnsafe(name, 'holds a NUL');
  if (name.startsWith('/') || name.startsWith('\\')) throw archivePathUnsafe(name, 'is absolute');
  if (/^[A-Za-z]:/.test(name)) throw archivePathUnsafe(name, 'starts with a drive letter');
  if (name.split(/[/\\]/).includes('..')) throw archivePathUnsafe(name, 'leads out of the archive');
  if (Buffer.byteLength(name) > limits.pathBytesMax) {
    const text = `a path in the archive is longer than ${limits.pathBytesMax} bytes: ${shownPath(name)}`;
    throw archiveOverLimit('ARCHIVE_PATH_TOO_LONG', text);
  }

  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length - 1 > limits.pathDepthMax) {
    const text = `a path in the archive has more than ${limits.pathDepthMax} directories: ${shownPath(name)}`;
    throw archiveOverLimit('ARCHIVE_PATH_TOO_DEEP', text);
  }
  return parts.join('/');
}

/** Directories above a path of ASCII characters that is used as it is; undefined for any other, which is looked at part by part. */
function depthOfPlainPath(name: string): number | undefined {
  let depth = 0;
  let partBegin = 0;
  for (let at = 0; at < name.length; at += 1) {
    const character = name.charCodeAt(at);
    if (character === slash) {
      if (at === partBegin) return undefined;
      depth += 1;
      partBegin = at + 1;
    } else if (character === dot && at === partBegin) {
      return undefined;
    } else if (character === 0 || character > 0x7e || character === backslash || character === colon) {
      return undefined;
    }
  }
  return partBegin === name.length ? undefined : depth;
}

const slash = 0x2f;
const dot = 0x2e;
const backslash = 0x5c;
const colon = 0x3a;
