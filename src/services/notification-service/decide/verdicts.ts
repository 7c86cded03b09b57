/**
 * What a target's filters say of every rule and error key that the content knows, computed once per content and settings: the filters see
 * nothing of the report but the rule and the key. Used for each issue of each report, and once more before a message is sent.
 * Source: notification-service.md 6.4, 7.1, 7.2; consumers.md D8 (content that is missing is no zero risk).
 */
import {
  type ErrorKeyContent,
  type RuleContent,
  type RuleContentDirectory,
  ruleNameOfComponent,
  totalRisk,
} from '../../../contracts/rule-content.ts';
import type { EventFilter } from './compile-event-filter.ts';

export type Verdict =
  | {
      readonly kind: 'pass';
      readonly totalRisk: number;
      readonly rule: RuleContent;
      readonly content: ErrorKeyContent;
    }
  | { readonly kind: 'below-threshold' | 'filter-failed' | 'filtered-by-tag' | 'content-missing' };

export interface FilterPolicy {
  readonly filter: EventFilter;
  readonly likelihoodThreshold: number;
  readonly impactThreshold: number;
  readonly severityThreshold: number;
  readonly totalRiskThreshold: number;
  readonly tagFilterEnabled: boolean;
  /** A rule must have all of them; an empty list lets everything pass. */
  readonly tags: readonly string[];
}

/** A target's settings made ready for deciding. */
export interface TargetPolicy {
  readonly verdicts: Verdicts;
  /** Undefined: no cooldown. */
  readonly cooldownMicros: bigint | undefined;
  /** Issues of one cluster in one UTC day; 0: no cap. */
  readonly clusterCap: number;
  /** It is notified of issues that are resolved, too. */
  readonly sendResolved: boolean;
  /** What its settings are called, in hints. */
  readonly section: string;
  /** Absent: it is for all of them. */
  readonly scope?: Scope | undefined;
  /** Changes exactly when some decision could. */
  readonly hash: string;
}

/** Whom a receiver is for. An empty set leaves nobody out. */
export interface Scope {
  readonly organizations: ReadonlySet<number>;
  /** In lower case. */
  readonly clusters: ReadonlySet<string>;
}

export function isInScope(
  scope: Scope | undefined,
  where: { readonly orgId: number; readonly cluster: string },
): boolean {
  if (scope === undefined) return true;
  const { organizations, clusters } = scope;
  if (organizations.size > 0 && !organizations.has(where.orgId)) return false;
  return clusters.size === 0 || clusters.has(where.cluster.toLowerCase());
}

const contentMissing: Verdict = { kind: 'content-missing' };

type Verdicts = ReturnType<typeof createVerdicts>;

export function createVerdicts(content: RuleContentDirectory, policy: FilterPolicy) {
  const byRule = new Map<string, Map<string, Verdict>>();
  const summary: string[] = [];
  for (const [name, rule] of Object.entries(content.rules)) {
    const byKey = new Map<string, Verdict>();
    byRule.set(name, byKey);
    for (const [errorKey, texts] of Object.entries(rule.error_keys)) {
      const verdict = judge(rule, texts, policy);
      byKey.set(errorKey, verdict);
      summary.push(`${name}|${errorKey}|${verdict.kind}`);
    }
  }
  return {
    of: (component: string, errorKey: string): Verdict =>
      byRule.get(ruleNameOfComponent(component))?.get(errorKey) ?? contentMissing,
    /** One line per rule and error key in a fixed order: what a decision depends on, and nothing else of the content. */
    summary: summary.sort(),
  };
}

function judge(rule: RuleContent, content: ErrorKeyContent, policy: FilterPolicy): Verdict {
  const likelihood = content.metadata.likelihood;
  const impact = content.metadata.impact.impact;
  const risk = totalRisk(impact, likelihood);
  const passes = policy.filter.passes({ ...policy, likelihood, impact, totalRisk: risk, severity: 0 });
  if (passes === undefined) return { kind: 'filter-failed' };
  if (!passes) return { kind: 'below-threshold' };
  const hasAllTags = policy.tags.every((tag) => content.metadata.tags.includes(tag));
  if (policy.tagFilterEnabled && !hasAllTags) return { kind: 'filtered-by-tag' };
  return { kind: 'pass', totalRisk: risk, rule, content };
}
