/**
 * Texts of an issue without what its report holds: where templates cannot be rendered, and for receivers that are told in a line. Used by
 * targets.
 */
import type { Issue } from '../../../contracts/issue.ts';
import { ruleNameOfComponent } from '../../../contracts/rule-content.ts';
import type { DueIssue } from '../ports.ts';

/**
 * Plain texts for an issue whose templates cannot be rendered, made of what needs no rendering. A poorer text in time is better than a
 * lost notification.
 */
export function plainTexts(issue: Pick<DueIssue, keyof Issue | 'rule' | 'content'>) {
  const { content, rule } = issue;
  const name = firstPlain([content.metadata.description, rule.plugin.name]) ?? ruleNameOfComponent(issue.component);
  const reason = firstPlain([content.summary, rule.summary, content.generic, rule.generic]);
  return {
    description: name,
    reason: reason ?? `The recommendation "${name}" (${issue.errorKey}) applies to this cluster.`,
  };
}

/** The first text that is not empty and holds no template code. */
function firstPlain(texts: readonly string[]): string | undefined {
  return texts.map((text) => text.trim()).find((text) => text !== '' && !text.includes('{{'));
}
