/** What there is to say of each rule, for `ccx rules list`: whom it is for, how bad what it finds is, whether it runs and why. Pure. */
import { type RuleContentDirectory, totalRiskOf } from '../../contracts/rule-content.ts';
import type { Rule, RuleMark, RuleSelection } from '../../rules/engine/rule.ts';

export interface ListedRule {
  readonly name: string;
  readonly module: string;
  /** `public`: for the cluster's owners; `internal`: for those who run the fleet; `report`: nobody is told, it goes into each report. */
  readonly audience: 'public' | 'internal' | 'report';
  readonly errorKeys: readonly { readonly key: string; readonly totalRisk: number | null }[];
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
    on: mark === undefined || selection[mark],
    why: mark === undefined ? '' : `${mark}: rules.${mark} = ${selection[mark]} (${origins[mark]})`,
  }));
}
