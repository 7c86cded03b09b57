/** Which versions a fault of certain releases is in. Read by the rules about such faults. Ranges, their sources and dates are in affected-versions.yaml. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { RuleSettings, VersionRange } from '../engine/rule-settings.ts';
import { compareVersions, parseVersion, type SemanticVersion } from '../engine/semantic-version.ts';

interface AffectedVersions {
  readonly ranges: readonly VersionRange[];
  /** Where the ranges come from. */
  readonly source: string;
  /** When they were looked up. */
  readonly date: string;
  /** They are our own reasoning. */
  readonly ours: boolean;
}

/** By the name of the rule's folder. */
export const AFFECTED_VERSIONS: ReadonlyMap<string, AffectedVersions> = readAffectedVersions();

/** Whether a rule's fault is in a version: as it is set, else as the file says. A pre-release counts as the release that it leads to. */
export function isAffected(
  rule: string,
  version: SemanticVersion,
  { affectedVersions }: Pick<RuleSettings, 'affectedVersions'>,
): boolean {
  const released = { ...version, prerelease: [] };
  return (affectedVersions[rule] ?? AFFECTED_VERSIONS.get(rule)?.ranges ?? []).some(
    ({ from, before }) => compareVersions(released, from) >= 0 && compareVersions(released, before) < 0,
  );
}

interface Document {
  readonly rules: Readonly<
    Record<string, { ranges: { from: string; before: string }[]; source: string; date: string; ours?: boolean }>
  >;
}

function readAffectedVersions(): ReadonlyMap<string, AffectedVersions> {
  const text = readFileSync(new URL('./affected-versions.yaml', import.meta.url), 'utf8');
  const { rules } = parse(text) as Document;
  return new Map(
    Object.entries(rules).map(([rule, { ranges, source, date, ours = false }]) => [
      rule,
      {
        ranges: ranges.map(({ from, before }) => ({ from: versionOf(from), before: versionOf(before) })),
        source,
        date,
        ours,
      },
    ]),
  );
}

function versionOf(text: string): SemanticVersion {
  const version = parseVersion(text);
  if (version === undefined) throw new Error(`affected-versions.yaml: ${text} is no version`);
  return version;
}
