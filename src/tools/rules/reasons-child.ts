/**
 * Runs in a child of the runner pool: what owners would read of the samples of a pack that fire. Its texts are written by us from what its
 * author wrote, and are templates nevertheless, which are rendered in children only. Loaded by `test-pack.ts` by URL.
 */
import type { RuleContent } from '../../contracts/rule-content.ts';
import type { RunJob } from '../../platform/runner-pool/runner-job.ts';
import { createTemplateCompiler } from '../../rules/content/compile-template.ts';
import { renderReport } from '../../rules/content/render-report.ts';

const compile = createTemplateCompiler();

/** All firing samples of a pack. */
export interface ReasonsJob {
  readonly rules: readonly RuleContent[];
  /** `details` is JSON. */
  readonly reports: readonly { readonly component: string; readonly key: string; readonly details: string }[];
}

export const runJob: RunJob<ReasonsJob, readonly string[]> = ({ rules, reports }) =>
  reports.map((report) => {
    const rendered = renderReport(rules, report, compile);
    return rendered.kind === 'rendered' ? rendered.reason.trim() : `(${rendered.why}: ${rendered.detail})`;
  });
