/** What a rule is: a name, the facts it needs, and a pure function from those facts to a verdict; and which rules there are and run. */

import { createHash } from 'node:crypto';
import type { JsonObject } from '../../encoding/json-text.ts';
import type { FactName, Facts, FactsWith } from './facts.ts';
import type { RuleSettings } from './rule-settings.ts';

/** The version that reports name as the origin of their findings; a test holds it equal to the package's. */
export const RULES_VERSION = '0.1.0';

/** Messages in details are cut to this, so that a cluster on which much is wrong still fits into the limit of details. */
export const messageCharactersMax = 1_000;

interface RuleContext {
  /** When the archive was gathered, as its announcement says; never the machine's time. Source: data-pipeline.md 7.5 (30). */
  readonly now: Date;
  /** As whoever runs the rules has set them. */
  readonly settings: RuleSettings;
}

export interface Rule {
  /** Rule FQDN: `python_module` of its content; its component in reports is `<module>.report`. */
  readonly module: string;
  /** Every key that it may answer with; its content has a directory for each. Empty for a rule that only informs. */
  readonly errorKeys: readonly string[];
  /** Facts that must be there. */
  readonly requires: readonly FactName[];
  /** Groups of facts of each of which at least one must be there. */
  readonly requiresAny: readonly (readonly FactName[])[];
  /** Facts that only count whole: with a broken file among theirs the rule does not run, since what it concludes would be wrong. */
  readonly requiresWhole: readonly FactName[];
  readonly tags: readonly string[];
  readonly links: Readonly<Record<string, readonly string[]>>;
  /** Runs only where it is asked for; undefined runs always. */
  readonly mark: RuleMark | undefined;
  /** Called only when what it requires is there. Pure and bounded: no clock, no I/O, no state between archives. */
  evaluate(facts: Facts, context: RuleContext): Verdict;
}

/**
 * `provisional`: what it fires on is our own reasoning, for want of a public source; its file says the reasoning and where we looked.
 * `tutorial`: it says hello, whatever the cluster is like.
 */
export type RuleMark = 'provisional' | 'tutorial';

interface RuleDefinition<Required extends FactName> {
  readonly module: string;
  readonly errorKeys: readonly string[];
  readonly requires: readonly Required[];
  readonly requiresAny?: readonly (readonly FactName[])[];
  readonly requiresWhole?: readonly FactName[];
  readonly tags?: readonly string[];
  readonly links?: Readonly<Record<string, readonly string[]>>;
  readonly mark?: RuleMark;
  readonly evaluate: (facts: FactsWith<Required>, context: RuleContext) => Verdict;
}

/** The required facts are typed as present inside `evaluate`; the engine calls it only when they are. */
export function defineRule<const Required extends FactName>(definition: RuleDefinition<Required>): Rule {
  return {
    requiresAny: [],
    requiresWhole: [],
    tags: [],
    links: {},
    mark: undefined,
    ...definition,
    evaluate: (facts, context) => definition.evaluate(facts as FactsWith<Required>, context),
  };
}

/** What a rule may answer, and the constructors it answers with. Source: data-pipeline.md 4.3. */
export type Verdict =
  /** Something is wrong; becomes an item of `reports`. */
  | { readonly type: 'rule'; readonly key: string; readonly details: JsonObject }
  | { readonly type: 'pass'; readonly key: string; readonly details: JsonObject }
  | { readonly type: 'info'; readonly key: string; readonly details: Readonly<Record<string, string>> }
  /** Nothing to say. */
  | { readonly type: 'none' };

/** `details` is what templates see as `pydata`, besides `type` and `error_key`, which the engine adds. */
export function makeFail(key: string, details: JsonObject = {}): Verdict {
  return { type: 'rule', key, details };
}

export function makePass(key: string, details: JsonObject = {}): Verdict {
  return { type: 'pass', key, details };
}

/** Values are text: the results aggregator decodes them into a string map. */
export function makeInfo(key: string, details: Readonly<Record<string, string>> = {}): Verdict {
  return { type: 'info', key, details };
}

export function makeNone(): Verdict {
  return { type: 'none' };
}

/** At most `charactersMax` UTF-16 units, the last of which is an ellipsis where something was cut. Never cuts a surrogate pair. */
export function cutText(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const end = Math.max(charactersMax - 1, 0);
  const splitsPair = /[\uD800-\uDBFF]/.test(text[end - 1] ?? '');
  return `${text.slice(0, splitsPair ? end - 1 : end)}…`;
}

/** Which marked rules run. */
export type RuleSelection = { readonly [Mark in RuleMark]: boolean };

/** As an installation is that was told nothing: no rule that has a mark. */
export const unmarkedOnly: RuleSelection = { provisional: false, tutorial: false };

/** Those that run, in the same order; the same list each time, so that its catalogue is computed once. */
export function selectRules(rules: readonly Rule[], selection: RuleSelection = unmarkedOnly): readonly Rule[] {
  const key = `${selection.provisional} ${selection.tutorial}`;
  const lists = selected.get(rules) ?? new Map<string, readonly Rule[]>();
  selected.set(rules, lists);
  const list = lists.get(key) ?? rules.filter(({ mark }) => mark === undefined || selection[mark]);
  lists.set(key, list);
  return list;
}

const selected = new WeakMap<readonly Rule[], Map<string, readonly Rule[]>>();

/** Which rules a report was made with, as a version that changes with them. Sent beside each report, for readers that keep what was not found. */
export interface RuleCatalogue {
  /** `ccx-notifications-<version>+<hash of the modules>`. */
  readonly version: string;
  /** Modules of all rules that were selected, sorted, those that are left out at the moment among them. */
  readonly rules: readonly string[];
}

const hashCharacters = 12;
const known = new WeakMap<readonly Rule[], Map<string, RuleCatalogue>>();

/** Rules of packs, and a version that changes with whatever they do. */
interface PackRules {
  readonly version: string;
  readonly rules: readonly { readonly module: string }[];
}

/** Computed once for each list and version of packs. */
export function catalogueOf(rules: readonly Rule[], packs?: PackRules): RuleCatalogue {
  const byPacks = known.get(rules) ?? new Map<string, RuleCatalogue>();
  known.set(rules, byPacks);
  const packsVersion = packs?.version ?? '';
  let catalogue = byPacks.get(packsVersion);
  if (catalogue === undefined) {
    const modules = [...rules, ...(packs?.rules ?? [])].map(({ module }) => module).sort();
    const hashed = packsVersion === '' ? modules : [...modules, packsVersion];
    const hash = createHash('sha256').update(hashed.join('\n')).digest('hex').slice(0, hashCharacters);
    catalogue = { version: `ccx-notifications-${RULES_VERSION}+${hash}`, rules: modules };
    // The packs before are not asked for again.
    byPacks.clear();
    byPacks.set(packsVersion, catalogue);
  }
  return catalogue;
}
