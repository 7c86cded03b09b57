/**
 * What facts see of an archive: files by path, directories by prefix, JSON parsed at most once and only when asked for. Made by
 * `evaluateArchive` for one archive and thrown away with it. Opening and bounding the archive is platform/archive's business.
 *
 * Everything in it is hostile: a file that is not JSON, nests too deep or is not there is `undefined` to every reader, never an error.
 */
import type { JsonValue } from '../../contracts/json.ts';
import { brokenFilesListedMax, jsonDepthMax } from './limits.ts';

export interface BrokenFile {
  readonly path: string;
  readonly reason: 'too deep' | 'not JSON';
}

export interface ArchiveView {
  has(path: string): boolean;
  /** Every path in code-unit order. */
  paths(): readonly string[];
  /** Paths below a directory at any depth, in order; `directory` has no trailing slash. */
  below(directory: string): readonly string[];
  /** Paths of the `.json` files directly in a directory, in order. */
  jsonFilesIn(directory: string): readonly string[];
  /** UTF-8 text; invalid bytes become U+FFFD. */
  text(path: string): string | undefined;
  /** The parsed file, or undefined when it is absent or broken. The same value every time: read, never changed. */
  json(path: string): JsonValue | undefined;
  /** Files that were asked for as JSON and are none, in the order of asking, the first hundred. */
  broken(): readonly BrokenFile[];
}

export function createArchiveView(files: ReadonlyMap<string, Buffer>): ArchiveView {
  const parsed = new Map<string, JsonValue | undefined>();
  const brokenFiles: BrokenFile[] = [];
  let sorted: readonly string[] | undefined;
  const paths = () => {
    sorted ??= [...files.keys()].sort();
    return sorted;
  };
  const below = (directory: string) => {
    const all = paths();
    // `0` is the code unit after `/`, so the range holds exactly what starts with the directory and a slash.
    return all.slice(lowerBound(all, `${directory}/`), lowerBound(all, `${directory}0`));
  };
  const text = (path: string) => files.get(path)?.toString('utf8');

  return {
    has: (path) => files.has(path),
    paths,
    below,
    jsonFilesIn: (directory) =>
      below(directory).filter((path) => path.endsWith('.json') && path.indexOf('/', directory.length + 1) === -1),
    text,
    json(path) {
      if (parsed.has(path)) return parsed.get(path);
      const bytes = files.get(path);
      const result = bytes === undefined ? undefined : parseJson(bytes);
      if (result?.broken !== undefined && brokenFiles.length < brokenFilesListedMax) {
        brokenFiles.push({ path, reason: result.broken });
      }
      parsed.set(path, result?.value);
      return result?.value;
    },
    broken: () => brokenFiles,
  };
}

interface ParseResult {
  readonly value?: JsonValue;
  readonly broken?: BrokenFile['reason'];
}

/**
 * The depth is counted before parsing: the parser itself copes with any depth, but what walks or prints the value afterwards does not.
 * A member named `__proto__` becomes an own property like any other; readers go through `field`, which looks at own properties only.
 */
function parseJson(bytes: Buffer): ParseResult {
  if (nestsDeeperThan(bytes, jsonDepthMax)) return { broken: 'too deep' };
  try {
    return { value: JSON.parse(bytes.toString('utf8')) as JsonValue };
  } catch {
    return { broken: 'not JSON' };
  }
}

function nestsDeeperThan(bytes: Buffer, depthMax: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (inString) {
      if (byte === 0x5c) at += 1;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) {
      inString = true;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > depthMax) return true;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
    }
  }
  return false;
}

/** Index of the first path that is not before `wanted`. */
function lowerBound(paths: readonly string[], wanted: string): number {
  let low = 0;
  let high = paths.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (paths[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
