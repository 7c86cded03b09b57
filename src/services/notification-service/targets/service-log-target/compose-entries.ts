/**
 * Due issues of one cluster → one Service Log entry each, in report order, with rendered texts that fit. Source: notification-service.md
 * 10.2.
 */

import { moduleOfComponent } from '../../../../contracts/rule-content.ts';
import {
  fitDescription,
  fitSummary,
  SERVICE_LOG_SERVICE_NAME,
  SERVICE_LOG_SUMMARY_BYTES_MAX,
  serialiseServiceLogEntry,
  serviceLogSeverity,
} from '../../../../contracts/service-log-entry.ts';
import type { CcxError } from '../../../../encoding/ccx-error.ts';
import { Counter } from '../../../../platform/telemetry/prometheus.ts';
import type { Telemetry } from '../../../../platform/telemetry/telemetry.ts';
import type {
  ComposeContext,
  DueCluster,
  DueIssue,
  OutgoingNotification,
  ResolvedIssueOfCluster,
} from '../../ports.ts';
import { plainTexts } from '../plain-texts.ts';
import { fillUri } from '../uri-template.ts';
import { notRendered, type RenderedIssue, type TemplateRenderer } from './rendering/template-renderer.ts';
import { cleanLine, safeLinkTarget, safeMarkdownWithin } from './safe-text.ts';

export interface EntrySettings {
  readonly createdBy: string;
  readonly username: string;
  /** `service_log.rule_details_uri`: `{module}`, `{error_key}`. */
  readonly ruleDetailsUri: string;
}

interface EntryComposer {
  readonly settings: EntrySettings;
  readonly renderer: TemplateRenderer;
  readonly events: TargetEvents;
}

/** Rejects with the renderer's error when it is away: nothing is notified then, and the next run tries again. */
export async function composeEntries(
  cluster: DueCluster,
  context: ComposeContext,
  composer: EntryComposer,
): Promise<OutgoingNotification[]> {
  if (cluster.issues.length === 0) return [];
  const rendered = await composer.renderer.render(cluster);
  return cluster.issues.map((issue, index) => {
    const answer = rendered[index] ?? notRendered(issue, 'TEMPLATE_FAILED', 'no result');
    const texts = textsOf(issue, answer, { ...composer, cluster: cluster.cluster });
    const { type, component, errorKey } = issue;
    const id = context.uuid();
    const body = serialiseServiceLogEntry({
      cluster_uuid: cluster.cluster,
      description: texts.description,
      service_name: SERVICE_LOG_SERVICE_NAME,
      // Outside of the known risks the reference takes Info; the run counts those.
      severity: serviceLogSeverity(issue.totalRisk) ?? 'Info',
      summary: texts.summary,
      created_by: composer.settings.createdBy,
      username: composer.settings.username,
      event_stream_id: id,
    });
    const issues = [{ type, component, errorKey }];
    return { id, target: 'service-log', cluster: cluster.cluster, issues, body, headers: {} };
  });
}

/** No template is rendered: what a report held is not there any more. */
export function composeResolvedEntry(
  { cluster, reports, ...issue }: ResolvedIssueOfCluster,
  context: ComposeContext,
  settings: EntrySettings,
): OutgoingNotification {
  const { type, component, errorKey } = issue;
  const { description: name } = plainTexts(issue);
  const url = fillUri(settings.ruleDetailsUri, { module: moduleOfComponent(component), error_key: errorKey });
  const since = reports === 1 ? "The cluster's last report was" : `The cluster's last ${reports} reports were`;
  const reason = `${since} without this issue: ${safeMarkdownWithin(name, SERVICE_LOG_SUMMARY_BYTES_MAX)}`;
  const id = context.uuid();
  const body = serialiseServiceLogEntry({
    cluster_uuid: cluster,
    description: fitDescription(reason, safeLinkTarget(url), safeMarkdownWithin),
    service_name: SERVICE_LOG_SERVICE_NAME,
    severity: 'Info',
    summary: fitSummary(`Resolved: ${cleanLine(name) || errorKey}`),
    created_by: settings.createdBy,
    username: settings.username,
    event_stream_id: id,
  });
  return { id, target: 'service-log', cluster, issues: [{ type, component, errorKey }], body, headers: {} };
}

function textsOf(
  issue: DueIssue,
  rendered: RenderedIssue,
  { cluster, settings, events }: EntryComposer & Pick<DueCluster, 'cluster'>,
) {
  const { component, errorKey } = issue;
  const plain = plainTexts(issue);
  if (rendered.kind === 'failed') events.renderingFellBack({ cluster, component, errorKey }, rendered.error);
  const texts = rendered.kind === 'rendered' ? rendered : { ...plain, ruleId: moduleOfComponent(component) };
  const url = fillUri(settings.ruleDetailsUri, { module: texts.ruleId, error_key: errorKey });
  const summary = fitSummary(cleanLine(texts.description)) || fitSummary(cleanLine(plain.description)) || errorKey;
  const description = fitDescription(texts.reason, safeLinkTarget(url), safeMarkdownWithin);
  return { summary: fitSummary(summary), description };
}

type TargetEvents = ReturnType<typeof createTargetEvents>;

/** What happened inside the target: its log line, its metric and its announcement. What happened to a message is the run's to say. */
export function createTargetEvents({ log, registry, announce }: Telemetry) {
  const fallbacks = new Counter({
    name: 'ccx_notification_rendering_fallbacks_total',
    help: 'Issues notified with plain texts, since their templates could not be rendered',
    labelNames: ['code'],
    registers: [registry],
  });
  return {
    renderingFellBack(
      where: Record<'cluster' | 'component' | 'errorKey', string>,
      { code, message: why }: CcxError,
    ): void {
      fallbacks.inc({ code });
      log.warn({ ...where, why, code }, 'texts could not be rendered; plain ones are sent instead');
      announce('rendering-fell-back', { target: 'service-log', ...where, code });
    },
  };
}
