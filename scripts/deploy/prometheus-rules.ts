/**
 * `deploy/prometheus`: the alerts of docs/metrics.md as rules of Prometheus, as a resource of its operator, and the unit tests that
 * `promtool test rules` runs of them.
 */
import { stringify } from 'yaml';
import { metricRoles } from '../docs/exposed-metrics.ts';
import { type Alert, roleNotes } from '../docs/metric-notes.ts';
import { type AlertCase, alertCases } from './alert-cases.ts';

/** What no role can say of itself. */
const ofAllRoles: readonly Alert[] = [
  {
    name: 'RoleDown',
    severity: 'critical',
    when: 'up{job=~"ccx-.+"} == 0',
    for: '5m',
    means: 'a process does not answer its scrapes; `ccx roles` and its log say whether it runs',
  },
];

const groups: readonly { readonly name: string; readonly alerts: readonly Alert[] }[] = [
  { name: 'ccx-roles', alerts: ofAllRoles },
  ...metricRoles.map((role) => ({ name: `ccx-${role}`, alerts: roleNotes[role].alerts })),
];

const head = (what: string) =>
  `# ${what}\n# Generated from scripts/docs/metric-notes.ts by npm run generate; do not edit.\n`;

function ruleGroups() {
  return {
    groups: groups.map(({ name, alerts }) => ({
      name,
      rules: alerts.map((alert) => ({
        alert: alertName(alert),
        expr: alert.when,
        for: alert.for,
        labels: { severity: alert.severity },
        annotations: { summary: alert.means },
      })),
    })),
  };
}

export function renderPrometheusRules(): string {
  return `${head('When to tell somebody what: docs/metrics.md.')}${yaml(ruleGroups())}`;
}

/** For the Prometheus operator, which OpenShift's monitoring has, too. */
export function renderPrometheusRuleResource(): string {
  const resource = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'ccx', labels: { 'app.kubernetes.io/part-of': 'ccx-notifications' } },
    spec: ruleGroups(),
  };
  return `${head('deploy/prometheus/ccx.rules.yaml for the Prometheus operator.')}${yaml(resource)}`;
}

/** Throws where an alert has no case, or a case no alert. */
export function renderPrometheusRuleTests(): string {
  const alerts = groups.flatMap((group) => group.alerts);
  const names = alerts.map(({ name }) => name);
  const missing = names.filter((name) => alertCases[name] === undefined);
  const unknown = Object.keys(alertCases).filter((name) => !names.includes(name));
  if (missing.length + unknown.length > 0) {
    throw new Error(`alerts without a case: ${missing.join(', ')}; cases without an alert: ${unknown.join(', ')}`);
  }
  const tests = alerts.flatMap((alert) => testsOf(alert, alertCases[alert.name]!));
  const page = { rule_files: ['ccx.rules.yaml'], evaluation_interval: '1m', tests };
  return `${head('promtool test rules ccx.rules.test.yaml')}${yaml(page)}`;
}

function testsOf(alert: Alert, { fires, quiet, interval = '1m' }: AlertCase) {
  const alertname = alertName(alert);
  const one = (name: string, { series, at }: AlertCase['quiet'], expected: readonly object[]) => ({
    name: `${alertname} ${name}`,
    interval,
    input_series: series.map(([selector, values]) => ({ series: selector, values })),
    alert_rule_test: [{ eval_time: at, alertname, exp_alerts: expected }],
  });
  const expected = {
    exp_labels: { severity: alert.severity, ...fires.labels },
    exp_annotations: { summary: alert.means },
  };
  return [one('fires', fires, [expected]), one('is quiet', quiet, [])];
}

function alertName({ name }: Alert): string {
  return `Ccx${name}`;
}

function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}
