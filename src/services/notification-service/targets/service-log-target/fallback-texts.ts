/**
 * Plain texts for an issue whose templates cannot be rendered, made of what needs no rendering. A poorer text in time is better than a
 * lost notification.
 */
import { ruleNameOfComponent } from '../../../../contracts/rule-content.ts';
import type { DueIssue } from '../../ports.ts';

export interface IssueTexts {
  readonly description: string;
  readonly reason: string;
}

export function fallbackTexts(issue: DueIssue): IssueTexts {
  const { content, rule } = issue;
  const name = firstPlain([content.metadata.description, rule.plugin.name]) ?? ruleNameOfComponent(issue.component);
  const told = firstPlain([content.summary, rule.summary, content.generic, rule.generic]);
  return {
    description: name,
    reason: told ?? `The recommendation "${name}" (${issue.errorKey}) applies to this cluster.`,
  };
}

/** The first text that is not empty and holds no template code. */
function firstPlain(texts: readonly string[]): string | undefined {
  return texts.map((text) => text.trim()).find((text) => text !== '' && !text.includes('{{'));
}
