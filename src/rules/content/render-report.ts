/**
 * A report item → the texts that a person reads. Pure; called by the notification service, in a process that is watched for time, since
 * templates are code. Source: data-pipeline.md 8.6.
 */

import type { RuleContent } from '../../contracts/rule-content.ts';
import { errorText } from '../../encoding/ccx-error.ts';
import type { TemplateCompiler } from './compile-template.ts';

interface RenderableReport {
  /** `<module>.report` */
  readonly component: string;
  /** The error key. */
  readonly key: string;
  /** JSON of what templates see as `pydata`. */
  readonly details: string;
}

type RenderResult =
  | {
      readonly kind: 'rendered';
      /** The rule's module. */
      readonly ruleId: string;
      readonly resolution: string;
      readonly reason: string;
      readonly description: string;
    }
  | {
      readonly kind: 'failed';
      readonly why: 'rule-unknown' | 'error-key-unknown' | 'description-missing' | 'template-failed';
      readonly detail: string;
    };

/** Where two rules claim the same module, the first is rendered. */
export function renderReport(
  rules: readonly RuleContent[],
  { component, key, details }: RenderableReport,
  compile: TemplateCompiler,
): RenderResult {
  const module = component.slice(0, Math.max(component.lastIndexOf('.'), 0));
  const rule = rules.find(({ plugin }) => plugin.python_module === module);
  if (rule === undefined) return { kind: 'failed', why: 'rule-unknown', detail: `no content for module ${module}` };
  const content = Object.hasOwn(rule.error_keys, key) ? rule.error_keys[key] : undefined;
  if (content === undefined) {
    return { kind: 'failed', why: 'error-key-unknown', detail: `no content for error key ${key}` };
  }
  if (content.metadata.description === '') {
    return { kind: 'failed', why: 'description-missing', detail: 'the description is empty' };
  }
  const fill = (text: string) => (text === '' ? '' : compile(text)(details));
  try {
    return {
      kind: 'rendered',
      ruleId: module,
      resolution: fill(content.resolution || rule.resolution),
      reason: fill(content.reason || rule.reason),
      description: fill(content.metadata.description),
    };
  } catch (error) {
    return { kind: 'failed', why: 'template-failed', detail: errorText(error) };
  }
}
