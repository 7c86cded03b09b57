/**
 * What facts see of an archive: files by path, directories by prefix, JSON parsed at most once and only when asked for. Made by
 * `evaluateArchive` for one archive and thrown away with it. Opening and bounding the archive is platform/archive's business.
 *
 * Everything in it is hostile: a file that is not JSON, nests too deep, is over the budget or is not there is `undefined` to every reader,
 * never an error. What a file can cost is bounded before it is parsed, so that no archive can make the parser itself cost much time or memory.
 */
import type { JsonObject, JsonValue } from '../../encoding/json-text.ts';

/** Objects of a cluster nest a dozen levels; a custom resource may nest some tens. More is an attempt to exhaust the stack. */
export const jsonDepthMax = 200;
/**
 * JSON is parsed up to these sizes; what is over them is a broken file of its archive. The operator itself drops what exceeds 24 MiB
 * unpacked (ingress.md B.3.2), and a cluster of 500 nodes has 5 MiB in the files that rules ask for.
 */
export const jsonArchiveBytesMax = 24 * 1024 * 1024;
/** The largest genuine JSON files, alerts of a cluster on which much is wrong, have a few MiB. */
export const jsonFileBytesMax = 8 * 1024 * 1024;
/**
 * Values and member names: what parsing costs in time (about 0.4 s for so many) and memory (about 150 MiB). Genuine files hold 60 of them
 * per KiB, a node about 290, so this is what 2 500 nodes have.
 */
export const jsonArchiveValuesMax = 800_000;
/** One file: some 6 000 alerts. */
export const jsonFileValuesMax = 400_000;
/** Lines that are taken of a text file, and the longest of them: a cluster of 500 nodes has some thousand series of a family. */
export const textLinesMax = 10_000;
export const textLineBytesMax = 16 * 1024;
/** Broken files that are listed by name; the rest are only counted, so that a hostile archive cannot fill a log. */
export const brokenFilesListedMax = 100;

export interface BrokenFile {
  readonly path: string;
  readonly reason:
    | 'not JSON'
    | 'too deep'
    | 'too many bytes'
    | 'too many values'
    /** Files of this archive that were parsed before it have used up what may be parsed of one archive. */
    | 'over the budget of its archive'
    /** It is JSON, but not of the resource that belongs at that path. */
    | 'not what belongs there';
}

/** Whether a file was not parsed for its size, rather than for what it is. */
export function isOverBudget(reason: BrokenFile['reason']): boolean {
  return reason === 'too many bytes' || reason === 'too many values' || reason === 'over the budget of its archive';
}

export interface ArchiveView {
  has(path: string): boolean;
  /** Paths below a directory at any depth, in code-unit order; `directory` has no trailing slash. */
  below(directory: string): readonly string[];
  /** Paths of the `.json` files directly in a directory, in order. */
  jsonFilesIn(directory: string): readonly string[];
  /** The file as it is, to be searched; what it is read for is said in `facts/logs.ts`. */
  bytes(path: string): Buffer | undefined;
  /** UTF-8 text; invalid bytes become U+FFFD. */
  text(path: string): string | undefined;
  /**
   * The lines of a file that begin with a text of ASCII, in order and without their ends: the first `textLinesMax`, and none that is longer
   * than `textLineBytesMax`. Costs one search through the bytes, however many other lines there are.
   */
  linesBeginning(path: string, beginning: string): readonly string[];
  /** The parsed file, or undefined when it is absent or broken. The same value every time: read, never changed. */
  json(path: string): JsonValue | undefined;
  /** Called by whoever finds that a file is not of the resource that belongs at its path; from then on it is a broken file. */
  reject(path: string): void;
  /** Files that were asked for as JSON and are broken, in the order of asking, the first hundred. */
  broken(): readonly BrokenFile[];
}

export function createArchiveView(files: ReadonlyMap<string, Buffer>): ArchiveView {
  const parsed = new Map<string, JsonValue | undefined>();
  const brokenFiles: BrokenFile[] = [];
  const budget = new JsonBudget();
  let sorted: readonly string[] | undefined;
  const noteBroken = (path: string, reason: BrokenFile['reason']) => {
    if (brokenFiles.length < brokenFilesListedMax) brokenFiles.push({ path, reason });
  };
  const below = (directory: string) => {
    sorted ??= [...files.keys()].sort();
    const all = sorted;
    // `0` is the code unit after `/`, so the range holds exactly what starts with the directory and a slash.
    return all.slice(lowerBound(all, `${directory}/`), lowerBound(all, `${directory}0`));
  };
  const text = (path: string) => files.get(path)?.toString('utf8');

  return {
    has: (path) => files.has(path),
    below,
    jsonFilesIn: (directory) =>
      below(directory).filter((path) => path.endsWith('.json') && path.indexOf('/', directory.length + 1) === -1),
    bytes: (path) => files.get(path),
    text,
    linesBeginning: (path, beginning) => linesBeginning(files.get(path) ?? Buffer.alloc(0), beginning),
    json(path) {
      if (parsed.has(path)) return parsed.get(path);
      const bytes = files.get(path);
      const result = bytes === undefined ? undefined : parseJson(bytes, budget);
      if (result?.broken !== undefined) noteBroken(path, result.broken);
      parsed.set(path, result?.value);
      return result?.value;
    },
    reject(path) {
      if (parsed.get(path) === undefined) return;
      parsed.set(path, undefined);
      noteBroken(path, 'not what belongs there');
    },
    broken: () => brokenFiles,
  };
}

const lineFeed = 0x0a;

function linesBeginning(bytes: Buffer, beginning: string): string[] {
  const lines: string[] = [];
  const afterLineFeed = Buffer.from(`\n${beginning}`, 'latin1');
  const next = (from: number) => bytes.indexOf(afterLineFeed, from) + 1;
  const isFirst = bytes.toString('latin1', 0, beginning.length) === beginning;
  // A line that begins at 0 is the first of the file; `next` answers 0 when there is none left.
  for (let start = isFirst ? 0 : next(0) || -1; start !== -1 && lines.length < textLinesMax; ) {
    const lineEnd = bytes.indexOf(lineFeed, start);
    const end = lineEnd === -1 ? bytes.length : lineEnd;
    if (end - start <= textLineBytesMax) lines.push(bytes.toString('utf8', start, end));
    start = next(end) || -1;
  }
  return lines;
}

interface ParsedJson {
  readonly value?: JsonValue;
  readonly broken?: BrokenFile['reason'];
}

/** What may still be parsed of an archive. */
class JsonBudget {
  #bytes = jsonArchiveBytesMax;
  /** As far as they are counted. */
  #values = jsonArchiveValuesMax;
  /** Files whose values are not: together they have no more of them than bytes, and one each. */
  readonly #uncounted: Buffer[] = [];
  #uncountedMax = 0;

  /** Takes what the file costs; undefined when it may be parsed. */
  refusal(bytes: Buffer): BrokenFile['reason'] | undefined {
    if (bytes.length > jsonFileBytesMax) return 'too many bytes';
    if (bytes.length > this.#bytes) return 'over the budget of its archive';
    this.#bytes -= bytes.length;
    // Counting takes as long as parsing; ordinary archives are so far below the bounds that nothing has to be counted.
    const most = bytes.length + 1;
    if (most <= jsonFileValuesMax && this.#uncountedMax + most <= this.#values) {
      this.#uncounted.push(bytes);
      this.#uncountedMax += most;
      return undefined;
    }
    this.#count();
    const valuesMax = Math.min(jsonFileValuesMax, this.#values);
    const measured = measureJson(bytes, jsonDepthMax, valuesMax);
    if (measured === 'too deep') return measured;
    if (measured === 'too many values') {
      return valuesMax < jsonFileValuesMax ? 'over the budget of its archive' : measured;
    }
    this.#values -= measured;
    return undefined;
  }

  /** A file that was refused after all takes none of the values. */
  #count(): void {
    for (const bytes of this.#uncounted) {
      const measured = measureJson(bytes, jsonDepthMax, jsonFileValuesMax);
      if (typeof measured === 'number') this.#values -= measured;
    }
    this.#uncounted.length = 0;
    this.#uncountedMax = 0;
  }
}

/**
 * The parser itself copes with any depth, but what walks or prints the value afterwards does not. A member named `__proto__` becomes an own
 * property like any other; readers go through `field`, which looks at own properties only.
 */
function parseJson(bytes: Buffer, budget: JsonBudget): ParsedJson {
  const broken = budget.refusal(bytes);
  if (broken !== undefined) return { broken };
  let value: JsonValue;
  try {
    value = JSON.parse(bytes.toString('utf8')) as JsonValue;
  } catch {
    return { broken: 'not JSON' };
  }
  return isWithinDepth(value, jsonDepthMax) ? { value } : { broken: 'too deep' };
}

/** The value alone is no level; each array or object around it is one. */
function isWithinDepth(value: JsonValue, depthMax: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depthMax === 0) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!isWithinDepth(item, depthMax - 1)) return false;
    return true;
  }
  const members = value as JsonObject;
  // Own ones only, as the parser makes objects; quicker than a list of the values.
  for (const name in members) if (!isWithinDepth(members[name]!, depthMax - 1)) return false;
  return true;
}

/** How many values and member names the text holds if it is JSON: one, and one more at each opening bracket, comma and colon. */
function measureJson(bytes: Buffer, depthMax: number, valuesMax: number): number | 'too deep' | 'too many values' {
  let values = 1;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (inString) {
      if (byte === 0x5c) at += 1;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) {
      inString = true;
    } else if (byte === 0x2c || byte === 0x3a) {
      values += 1;
      if (values > valuesMax) return 'too many values';
    } else if (byte === 0x7b || byte === 0x5b) {
      values += 1;
      if (values > valuesMax) return 'too many values';
      depth += 1;
      if (depth > depthMax) return 'too deep';
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
    }
  }
  return values;
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
