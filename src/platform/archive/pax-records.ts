/** The body of a pax extended header: records `<length> <key>=<value>\n`, read by their lengths, since values may hold line ends. */
import { archiveCorrupt } from './archive-errors.ts';
import type { SparseRegion } from './tar-header.ts';

/** What changes where and how the next entry is read. An empty value takes an override back. */
export interface PaxOverrides {
  path?: string | undefined;
  linkPath?: string | undefined;
  size?: number | undefined;
  sparse?: PaxSparse;
}

/** GNU's sparse files in pax headers: formats 0.0 and 0.1 bring the map here, 1.0 at the begin of the body. */
interface PaxSparse {
  path?: string;
  realSize?: number;
  mapInBody?: boolean;
  regions: SparseRegion[];
  /** Of format 0.0: the offset whose length comes in the next record. */
  offset?: number;
}

const space = 0x20;
const newline = 0x0a;
const equals = 0x3d;
const sparsePrefix = 'GNU.sparse.';

/** Adds to what earlier extended headers of the same entry said. Times, owners and attributes are of no use here. */
export function applyPaxRecords(bytes: Buffer, overrides: PaxOverrides): void {
  let at = 0;
  // Some programs fill the body up with NULs; GNU tar and Python stop at the first one, too.
  while (at < bytes.length && bytes[at] !== 0) {
    const blank = bytes.indexOf(space, at);
    const digits = blank === -1 ? '' : bytes.toString('latin1', at, blank);
    const length = /^[0-9]{1,9}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const separator = length === 0 ? -1 : bytes.indexOf(equals, blank);
    if (separator === -1 || separator >= end || end > bytes.length || bytes[end - 1] !== newline) {
      throw archiveCorrupt('an extended header cannot be read');
    }
    const key = bytes.toString('utf8', blank + 1, separator);
    apply(overrides, key, bytes.subarray(separator + 1, end - 1));
    at = end;
  }
}

function apply(overrides: PaxOverrides, key: string, value: Buffer): void {
  const text = value.toString('utf8');
  switch (key) {
    case 'path':
      overrides.path = text === '' ? undefined : text;
      return;
    case 'linkpath':
      overrides.linkPath = text === '' ? undefined : text;
      return;
    case 'size':
      overrides.size = text === '' ? undefined : paxNumber(text);
      return;
    default:
      if (!key.startsWith(sparsePrefix)) return;
      overrides.sparse ??= { regions: [] };
      applySparse(overrides.sparse, key.slice(sparsePrefix.length), text);
  }
}

function applySparse(sparse: PaxSparse, key: string, text: string): void {
  switch (key) {
    case 'name':
      sparse.path = text;
      return;
    case 'size':
    case 'realsize':
      sparse.realSize = paxNumber(text);
      return;
    case 'major':
      sparse.mapInBody = paxNumber(text) === 1;
      return;
    case 'offset':
      sparse.offset = paxNumber(text);
      return;
    case 'numbytes':
      if (sparse.offset === undefined) throw archiveCorrupt('a sparse map has a length without an offset');
      sparse.regions.push({ offset: sparse.offset, bytes: paxNumber(text) });
      delete sparse.offset;
      return;
    case 'map':
      sparse.regions = pairs(text === '' ? [] : text.split(',').map(paxNumber));
      return;
  }
}

/** The map at the begin of a body of format 1.0: decimal numbers, a line each, the first of them the count of regions. */
export function readSparseMap(
  body: Buffer,
  regionsMax: number,
): { readonly regions: SparseRegion[]; readonly end: number } {
  let at = 0;
  const next = () => {
    const end = body.indexOf(newline, at);
    if (end === -1) throw archiveCorrupt('a sparse map ends too early');
    const value = paxNumber(body.toString('latin1', at, end));
    at = end + 1;
    return value;
  };
  const count = next();
  if (count > regionsMax) throw archiveCorrupt('a sparse map has more regions than its file has blocks');
  const numbers: number[] = [];
  for (let n = 0; n < 2 * count; n += 1) numbers.push(next());
  return { regions: pairs(numbers), end: at };
}

function pairs(numbers: readonly number[]): SparseRegion[] {
  if (numbers.length % 2 !== 0) throw archiveCorrupt('a sparse map has an offset without a length');
  const regions: SparseRegion[] = [];
  for (let at = 0; at < numbers.length; at += 2) regions.push({ offset: numbers[at]!, bytes: numbers[at + 1]! });
  return regions;
}

function paxNumber(text: string): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value)) {
    throw archiveCorrupt('an extended header has a wrong size');
  }
  return value;
}
