/** What the rule content says of a rule's error key, as answers show it. Pure; the content is loaded elsewhere. */
import {
  type ErrorKeyContent,
  moduleOfComponent,
  type RuleContent,
  type RuleContentDirectory,
  ruleNameOfComponent,
  totalRisk,
} from '../../../contracts/rule-content.ts';

export interface KnownRule {
  /** Without `.report`. */
  readonly module: string;
  readonly errorKey: string;
  readonly rule: RuleContent;
  readonly content: ErrorKeyContent;
  readonly totalRisk: number;
}

/** Undefined where the content does not know it. */
export function findRule(
  directory: RuleContentDirectory,
  { component, errorKey }: { readonly component: string; readonly errorKey: string },
): KnownRule | undefined {
  const name = ruleNameOfComponent(component);
  const rule = Object.hasOwn(directory.rules, name) ? directory.rules[name]! : undefined;
  if (rule === undefined || !Object.hasOwn(rule.error_keys, errorKey)) return undefined;
  return knownOf(moduleOfComponent(component), errorKey, rule);
}

/** Every error key of every rule, by selector. */
export function listRules(directory: RuleContentDirectory): readonly KnownRule[] {
  return Object.values(directory.rules)
    .flatMap((rule) =>
      Object.keys(rule.error_keys).map((errorKey) => knownOf(rule.plugin.python_module, errorKey, rule)),
    )
    .toSorted((left, right) => compare(ruleSelector(left), ruleSelector(right)));
}

export function ruleSelector({ module, errorKey }: Pick<KnownRule, 'module' | 'errorKey'>): string {
  return `${module}|${errorKey}`;
}

/** Texts of the rule stand for those that the key does not have. */
export function textsOf({ rule, content }: KnownRule) {
  return {
    generic: content.generic || rule.generic,
    reason: content.reason || rule.reason,
    resolution: content.resolution || rule.resolution,
    more_info: content.more_info || rule.more_info,
  };
}

export function factsOf(known: KnownRule) {
  const { metadata } = known.content;
  return {
    rule_id: ruleSelector(known),
    description: metadata.description,
    generic: textsOf(known).generic,
    publish_date: metadata.publish_date,
    total_risk: known.totalRisk,
    impact: metadata.impact.impact,
    likelihood: metadata.likelihood,
    tags: [...metadata.tags],
    risk_of_change: metadata.resolution_risk,
    resolution_risk: metadata.resolution_risk,
  };
}

function knownOf(module: string, errorKey: string, rule: RuleContent): KnownRule {
  const content = rule.error_keys[errorKey]!;
  const { impact, likelihood } = content.metadata;
  return { module, errorKey, rule, content, totalRisk: totalRisk(impact.impact, likelihood) };
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
