/**
 * What the next round would post to a receiver of alerts, without posting it and without changing anything: the bytes of each batch, and why
 * everything else is not active. One transaction that can only read. Called by `ccx receivers preview`.
 */
import type { PostableAlert } from '../../contracts/alertmanager.ts';
import { alertsPerPostMax } from './alerts/post-batch.ts';
import { type DecidedIssue, decidedPages, rowOf } from './alerts/settle-alerts.ts';
import {
  checkNotificationSchema,
  type NotificationServiceDependencies,
  serviceState,
  withReceivers,
} from './begin-run.ts';
import type { NotificationServiceSettings } from './config.ts';
import { ALERT_ACTIVE, alertChange } from './decide/decide-alert.ts';
import { createMetrics } from './metrics.ts';
import { withSnapshot } from './snapshot.ts';
import { foreseeNumbers } from './store/targets.ts';
import { type AlertContext, alertOf } from './targets/alertmanager-target/compose-alert.ts';
import { createEvents } from './telemetry.ts';
import { timestampText } from './timestamps.ts';

export interface AlertsPreview {
  readonly active: number;
  /** That end with this round. */
  readonly ended: number;
  /** Issues that are not active, by reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** `show` gets the body of each post. Alerts whose issue was closed since the last round are posted with their end, and are not in it. */
export async function previewAlerts(
  settings: NotificationServiceSettings,
  dependencies: NotificationServiceDependencies & { readonly signal: AbortSignal },
  show: (body: string) => Promise<void>,
): Promise<AlertsPreview> {
  const { telemetry, clock, database, receivers = [], signal } = dependencies;
  const events = createEvents({ telemetry, clock, metrics: createMetrics(telemetry.registry, settings.metrics) });
  await database.check();
  await checkNotificationSchema(database);
  return await withSnapshot(database, async (inside) => {
    const platform = serviceState(settings, { ...dependencies, database: inside }, { events, signal });
    const numbers = await foreseeNumbers(
      inside,
      receivers.map(({ target }) => target.name),
    );
    const state = withReceivers(platform, receivers, numbers);
    const receiver = state.targets.find(({ target }) => target.alerts !== undefined)!;
    const { resolveAfterMs, ruleDetailsUri } = receiver.target.alerts!;
    const [content, rules] = [await state.content.get(), await state.disabledRules.get()];
    const now = clock.now();
    const context: AlertContext = { content, ruleDetailsUri, now, resolveAfterMs };
    const counts = { active: 0, ended: 0, reasons: {} as Record<string, number> };
    let batch: PostableAlert[] = [];
    const shown = async () => {
      if (batch.length > 0) await show(JSON.stringify(batch));
      batch = [];
    };
    for await (const page of decidedPages(state.store, receiver, { content, rules, clusters: settings.clusters })) {
      if (signal.aborted) break;
      for (const decided of page) {
        const { decision } = decided;
        if (decision.active) counts.active += 1;
        else counts.reasons[decision.reason] = (counts.reasons[decision.reason] ?? 0) + 1;
        const alert = alertFor(decided, { context, newId: clock.uuid(), nowText: timestampText(clock.nowMicros()) });
        if (alert === undefined) continue;
        if (alert.annotations.ended_because !== undefined) counts.ended += 1;
        batch.push(alert);
        if (batch.length === alertsPerPostMax) await shown();
      }
    }
    await shown();
    return counts;
  });
}

/** Undefined: nothing is posted of it. */
function alertFor(
  { issue, decision }: DecidedIssue,
  { context, newId, nowText }: { readonly context: AlertContext; readonly newId: string; readonly nowText: string },
): PostableAlert | undefined {
  const change = alertChange(rowOf(issue), decision);
  const begins = change?.kind === 'begins';
  const toldAs = begins ? change.toldAs : issue.toldAs;
  if (toldAs === null || (!decision.active && change?.kind !== 'ends')) return undefined;
  return alertOf(
    {
      ...issue,
      ...{ toldAs, decidedAt: nowText, notificationId: begins ? newId : (issue.notificationId ?? newId) },
      reason: change?.kind === 'ends' ? change.reason : ALERT_ACTIVE,
      acknowledgementId: change?.kind === 'ends' ? change.acknowledgementId : null,
    },
    context,
  );
}
