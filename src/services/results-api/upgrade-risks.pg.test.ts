/** What speaks against updates, over HTTP: from a stand-in for Prometheus, from archives, and from neither. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { after, before, test } from 'node:test';
import { firstCertificate } from '../../../test/support/certificates.ts';
import {
  clusterA,
  clusterB,
  foreignCluster,
  type ResultsBench,
  seedOwner,
  seedReport,
  startResultsBench,
} from '../../../test/support/results-bench.ts';
import { temporaryFile } from '../../../test/support/temporary-folder.ts';
import { listening } from '../../../test/support/test-server.ts';

type Labels = Readonly<Record<string, string>>;

const ofA = { clusterID: clusterA };
const etcdAlert = (alertname: string): Labels => ({
  ...ofA,
  ...{ alertname, namespace: 'openshift-etcd', severity: 'critical' },
});
const seriesOfA: readonly Labels[] = [
  ofA,
  etcdAlert('etcdMembersDown'),
  etcdAlert('etcdNoLeader'),
  { ...ofA, name: 'authentication', condition: 'Available', reason: 'OAuthDown' },
  { ...ofA, name: 'ingress', condition: 'Degraded' },
  { ...ofA, url: 'https://console.a.example' },
];
const nobody = '99999999-9999-4999-8999-999999999999';

/** What the stand-in answers, and what it was asked. */
const metrics = { status: 200, body: '', asked: [] as { query: string; authorization: string | undefined }[] };
const vector = (series: readonly Labels[]) =>
  JSON.stringify({
    status: 'success',
    data: { resultType: 'vector', result: series.map((metric) => ({ metric, value: [1, '1'] })) },
  });
const answer: RequestListener = async (request, response) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  assert.deepEqual([request.method, request.url], ['POST', '/prometheus/api/v1/query']);
  const { authorization } = request.headers;
  metrics.asked.push({ query: new URLSearchParams(text).get('query') ?? '', authorization });
  response.writeHead(metrics.status, { 'content-type': 'application/json' }).end(metrics.body);
};

const tokenFile = temporaryFile('metrics-token', 'first\n');
const ends: (() => unknown)[] = [];
let bench: ResultsBench;
let archived: ResultsBench;

async function seed({ database }: ResultsBench): Promise<void> {
  const at = '2026-11-21 10:00:00';
  await seedReport(database, { orgId: 1, cluster: clusterA, at, requestId: 'of-a', hits: [] });
  await seedReport(database, { orgId: 1, cluster: clusterB, at, requestId: 'of-b', hits: [] });
  await seedReport(database, { orgId: 2, cluster: foreignCluster, at, requestId: 'of-another', hits: [] });
  await seedOwner(database, { cluster: clusterA, orgId: 1 });
}

before(async () => {
  const server = await listening(createTlsServer(firstCertificate, answer));
  ends.push(() => server.close());
  bench = await startResultsBench({
    settings: {
      'risks.metrics_url': `https://127.0.0.1:${server.port}/prometheus/`,
      'risks.metrics_ca_file': temporaryFile('metrics-ca.pem', firstCertificate.cert),
      'risks.metrics_token_file': tokenFile,
    },
  });
  ends.push(() => bench.end());
  await seed(bench);
  const operators = [{ name: 'ingress', condition: 'Degraded' as const, reason: 'PodsNotReady' }];
  archived = await startResultsBench({
    archives: async (requestId) => (requestId === 'of-b' ? undefined : { alerts: [], operators }),
  });
  ends.push(() => archived.end());
  await seed(archived);
});
after(async () => {
  for (const end of ends.reverse()) await end();
});

function asking({ ask }: ResultsBench, clusters: unknown, reader: Parameters<ResultsBench['ask']>[1] = 'hub') {
  const headers = { 'content-type': 'application/json' };
  return ask('/upgrade-risks-prediction', reader, { method: 'POST', headers, body: JSON.stringify({ clusters }) });
}

test('what fires and fails in the metrics speaks against an update, with where to look at it', async () => {
  Object.assign(metrics, { status: 200, body: vector(seriesOfA), asked: [] });
  const { status, body } = await bench.ask(`/cluster/${clusterA}/upgrade-risks-prediction`, 'cluster-a');
  assert.equal(status, 200);
  const { last_checked_at, ...meta } = body.meta;
  assert.match(last_checked_at, /^\d{4}-.*Z$/);
  const alert = (name: string) => ({
    ...{ name, namespace: 'openshift-etcd', severity: 'critical' },
    url: `https://console.a.example/monitoring/alerts?orderBy=asc&sortBy=Severity&alert-name=${name}`,
  });
  const operator = (name: string) =>
    `https://console.a.example/k8s/cluster/config.openshift.io~v1~ClusterOperator/${name}`;
  assert.deepEqual(
    { ...body, meta },
    {
      status: 'ok',
      upgrade_recommendation: {
        upgrade_recommended: false,
        upgrade_risks_predictors: {
          alerts: [alert('etcdMembersDown'), alert('etcdNoLeader')],
          operator_conditions: [
            {
              ...{ name: 'authentication', condition: 'Not Available', reason: 'OAuthDown' },
              url: operator('authentication'),
            },
            { name: 'ingress', condition: 'Degraded', reason: '', url: operator('ingress') },
          ],
        },
      },
      meta: { source: 'metrics' },
    },
  );
  assert.equal(metrics.asked[0]!.authorization, 'Bearer first');
  assert.ok(
    metrics.asked[0]!.query.includes(`clusterID=~"${clusterA}"`) && !metrics.asked[0]!.query.includes(clusterB),
  );
  writeFileSync(tokenFile, 'second\n');
  await bench.ask(`/cluster/${clusterA}/upgrade-risks-prediction`, 'cluster-a');
  assert.equal(metrics.asked[1]!.authorization, 'Bearer second', 'a token that was replaced');
});

test('of many clusters each has its answer, in order, once; nobody is told of what may not be read', async () => {
  const risky = [...seriesOfA, { clusterID: clusterB }, { clusterID: foreignCluster }, { clusterID: nobody }];
  Object.assign(metrics, { status: 200, body: vector(risky), asked: [] });
  const wanted = [nobody, clusterB.toUpperCase(), clusterA, foreignCluster, clusterA];
  const { status, body } = await asking(bench, wanted);
  assert.equal(status, 200);
  assert.deepEqual(
    body.predictions.map((one: Record<string, unknown>) => [
      one['cluster_id'],
      one['prediction_status'],
      one['upgrade_recommended'],
    ]),
    [
      [nobody, 'No data for the cluster', null],
      [clusterB, 'ok', true],
      [clusterA, 'ok', false],
      [foreignCluster, 'No data for the cluster', null],
    ],
  );
  assert.equal(metrics.asked.length, 1, 'one question for all');
  assert.ok(!metrics.asked[0]!.query.includes(foreignCluster));
  const own = (await asking(bench, [clusterA, clusterB], 'cluster-b')).body.predictions;
  assert.deepEqual(
    own.map((one: Record<string, unknown>) => one['prediction_status']),
    ['No data for the cluster', 'ok'],
  );
  for (const [reader, cluster] of [
    ['cluster-b', clusterA],
    ['hub', foreignCluster],
    ['hub', nobody],
  ] as const) {
    const { body: refused } = await bench.ask(`/cluster/${cluster}/upgrade-risks-prediction`, reader);
    assert.equal(refused.code, 'CLUSTER_NOT_FOUND');
  }
});

test('a cluster that the metrics do not know is 404, and a console address that is none leads nowhere', async () => {
  Object.assign(metrics, { status: 200, body: vector([]), asked: [] });
  const path = `/cluster/${clusterA}/upgrade-risks-prediction`;
  const unknown = await bench.ask(path, 'hub');
  assert.deepEqual([unknown.status, unknown.body.code], [404, 'CONDITIONS_NOT_FOUND']);
  const series = [ofA, { ...ofA, name: 'x', condition: 'Degraded' }, { ...ofA, url: 'javascript:alert(1)//' }];
  Object.assign(metrics, { body: vector(series) });
  const { upgrade_risks_predictors } = (await bench.ask(path, 'hub')).body.upgrade_recommendation;
  assert.equal(upgrade_risks_predictors.operator_conditions[0].url, '');
});

test('metrics that cannot be had are 503 with Retry-After', async () => {
  for (const [status, body] of [
    [500, ''],
    [401, ''],
    [200, 'no JSON'],
    [200, JSON.stringify({ status: 'error' })],
    [200, JSON.stringify({ status: 'success', data: { resultType: 'scalar', result: [1, '1'] } })],
  ] as const) {
    Object.assign(metrics, { status, body, asked: [] });
    const { headers, ...answered } = await asking(bench, [clusterA]);
    assert.deepEqual([answered.status, answered.body.code], [503, 'METRICS_UNAVAILABLE'], body);
    assert.ok(Number(headers.get('retry-after')) > 0);
  }
});

test('without metrics the newest archive speaks, and says when it was gathered', async () => {
  const { body } = await archived.ask(`/cluster/${clusterA}/upgrade-risks-prediction`, 'cluster-a');
  assert.deepEqual(body.meta, { last_checked_at: '2026-11-21T09:59:00Z', source: 'archive' });
  assert.equal(body.upgrade_recommendation.upgrade_risks_predictors.operator_conditions[0].reason, 'PodsNotReady');
  const gone = await archived.ask(`/cluster/${clusterB}/upgrade-risks-prediction`, 'cluster-b');
  assert.equal(gone.body.code, 'CONDITIONS_NOT_FOUND', 'its archive is not there any more');
  const { predictions } = (await asking(archived, [clusterA, clusterB, foreignCluster])).body;
  assert.deepEqual(
    predictions.map((one: Record<string, unknown>) => one['upgrade_recommended']),
    [false, null, null],
  );
});

test('where neither is there the setting is named', async () => {
  const neither = await startResultsBench();
  try {
    await seed(neither);
    for (const { status, body } of [
      await neither.ask(`/cluster/${clusterA}/upgrade-risks-prediction`, 'hub'),
      await asking(neither, [clusterA]),
    ]) {
      assert.deepEqual([status, body.code], [501, 'CONDITIONS_NOT_HERE']);
      assert.match(body.status, /risks\.metrics_url/);
    }
  } finally {
    await neither.end();
  }
});

test('questions that are none are refused', async () => {
  for (const clusters of [undefined, [], 'x', ['x'], [null], Array.from({ length: 101 }, () => clusterA)]) {
    const { status, body } = await asking(bench, clusters);
    assert.deepEqual([status, body.code], [400, 'BODY_INVALID'], JSON.stringify(clusters)?.slice(0, 50));
  }
  assert.equal((await bench.ask(`/cluster/${clusterA}/upgrade-risks-prediction`)).status, 401);
});

test('settings that would show the token to others, or name nothing, end the start', async () => {
  const plain = await listening(createServer(answer));
  ends.push(() => plain.close());
  const refused: readonly Readonly<Record<string, string>>[] = [
    { 'risks.metrics_url': 'thanos:9090' },
    { 'risks.metrics_url': 'http://thanos.example', 'risks.metrics_token_file': tokenFile },
    { 'risks.metrics_url': `http://127.0.0.1:${plain.port}`, 'risks.cluster_label': 'a"b' },
  ];
  for (const settings of refused) await assert.rejects(startResultsBench({ settings }), { code: 'CONFIG_INVALID' });
});
