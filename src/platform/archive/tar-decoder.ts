/**
 * The frames of a tar stream → its regular files, under limits. Fed by `open-archive.ts`, chunk by chunk; single headers are decoded by
 * node-tar's `Header`.
 *
 * Framing is ours and not node-tar's `Parser` for two reasons: the parser looks for gzip once more inside of what it is given and unpacks
 * that beyond our limits, and it gathers whatever follows the end mark in one buffer that it copies with every chunk, so 64 MiB of zeros
 * cost it seconds.
 */
import { Header } from 'tar';
import type { ArchiveLimits } from './archive.ts';
import {
  archiveCorrupt,
  archiveEntryTooLarge,
  archiveHeaderTooLarge,
  archiveNotTar,
  archivePathUnsafe,
  archiveTooManyEntries,
  archiveTrailingData,
  archiveTruncated,
  archiveUnpackedTooLarge,
} from './archive-errors.ts';
import { archivePath } from './archive-path.ts';
import { extendedHeaderBytesMax } from './limits.ts';
import { parsePaxRecords } from './pax-records.ts';

const blockBytes = 512;
const zeros = Buffer.alloc(64 * 1024);

/** Types that have no body, whatever their size field says (Go's archive/tar reads them so, too). */
const headerOnlyTypes = new Set(['Link', 'SymbolicLink', 'CharacterDevice', 'BlockDevice', 'Directory', 'FIFO']);
const fileTypes = new Set(['File', 'OldFile', 'ContiguousFile']);

/** Applies to the next entry that is no extended header. */
interface PendingOverrides {
  path?: string;
  size?: number;
  sparse?: boolean;
}

/** What is done with the body that is being read. */
type Body =
  | { readonly kind: 'file'; readonly path: string; readonly bytes: Buffer }
  | { readonly kind: 'pax' | 'long-path'; readonly bytes: Buffer }
  | { readonly kind: 'ignored' };

export class TarDecoder {
  readonly files = new Map<string, Buffer>();
  entries = 0;
  skippedEntries = 0;
  duplicateEntries = 0;
  unpackedBytes = 0;

  readonly #limits: ArchiveLimits;
  readonly #partialHeader = Buffer.alloc(blockBytes);
  #partialHeaderBytes = 0;
  #extendedHeaders = 0;
  #pending: PendingOverrides = {};
  #body: Body | undefined;
  #bodyBytes = 0;
  #bodyBytesRead = 0;
  #paddingBytes = 0;
  #zeroBlocks = 0;

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  push(chunk: Buffer): void {
    this.unpackedBytes += chunk.length;
    if (this.unpackedBytes > this.#limits.unpackedBytesMax) {
      throw archiveUnpackedTooLarge(this.#limits.unpackedBytesMax);
    }
    let at = 0;
    while (at < chunk.length) {
      if (this.#zeroBlocks >= 2) {
        if (!isZero(chunk.subarray(at))) throw archiveTrailingData();
        return;
      }
      if (this.#body !== undefined) at += this.#readBody(chunk, at);
      else if (this.#paddingBytes > 0) at += this.#skipPadding(chunk, at);
      else at += this.#readHeader(chunk, at);
    }
  }

  /** Call when no more chunks come. */
  end(): void {
    if (this.#body !== undefined) throw archiveTruncated('in the middle of a file');
    if (this.#partialHeaderBytes > 0) {
      throw this.#sawHeader() ? archiveTruncated('in the middle of a header') : archiveNotTar();
    }
    if (this.#paddingBytes > 0) throw archiveTruncated('behind a file');
    // GNU tar takes a file without an end mark; a plain tar that was cut between two entries looks the same, so we do not.
    if (this.#zeroBlocks === 0) throw archiveTruncated('it has no end mark');
  }

  #sawHeader(): boolean {
    return this.entries + this.#extendedHeaders > 0;
  }

  #readHeader(chunk: Buffer, at: number): number {
    const available = chunk.length - at;
    if (this.#partialHeaderBytes === 0 && available >= blockBytes) {
      this.#openEntry(chunk.subarray(at, at + blockBytes));
      return blockBytes;
    }
    const taken = Math.min(blockBytes - this.#partialHeaderBytes, available);
    chunk.copy(this.#partialHeader, this.#partialHeaderBytes, at, at + taken);
    this.#partialHeaderBytes += taken;
    if (this.#partialHeaderBytes === blockBytes) {
      this.#partialHeaderBytes = 0;
      this.#openEntry(this.#partialHeader);
    }
    return taken;
  }

  #readBody(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#bodyBytes - this.#bodyBytesRead, chunk.length - at);
    if (this.#body !== undefined && this.#body.kind !== 'ignored') {
      chunk.copy(this.#body.bytes, this.#bodyBytesRead, at, at + taken);
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
    const header = decodeHeader(block, this.#sawHeader());
    if (header.nullBlock) {
      this.#zeroBlocks += 1;
      return;
    }
    if (this.#zeroBlocks > 0) throw archiveTrailingData();
    if (!header.cksumValid) {
      throw this.#sawHeader() ? archiveCorrupt('a header has a wrong checksum') : archiveNotTar();
    }
    switch (header.type) {
      case 'ExtendedHeader':
      case 'OldExtendedHeader':
        this.#openExtendedHeader('pax', header);
        return;
      case 'NextFileHasLongPath':
      case 'OldGnuLongPath':
        this.#openExtendedHeader('long-path', header);
        return;
      case 'NextFileHasLongLinkpath':
      case 'GlobalExtendedHeader':
        this.#openExtendedHeader('ignored', header);
        return;
      default:
        this.#openOrdinaryEntry(header, block);
    }
  }

  #openExtendedHeader(kind: 'pax' | 'long-path' | 'ignored', header: Header): void {
    this.#extendedHeaders += 1;
    // Every entry may have its own, so they are held to the same number; endless ones would otherwise cost time.
    if (this.#extendedHeaders > this.#limits.entriesMax) throw archiveTooManyEntries(this.#limits.entriesMax);
    const size = header.size ?? 0;
    if (size > extendedHeaderBytesMax) throw archiveHeaderTooLarge(extendedHeaderBytesMax);
    this.#openBody(kind === 'ignored' ? { kind } : { kind, bytes: Buffer.alloc(size) }, size);
  }

  #openOrdinaryEntry(header: Header, block: Buffer): void {
    this.entries += 1;
    if (this.entries > this.#limits.entriesMax) throw archiveTooManyEntries(this.#limits.entriesMax);
    const pending = this.#pending;
    this.#pending = {};
    const name = pending.path ?? fixedName(header, block);
    const path = archivePath(name, this.#limits);
    const type = header.type;
    const isDirectory = type === 'Directory' || (fileTypes.has(type) && name.endsWith('/'));
    const size = headerOnlyTypes.has(type) ? 0 : (pending.size ?? header.size);
    if (size === undefined) throw archiveCorrupt('a header has no size');

    if (isDirectory || !fileTypes.has(type) || pending.sparse === true) {
      if (!isDirectory) this.skippedEntries += 1;
      this.#openBody({ kind: 'ignored' }, size);
      return;
    }
    if (path === '') throw archivePathUnsafe(name, 'names no file');
    if (size > this.#limits.entryBytesMax) throw archiveEntryTooLarge(path, this.#limits.entryBytesMax);
    this.#openBody({ kind: 'file', path, bytes: Buffer.allocUnsafeSlow(size) }, size);
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
    this.#body = undefined;
    this.#paddingBytes = (blockBytes - (this.#bodyBytes % blockBytes)) % blockBytes;
    if (body === undefined) return;
    switch (body.kind) {
      case 'file':
        if (this.files.has(body.path)) this.duplicateEntries += 1;
        this.files.set(body.path, body.bytes);
        return;
      case 'pax':
        Object.assign(this.#pending, parsePaxRecords(body.bytes));
        return;
      case 'long-path':
        this.#pending.path = longPath(body.bytes);
        return;
      case 'ignored':
        return;
    }
  }
}

/** `isTar`: headers came before, so that a block that is none means damage and not another format. */
function decodeHeader(block: Buffer, isTar: boolean): Header {
  try {
    return new Header(block);
  } catch (cause) {
    throw isTar ? archiveCorrupt('a header cannot be read', cause) : archiveNotTar(cause);
  }
}

/** Name and prefix of the header itself. node-tar ends them at the first NUL; what hides behind it is refused. */
function fixedName(header: Header, block: Buffer): string {
  const name = block.subarray(0, 100);
  const end = name.indexOf(0);
  if (end !== -1 && !isZero(name.subarray(end))) throw archivePathUnsafe(name.toString('utf8'), 'holds a NUL');
  return header.path ?? '';
}

/** GNU's long name: text with a NUL at its end. */
function longPath(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.endsWith('\0') ? text.slice(0, -1) : text;
}

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (!part.equals(zeros.subarray(0, part.length))) return false;
  }
  return true;
}
