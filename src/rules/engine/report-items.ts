/** Verdicts and missing facts as the items of a report, member by member. Source: data-pipeline.md 4.3, 4.4. */

import {
  type InfoItem,
  type PassItem,
  type RuleHit,
  SKIP_INPUT_BROKEN,
  SKIP_INPUT_MISSING,
  SKIP_MISSING_REQUIREMENTS,
  SKIP_RULE_FAILED,
  type SkipItem,
} from '../../contracts/report.ts';
import type { JsonObject } from '../../encoding/json-text.ts';
import type { FactName, FactSheet } from './facts.ts';
import type { Rule, Verdict } from './rule.ts';

/** Broken files that a report's skip names; the rest are counted. */
const brokenFilesNamedMax = 5;
/** Longer details are replaced by their length, as the results aggregator expects. Source: data-pipeline.md 4.3. */
export const detailCharactersMax = 65_535;

/** What an item says of its rule, whether it is one of ours or of a pack. */
type RuleOfItem = Pick<Rule, 'module' | 'tags' | 'links'>;

/** The lists of a report that rules add to. */
export class ReportLists {
  readonly reports: RuleHit[] = [];
  readonly pass: PassItem[] = [];
  readonly info: InfoItem[] = [];
  readonly skips: SkipItem[] = [];

  /** Adds nothing for a verdict that says nothing. Throws when the verdict breaks the rules for verdicts: a bug of the rule. */
  add(rule: RuleOfItem, verdict: Verdict): void {
    if (verdict.type === 'none') return;
    const id = `${rule.module.slice(rule.module.lastIndexOf('.') + 1)}|${verdict.key}`;
    if (verdict.type === 'rule') {
      this.reports.push({ rule_id: id, ...common(rule, verdict), details: itemDetails(verdict, 'error_key') });
    } else if (verdict.type === 'pass') {
      this.pass.push({ pass_id: id, ...common(rule, verdict), details: itemDetails(verdict, 'pass_key') });
    } else {
      const details = itemDetails(verdict, 'info_key') as Readonly<Record<string, string>>;
      this.info.push({ info_id: id, ...common(rule, verdict), details });
    }
  }
}

/**
 * The skip item of a rule that cannot run over these facts, or undefined when it can. Where a fact is absent for another reason than that
 * the cluster has no such thing, the reason says so: the report then counts neither way for the rule's issues.
 */
export function skipItem(rule: Rule, sheet: FactSheet, isLost: (fact: FactName) => boolean): SkipItem | undefined {
  const isAbsent = (name: FactName) => sheet.state(name).value === undefined;
  const all = rule.requires.filter(isAbsent);
  const any = rule.requiresAny.filter((group) => group.every(isAbsent));
  const partial = rule.requiresWhole.filter((name) => sheet.state(name).broken.length > 0);
  if (all.length === 0 && any.length === 0 && partial.length === 0) return undefined;
  const absent = [...all, ...any.flat()];
  const troubled = inputTrouble(rule, sheet, [...absent, ...partial]);
  if (troubled !== undefined) return troubled;
  const details = `All: ${quotedList(all)} Any: ${any.map(quotedList).join(' Any: ')}`;
  const reason = absent.some(isLost) ? SKIP_INPUT_MISSING : SKIP_MISSING_REQUIREMENTS;
  return notRun(rule, reason, details);
}

/** What is wrong with the facts that a rule needs or has looked at; undefined when nothing is. */
export function inputTrouble(rule: Rule, sheet: FactSheet, facts: readonly FactName[]): SkipItem | undefined {
  const failed = facts.filter((name) => sheet.state(name).failed);
  if (failed.length > 0) return notRun(rule, SKIP_RULE_FAILED, `reading failed: ${quotedList(failed)}`);
  const broken = [...new Set(facts.flatMap((name) => sheet.state(name).broken))];
  if (broken.length === 0) return undefined;
  const more = broken.length - brokenFilesNamedMax;
  const named = quotedList(broken.slice(0, brokenFilesNamedMax));
  return notRun(rule, SKIP_INPUT_BROKEN, more > 0 ? `broken: ${named} and ${more} more` : `broken: ${named}`);
}

/** The skip item of a rule that did not run, or not over everything. */
export function notRun(rule: Pick<Rule, 'module'>, reason: SkipItem['reason'], details: string): SkipItem {
  return { rule_fqdn: `${rule.module}.report`, reason, details, type: 'skip' };
}

function quotedList(names: readonly string[]): string {
  return `[${names.map((name) => `'${name}'`).join(', ')}]`;
}

function common<Type extends string>(rule: RuleOfItem, verdict: { readonly type: Type; readonly key: string }) {
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
