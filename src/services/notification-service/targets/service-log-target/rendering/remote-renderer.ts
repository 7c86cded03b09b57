/**
 * Renders over the hosted template renderer: one request with all issues of a cluster and only the rules that they need. That service fails
 * a whole request for one bad template, so after such an answer each issue is asked for alone. Source: notification-service.md 10.4.
 */
import { z } from 'zod';
import { moduleOfComponent, ruleNameOfComponent } from '../../../../../contracts/rule-content.ts';
import { CcxError } from '../../../../../encoding/ccx-error.ts';
import { stringifyLikeGo } from '../../../../../encoding/go-decoder.ts';
import { parseJsonBytes } from '../../../../../encoding/json-text.ts';
import { callHttp, type HttpAnswer } from '../../../../../platform/http/http-client.ts';
import type { DueCluster, DueIssue } from '../../../ports.ts';
import { harmlessDetails } from '../safe-text.ts';
import { createBoundedWork, notRendered, type RenderedIssue, type TemplateRenderer } from './template-renderer.ts';

/** One call to the remote renderer, as in the reference. */
const remoteRenderMsMax = 10_000;
const remoteRenderAnswerBytesMax = 16 * 1024 * 1024;
/** Single requests at once, after the renderer refused them together. */
const remoteRendersAtOnceMax = 4;

/** `url` is from `templateRendererUrl`. */
export function createRemoteRenderer({
  url,
  timeoutMs = remoteRenderMsMax,
}: {
  readonly url: string;
  readonly timeoutMs?: number;
}): TemplateRenderer {
  const bounded = createBoundedWork(remoteRendersAtOnceMax);
  const ask = (cluster: DueCluster, issues: readonly DueIssue[]) => askRenderer({ url, timeoutMs }, cluster, issues);
  return {
    async render(cluster) {
      const together = await ask(cluster, cluster.issues);
      if (together !== undefined) return together;
      if (cluster.issues.length === 1) return cluster.issues.map(refused);
      return Promise.all(
        cluster.issues.map((issue) => bounded.run(async () => (await ask(cluster, [issue]))?.[0] ?? refused(issue))),
      );
    },
    close: async () => undefined,
  };
}

/** What the renderer itself answers when a template fails or details are not what its model wants. */
const contentStatuses = new Set([422, 500]);

/** Undefined when the renderer refuses what it was asked; rejects with `RENDERER_UNAVAILABLE` when it is away. */
async function askRenderer(
  { url, timeoutMs }: { readonly url: string; readonly timeoutMs: number },
  cluster: DueCluster,
  issues: readonly DueIssue[],
): Promise<RenderedIssue[] | undefined> {
  let answer: HttpAnswer;
  try {
    answer = await callHttp(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: requestBody(cluster.cluster, issues),
      deadlineMs: timeoutMs,
      answerBytesMax: remoteRenderAnswerBytesMax,
    });
  } catch (cause) {
    throw unavailable('gives no answer', cause);
  }
  if (contentStatuses.has(answer.status)) return undefined;
  if (answer.status !== 200) throw unavailable(`answers ${answer.status}`);
  const parsed = renderedAnswer.safeParse(parseJsonBytes(answer.body));
  if (!parsed.success) throw unavailable('answers something that is no rendered report');
  const reports = Object.hasOwn(parsed.data.reports, cluster.cluster) ? parsed.data.reports[cluster.cluster]! : [];
  return issues.map((issue) => findRendered(issue, reports));
}

const reportSchema = z.object({
  rule_id: z.string(),
  error_key: z.string(),
  reason: z.string(),
  description: z.string(),
});
const renderedAnswer = z.object({ reports: z.record(z.string(), z.array(reportSchema)) });

/** `details` go out as they came in, but for what could act: numbers of any size survive. */
function requestBody(cluster: string, issues: readonly DueIssue[]): string {
  const content = [...new Set(issues.map((issue) => issue.rule))];
  const reports = issues.map(
    ({ type, component, errorKey, details, totalRisk }) =>
      `{"type":${stringifyLikeGo(type)},"component":${stringifyLikeGo(component)},"key":${stringifyLikeGo(errorKey)},` +
      `"details":${harmlessDetails(details)},"TotalRisk":${totalRisk}}`,
  );
  const name = stringifyLikeGo(cluster);
  return (
    `{"content":${stringifyLikeGo(content)},"report_data":{"clusters":[${name}],` +
    `"reports":{${name}:{"reports":[${reports.join(',')}]}}}}`
  );
}

/** The full module first; then, as the reference does, the rule's short name. */
function findRendered(issue: DueIssue, reports: readonly z.infer<typeof reportSchema>[]): RenderedIssue {
  const ofKey = reports.filter((report) => report.error_key === issue.errorKey);
  const found =
    ofKey.find((report) => report.rule_id === moduleOfComponent(issue.component)) ??
    ofKey.find((report) => lastSegment(report.rule_id) === ruleNameOfComponent(issue.component));
  if (found === undefined) return notRendered(issue, 'TEMPLATE_FAILED', 'the renderer left it out');
  return { kind: 'rendered', ruleId: found.rule_id, description: found.description, reason: found.reason };
}

function lastSegment(ruleId: string): string {
  return ruleId.slice(ruleId.lastIndexOf('.') + 1);
}

function refused(issue: DueIssue): RenderedIssue {
  return notRendered(issue, 'TEMPLATE_FAILED', 'the renderer refuses it');
}

function unavailable(what: string, cause?: unknown): CcxError {
  return new CcxError(`the template renderer ${what}`, {
    code: 'RENDERER_UNAVAILABLE',
    category: 'connection',
    retryable: true,
    cause,
    hint: 'check dependencies.template_renderer_server and dependencies.template_renderer_endpoint, or empty the former to render here',
  });
}
