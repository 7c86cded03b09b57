/** A real Prometheus understands the question, and what it answers is what was fired and failed. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { startPrometheus } from '../../../../test/support/prometheus.ts';
import { temporaryFile } from '../../../../test/support/temporary-folder.ts';
import { listening } from '../../../../test/support/test-server.ts';
import { until } from '../../../../test/support/until.ts';
import { openMetrics } from './metrics-conditions.ts';

const failing = '11111111-1111-4111-8111-111111111111';
const healthy = '22222222-2222-4222-8222-222222222222';
const silent = '33333333-3333-4333-8333-333333333333';
const of = (cluster: string) => `clusterID="${cluster}"`;
const alert = (name: string, severity: string, namespace: string, state = 'firing') =>
  `ALERTS{${of(failing)},alertname="${name}",alertstate="${state}",severity="${severity}",namespace="${namespace}"} 1`;
const condition = (cluster: string, name: string, type: string, value: 0 | 1, reason = 'AsExpected') =>
  `cluster_operator_conditions{${of(cluster)},name="${name}",condition="${type}",reason="${reason}"} ${value}`;
const exposed = [
  alert('etcdNoLeader', 'critical', 'openshift-etcd'),
  alert('etcdMembersDown', 'critical', 'openshift-etcd', 'pending'),
  alert('KubePodNotReady', 'warning', 'openshift-dns'),
  alert('ShopIsEmpty', 'critical', 'shop'),
  condition(failing, 'authentication', 'Available', 0, 'OAuthDown'),
  condition(failing, 'authentication', 'Degraded', 0),
  condition(failing, 'ingress', 'Available', 1),
  condition(failing, 'ingress', 'Degraded', 1, 'PodsNotReady'),
  condition(failing, 'ingress', 'Upgradeable', 0, 'Whatever'),
  `console_url{${of(failing)},url="https://console.example"} 1`,
  condition(healthy, 'authentication', 'Available', 1),
  condition(healthy, 'authentication', 'Degraded', 0),
];
const exporter = await listening(
  createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(`${exposed.join('\n')}\n`);
  }),
);
after(() => exporter.close());

test('alerts that fire, operators that fail, and where the console is; nothing of a cluster that is silent', async () => {
  const jobs = { clusters: { target: `127.0.0.1:${exporter.port}`, path: '/metrics' } };
  const url = await startPrometheus(jobs, temporaryFile('no-rules.yml', 'groups: []\n'));
  const metrics = openMetrics({ url, caFile: '', tokenFile: '', clusterLabel: 'clusterID' });
  const read = () => metrics.read([failing, healthy, silent]);
  await until(async () => (await read()).size === 2);
  const found = await read();
  assert.deepEqual(found.get(healthy), { alerts: [], operators: [], consoleUrl: '' });
  const { alerts, operators, consoleUrl } = found.get(failing)!;
  assert.deepEqual(alerts, [{ name: 'etcdNoLeader', namespace: 'openshift-etcd', severity: 'critical' }]);
  assert.deepEqual(
    operators.toSorted((left, right) => (left.name < right.name ? -1 : 1)),
    [
      { name: 'authentication', condition: 'Not Available', reason: 'OAuthDown' },
      { name: 'ingress', condition: 'Degraded', reason: 'PodsNotReady' },
    ],
  );
  assert.equal(consoleUrl, 'https://console.example');
});
