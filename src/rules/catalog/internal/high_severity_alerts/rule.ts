/**
 * A critical alert has been firing for long and nobody silenced it. Many critical alerts pass while a node restarts or an update goes on;
 * owners are told of those that stay. Source: data-pipeline.md 7.5 (generic checks), which has no such time.
 */
import { timeOf } from '../../../engine/archive-time.ts';
import type { Alert } from '../../../engine/facts/alerts.ts';
import { cutText, defineRule, makeFail, makeNone, messageCharactersMax } from '../../../engine/rule.ts';

/** Two hours: as often as operators upload by default. */
const lastsMsMin = 2 * 60 * 60 * 1000;

export const highSeverityAlerts = defineRule({
  module: 'ccx_rules_ocp.internal.rules.high_severity_alerts',
  errorKeys: ['HIGH_SEVERITY_ALERTS'],
  requires: ['alerts'],
  evaluate({ alerts }, { now }) {
    const critical = alerts.filter((alert) => alert.severity === 'critical' && alert.state === 'active');
    const lasting = critical.filter(
      (alert) => now.getTime() - (startMs(alert) ?? Number.POSITIVE_INFINITY) >= lastsMsMin,
    );
    return lasting.length === 0 ? makeNone() : makeFail('HIGH_SEVERITY_ALERTS', { alerts: grouped(lasting) });
  },
});

/** Undefined where it is not told: in archives of old operators, and as Go's zero time, of the year 1. */
function startMs({ startsAt }: Alert): number | undefined {
  const ms = timeOf(startsAt);
  return ms === undefined || ms <= 0 ? undefined : ms;
}

/** One entry per alert name and namespace, in that order, since the first: a broken node alone may fire the same alert a hundred times. */
function grouped(alerts: readonly Alert[]) {
  const groups = new Map<string, { name: string; namespace: string; count: number; since: string; summary: string }>();
  for (const alert of alerts) {
    const key = `${alert.name}\n${alert.namespace}`;
    const group = groups.get(key);
    if (group === undefined) {
      const { name, namespace, startsAt } = alert;
      const summary = cutText(alert.summary, messageCharactersMax);
      groups.set(key, { name, namespace, count: 1, since: startsAt, summary });
    } else {
      group.count += 1;
      if (alert.startsAt < group.since) group.since = alert.startsAt;
    }
  }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}
