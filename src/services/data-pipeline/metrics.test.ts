/** The metrics that the reference has are here by its names, types, labels and help texts (data-pipeline.md 6.1): dashboards are made of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from '../../platform/telemetry/prometheus.ts';
import { createPipelineMetrics } from './metrics.ts';

const archive = 'archive';
const ofReference: readonly (readonly [name: string, type: string, help: string, label?: string])[] = [
  ['ccx_consumer_received_total', 'counter', 'Counter of received Kafka messages'],
  ['ccx_consumer_filtered_total', 'counter', 'Counter of filtered Kafka messages'],
  ['ccx_downloaded_total', 'histogram', 'Histogram of the size of downloaded items'],
  [
    'ccx_consumer_archive_size',
    'histogram',
    'Histogram of the size of downloaded archive with archive type label',
    archive,
  ],
  ['ccx_consumer_extracted_total', 'counter', 'Counter of extracted archives', archive],
  ['ccx_engine_processed_total', 'counter', 'Counter of files processed by the OCP Engine', archive],
  ['ccx_published_total', 'counter', 'Counter of reports successfully published', archive],
  ['ccx_failures_total', 'counter', 'Counter of failures during the pipeline', archive],
  ['ccx_not_handled_total', 'counter', 'Counter of received elements that are not handled by the pipeline'],
  ['ccx_download_duration_seconds', 'histogram', 'Histogram of archive download durations'],
  [
    'ccx_process_duration_seconds',
    'histogram',
    'Histogram of durations of processing archives by the OCP engine',
    archive,
  ],
  ['ccx_publish_duration_seconds', 'histogram', 'Histogram of durations of publishing the OCP engine results', archive],
  ['ccx_engine_processed_timeout_total', 'counter', 'Counter of timeouts while processing archives', archive],
  [
    'gathering_conditions_remote_configuration_version_total',
    'counter',
    'Counter of times a given configuration is seen',
    'version',
  ],
  ['ccx_broker_instances_size', 'gauge', 'Number of entries in broker.instances dict after processing'],
  ['ccx_broker_exceptions_size', 'gauge', 'Number of entries in broker.exceptions dict after processing'],
  ['ccx_broker_tracebacks_size', 'gauge', 'Number of entries in broker.tracebacks dict after processing'],
];
const buckets = ['0.005', '0.01', '0.025', '0.05', '0.075', '0.1', '0.25', '0.5', '0.75', '1', '2.5', '5', '7.5', '10'];

async function exposed(): Promise<ReadonlySet<string>> {
  const registry = new Registry();
  const none = () => 0;
  const metrics = createPipelineMetrics(registry, {
    ...{ in_flight: none, places_waiting: none, read_ahead: none, waiting: none, hosts_away: none },
    ...{ in_flight_bytes: none, rules_quarantined: none, pack_rules: none, packs_stale: none },
  });
  const before = await registry.metrics();
  assert.ok(!before.includes('{version='), 'the only label whose values nobody knows before');
  metrics.remoteConfiguration.inc({ version: 'None' });
  return new Set((await registry.metrics()).split('\n'));
}

for (const [name, type, help, label] of ofReference) {
  test(`${name} is a ${type}${label === undefined ? '' : ` by ${label}`}, there from the start`, async () => {
    const lines = await exposed();
    assert.ok(lines.has(`# HELP ${name} ${help}`));
    assert.ok(lines.has(`# TYPE ${name} ${type}`));
    const values = label === undefined ? [''] : label === archive ? ['ocp', 'hypershift'] : ['None'];
    for (const value of values) {
      const labels = label === undefined ? '' : `{${label}="${value}"}`;
      const count = label === 'version' ? 1 : 0;
      assert.ok(lines.has(`${name}${type === 'histogram' ? '_count' : ''}${labels} ${count}`), value);
      if (type !== 'histogram') continue;
      const others = label === undefined ? '' : `,${label}="${value}"`;
      for (const le of [...buckets, '+Inf']) assert.ok(lines.has(`${name}_bucket{le="${le}"${others}} 0`), le);
    }
  });
}
