/**
 * Runs in a child process of the runner pool: renders one issue's texts. Templates are code and details come from an archive, so this is
 * where they may loop or fill memory. Compiled templates are kept as long as the child lives. Loaded by `native-renderer.ts` by URL.
 */

import type { RuleContent } from '../../../../../contracts/rule-content.ts';
import { cutUtf8 } from '../../../../../encoding/cut-utf8.ts';
import type { RunJob } from '../../../../../platform/runner-pool/runner-job.ts';
import {
  createTemplateCompiler,
  type Template,
  type TemplateCompiler,
} from '../../../../../rules/content/compile-template.ts';
import { createReportRenderer } from '../../../../../rules/content/render-report.ts';

/** Compiled templates kept in a child: more than a rule set has. */
const compiledTemplatesMax = 5_000;
/** A rendered text is cut to this before it leaves the child; Service Log takes 4000 bytes. */
const renderedTextBytesMax = 16 * 1024;

const compiler = rememberTemplates(createTemplateCompiler(), compiledTemplatesMax);

export const runJob: RunJob<RenderJob, RenderAnswer> = (job, context) => {
  context.label(`${job.component} ${job.errorKey}`);
  // Only what Service Log shows is rendered: a resolution that cannot be would cost the reason too.
  const rule = { ...job.rule, resolution: '', error_keys: withoutResolutions(job.rule.error_keys) };
  const report = { component: job.component, key: job.errorKey, details: JSON.parse(job.details) as unknown };
  const { rendered, failures } = createReportRenderer([rule], compiler).render([report]);
  const texts = rendered[0];
  if (texts === undefined) {
    return { kind: 'failed', why: failures[0]?.reason ?? 'no-result', detail: cut(failures[0]?.detail ?? '') };
  }
  return { kind: 'rendered', ruleId: texts.rule_id, description: cut(texts.description), reason: cut(texts.reason) };
};

function withoutResolutions(errorKeys: RenderJob['rule']['error_keys']): RenderJob['rule']['error_keys'] {
  return Object.fromEntries(Object.entries(errorKeys).map(([key, content]) => [key, { ...content, resolution: '' }]));
}

function cut(text: string): string {
  return cutUtf8(String(text), renderedTextBytesMax);
}

/** Compiles each text once; the oldest is forgotten when there are too many, as after many changes of the content. */
function rememberTemplates(inner: TemplateCompiler, templatesMax: number): TemplateCompiler {
  const known = new Map<string, Template>();
  return {
    compile(text) {
      const present = known.get(text);
      if (present !== undefined) return present;
      const template = inner.compile(text);
      known.set(text, template);
      if (known.size > templatesMax) known.delete(known.keys().next().value!);
      return template;
    },
  };
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
