/**
 * A rule that somebody disabled for a cluster or for an organization, as `ccx.acknowledgements` keeps it and as people name it. Produced by:
 * `ccx acks`, read API → consumed by: notification service, whoever lists them. Source: read-api.md, "Acknowledgements"; records.md.
 */

import type { Issue } from './issue.ts';
import { moduleOfComponent } from './rule-content.ts';

/** A rule, or one error key of it. */
export interface AcknowledgedRule {
  /** As reports name the rule: its module and `.report`. */
  readonly component: string;
  /** Null: every key. */
  readonly errorKey: string | null;
}

export interface Acknowledgement extends AcknowledgedRule {
  readonly id: string;
  /** Of the cluster, too: one that goes to another organization takes none along. */
  readonly orgId: number;
  /** Null: all clusters of the organization. */
  readonly cluster: string | null;
  /** When it ends, as PostgreSQL writes it, UTC; null: not by date. */
  readonly until: string | null;
  /** It ends when what it silences is resolved; of an organization in each cluster by itself. */
  readonly untilResolved: boolean;
  /** Empty where nobody gave one. */
  readonly justification: string;
  readonly by: string;
}

/** A module has dots in it, and neither blanks nor bars; a key is what is behind the bar. */
const selectorPattern = /^([^\s|.]+(?:\.[^\s|.]+)+)(?:\|(\S(?:.*\S)?))?$/u;

/** `module`, `module|KEY`; `module.report` is the same. Undefined for a text that is no selector. Source: read-api.md. */
export function parseSelector(text: string): AcknowledgedRule | undefined {
  const match = selectorPattern.exec(text.trim());
  if (match === null) return undefined;
  return { component: `${moduleOfComponent(match[1]!)}.report`, errorKey: match[2] ?? null };
}

export function selectorOf({ component, errorKey }: AcknowledgedRule): string {
  const module = moduleOfComponent(component);
  return errorKey === null ? module : `${module}|${errorKey}`;
}

export function isOfRule(issue: Pick<Issue, 'component' | 'errorKey'>, rule: AcknowledgedRule): boolean {
  return (
    moduleOfComponent(issue.component) === moduleOfComponent(rule.component) &&
    (rule.errorKey === null || rule.errorKey === issue.errorKey)
  );
}
