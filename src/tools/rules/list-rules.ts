/** What there is to say of each rule, for `ccx rules list`: whom it is for, how bad what it finds is, whether it runs and why. Pure. */
import { type RuleContentDirectory, totalRiskOf } from '../../contracts/rule-content.ts';
import type { Rule, RuleMark, RuleSelection } from '../../rules/engine/rule.ts';
import type { Pack } from '../../rules/packs/pack.ts';

export interface ListedRule {
  readonly name: string;
  readonly module: string;
  /** `public`: for the cluster's owners; `internal`: for those who run the fleet; `report`: nobody is told, it goes into each report. */
  readonly audience: 'public' | 'internal' | 'report';
  readonly errorKeys: readonly { readonly key: string; readonly totalRisk: number | null }[];
  /** `catalogue`, or the name of the pack. */
  readonly source: string;
  readonly on: boolean;
  /** Why it runs, or does not: its mark and the setting that counts for it. Empty for a rule that always runs. */
  readonly why: string;
}

/** Where the value of a setting came from: `environment`, `file`, `default`. */
type Origins = Readonly<Record<RuleMark, string>>;

/** In the order in which their findings stand in a report. */
export function listRules(
  rules: readonly Rule[],
  content: RuleContentDirectory,
  selection: RuleSelection,
  origins: Origins,
): readonly ListedRule[] {
  return rules.map(({ module, errorKeys, mark }) => ({
    name: module.slice(module.lastIndexOf('.') + 1),
    module,
    audience: errorKeys.length === 0 ? 'report' : module.split('.').includes('internal') ? 'internal' : 'public',
    errorKeys: errorKeys.map((key) => ({ key, totalRisk: totalRiskOf(content, `${module}.report`, key) ?? null })),
    source: 'catalogue',
    on: mark === undefined || selection[mark],
    why: mark === undefined ? '' : `${mark}: rules.${mark} = ${selection[mark]} (${origins[mark]})`,
  }));
}

/** The rules of packs, which always run. Behind the others, as in a report. */
export function listPackRules(packs: readonly Pack[], content: RuleContentDirectory): readonly ListedRule[] {
  return packs.flatMap((pack) =>
    pack.rules.map(({ rule: { module, key } }) => ({
      ...{ name: key, module, audience: 'public' as const, source: pack.name, on: true, why: '' },
      errorKeys: [{ key, totalRisk: totalRiskOf(content, `${module}.report`, key) ?? null }],
    })),
  );
}
