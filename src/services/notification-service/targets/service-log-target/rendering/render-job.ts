/** What passes between the native renderer and its child processes. */
import type { RuleContent } from '../../../../../contracts/rule-content.ts';

export interface RenderJob {
  /** Its module is the report's, and it holds the one error key that is asked for. */
  readonly rule: RuleContent;
  readonly component: string;
  readonly errorKey: string;
  /** Raw JSON; parsed in the child, which may be killed over it. */
  readonly details: string;
}

export type RenderAnswer =
  | { readonly kind: 'rendered'; readonly ruleId: string; readonly description: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly why: string; readonly detail: string };
