/**
 * One block of 512 bytes → what a reader of files needs of a tar header: name, size, type, the target of a link, and where a sparse file
 * has its data. Modes, owners and times are not looked at, so that no value of theirs can cost an archive. Layouts: v7, ustar, star and
 * GNU, as GNU tar, Go's archive/tar and Python's tarfile read them.
 */

export const blockBytes = 512;

type TarEntryKind =
  /** A directory after all where its whole name, which an extended header may give, ends in a slash: v7 has no other. */
  | 'file'
  | 'sparse-file'
  | 'hard-link'
  | 'directory'
  /** GNU's, with a list of its files as its body. */
  | 'directory-with-body'
  | 'pax-header'
  | 'global-pax-header'
  | 'long-path'
  | 'long-link-path'
  /** The name is no path: a label, or a list of renamed files. */
  | 'label'
  /** Has no body, whatever its size says: symbolic links, devices, FIFOs. */
  | 'special'
  /** Has a body that is no file: what goes on from another volume, access lists, inodes. */
  | 'other';

export interface TarHeader {
  readonly kind: TarEntryKind;
  readonly name: string;
  /** Something stands behind the NUL that ends the name. */
  readonly nameHidesBytes: boolean;
  /** Bytes of the body; undefined where the field holds no number. A number that is not safe is still larger than any limit. */
  readonly size: number | undefined;
  /** Of a hard link; else empty. */
  readonly linkName: string;
}

/** One piece of data of a sparse file; between them lie holes. */
export interface SparseRegion {
  readonly offset: number;
  readonly bytes: number;
}

interface SparseHeader {
  readonly regions: readonly SparseRegion[];
  /** Another block with regions follows. */
  readonly goesOn: boolean;
}

/** `undefined`: the block is no header, its checksum says. The sum may have been made of signed bytes, as some old programs do. */
export function readTarHeader(block: Buffer): TarHeader | undefined {
  if (!hasChecksum(block)) return undefined;
  const kind = kinds[String.fromCharCode(block[156]!)] ?? 'file';
  const nameEnd = textEnd(block, 0, 100);
  const name = block.toString('utf8', 0, nameEnd);
  const prefix = readPrefix(block);
  return {
    kind,
    name: prefix === '' ? name : `${prefix}/${name}`,
    nameHidesBytes: hasBytes(block, nameEnd, 100),
    size: readNumber(block, 124, 136),
    linkName: kind === 'hard-link' ? text(block, 157, 257) : '',
  };
}

/** By its type; everything else is a file, `0`, `7` and NUL as well as what no reader knows, which POSIX says is one. */
const kinds: Readonly<Record<string, TarEntryKind>> = {
  1: 'hard-link',
  2: 'special',
  3: 'special',
  4: 'special',
  5: 'directory',
  6: 'special',
  A: 'other',
  D: 'directory-with-body',
  E: 'other',
  g: 'global-pax-header',
  I: 'other',
  K: 'long-link-path',
  L: 'long-path',
  M: 'other',
  N: 'label',
  S: 'sparse-file',
  V: 'label',
  x: 'pax-header',
  X: 'pax-header',
};

/** Of a `sparse-file`: its size with the holes, and its first regions. Undefined where a field holds no number. */
export function readSparseHeader(block: Buffer): (SparseHeader & { readonly realSize: number }) | undefined {
  const realSize = readNumber(block, 483, 495);
  const regions = readRegions(block, 386, 4);
  if (realSize === undefined || regions === undefined) return undefined;
  return { realSize, regions, goesOn: block[482] !== 0 };
}

/** A block with more regions. */
export function readSparseExtension(block: Buffer): SparseHeader | undefined {
  const regions = readRegions(block, 0, 21);
  return regions === undefined ? undefined : { regions, goesOn: block[504] !== 0 };
}

const regionBytes = 24;

/** The first region without an offset ends the list. */
function readRegions(block: Buffer, start: number, count: number): readonly SparseRegion[] | undefined {
  const regions: SparseRegion[] = [];
  for (let at = start; at < start + count * regionBytes && block[at] !== 0; at += regionBytes) {
    const offset = readNumber(block, at, at + 12);
    const bytes = readNumber(block, at + 12, at + regionBytes);
    if (offset === undefined || bytes === undefined) return undefined;
    regions.push({ offset, bytes });
  }
  return regions;
}

/** Only POSIX headers have one; GNU's keep times in its place. `star` keeps two times behind a shorter one. */
function readPrefix(block: Buffer): string {
  if (block[345] === 0 || !startsAt(block, 257, posixMagic)) return '';
  return text(block, 345, startsAt(block, 508, starMagic) ? 476 : 500);
}

const posixMagic = Buffer.from('ustar\0', 'latin1');
const starMagic = Buffer.from('tar\0', 'latin1');

function startsAt(block: Buffer, start: number, bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += 1) if (block[start + at] !== bytes[at]) return false;
  return true;
}

function text(block: Buffer, start: number, end: number): string {
  return block.toString('utf8', start, textEnd(block, start, end));
}

/** Where the first NUL is, or the end of the field. */
function textEnd(block: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && block[at] !== 0) at += 1;
  return at;
}

function hasBytes(block: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (block[at] !== 0) return true;
  return false;
}

/** Octal digits between blanks and NULs, nothing at all for 0, or GNU's binary form. Undefined for anything else, and below zero. */
function readNumber(block: Buffer, start: number, end: number): number | undefined {
  let value = 0;
  let at = start;
  if (block[at]! >= 0x80) {
    if (block[at] !== 0x80) return undefined;
    for (at += 1; at < end; at += 1) value = value * 256 + block[at]!;
    return value;
  }
  while (at < end && isBlank(block[at]!)) at += 1;
  for (; at < end && !isBlank(block[at]!); at += 1) {
    const digit = block[at]! - 0x30;
    if (digit < 0 || digit > 7) return undefined;
    value = value * 8 + digit;
  }
  return value;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0;
}

function hasChecksum(block: Buffer): boolean {
  const stored = readNumber(block, 148, 156);
  let sum = 0;
  // Four at a time: this is half of what reading a header costs.
  for (let at = 0; at < blockBytes; at += 4) sum += block[at]! + block[at + 1]! + block[at + 2]! + block[at + 3]!;
  // The field itself counts as blanks.
  for (let at = 148; at < 156; at += 1) sum += 0x20 - block[at]!;
  if (stored === sum) return true;
  let signed = sum;
  for (let at = 0; at < blockBytes; at += 1) if (block[at]! >= 0x80 && (at < 148 || at >= 156)) signed -= 0x100;
  return stored === signed;
}
