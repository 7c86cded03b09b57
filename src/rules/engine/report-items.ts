/** Verdicts and missing facts as the items of a report, member by member. Source: data-pipeline.md 4.3, 4.4. */
import type { JsonObject } from '../../contracts/json.ts';
import type { InfoItem, PassItem, RuleHit, SkipItem } from '../../contracts/report.ts';
import type { FactName, Facts } from './facts.ts';
import { detailCharactersMax } from './limits.ts';
import type { Rule } from './rule.ts';
import type { Verdict } from './verdict.ts';

export type ReportItem =
  | { readonly list: 'reports'; readonly item: RuleHit }
  | { readonly list: 'pass'; readonly item: PassItem }
  | { readonly list: 'info'; readonly item: InfoItem };

/** Undefined for a verdict that says nothing. Throws when the verdict breaks the rules for verdicts: a bug of the rule. */
export function reportItem(rule: Rule, verdict: Verdict): ReportItem | undefined {
  switch (verdict.type) {
    case 'none':
      return undefined;
    case 'rule': {
      const details = itemDetails(verdict, 'error_key');
      return { list: 'reports', item: { rule_id: itemId(rule, verdict.key), ...common(rule, verdict), details } };
    }
    case 'pass': {
      const details = itemDetails(verdict, 'pass_key');
      return { list: 'pass', item: { pass_id: itemId(rule, verdict.key), ...common(rule, verdict), details } };
    }
    case 'info': {
      const details = itemDetails(verdict, 'info_key') as Readonly<Record<string, string>>;
      return { list: 'info', item: { info_id: itemId(rule, verdict.key), ...common(rule, verdict), details } };
    }
  }
}

/** The skip item of a rule whose facts are not there, or undefined when they are. */
export function skipItem(rule: Rule, facts: Facts): SkipItem | undefined {
  const isAbsent = (name: FactName) => facts[name] === undefined;
  const all = rule.requires.filter(isAbsent);
  const any = rule.requiresAny.filter((group) => group.every(isAbsent));
  if (all.length === 0 && any.length === 0) return undefined;
  return {
    rule_fqdn: `${rule.module}.report`,
    reason: 'MISSING_REQUIREMENTS',
    details: `All: ${quotedList(all)} Any: ${any.map(quotedList).join(' Any: ')}`,
    type: 'skip',
  };
}

function quotedList(names: readonly string[]): string {
  return `[${names.map((name) => `'${name}'`).join(', ')}]`;
}

function itemId(rule: Rule, key: string): string {
  return `${rule.module.slice(rule.module.lastIndexOf('.') + 1)}|${key}`;
}

function common<Type extends string>(rule: Rule, verdict: { readonly type: Type; readonly key: string }) {
  return {
    component: `${rule.module}.report`,
    type: verdict.type,
    key: verdict.key,
    details: {},
    tags: rule.tags,
    links: rule.links,
  };
}

/** A copy made through JSON, so that the report holds nothing that cannot be sent and nothing that a rule may still change. */
function itemDetails(verdict: Exclude<Verdict, { type: 'none' }>, keyField: string): JsonObject {
  if (typeof verdict.key !== 'string' || verdict.key === '') throw new Error('a verdict needs a non-empty key');
  if (Object.hasOwn(verdict.details, 'type') || Object.hasOwn(verdict.details, keyField)) {
    throw new Error(`details must not have a member named type or ${keyField}`);
  }
  const text = JSON.stringify(verdict.details);
  const identification = { type: verdict.type, [keyField]: verdict.key };
  if (text.length > detailCharactersMax) return { ...identification, max_detail_length_error: text.length };
  return { ...(JSON.parse(text) as JsonObject), ...identification };
}
