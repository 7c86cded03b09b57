/**
 * Runs in a child process of the runner pool: renders the texts of one report item. Templates come with the request and are code, so this
 * is where they may loop or fill memory; there are no credentials in here. Loaded by `rendering.ts` by URL.
 */
import type { RuleContent } from '../../contracts/rule-content.ts';
import { cutUtf8 } from '../../encoding/cut-utf8.ts';
import type { RunJob } from '../../platform/runner-pool/runner-job.ts';
import { createTemplateCompiler } from '../../rules/content/compile-template.ts';
import { renderReport } from '../../rules/content/render-report.ts';

/** A rendered text is cut to this before it leaves the child; texts of the hosted content have some KiB. */
const renderedTextBytesMax = 256 * 1024;

const compile = createTemplateCompiler();

/** What passes between the renderer and its children. */
export interface RenderJob {
  /** The one that the item is of, with the one error key that it names. */
  readonly rule: RuleContent;
  readonly component: string;
  readonly key: string;
  /** JSON; parsed where the template is, in the child, which may be killed over it. */
  readonly details: string;
}

export type RenderAnswer =
  | { readonly kind: 'rendered'; readonly resolution: string; readonly reason: string; readonly description: string }
  | { readonly kind: 'failed'; readonly why: string; readonly detail: string };

export const runJob: RunJob<RenderJob, RenderAnswer> = ({ rule, component, key, details }, context) => {
  context.label(`${component} ${key}`);
  const result = renderReport([rule], { component, key, details }, compile);
  if (result.kind === 'failed') return { ...result, detail: cut(result.detail) };
  const { kind, resolution, reason, description } = result;
  return { kind, resolution: cut(resolution), reason: cut(reason), description: cut(description) };
};

function cut(text: string): string {
  return cutUtf8(text, renderedTextBytesMax);
}
