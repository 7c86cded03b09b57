/**
 * What somebody left out: clusters, by the list of allowed or blocked ones, and rules that were switched off, for one cluster or for a whole
 * organization: here, by an acknowledgement, or in Advisor, by a row in the aggregator's tables. Those rows may name a rule by its short
 * name, by its module, with or without `.report`, or as `<rule>|<error key>`: nobody wrote down which, so all of them match. A name with
 * dots means that module and no other. Source: notification-service.md 4.1, 5.4, 7.3; consumers.md D15; read-api.md, "Acknowledgements".
 */

import { type Acknowledgement, isOfRule } from '../../../contracts/acknowledgement.ts';
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

/** One that was in force when it was read. */
export interface AcknowledgementInForce extends Acknowledgement {
  /** `until`, in microseconds since the epoch. */
  readonly endsMicros: bigint | null;
  /** Of an organization's: clusters, of those that were asked for, in which it is over, because what it silenced is resolved there. */
  readonly overIn: ReadonlySet<string>;
}

export interface Where {
  readonly orgId: number;
  readonly cluster: string;
}

/** Those that concern a cluster, the narrowest first: its own before its organization's, one key before the whole rule. */
export type AcknowledgementsOf = (where: Where) => readonly AcknowledgementInForce[];

export function collectAcknowledgements(rows: readonly AcknowledgementInForce[]): AcknowledgementsOf {
  const keyOf = (orgId: number, cluster: string | null) =>
    `${orgId}/${cluster === null ? '' : normalizeScope(cluster)}`;
  const ranked = rows.toSorted((left, right) => rankOf(left) - rankOf(right) || (left.id < right.id ? -1 : 1));
  const byScope = Map.groupBy(ranked, ({ orgId, cluster }) => keyOf(orgId, cluster));
  return ({ orgId, cluster }) => [
    ...(byScope.get(keyOf(orgId, cluster)) ?? []),
    ...(byScope.get(keyOf(orgId, null)) ?? []).filter(({ overIn }) => !overIn.has(cluster)),
  ];
}

function rankOf({ errorKey }: Acknowledgement): number {
  return errorKey === null ? 1 : 0;
}

/** What keeps an issue silent that is there. */
export interface Silence {
  readonly reason: 'disabled-by-cluster' | 'disabled-by-org';
  /** The narrowest; undefined: only the aggregator's rows say so. */
  readonly acknowledgement: Acknowledgement | undefined;
  /** When it ends by time alone; null: it does not. */
  readonly endsMicros: bigint | null;
}

/** An acknowledgement is named before the aggregator's row, because it says by whom and until when. */
export function silenceOf(
  { rules, acknowledgements }: { readonly rules: DisabledRules; readonly acknowledgements: AcknowledgementsOf },
  where: Where,
  issue: Issue,
): Silence | undefined {
  const elsewhere = disabledBy(rules, where, issue);
  const here = acknowledgements(where).filter((one) => isOfRule(issue, one));
  const [acknowledgement] = here;
  if (acknowledgement === undefined) {
    return elsewhere && { reason: elsewhere, acknowledgement: undefined, endsMicros: null };
  }
  const reason = acknowledgement.cluster === null ? 'disabled-by-org' : 'disabled-by-cluster';
  const ends = here.map(({ endsMicros }) => endsMicros);
  return { reason, acknowledgement, endsMicros: elsewhere === undefined ? lastOf(ends) : null };
}

/** Null where one of them has no end. */
function lastOf(ends: readonly (bigint | null)[]): bigint | null {
  return ends.reduce((last, end) => (last === null || end === null ? null : end > last ? end : last), ends[0] ?? null);
}

/** By the aggregator's rows. The narrower scope is named first, since that is where its owner can undo it. */
export function disabledBy(rules: DisabledRules, where: Where, issue: Issue): Silence['reason'] | undefined {
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
