/** What the service and its rule runners exchange. Travels by structured clone between the processes. */
import type { ArchiveLimits } from '../../../platform/archive/archive.ts';
import type { RuleCatalogue, RuleSelection } from '../../../rules/engine/rule.ts';
import type { RuleSettings } from '../../../rules/engine/rule-settings.ts';
import type { PackProgramSource } from '../../../rules/packs/pack-set.ts';

export interface RuleRun {
  /** The archive as it was downloaded, or a file that holds it, which is open in the service until the runner has answered. */
  readonly packed: Buffer | { readonly path: string; readonly bytes: number };
  readonly limits: ArchiveLimits;
  /** From the announcement or the identity; without one the archive's `config/id` counts. */
  readonly clusterId: string | undefined;
  /** ISO 8601; what rules compare dates with. */
  readonly gatheredAt: string;
  /** Which of the rules that have a mark run. */
  readonly selection: RuleSelection;
  /** Undefined where there are none. */
  readonly packs: RunPacks | undefined;
  /** What rules fire on; the defaults where absent. */
  readonly settings?: RuleSettings;
  /** Modules of rules that must not run. */
  readonly leaveOut: readonly string[];
  /** Names of facts that must not be read. */
  readonly leaveOutFacts: readonly string[];
}

interface RunPacks {
  readonly version: string;
  /** Sent only to a runner that has not seen this version, which says so with `PACKS_WANTED`. */
  readonly source: PackProgramSource | undefined;
  /** All rules of packs over one archive together. */
  readonly msMax: number;
}

/** Code of the answer of a runner that does not have these packs yet. */
export const PACKS_WANTED = 'PACKS_WANTED';

export interface RuleRunResult {
  readonly clusterId: string;
  /** The member `Report` of the message, checked and written: nobody behind the runner parses it. */
  readonly reportText: string;
  /** Issues in it. */
  readonly hits: number;
  readonly archiveKind: 'ocp' | 'hypershift';
  readonly remoteConfigurationVersion: string | undefined;
  readonly files: number;
  readonly unpackedBytes: number;
  /** Entries of the archive that were passed over: symbolic links, links to no earlier member, devices, what a desktop adds. */
  readonly skippedEntries: number;
  /** Files that rules asked for and that are no JSON. */
  readonly brokenFiles: number;
  /** Those of them that were not parsed since they are over what may be parsed of a file or an archive. */
  readonly oversizedFiles: number;
  readonly catalogue: RuleCatalogue;
  /** Rules that ran to an end, whatever they said. */
  readonly rulesRun: number;
  /** Rules that did not run, or not over everything that they need, each once, and the report's reason. */
  readonly skips: readonly { readonly rule: string; readonly reason: string }[];
  /** Rules and facts that threw. */
  readonly failures: readonly { readonly component: string; readonly error: string }[];
  /** Rules of packs that were stopped since they went over their own limits. */
  readonly overLimit: readonly { readonly component: string; readonly error: string }[];
  /** Milliseconds from the job's arrival in the runner to the opened archive, and from there to the report. */
  readonly openMs: number;
  readonly rulesMs: number;
}
