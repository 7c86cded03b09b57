/**
 * What somebody left out: clusters, by the list of allowed or blocked ones, and rules that were switched off in Advisor, for one cluster or
 * for a whole organization. The rows may name a rule by its short name, by its module, with or without `.report`, or as
 * `<rule>|<error key>`: nobody wrote down which, so all of them match. A name with dots means that module and no other.
 * Source: notification-service.md 4.1, 5.4, 7.3; consumers.md D15.
 */

import type { Issue } from '../../../contracts/issue.ts';
import { ruleNameOfComponent } from '../../../contracts/rule-content.ts';

export interface DisabledRow {
  /** Cluster id, or organization id as decimal text. */
  readonly scope: string;
  readonly rule: string;
  readonly errorKey: string;
}

/** Scope → `<rule>|<error key>`, normalised. */
type DisabledByScope = ReadonlyMap<string, ReadonlySet<string>>;

export interface DisabledRules {
  readonly clusters: DisabledByScope;
  readonly organizations: DisabledByScope;
}

export interface DisabledRulesSource {
  /** Everything that is disabled now; rejects with code `DISABLED_RULES_UNAVAILABLE`. */
  load(): Promise<DisabledRules>;
}

export const NOTHING_DISABLED: DisabledRules = { clusters: new Map(), organizations: new Map() };

export function collectDisabledRules(
  clusterRows: readonly DisabledRow[],
  organizationRows: readonly DisabledRow[],
): DisabledRules {
  return { clusters: byScope(clusterRows), organizations: byScope(organizationRows) };
}

function byScope(rows: readonly DisabledRow[]): DisabledByScope {
  const scopes = new Map<string, Set<string>>();
  for (const row of rows) {
    const scope = normalizeScope(row.scope);
    const rules = scopes.get(scope) ?? new Set<string>();
    scopes.set(scope, rules);
    rules.add(`${normalizeRule(row.rule)}|${row.errorKey.trim()}`);
  }
  return scopes;
}

/** The narrower scope is named first, since that is where its owner can undo it. */
export function disabledBy(
  rules: DisabledRules,
  where: { readonly orgId: number; readonly cluster: string },
  issue: Issue,
): 'disabled-by-cluster' | 'disabled-by-org' | undefined {
  if (contains(rules.clusters.get(normalizeScope(where.cluster)), issue)) return 'disabled-by-cluster';
  if (contains(rules.organizations.get(String(where.orgId)), issue)) return 'disabled-by-org';
  return undefined;
}

function contains(rules: ReadonlySet<string> | undefined, issue: Issue): boolean {
  if (rules === undefined) return false;
  const key = issue.errorKey.trim();
  return (
    rules.has(`${normalizeRule(issue.component)}|${key}`) || rules.has(`${ruleNameOfComponent(issue.component)}|${key}`)
  );
}

/** Cluster ids are blank-padded in some tables and may differ in case. */
function normalizeScope(scope: string): string {
  return scope.trim().toLowerCase();
}

function normalizeRule(rule: string): string {
  const name = rule.trim();
  const bar = name.indexOf('|');
  return (bar === -1 ? name : name.slice(0, bar)).replace(/\.report$/, '');
}

/** Which clusters are looked at at all. Source: notification-service.md 4.1. */
export interface ClusterFilter {
  /** On: only `allowed` counts, and the block list is not consulted. */
  readonly allowOnly: boolean;
  readonly allowed: ReadonlySet<string>;
  readonly block: boolean;
  readonly blocked: ReadonlySet<string>;
}

export function isClusterAllowed(filter: ClusterFilter, cluster: string): boolean {
  if (filter.allowOnly) return filter.allowed.has(cluster);
  return !(filter.block && filter.blocked.has(cluster));
}
