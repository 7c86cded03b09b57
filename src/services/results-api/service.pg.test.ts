/** The results API over HTTP on a database as our writer and notification service leave it: what is answered, to whom, and what is refused. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
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
import { until } from '../../../test/support/until.ts';

const requestA = 'a0000000000040008000000000000001';
const olderRequest = 'a0000000000040008000000000000000';
const selector = encodeURIComponent(`${moduleA}|${keyA}`);
const hits = [
  { module: moduleA, key: keyA, details: { nodes: ['one'] } },
  { module: 'somebody.elses.rule', key: 'UNKNOWN' },
];
let bench: ResultsBench;

before(async () => {
  bench = await startResultsBench();
  const { database } = bench;
  const a = { orgId: 1, cluster: clusterA, hits, firstSeen: '2026-11-01 08:00:00.25' };
  await seedReport(database, { ...a, at: '2026-11-20 10:00:00', requestId: olderRequest });
  await seedReport(database, { ...a, at: '2026-11-21 10:00:00.123456', requestId: requestA });
  await seedReport(database, { orgId: 1, cluster: clusterB, at: '2026-11-21 11:00:00', hits: hits.slice(0, 1) });
  await seedReport(database, { orgId: 2, cluster: foreignCluster, at: '2026-11-21 12:00:00', hits: hits.slice(0, 1) });
  // By which it shows that a tracker writes here.
  await database.query(
    `INSERT INTO ccx.trace (request_id, service, status, happened_at) VALUES ('any', 'ingress', 'received', now())`,
  );
  await seedOwner(database, { cluster: clusterA, orgId: 1, token: 'cluster-a' });
  await seedOwner(database, { cluster: clusterB, orgId: 1, token: 'unbound' });
  await seedOwner(database, { cluster: foreignCluster, orgId: 2 });
});
after(() => bench.end());

test("a cluster reads its newest report, with its rules' texts and since when each issue is there", async () => {
  const { status, body } = await bench.ask(`/cluster/${clusterA}/reports`, 'cluster-a');
  assert.equal(status, 200);
  assert.deepEqual(body.report.meta, {
    cluster_name: clusterA,
    managed: false,
    count: 2,
    last_checked_at: '2026-11-21T10:00:00.123456Z',
    gathered_at: '2026-11-21T09:59:00.123456Z',
  });
  const [hit, ...others] = body.report.data;
  assert.deepEqual(others, []);
  const { description, details, reason, resolution, more_info, tags, total_risk, ...rest } = hit;
  assert.ok([description, details, reason, resolution].every((text) => text.length > 10) && tags.includes('openshift'));
  assert.ok(total_risk >= 1 && total_risk <= 4 && typeof more_info === 'string');
  assert.deepEqual(rest, {
    rule_id: `${moduleA}.report`,
    created_at: '2026-11-01T08:00:00.25Z',
    impacted: '2026-11-01T08:00:00.25Z',
    risk_of_change: rest.risk_of_change,
    disabled: false,
    disable_feedback: '',
    disabled_at: '',
    internal: false,
    user_vote: 0,
    extra_data: { type: 'rule', error_key: keyA, nodes: ['one'] },
  });
});

test('the same stands below the short prefix, and a cluster is found in capitals', async () => {
  const one = await bench.ask(`/api/v2/cluster/${clusterA.toUpperCase()}/reports`, 'cluster-a');
  assert.equal(one.status, 200);
  assert.equal(one.text, (await bench.ask(`/cluster/${clusterA}/reports`, 'hub')).text);
});

test('an answer that has not changed is 304, and changes with what is acknowledged', async () => {
  const path = `/cluster/${clusterA}/reports?get_disabled=true`;
  const first = await bench.ask(path, 'cluster-a');
  const known = { headers: { 'if-none-match': first.headers.get('etag')! } };
  const again = await bench.ask(path, 'cluster-a', known);
  assert.deepEqual([again.status, again.text], [304, '']);
  const { rows } = await bench.database.query<{ id: string }>(
    `INSERT INTO ccx.acknowledgements (id, scope, org_id, cluster, component, error_key, justification, by, made_at)
     VALUES (gen_random_uuid(), 'cluster', 1, $1, $2, $3, 'known', 'somebody', '2026-11-21 13:00:00') RETURNING id`,
    [clusterA, `${moduleA}.report`, keyA],
  );
  const changed = await bench.ask(path, 'cluster-a', known);
  assert.equal(changed.status, 200);
  const [{ disabled, disable_feedback, disabled_at }] = changed.body.report.data;
  assert.deepEqual([disabled, disable_feedback, disabled_at], [true, 'known', '2026-11-21T13:00:00Z']);
  const without = await bench.ask(`/cluster/${clusterA}/reports`, 'cluster-a');
  assert.deepEqual(without.body.report.data, [], 'what is disabled is not shown unless it is asked for');
  await bench.database.query('DELETE FROM ccx.acknowledgements WHERE id = $1', [rows[0]!.id]);
});

test('an answer changes when what is acknowledged ends by its time, though nobody does anything', async () => {
  const path = `/cluster/${clusterA}/reports`;
  const etagOf = async () => (await bench.ask(path, 'cluster-a')).headers.get('etag');
  const before = await etagOf();
  const { rows } = await bench.database.query<{ id: string }>(
    `INSERT INTO ccx.acknowledgements (id, scope, org_id, component, error_key, justification, by, made_at, until)
     VALUES (gen_random_uuid(), 'organization', 1, $1, $2, '', 'somebody', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' + interval '1 hour')
     RETURNING id`,
    [`${moduleA}.report`, keyA],
  );
  const during = await etagOf();
  assert.notEqual(during, before);
  const soon = `UPDATE ccx.acknowledgements SET until = now() AT TIME ZONE 'UTC' + interval '0.2 seconds' WHERE id = $1`;
  await bench.database.query(soon, [rows[0]!.id]);
  await until(async () => (await etagOf()) === before);
  const known = { headers: { 'if-none-match': during! } };
  assert.equal((await bench.ask(path, 'cluster-a', known)).status, 200);
  await bench.database.query('DELETE FROM ccx.acknowledgements WHERE id = $1', [rows[0]!.id]);
});

test('a hundred readers at once are all answered', async () => {
  const paths = [`/cluster/${clusterA}/reports`, '/clusters', '/rule', '/content', `${R1}/org_overview`];
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) => bench.ask(paths[at % paths.length]!, 'hub')),
  );
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
});

test('in job mode a request leads to its status and its report, in both spellings of its id', async () => {
  const hyphened = requestA.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  for (const id of [requestA, hyphened]) {
    const { body } = await bench.ask(`/cluster/${clusterA}/request/${id}/status`, 'cluster-a');
    assert.deepEqual(body, { cluster: clusterA, requestID: id, status: 'processed' });
  }
  const { body } = await bench.ask(`/cluster/${clusterA}/request/${requestA}/report`, 'cluster-a');
  const { report, ...rest } = body;
  assert.deepEqual(rest, { cluster: clusterA, requestID: requestA, status: 'processed' });
  assert.deepEqual(
    report.map(({ rule_fqdn, error_key }: Record<string, string>) => [rule_fqdn, error_key]),
    [[`${moduleA}.report`, keyA]],
  );
});

test('a request says that it was superseded, dead-lettered, is under way, or is not known', async () => {
  const statusOf = async (id: string) =>
    (await bench.ask(`/cluster/${clusterA}/request/${id}/status`, 'cluster-a')).body;
  assert.equal((await statusOf(olderRequest)).superseded_by, requestA);
  const trace = async (id: string, ...events: [string, string, number | null, string | null][]) => {
    for (const [index, [service, status, hop, detail]] of events.entries())
      await bench.database.query(
        `INSERT INTO ccx.trace (request_id, service, status, hop, detail, org_id, system_id, happened_at)
         VALUES ($1, $2, $3, $4, $5, '1', $7, now() + $6 * interval '1 second')`,
        [id, service, status, hop, detail, index, clusterA],
      );
  };
  await trace('under-way', ['ingress', 'received', 1, null], ['ingress', 'success', 2, null]);
  await trace('broken', ['ingress', 'success', 2, null], ['ccx-data-pipeline', 'error', null, 'ARCHIVE_BROKEN']);
  assert.deepEqual(await statusOf('under-way'), {
    ...{ cluster: clusterA, requestID: 'under-way', status: 'processing', detail: 'ingress: success' },
  });
  assert.equal((await statusOf('broken')).status, 'dead-lettered');
  assert.match((await statusOf('broken')).detail, /ccx-data-pipeline: ARCHIVE_BROKEN/);
  assert.equal((await statusOf('nobody-knows')).code, 'REQUEST_NOT_FOUND');
  for (const [cluster, reader] of [
    [foreignCluster, 'foreign'],
    [clusterB, 'cluster-b'],
    [clusterB, 'hub'],
  ] as const) {
    const { body } = await bench.ask(`/cluster/${cluster}/request/under-way/status`, reader);
    assert.equal(body.code, 'REQUEST_NOT_FOUND', `a trace of another cluster, for ${reader}`);
  }
});

test('the requests of a cluster are listed newest first, in pages, and looked up by id', async () => {
  const first = (await bench.ask(`/cluster/${clusterA}/requests?limit=1`, 'cluster-a')).body;
  assert.deepEqual(
    first.requests.map(({ requestID }: { requestID: string }) => requestID),
    [requestA],
  );
  const second = (await bench.ask(`/cluster/${clusterA}/requests?limit=1&after=${first.meta.next}`, 'cluster-a')).body;
  assert.deepEqual(
    [second.requests[0].requestID, second.requests[0].processed, second.meta.next],
    [olderRequest, '2026-11-20T10:00:00Z', null],
  );
  const asked = await bench.ask(`/cluster/${clusterA}/requests`, 'cluster-a', {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify(['x', requestA]),
  });
  assert.deepEqual(
    asked.body.requests.map(({ requestID, valid }: { requestID: string; valid: boolean }) => [requestID, valid]),
    [
      ['x', false],
      [requestA, true],
    ],
  );
});

const visible: Readonly<Partial<Record<ReaderName, readonly string[]>>> = {
  'cluster-a': [clusterA],
  'cluster-b': [clusterB],
  unbound: [clusterB],
  stranger: [],
  hub: [clusterA, clusterB],
  foreign: [foreignCluster],
  'foreign-hub': [foreignCluster],
};
/** Every path about one cluster, below it. */
const ofCluster = ['reports', 'info', 'requests', `request/${requestA}/status`, `request/${requestA}/report`];

for (const [reader, clusters] of Object.entries(visible) as [ReaderName, readonly string[]][]) {
  test(`${reader} reads ${clusters.length} clusters, and the others are as if they were not there`, async () => {
    const nowhere = '99999999-9999-4999-8999-999999999999';
    for (const cluster of [clusterA, clusterB, foreignCluster, nowhere]) {
      for (const path of ofCluster) {
        const { status, body } = await bench.ask(`/cluster/${cluster}/${path}`, reader);
        const said = `${reader} ${cluster} ${path}: ${JSON.stringify(body)}`;
        const isOthersRequest = path.startsWith('request/') && cluster !== clusterA;
        if (!clusters.includes(cluster)) assert.deepEqual([status, body.code], [404, 'CLUSTER_NOT_FOUND'], said);
        else if (isOthersRequest) assert.deepEqual([status, body.code], [404, 'REQUEST_NOT_FOUND'], said);
        else assert.equal(status, 200, said);
      }
      const asked = await bench.ask(`/cluster/${cluster}/requests`, reader, {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify([requestA]) },
      });
      if (!clusters.includes(cluster)) assert.equal(asked.body.code, 'CLUSTER_NOT_FOUND');
      else assert.equal(asked.body.requests[0].valid, cluster === clusterA);
    }
    const list = (await bench.ask('/clusters', reader)).body;
    assert.deepEqual(
      list.data.map(({ cluster_id }: { cluster_id: string }) => cluster_id),
      clusters,
    );
    assert.equal(list.meta.count, clusters.length);
    const impacted = (await bench.ask('/rule?impacting=true', reader)).body.recommendations;
    assert.deepEqual(
      impacted.map((one: Record<string, unknown>) => [one['rule_id'], one['impacted_clusters_count']]),
      clusters.length === 0 ? [] : [[`${moduleA}|${keyA}`, clusters.length]],
    );
    const detail = (await bench.ask(`/rule/${selector}/clusters_detail`, reader)).body;
    assert.deepEqual(
      detail.data.enabled.map(({ cluster }: { cluster: string }) => cluster),
      clusters,
    );
    for (const path of ['/clusters', '/rule', `/rule/${selector}`, `/rule/${selector}/clusters_detail`]) {
      const other = reader.startsWith('foreign') ? 1 : 2;
      const { status, body } = await bench.ask(`${path}?org_id=${other}`, reader);
      assert.deepEqual([status, body.code], [404, 'ORGANIZATION_NOT_FOUND'], path);
    }
  });
}

test('nobody reads without a token that is known', async () => {
  for (const path of ['/clusters', '/content', '/groups', '/rule', `/cluster/${clusterA}/reports`]) {
    assert.equal((await bench.ask(path)).status, 401, path);
    assert.equal((await bench.ask(path, 'nobody' as ReaderName)).status, 401, path);
  }
});

test('lists are pages by key', async () => {
  const first = (await bench.ask('/clusters?limit=1', 'hub')).body;
  assert.deepEqual([first.data[0].cluster_id, first.meta.next, first.meta.count], [clusterA, clusterA, 2]);
  assert.deepEqual(first.data[0].hits_by_total_risk, { 1: 0, 2: 0, 3: 2, 4: 0 });
  const second = (await bench.ask(`/clusters?limit=1&after=${first.meta.next}`, 'hub')).body;
  assert.deepEqual([second.data[0].cluster_id, second.meta.next], [clusterB, null]);
  const rules = (await bench.ask('/rule?limit=1', 'hub')).body;
  const next = (await bench.ask(`/rule?limit=1&after=${encodeURIComponent(rules.meta.next)}`, 'hub')).body;
  assert.ok(next.recommendations[0].rule_id > rules.recommendations[0].rule_id);
  const detail = (await bench.ask(`/rule/${selector}/clusters_detail?limit=1`, 'hub')).body;
  assert.deepEqual([detail.data.enabled.length, detail.meta.next], [1, clusterA]);
});

test('a page goes on behind any cluster, also behind one whose id is of no version', async () => {
  const odd = ['00000000-0000-0000-0000-000000000001', 'ffffffff-ffff-ffff-ffff-fffffffffffe'];
  for (const cluster of odd)
    await seedReport(bench.database, { orgId: 2_000_000_000, cluster, at: '2026-11-21 12:00:00', hits: [] });
  const first = (await bench.ask('/clusters?limit=1', 'odd-hub')).body;
  const second = (await bench.ask(`/clusters?limit=1&after=${first.meta.next}&org_id=2000000000`, 'odd-hub')).body;
  const found = [first, second].flatMap(({ data }) => data.map((one: { cluster_id: string }) => one.cluster_id));
  assert.deepEqual(found, odd);
});

test('texts of one rule and of all of them', async () => {
  const one = (await bench.ask(`/rule/${selector}/content`, 'cluster-a')).body;
  assert.equal(one.content.rule_id, `${moduleA}|${keyA}`);
  assert.ok(one.groups.length > 0);
  assert.equal((await bench.ask(`/rule/${selector}`, 'cluster-a')).body.content.disabled, false);
  const all = (await bench.ask('/content', 'cluster-a')).body;
  assert.ok(all.content.some(({ plugin }: { plugin: { python_module: string } }) => plugin.python_module === moduleA));
  const wrong = encodeURIComponent(`another.module.nodes_requirements_check|${keyA}`);
  assert.equal((await bench.ask(`/rule/${wrong}/content`, 'cluster-a')).body.code, 'RULE_NOT_FOUND');
});

test('the description has every path, below each prefix', async () => {
  const { body } = await bench.ask('/openapi.json', 'hub');
  assert.equal(body.openapi, '3.1.0');
  const below = (prefix: string) => Object.keys(body.paths).filter((path) => path.startsWith(prefix)).length;
  assert.ok(below('/api/insights-results-aggregator/v2/') > 12);
  assert.equal(below('/api/v2/'), below('/api/insights-results-aggregator/v2/'));
  assert.deepEqual((await bench.ask('/info', 'hub')).body.info, { SmartProxy: { BuildVersion: 'test' } });
});

const refusals: readonly [path: string, status: number, code: string, init?: RequestInit][] = [
  ['/cluster/not-a-uuid/reports', 400, 'CLUSTER_INVALID'],
  [`/cluster/${clusterA}/reports?get_disabled=perhaps`, 400, 'QUERY_INVALID'],
  [`/cluster/${clusterA}/reports?get_disabled=true&get_disabled=false`, 400, 'QUERY_INVALID'],
  ['/rule/no-bar/content', 400, 'SELECTOR_INVALID'],
  ['/rule/a.b%7C/content', 400, 'SELECTOR_INVALID'],
  ['/rule/%00.b%7CKEY/content', 400, 'SELECTOR_INVALID'],
  ['/rule/%ff/content', 400, 'PATH_INVALID'],
  ['/clusters?limit=0', 400, 'QUERY_INVALID'],
  ['/clusters?limit=1001', 400, 'QUERY_INVALID'],
  ['/clusters?limit=99999999999999999999', 400, 'QUERY_INVALID'],
  ['/clusters?limit=-1', 400, 'QUERY_INVALID'],
  ["/clusters?after=';DROP TABLE new_reports", 400, 'QUERY_INVALID'],
  ['/clusters?org_id=99999999999', 400, 'QUERY_INVALID'],
  [`/cluster/${clusterA}/requests?after=yesterday`, 400, 'QUERY_INVALID'],
  [`/cluster/${clusterA}/requests?after=0000-01-01T00:00:00Z`, 400, 'QUERY_INVALID'],
  [`/cluster/${clusterA}/requests?after=2026-01-01T00:00:00.${'1'.repeat(200)}Z`, 400, 'QUERY_INVALID'],
  ['/ack?after=a.b%7Cx%00y', 400, 'QUERY_INVALID'],
  ['/clusters?org_id=2147483648', 400, 'QUERY_INVALID'],
  [`/cluster/${clusterA}/request/%00/status`, 400, 'REQUEST_ID_INVALID'],
  ['/nothing', 404, 'PATH_UNKNOWN'],
  ['/clusters/', 404, 'PATH_UNKNOWN'],
  ['/clusters', 405, 'METHOD_NOT_ALLOWED', { method: 'POST' }],
  ['/clusters', 405, 'METHOD_NOT_ALLOWED', { method: 'PATCH', body: '{' }],
  [`/cluster/${clusterA}/requests`, 405, 'METHOD_NOT_ALLOWED', { method: 'DELETE' }],
  [`/cluster/${clusterA}/requests`, 415, 'BODY_NOT_JSON', { method: 'POST', body: '[]' }],
  ...(['', '{', '"x"', '[1]', '[""]', JSON.stringify(Array.from({ length: 501 }, String))].map((body) => [
    `/cluster/${clusterA}/requests`,
    400,
    body === '' || body === '{' ? 'BODY_NOT_JSON' : 'BODY_INVALID',
    { method: 'POST', body, headers: { 'content-type': 'application/json' } },
  ]) as [string, number, string, RequestInit][]),
  [
    ...([`/cluster/${clusterA}/requests`, 413, 'BODY_TOO_LARGE'] as const),
    { method: 'POST', body: ' '.repeat(300_000), headers: { 'content-type': 'application/json' } },
  ],
];

test('whatever cannot be understood is one refusal with a code, and never a failure', async () => {
  for (const [path, status, code, init] of refusals) {
    const answer = await bench.ask(path, 'hub', init);
    assert.deepEqual([answer.status, answer.body?.code], [status, code], `${init?.method ?? 'GET'} ${path}`);
    assert.ok(answer.body.status.length > 5);
    if (status === 405) assert.match(answer.headers.get('allow') ?? '', /^(GET|POST)/);
  }
});

test('HEAD has the headers of GET, and no body', async () => {
  const path = `/cluster/${clusterA}/reports`;
  const whole = await bench.ask(path, 'cluster-a');
  const head = await bench.ask(path, 'cluster-a', { method: 'HEAD' });
  assert.deepEqual([head.status, head.text], [200, '']);
  for (const name of ['etag', 'content-type', 'content-length', 'cache-control'])
    assert.equal(head.headers.get(name), whole.headers.get(name), name);
  const known = { method: 'HEAD', headers: { 'if-none-match': head.headers.get('etag')! } };
  assert.equal((await bench.ask(path, 'cluster-a', known)).status, 304);
  assert.equal((await bench.ask(path, 'cluster-b', { method: 'HEAD' })).status, 404);
  const wrong = await bench.ask('/clusters', 'hub', { method: 'DELETE' });
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET, HEAD']);
});

test('an operator is told what to gather, by its version, and that nothing else is to be had from us', async () => {
  const { status, body } = await bench.ask('/api/gathering/v2/4.19.7/gathering_rules', 'cluster-a');
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body), ['version', 'conditional_gathering_rules', 'container_logs']);
  for (const path of ['/api/gathering/v1/gathering_rules', '/api/gathering/gathering_rules']) {
    const old = await bench.ask(path, 'unbound');
    assert.deepEqual(old.body, { version: body.version, rules: body.conditional_gathering_rules });
  }
  for (const [version, refused, code] of [
    ['4.16.40', 404, 'VERSION_TOO_OLD'],
    ['latest', 400, 'VERSION_INVALID'],
    ['%25s', 400, 'VERSION_INVALID'],
    ['4.17', 400, 'VERSION_INVALID'],
  ] as const) {
    const answer = await bench.ask(`/api/gathering/v2/${version}/gathering_rules`, 'hub');
    assert.deepEqual([answer.status, answer.body.code], [refused, code], version);
  }
  for (const path of ['/api/accounts_mgmt/v1/cluster_transfers/', '/api/accounts_mgmt/v1/cluster_transfers']) {
    const transfers = await bench.ask(path, 'cluster-a');
    assert.deepEqual([transfers.status, transfers.text], [204, '']);
  }
  for (const method of ['GET', 'POST']) {
    const entitlements = await bench.ask('/api/accounts_mgmt/v1/entitlement_certificates', 'cluster-a', { method });
    assert.deepEqual([entitlements.status, entitlements.body.code], [404, 'ENTITLEMENTS_NOT_HERE']);
    assert.match(entitlements.body.status, /sca\.disabled/);
  }
  for (const path of ['/api/gathering/v2/4.19.7/gathering_rules', '/api/accounts_mgmt/v1/cluster_transfers/'])
    assert.equal((await bench.ask(path)).status, 401, 'nobody is told anything without a token');
});
