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
  const field = block.subarray(0, 100);
  const end = field.indexOf(0);
  const prefix = readPrefix(block);
  return {
    kind: kinds[String.fromCharCode(block[156]!)] ?? 'file',
    name: prefix === '' ? text(field) : `${prefix}/${text(field)}`,
    nameHidesBytes: end !== -1 && field.subarray(end).some((byte) => byte !== 0),
    size: readNumber(block.subarray(124, 136)),
    linkName: text(block.subarray(157, 257)),
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
  const realSize = readNumber(block.subarray(483, 495));
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
    const offset = readNumber(block.subarray(at, at + 12));
    const bytes = readNumber(block.subarray(at + 12, at + regionBytes));
    if (offset === undefined || bytes === undefined) return undefined;
    regions.push({ offset, bytes });
  }
  return regions;
}

/** Only POSIX headers have one; GNU's keep times in its place. `star` keeps two times behind a shorter one. */
function readPrefix(block: Buffer): string {
  if (block.toString('latin1', 257, 263) !== 'ustar\0') return '';
  const isStar = block.toString('latin1', 508, 512) === 'tar\0';
  return text(block.subarray(345, isStar ? 476 : 500));
}

function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? field.length : end);
}

/** Octal digits between blanks and NULs, nothing at all for 0, or GNU's binary form. Undefined for anything else, and below zero. */
function readNumber(field: Buffer): number | undefined {
  if (field[0]! >= 0x80) {
    if (field[0] !== 0x80) return undefined;
    return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
  }
  const digits = field
    .toString('latin1')
    .replace(/^[ \0]+/, '')
    .replace(/[ \0][\s\S]*$/, '');
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function hasChecksum(block: Buffer): boolean {
  const stored = readNumber(block.subarray(148, 156));
  let unsigned = 8 * 0x20;
  let signed = unsigned;
  for (let at = 0; at < blockBytes; at += 1) {
    if (at === 148) at = 156;
    const byte = block[at]!;
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  return stored === unsigned || stored === signed;
}
