/** The body of a pax extended header: records `<length> <key>=<value>\n`, read by their lengths, since values may hold line ends. */
import { archiveCorrupt } from './archive-errors.ts';

export interface PaxOverrides {
  path?: string;
  size?: number;
  /** The body is a map of holes and not the file. */
  sparse?: boolean;
}

const space = 0x20;
const newline = 0x0a;
const equals = 0x3d;

/** Only what changes where and how the next entry is read; times, owners and attributes are of no use here. */
export function parsePaxRecords(bytes: Buffer): PaxOverrides {
  const overrides: PaxOverrides = {};
  let at = 0;
  while (at < bytes.length) {
    const blank = bytes.indexOf(space, at);
    const digits = blank === -1 ? '' : bytes.toString('latin1', at, blank);
    const length = /^[0-9]{1,9}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const separator = bytes.indexOf(equals, blank);
    if (end > bytes.length || bytes[end - 1] !== newline || separator < blank || separator >= end) {
      throw archiveCorrupt('an extended header cannot be read');
    }
    const key = bytes.toString('utf8', blank + 1, separator);
    apply(overrides, key, bytes.subarray(separator + 1, end - 1));
    at = end;
  }
  return overrides;
}

function apply(overrides: PaxOverrides, key: string, value: Buffer): void {
  if (key === 'path') overrides.path = value.toString('utf8');
  else if (key.startsWith('GNU.sparse.')) overrides.sparse = true;
  else if (key === 'size') {
    const text = value.toString('latin1');
    const size = Number(text);
    if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(size)) {
      throw archiveCorrupt('an extended header has a wrong size');
    }
    overrides.size = size;
  }
}
