/**
 * Renders with our own template functions, in child processes that are watched for time and memory, since a template is code. One issue is
 * one job, so a template that loops costs its own issue only; one that keeps looping is left alone for a while.
 */

import { moduleOfComponent } from '../../../../../contracts/rule-content.ts';
import { CcxError, errorCode, errorText } from '../../../../../encoding/ccx-error.ts';
import type { Clock } from '../../../../../platform/clock/clock.ts';
import { RunnerPool } from '../../../../../platform/runner-pool/runner-pool.ts';
import type { Telemetry } from '../../../../../platform/telemetry/telemetry.ts';
import type { DueIssue } from '../../../ports.ts';
import { harmlessDetails } from '../safe-text.ts';
import type { RenderAnswer, RenderJob } from './render-child.ts';
import { createBoundedWork, notRendered, type RenderedIssue, type TemplateRenderer } from './template-renderer.ts';

/** One template over one issue; the hosted renderer's limit. */
const renderMsMax = 5_000;
/** One rendering child; Node itself takes some 60 MB. */
const renderChildBytesMax = 256 * 1024 * 1024;
/** Rendering children; rendering is a small part of a run. */
const renderChildren = 1;
/** A child is replaced after so many texts, as the hosted renderer does. */
const rendersPerChildMax = 1_000;
/** Texts asked for at once; more would only wait in the pool. */
export const rendersAtOnceMax = 8;
/** A template that was stopped so many times in a row is not tried for a while: it would cost every cluster its full time. */
export const templateStopsMax = 3;
const templateRestMs = 600_000;

/** The children start with the first text: a run without one needs none. */
export function createNativeRenderer(options: {
  readonly clock: Clock;
  readonly telemetry?: Telemetry;
  /** Time of one issue; default 5 s. */
  readonly renderMsMax?: number;
}): TemplateRenderer {
  const { clock, telemetry } = options;
  const startPool = (): RunnerPool<RenderJob, RenderAnswer> =>
    new RunnerPool({
      module: new URL('./render-child.ts', import.meta.url),
      name: 'renderer',
      size: renderChildren,
      clock,
      telemetry,
      jobMsMax: options.renderMsMax ?? renderMsMax,
      childBytesMax: renderChildBytesMax,
      jobsPerChildMax: rendersPerChildMax,
    });
  const bounded = createBoundedWork(rendersAtOnceMax);
  const rests = createTemplateRests(clock);
  let pool: RunnerPool<RenderJob, RenderAnswer> | undefined;
  let closed = false;
  return {
    async render(cluster) {
      if (closed) throw unavailable(new Error('the renderer is closed'));
      pool ??= startPool();
      const children = pool;
      return Promise.all(cluster.issues.map((issue) => bounded.run(() => renderIssue(issue, children, rests))));
    },
    async close() {
      closed = true;
      await pool?.close();
    },
  };
}

/** Ends of a job that are the template's doing. Anything else from the pool means that the pool itself is of no use now. */
const stoppedCodes = new Set(['RUNNER_TIMEOUT', 'RUNNER_MEMORY', 'RUNNER_CRASHED']);

async function renderIssue(
  issue: DueIssue,
  pool: RunnerPool<RenderJob, RenderAnswer>,
  rests: TemplateRests,
): Promise<RenderedIssue> {
  const job = jobOf(issue);
  // By the content's own names: those of the report could be made up without end.
  const template = `${issue.rule.plugin.python_module} ${job.errorKey}`;
  if (rests.isResting(template))
    return notRendered(issue, 'TEMPLATE_RESTING', 'its template was stopped several times in a row');
  try {
    const answer = await pool.run(job);
    rests.ended(template);
    if (answer.kind === 'rendered') return answer;
    return notRendered(issue, 'TEMPLATE_FAILED', `${answer.why}: ${answer.detail}`);
  } catch (error) {
    const code = errorCode(error);
    if (stoppedCodes.has(code)) {
      rests.stopped(template);
      return notRendered(issue, 'TEMPLATE_STOPPED', errorText(error));
    }
    if (code === 'RUNNER_JOB_FAILED') return notRendered(issue, 'TEMPLATE_FAILED', errorText(error));
    throw unavailable(error);
  }
}

function unavailable(cause: unknown): CcxError {
  return new CcxError('texts cannot be rendered now', {
    code: 'RENDERER_UNAVAILABLE',
    category: 'internal',
    retryable: true,
    cause,
  });
}

/** The rule under the module of the report: content is found by the rule's short name, and the texts are rendered for what was found. */
function jobOf(issue: DueIssue): RenderJob {
  const module = moduleOfComponent(issue.component);
  return {
    rule: {
      ...issue.rule,
      plugin: { ...issue.rule.plugin, python_module: module },
      error_keys: { [issue.errorKey]: issue.content },
    },
    component: `${module}.report`,
    errorKey: issue.errorKey,
    details: harmlessDetails(issue.details),
  };
}

type TemplateRests = ReturnType<typeof createTemplateRests>;

/** Without it, a template that always loops would cost every cluster of a fleet its full time. */
function createTemplateRests(clock: Clock) {
  const stops = new Map<string, { count: number; untilMs: number }>();
  return {
    isResting: (template: string) => (stops.get(template)?.untilMs ?? 0) > clock.monotonicMs(),
    stopped(template: string) {
      const count = (stops.get(template)?.count ?? 0) + 1;
      stops.set(template, { count, untilMs: count >= templateStopsMax ? clock.monotonicMs() + templateRestMs : 0 });
    },
    ended: (template: string) => void stops.delete(template),
  };
}
