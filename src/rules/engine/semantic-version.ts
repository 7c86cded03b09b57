/** Versions as OpenShift writes them: semantic versions, compared by precedence (a pre-release is before its release). */

/** OpenShift's longest versions, nightly builds, have some fifty characters. */
export const versionCharactersMax = 253;
export interface SemanticVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Dot-separated identifiers after the hyphen; empty for a release. */
  readonly prerelease: readonly string[];
}

const pattern = /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** Undefined when the text is no version. Build metadata is dropped. */
export function parseVersion(text: string): SemanticVersion | undefined {
  if (text.length > versionCharactersMax) return undefined;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  return {
    major: Number(match[1]),
    minor: Number(match[2]),
    patch: Number(match[3]),
    prerelease: match[4] === undefined ? [] : match[4].split('.'),
  };
}

/** Negative when `a` is before `b`, zero when neither is, positive otherwise. */
export function compareVersions(a: SemanticVersion, b: SemanticVersion): number {
  const numbers = a.major - b.major || a.minor - b.minor || a.patch - b.patch;
  if (numbers !== 0) return numbers;
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return b.prerelease.length - a.prerelease.length;
  for (const [index, left] of a.prerelease.entries()) {
    const right = b.prerelease[index];
    if (right === undefined) return 1;
    const order = compareIdentifiers(left, right);
    if (order !== 0) return order;
  }
  return a.prerelease.length - b.prerelease.length;
}

/** Whether a version belongs to minor release `4.<minor>` or a later one; a pre-release of it counts as belonging to it. */
export function isAtLeastMinor(version: SemanticVersion, minor: number): boolean {
  return version.major > 4 || (version.major === 4 && version.minor >= minor);
}

function compareIdentifiers(a: string, b: string): number {
  const aNumeric = /^\d+$/.test(a);
  const bNumeric = /^\d+$/.test(b);
  if (aNumeric && bNumeric) return Number(a) - Number(b);
  if (aNumeric !== bNumeric) return aNumeric ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
