/** Acknowledging over HTTP: for an organization and for one cluster, by whom, and what stands in the audit. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import {
  clusterA,
  clusterB,
  foreignCluster,
  keyA,
  moduleA,
  R1,
  type ReaderName,
  type ResultsBench,
  seedOwner,
  seedReport,
  startResultsBench,
} from '../../../test/support/results-bench.ts';

const rule = `${moduleA}|${keyA}`;
const ofRule = `/ack/${encodeURIComponent(rule)}`;
const json = (method: string, body?: unknown): RequestInit => ({
  method,
  ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
});
const ofCluster = (cluster: string, what: string) =>
  `${R1}/clusters/${cluster}/rules/${moduleA}.report/error_key/${keyA}/${what}`;
let bench: ResultsBench;

before(async () => {
  bench = await startResultsBench();
  const hits = [{ module: moduleA, key: keyA }];
  for (const [cluster, orgId] of [
    [clusterA, 1],
    [clusterB, 1],
    [foreignCluster, 2],
  ] as const) {
    await seedReport(bench.database, { orgId, cluster, at: '2026-11-21 10:00:00', hits });
    await seedOwner(bench.database, { cluster, orgId });
  }
});
beforeEach(() => bench.database.query('TRUNCATE ccx.acknowledgements, ccx.acknowledgement_ends, ccx.audit'));
after(() => bench.end());

async function hitsShown(cluster: string, reader: ReaderName = 'hub'): Promise<number> {
  return (await bench.ask(`/cluster/${cluster}/reports`, reader)).body.report.data.length;
}

test('a rule is acknowledged for the organization once, changed, shown, and ended', async () => {
  const made = await bench.ask('/ack', 'admin', json('POST', { rule_id: rule, justification: 'we know' }));
  assert.equal(made.status, 201);
  const { created_at, ...ack } = made.body;
  assert.match(created_at, /Z$/);
  const known = { rule, created_by: 'token admin', updated_at: '', until: null, until_resolved: false };
  assert.deepEqual(ack, { ...known, justification: 'we know' });
  const again = await bench.ask('/ack', 'admin', json('POST', { rule_id: rule, justification: 'another' }));
  assert.deepEqual([again.status, again.body.justification], [200, 'we know']);
  assert.deepEqual([await hitsShown(clusterA), await hitsShown(clusterB)], [0, 0]);
  assert.equal(await hitsShown(foreignCluster, 'foreign-hub'), 1);
  assert.equal((await bench.ask(`/rule/${encodeURIComponent(rule)}`, 'hub')).body.content.disabled, true);
  const changed = await bench.ask(ofRule, 'admin', json('PUT', { until: '2999-03-01', until_resolved: true }));
  assert.deepEqual(
    [changed.status, changed.body.justification, changed.body.until, changed.body.until_resolved],
    [200, 'we know', '2999-03-01T00:00:00Z', true],
  );
  assert.deepEqual((await bench.ask(ofRule, 'hub')).body, changed.body);
  assert.deepEqual((await bench.ask('/ack', 'hub')).body, { meta: { count: 1, next: null }, data: [changed.body] });
  assert.deepEqual((await bench.ask('/ack', 'foreign-hub')).body.data, []);
  assert.equal((await bench.ask(ofRule, 'admin', json('DELETE'))).status, 204);
  assert.equal((await bench.ask(ofRule, 'admin', json('DELETE'))).status, 404);
  assert.equal((await bench.ask(ofRule, 'admin', json('PUT', {}))).status, 404);
  assert.equal(await hitsShown(clusterA), 1);
  const { rows } = await bench.database.query<{ actor: string; origin: string; action: string }>(
    'SELECT actor, origin, action FROM ccx.audit ORDER BY id',
  );
  assert.deepEqual(
    rows.map(({ actor, origin, action }) => `${actor} ${origin} ${action}`),
    ['acks add', 'acks add', 'acks remove'].map((action) => `token admin 127.0.0.1 ${action}`),
  );
});

test('a rule is disabled for one cluster, with a reason that may come later, and enabled again', async () => {
  const { ask } = bench;
  const feedback = json('POST', { message: 'until the nodes are there' });
  assert.equal((await ask(ofCluster(clusterA, 'disable_feedback'), 'cluster-a-writes', feedback)).status, 404);
  for (const init of [json('PUT'), json('PUT'), { method: 'PUT', headers: { 'content-type': 'text/plain' } }]) {
    const disabled = await ask(ofCluster(clusterA, 'disable'), 'cluster-a-writes', init);
    assert.deepEqual([disabled.status, disabled.body], [200, { status: 'ok' }]);
  }
  const said = await ask(ofCluster(clusterA, 'disable_feedback'), 'cluster-a-writes', feedback);
  assert.deepEqual(said.body, { status: 'ok', message: 'until the nodes are there' });
  assert.deepEqual([await hitsShown(clusterA), await hitsShown(clusterB)], [0, 1]);
  const shown = (await ask(`/cluster/${clusterA}/reports?get_disabled=true`, 'hub')).body.report.data[0];
  assert.deepEqual([shown.disabled, shown.disable_feedback], [true, 'until the nodes are there']);
  const detail = (await ask(`/rule/${encodeURIComponent(rule)}/clusters_detail`, 'hub')).body.data;
  assert.deepEqual(
    [detail.enabled.map((one: { cluster: string }) => one.cluster), detail.disabled[0].cluster_id],
    [[clusterB], clusterA],
  );
  const counted = (await ask('/rule?impacting=true', 'hub')).body.recommendations;
  assert.deepEqual([counted[0].impacted_clusters_count, counted[0].disabled], [1, false]);
  const list = (await ask('/clusters', 'hub')).body.data;
  assert.deepEqual(
    list.map((one: { total_hit_count: number }) => one.total_hit_count),
    [0, 1],
  );
  assert.equal((await ask(ofCluster(clusterA, 'enable'), 'cluster-a-writes', json('PUT'))).status, 200);
  assert.equal((await ask(ofCluster(clusterA, 'enable'), 'cluster-a-writes', json('PUT'))).status, 200);
  assert.equal(await hitsShown(clusterA), 1);
});

test('the overview counts each cluster once for what it has, without what is disabled', async () => {
  const overview = async () => (await bench.ask(`${R1}/org_overview`, 'hub')).body.overview;
  const before = await overview();
  assert.equal(before.clusters_hit, 2);
  assert.deepEqual(Object.values(before.hit_by_risk).toSorted(), [0, 0, 0, 2]);
  assert.equal(before.hit_by_tag.openshift, 2);
  await bench.ask(ofCluster(clusterA, 'disable'), 'admin', json('PUT'));
  assert.equal((await overview()).clusters_hit, 1);
  assert.equal((await bench.ask(`${R1}/org_overview`, 'cluster-b')).body.overview.clusters_hit, 1);
  await bench.ask('/ack', 'admin', json('POST', { rule_id: rule }));
  assert.deepEqual(await overview(), { clusters_hit: 0, hit_by_risk: { 1: 0, 2: 0, 3: 0, 4: 0 }, hit_by_tag: {} });
});

test('nobody changes what is not theirs, and nothing is changed by who only reads', async () => {
  const wanted = json('POST', { rule_id: rule });
  await bench.ask('/ack', 'foreign-hub', wanted);
  const cases: readonly [ReaderName, string, RequestInit, number, string][] = [
    ['hub', '/ack', wanted, 403, 'SCOPE_MISSING'],
    ['cluster-a', '/ack', wanted, 403, 'SCOPE_MISSING'],
    ['cluster-a-writes', '/ack', wanted, 403, 'SCOPE_MISSING'],
    ['hub', ofRule, json('DELETE'), 403, 'SCOPE_MISSING'],
    ['admin', `${ofRule}?org_id=2`, json('DELETE'), 404, 'ORGANIZATION_NOT_FOUND'],
    ['admin', '/ack?org_id=2', wanted, 404, 'ORGANIZATION_NOT_FOUND'],
    ['hub', ofRule, json('PUT', { justification: 'x' }), 403, 'SCOPE_MISSING'],
    ['hub', ofCluster(clusterA, 'disable'), json('PUT'), 403, 'SCOPE_MISSING'],
    ['cluster-a', ofCluster(clusterA, 'disable'), json('PUT'), 403, 'SCOPE_MISSING'],
    ['cluster-a-writes', ofCluster(clusterB, 'disable'), json('PUT'), 404, 'CLUSTER_NOT_FOUND'],
    ['admin', ofCluster(foreignCluster, 'disable'), json('PUT'), 404, 'CLUSTER_NOT_FOUND'],
    ['admin', ofCluster(foreignCluster, 'enable'), json('PUT'), 404, 'CLUSTER_NOT_FOUND'],
    ['admin', ofCluster(foreignCluster, 'disable_feedback'), json('POST', { message: 'x' }), 404, 'CLUSTER_NOT_FOUND'],
    ['admin', '/ack', json('POST', { rule_id: 'some.rule|KEY' }), 404, 'RULE_NOT_FOUND'],
    ['admin', '/ack', json('POST', { rule_id: moduleA }), 400, 'BODY_INVALID'],
    ['admin', '/ack', json('POST', { rule_id: rule, until: 'soon' }), 400, 'BODY_INVALID'],
    ['admin', '/ack', json('POST', { rule_id: rule, until: '2020-01-01' }), 400, 'ACK_UNTIL'],
    ['admin', '/ack', json('POST', { rule_id: rule, justification: 'x'.repeat(5_000) }), 400, 'BODY_INVALID'],
    ['admin', '/ack', json('POST', {}), 400, 'BODY_INVALID'],
    ['admin', ofCluster('x', 'disable'), json('PUT'), 400, 'CLUSTER_INVALID'],
    ['admin', `${R1}/clusters/${clusterA}/rules/x/error_key/K/disable`, json('PUT'), 400, 'RULE_INVALID'],
    ['admin', ofCluster(clusterA, 'disable'), json('GET'), 405, 'METHOD_NOT_ALLOWED'],
  ];
  for (const [reader, path, init, status, code] of cases) {
    const answer = await bench.ask(path, reader, init);
    assert.deepEqual(
      [answer.status, answer.body?.code],
      [status, code],
      `${reader} ${init.method} ${path} ${init.body}`,
    );
  }
  const { rows } = await bench.database.query<{ org_id: number }>('SELECT org_id FROM ccx.acknowledgements');
  assert.deepEqual(rows, [{ org_id: 2 }]);
});
