/** A critical alert is firing and nobody silenced it. Source: data-pipeline.md 7.5 (generic checks). */

import type { Alert } from '../../../engine/facts/alerts.ts';
import { cutText, defineRule, makeFail, makeNone, messageCharactersMax } from '../../../engine/rule.ts';

export const highSeverityAlerts = defineRule({
  module: 'ccx_rules_ocp.internal.rules.high_severity_alerts',
  errorKeys: ['HIGH_SEVERITY_ALERTS'],
  requires: ['alerts'],
  evaluate({ alerts }) {
    const critical = alerts.filter((alert) => alert.severity === 'critical' && alert.state === 'active');
    return critical.length === 0 ? makeNone() : makeFail('HIGH_SEVERITY_ALERTS', { alerts: grouped(critical) });
  },
});

/** One entry per alert name and namespace, in that order: a broken node alone may fire the same alert a hundred times. */
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
      if (alert.startsAt !== '' && (group.since === '' || alert.startsAt < group.since)) group.since = alert.startsAt;
    }
  }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}
