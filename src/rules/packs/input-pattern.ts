/**
 * Path patterns of inputs. The archive is open and its paths are in order by then, so a pattern looks only at those below the folder that it
 * begins with; a file is parsed once for however many rules it is an input of.
 */

/** Of one pattern; the deepest genuine path has nine segments. */
const segmentsMax = 16;
const patternCharactersMax = 300;

/** A pattern without `*` names one file, whose content the input is; any other stands for a list of files. */
export function isListPattern(pattern: string): boolean {
  return pattern.includes('*');
}

/** What is wrong with a pattern, and what to write instead; undefined when nothing is. */
export function patternFault(pattern: string): { readonly problem: string; readonly remedy: string } | undefined {
  const segments = pattern.split('/');
  if (pattern.length > patternCharactersMax || segments.length > segmentsMax) {
    return { problem: 'this path is too long', remedy: 'Write a path as it stands in an archive' };
  }
  if (pattern.startsWith('/') || segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    const remedy = 'Write it from the root of the archive, for example config/version.json';
    return { problem: `"${pattern}" is no path of an archive`, remedy };
  }
  if (pattern.includes('**') || /[?[\]{}\\]/.test(pattern)) {
    return { problem: 'a path pattern knows "*" only', remedy: 'Write "*" for what stands between two slashes' };
  }
  if (segments[0]!.includes('*')) {
    return { problem: 'a path pattern begins with a folder', remedy: 'Write its name, for example config/' };
  }
  if (!pattern.endsWith('.json')) {
    return { problem: 'an input is a JSON file', remedy: 'Let the path end in .json; other files are not parsed' };
  }
  return undefined;
}

/** A pattern, ready to be looked for. */
export interface InputPattern {
  /** What of the pattern stands before its first `*`: every path that fits lies below. */
  readonly directory: string;
  fits(path: string): boolean;
}

export function compilePattern(pattern: string): InputPattern {
  const segments = pattern.split('/');
  const firstWild = segments.findIndex((segment) => segment.includes('*'));
  const wild = segments.slice(firstWild).map((segment) => segment.split('*'));
  const directory = segments.slice(0, firstWild).join('/');
  return {
    directory,
    fits(path) {
      const below = path.slice(directory.length + 1).split('/');
      return below.length === wild.length && wild.every((parts, at) => fitsSegment(below[at]!, parts));
    },
  };
}

/** Leftmost places suffice for a pattern of literals and stars, so no text costs more than its length. */
function fitsSegment(segment: string, parts: readonly string[]): boolean {
  const first = parts[0]!;
  if (parts.length === 1) return segment === first;
  const last = parts.at(-1)!;
  if (segment.length < first.length + last.length || !segment.startsWith(first) || !segment.endsWith(last))
    return false;
  const end = segment.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = segment.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
