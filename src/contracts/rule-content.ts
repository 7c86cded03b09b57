/**
 * What is known about a rule: texts, risk, tags. Field names are the JSON names of the content service.
 * Produced by: content service (gob, JSON) or the catalog on disk → consumed by: notification service, template renderer.
 * Source: data-pipeline.md 8.1, 8.5; notification-service.md 6.2.
 */
export interface ErrorKeyMetadata {
  /** May hold template code. */
  readonly description: string;
  readonly impact: { readonly name: string; readonly impact: number };
  readonly likelihood: number;
  /** `YYYY-MM-DD HH:MM:SS` */
  readonly publish_date: string;
  readonly resolution_risk: number;
  readonly status: string;
  readonly tags: readonly string[];
}

interface RuleTexts {
  readonly generic: string;
  readonly summary: string;
  readonly resolution: string;
  readonly more_info: string;
  readonly reason: string;
  readonly HasReason: boolean;
}

export interface ErrorKeyContent extends RuleTexts {
  readonly metadata: ErrorKeyMetadata;
  /** Always 0 from the reference's content service; readers compute it with `totalRisk`. */
  readonly total_risk: number;
}

export interface RuleContent extends RuleTexts {
  readonly plugin: {
    readonly name: string;
    readonly node_id: string;
    readonly product_code: string;
    /** The rule's module, without `.report`. */
    readonly python_module: string;
  };
  readonly error_keys: Readonly<Record<string, ErrorKeyContent>>;
}

/** Keyed by the rule's short name: its directory name, the last segment of its module. */
export interface RuleContentDirectory {
  readonly config: {
    readonly impact: Readonly<Record<string, number>>;
    readonly resolution_risk: Readonly<Record<string, number>>;
  };
  readonly rules: Readonly<Record<string, RuleContent>>;
}

/** Integer part of (impact + likelihood) / 2; 1 Low, 2 Moderate, 3 Important, 4 Critical. Source: notification-service.md 6.4. */
export function totalRisk(impact: number, likelihood: number): number {
  return Math.trunc((impact + likelihood) / 2);
}

/** Total risk of an issue; undefined where the content does not know it. */
export function totalRiskOf(content: RuleContentDirectory, component: string, errorKey: string): number | undefined {
  const name = ruleNameOfComponent(component);
  const keys = Object.hasOwn(content.rules, name) ? content.rules[name]!.error_keys : {};
  if (!Object.hasOwn(keys, errorKey)) return undefined;
  const { impact, likelihood } = keys[errorKey]!.metadata;
  return totalRisk(impact.impact, likelihood);
}

/** First part of the module of every rule of a pack: `ccx_packs.<pack>.<KEY>`, with component `ccx_packs.<pack>.<KEY>.report`. */
export const PACK_MODULE_PREFIX = 'ccx_packs';

/** `a.b.rule.report` → `a.b.rule`: what catalogue and content know the rule by. */
export function moduleOfComponent(component: string): string {
  return component.endsWith('.report') ? component.slice(0, -'.report'.length) : component;
}

/** `a.b.some_rule.report` → `some_rule`: the content directory's key for a report's component. Source: notification-service.md 6.4. */
export function ruleNameOfComponent(component: string): string {
  const module = moduleOfComponent(component);
  return module.slice(module.lastIndexOf('.') + 1);
}
