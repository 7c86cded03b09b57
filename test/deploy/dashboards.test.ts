/** The dashboards ask for metrics that the services have, by labels that these have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dashboardQueries, dashboards } from '../../scripts/deploy/dashboards.ts';
import { exposedMetrics, metricRoles } from '../../scripts/docs/exposed-metrics.ts';
import { processMetrics, runtimeMetrics } from '../../scripts/docs/metric-notes.ts';
import { metricsIn } from '../../scripts/docs/metrics-page.ts';

const ofRoles = metricRoles.flatMap(exposedMetrics);
const known = new Set([...ofRoles.map(({ name }) => name), ...processMetrics, ...runtimeMetrics]);
const labelsOfPrometheus = ['job', 'instance', 'namespace', 'le'];

const withoutSuffix = (name: string) => (known.has(name) ? name : name.replace(/_(bucket|count|sum)$/, ''));

for (const dashboard of dashboards) {
  test(`${dashboard.title} asks for what is there`, () => {
    for (const query of dashboardQueries(dashboard)) {
      const names = metricsIn(query.replaceAll(/\bby \([^)]*\)/g, '')).map(withoutSuffix);
      const unknown = names.filter((name) => !known.has(name));
      assert.deepEqual(unknown, [], query);
      assert.ok(names.length === 1 || query.includes('up{'), query);
      const labels = new Set(ofRoles.filter(({ name }) => names.includes(name)).flatMap((metric) => metric.labels));
      const asked = [
        ...[...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', ')),
        ...[...query.matchAll(/\b(\w+)(?:=~|!=|=)"/g)].map(([, name = '']) => name),
      ];
      const strange = asked.filter((label) => !labels.has(label) && !labelsOfPrometheus.includes(label));
      assert.deepEqual(strange, [], query);
    }
  });
}

test('each metric of ours is on a dashboard, or nobody would look at it', () => {
  const shown = new Set(dashboards.flatMap(dashboardQueries).flatMap(metricsIn).map(withoutSuffix));
  const hidden = ofRoles.map(({ name }) => name).filter((name) => /^ccx_/.test(name) && !shown.has(name));
  // The reference's own, beside which ours say more; and two that only alerts are made of.
  const leftOut = [
    ...['ccx_downloaded_total', 'ccx_consumer_archive_size', 'ccx_not_handled_total'],
    ...['ccx_engine_processed_timeout_total', 'ccx_broker_instances_size', 'ccx_broker_exceptions_size'],
    'ccx_broker_tracebacks_size',
    ...['ccx_writer_facts_ignored_total', 'ccx_tracker_batch_seconds'],
    'ccx_notification_audit_timestamp_seconds',
    ...[
      ...['read_report_for_cluster_errors', 'deserialize_report_errors', 'report_with_high_impact'],
      ...['notification_not_sent_same_state', 'notification_not_sent_error_state', 'notification_sent'],
      ...['total_risk_no_severity', 'service_status'],
    ].map((name) => `ccx_notification_service_to_notification_backend_${name}`),
  ];
  assert.deepEqual([...new Set(hidden)].sort(), leftOut.sort());
});
