/**
 * What stored reports say of each rule together: in how many of them it ran, what it found, and why it could not look. Fed report by report by
 * `read-coverage.ts`; what it holds grows with the number of rules, not of reports. Pure.
 */
import { SKIP_INPUT_BROKEN, SKIP_INPUT_MISSING, SKIP_RULE_FAILED, SKIP_RULE_LEFT_OUT } from '../../contracts/report.ts';

/** Different inputs that are kept of one rule and one reason; names of broken files are the archives' own. What comes later is `others`. */
const inputsKeptMax = 200;
/** Of those the most frequent are told. */
const inputsToldMax = 20;
/** Different catalogues and lists of skipped rules that are counted before they are taken apart: most reports have one of a few. */
const groupsMax = 1_000;

/** Why a rule is silent in a report, as the notification writer keeps it. */
interface Silence {
  readonly reason: string;
  readonly details: string;
}

/** By module. */
export type SilentRules = Readonly<Record<string, Silence>>;

export interface SeenReport {
  /** Undefined where the stored text cannot be read. */
  readonly hits: readonly { readonly module: string; readonly errorKey: string }[] | undefined;
  /** False: another writer stored it, so that nothing is known beyond its hits. */
  readonly described: boolean;
  /** Modules of all rules that were selected for it; undefined where that is not known. The same object for the same ones costs least. */
  readonly catalogue: ReadonlySet<string> | undefined;
  /** As above. */
  readonly skipped: SilentRules;
  readonly didNotRun: SilentRules;
}

/** A part of the reports of a rule, and the inputs that they name for it, the most frequent first. */
interface SilentReports {
  readonly reports: number;
  readonly inputs: readonly { readonly name: string; readonly reports: number }[];
  /** Times that further inputs are named. */
  readonly others: number;
}

export const silentKinds = ['skipped', 'inputMissing', 'inputBroken', 'failed', 'leftOut'] as const;
export type SilentKind = (typeof silentKinds)[number];

/** `skipped` is ordinary: the cluster has no such thing. The others keep a rule from seeing what may be there. */
const kindOfReason: Readonly<Record<string, SilentKind>> = {
  [SKIP_INPUT_MISSING]: 'inputMissing',
  [SKIP_INPUT_BROKEN]: 'inputBroken',
  [SKIP_RULE_FAILED]: 'failed',
  [SKIP_RULE_LEFT_OUT]: 'leftOut',
};

export interface RuleCoverage extends Readonly<Record<SilentKind, SilentReports>> {
  readonly module: string;
  /** Reports for which it was selected. */
  readonly reports: number;
  /** Of those the ones that it ran over, at least over a part of what it needs. */
  readonly ran: number;
  /** Reports with a hit of it. */
  readonly hit: number;
  /** Reports with each of its error keys. */
  readonly errorKeys: Readonly<Record<string, number>>;
}

export interface Coverage {
  readonly reports: number;
  /** Those of which nothing is known beyond their hits; a rule counts only where it is among those. */
  readonly notDescribed: number;
  readonly unreadable: number;
  /** Those come first that were kept from looking most often, then those that lacked something, then those that found most. */
  readonly rules: readonly RuleCoverage[];
}

interface Tally {
  reports: number;
  hit: number;
  /** Reports with a hit although something kept it from looking at all there is. */
  hitInPart: number;
  readonly errorKeys: Map<string, number>;
  readonly silent: Map<SilentKind, { reports: number; readonly inputs: Map<string, number>; others: number }>;
}

export class CoverageTally {
  readonly #rules = new Map<string, Tally>();
  /** Reports by catalogue and by what was skipped. */
  #groups = new Map<SeenReport['catalogue'], Map<SilentRules, number>>();
  #groupCount = 0;
  #reports = 0;
  #notDescribed = 0;
  #unreadable = 0;

  /** `modules` are listed also where no report is of them. */
  constructor(modules: readonly string[]) {
    for (const module of modules) this.#of(module);
  }

  add({ hits, described, catalogue, skipped, didNotRun }: SeenReport): void {
    this.#reports += 1;
    if (!described) this.#notDescribed += 1;
    if (hits === undefined) this.#unreadable += 1;
    const keys = new Map<string, Set<string>>();
    for (const { module, errorKey } of hits ?? []) {
      const found = keys.get(module) ?? new Set();
      keys.set(module, found.add(errorKey));
    }
    for (const [module, found] of keys) {
      const tally = this.#of(module);
      tally.hit += 1;
      for (const key of found) tally.errorKeys.set(key, (tally.errorKeys.get(key) ?? 0) + 1);
      const isSilent = Object.hasOwn(skipped, module) || Object.hasOwn(didNotRun, module);
      if (isSilent) tally.hitInPart += 1;
      if (!isSilent && catalogue?.has(module) !== true) tally.reports += 1;
    }
    for (const [module, silence] of Object.entries(didNotRun))
      this.#addSilence(module, silence, { catalogue, count: 1 });
    this.#addGroup(catalogue, skipped);
  }

  coverage(): Coverage {
    this.#countGroups();
    const rules = [...this.#rules].map(([module, tally]) => coverageOf(module, tally));
    return {
      reports: this.#reports,
      notDescribed: this.#notDescribed,
      unreadable: this.#unreadable,
      rules: rules.sort(inOrder),
    };
  }

  #addGroup(catalogue: SeenReport['catalogue'], skipped: SilentRules): void {
    const group = this.#groups.get(catalogue) ?? new Map<SilentRules, number>();
    this.#groups.set(catalogue, group);
    const count = group.get(skipped);
    group.set(skipped, (count ?? 0) + 1);
    if (count !== undefined) return;
    this.#groupCount += 1;
    if (this.#groupCount >= groupsMax) this.#countGroups();
  }

  #countGroups(): void {
    for (const [catalogue, group] of this.#groups) {
      for (const [skipped, count] of group) {
        for (const module of catalogue ?? []) this.#of(module).reports += count;
        for (const [module, silence] of Object.entries(skipped))
          this.#addSilence(module, silence, { catalogue, count });
      }
    }
    this.#groups = new Map();
    this.#groupCount = 0;
  }

  #addSilence(
    module: string,
    { reason, details }: Silence,
    { catalogue, count }: Pick<SeenReport, 'catalogue'> & { readonly count: number },
  ): void {
    const tally = this.#of(module);
    if (catalogue?.has(module) !== true) tally.reports += count;
    const kind = kindOfReason[reason] ?? 'skipped';
    const silent = tally.silent.get(kind) ?? { reports: 0, inputs: new Map<string, number>(), others: 0 };
    tally.silent.set(kind, silent);
    silent.reports += count;
    for (const name of inputsOf(details)) {
      const known = silent.inputs.get(name);
      if (known === undefined && silent.inputs.size >= inputsKeptMax) silent.others += count;
      else silent.inputs.set(name, (known ?? 0) + count);
    }
  }

  #of(module: string): Tally {
    let tally = this.#rules.get(module);
    if (tally === undefined) {
      tally = { reports: 0, hit: 0, hitInPart: 0, errorKeys: new Map(), silent: new Map() };
      this.#rules.set(module, tally);
    }
    return tally;
  }
}

/** What stands in quotes, each once: `All: ['a'] Any: ['b', 'c']`, `broken: ['config/x.json'] and 3 more`. Source: data-pipeline.md 4.4. */
function inputsOf(details: string): ReadonlySet<string> {
  return new Set([...details.matchAll(/'([^']*)'/g)].map(([, name]) => name!));
}

function coverageOf(module: string, tally: Tally): RuleCoverage {
  const silentOf = (kind: SilentKind): SilentReports => {
    const { reports = 0, inputs = new Map<string, number>(), others = 0 } = tally.silent.get(kind) ?? {};
    const named = [...inputs].map(([name, count]) => ({ name, reports: count })).sort(mostFrequentFirst);
    const rest = named.slice(inputsToldMax).reduce((sum, input) => sum + input.reports, others);
    return { reports, inputs: named.slice(0, inputsToldMax), others: rest };
  };
  const silent = {
    skipped: silentOf('skipped'),
    inputMissing: silentOf('inputMissing'),
    inputBroken: silentOf('inputBroken'),
    failed: silentOf('failed'),
    leftOut: silentOf('leftOut'),
  };
  const kept = silentKinds.reduce((sum, kind) => sum + silent[kind].reports, 0);
  return {
    module,
    reports: tally.reports,
    ran: tally.reports - kept + tally.hitInPart,
    hit: tally.hit,
    errorKeys: Object.fromEntries([...tally.errorKeys].sort()),
    ...silent,
  };
}

function mostFrequentFirst(left: { name: string; reports: number }, right: { name: string; reports: number }): number {
  return right.reports - left.reports || compareTexts(left.name, right.name);
}

function inOrder(left: RuleCoverage, right: RuleCoverage): number {
  const keptFrom = (rule: RuleCoverage) =>
    shareOf(rule, rule.inputMissing.reports + rule.inputBroken.reports + rule.failed.reports + rule.leftOut.reports);
  return (
    Number(left.reports === 0) - Number(right.reports === 0) ||
    keptFrom(right) - keptFrom(left) ||
    shareOf(right, right.skipped.reports) - shareOf(left, left.skipped.reports) ||
    shareOf(right, right.hit) - shareOf(left, left.hit) ||
    compareTexts(left.module, right.module)
  );
}

function shareOf({ reports }: RuleCoverage, part: number): number {
  return reports === 0 ? 0 : part / reports;
}

function compareTexts(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}
