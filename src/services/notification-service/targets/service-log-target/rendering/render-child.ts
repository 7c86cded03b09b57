/**
 * Runs in a child process of the runner pool: renders one issue's texts. Templates are code and details come from an archive, so this is
 * where they may loop or fill memory. Compiled templates are kept as long as the child lives. Loaded by `native-renderer.ts` by URL.
 */

import type { RuleContent } from '../../../../../contracts/rule-content.ts';
import { cutUtf8 } from '../../../../../encoding/cut-utf8.ts';
import type { RunJob } from '../../../../../platform/runner-pool/runner-job.ts';
import { createTemplateCompiler } from '../../../../../rules/content/compile-template.ts';
import { renderReport } from '../../../../../rules/content/render-report.ts';

/** A rendered text is cut to this before it leaves the child; Service Log takes 4000 bytes. */
const renderedTextBytesMax = 16 * 1024;

const compile = createTemplateCompiler();

export const runJob: RunJob<RenderJob, RenderAnswer> = (job, context) => {
  context.label(`${job.component} ${job.errorKey}`);
  // Only what Service Log shows is rendered: a resolution that cannot be would cost the reason too.
  const rule = { ...job.rule, resolution: '', error_keys: withoutResolutions(job.rule.error_keys) };
  const report = { component: job.component, key: job.errorKey, details: job.details };
  const result = renderReport([rule], report, compile);
  if (result.kind === 'failed') return { ...result, detail: cut(result.detail) };
  const { kind, ruleId, description, reason } = result;
  return { kind, ruleId, description: cut(description), reason: cut(reason) };
};

function withoutResolutions(errorKeys: RenderJob['rule']['error_keys']): RenderJob['rule']['error_keys'] {
  return Object.fromEntries(Object.entries(errorKeys).map(([key, content]) => [key, { ...content, resolution: '' }]));
}

function cut(text: string): string {
  return cutUtf8(String(text), renderedTextBytesMax);
}

/** What passes between the native renderer and its child processes. */
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
