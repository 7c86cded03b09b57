/** Beside services that are not ours, and without its database: what can be answered is, the rest says what is missing. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  clusterA,
  keyA,
  moduleA,
  R1,
  type ResultsBench,
  seedReport,
  startResultsBench,
} from '../../../test/support/results-bench.ts';
import { startTcpProxy, type TcpProxy } from '../../../test/support/tcp-proxy.ts';
import { until } from '../../../test/support/until.ts';

const rule = encodeURIComponent(`${moduleA}|${keyA}`);
const hits = [{ module: moduleA, key: keyA }];
const open: (() => Promise<void>)[] = [];
after(async () => {
  for (const end of open.reverse()) await end();
});

async function opened(options: Parameters<typeof startResultsBench>[0]): Promise<ResultsBench> {
  const bench = await startResultsBench(options);
  open.push(() => bench.end());
  return bench;
}

test("beside the reference's services reports are read, and lists and requests name the role that is missing", async () => {
  const { database, ask } = await opened({ sets: [] });
  await seedReport(database, { orgId: 1, cluster: clusterA, at: '2026-11-21 10:00:00.5', hits }, { bare: true });
  for (const reader of ['cluster-a', 'hub'] as const) {
    const { status, body } = await ask(`/cluster/${clusterA}/reports`, reader);
    assert.equal(status, 200);
    const at = '2026-11-21T10:00:00.5Z';
    assert.deepEqual(body.report.meta, { cluster_name: clusterA, managed: false, count: 1, last_checked_at: at });
    assert.equal(body.report.data[0].created_at, at);
    assert.equal((await ask(`/cluster/${clusterA}/info`, reader)).body.cluster.status, 'Active');
    assert.equal((await ask(`/rule/${rule}`, reader)).body.content.disabled, false);
  }
  for (const path of ['/clusters', '/rule', `/rule/${rule}/clusters_detail`, `${R1}/org_overview`]) {
    const { status, body } = await ask(path, 'hub');
    assert.deepEqual([status, body.code], [501, 'NOT_KEPT_HERE'], path);
    assert.match(body.status, /ccx notifier/);
  }
  for (const path of ['requests', 'request/x/status', 'request/x/report']) {
    const { status, body } = await ask(`/cluster/${clusterA}/${path}`, 'cluster-a');
    assert.deepEqual([status, body.code], [404, 'NOT_KEPT_HERE'], path);
    assert.match(body.status, /not kept here.*ccx writer/);
  }
  const acknowledged = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const made = await ask('/ack', 'admin', { ...acknowledged, body: JSON.stringify({ rule_id: `${moduleA}|${keyA}` }) });
  assert.equal(made.status, 201);
  assert.deepEqual((await ask(`/cluster/${clusterA}/reports`, 'hub')).body.report.data, []);
});

test('with our writer and without our tracker a request that has no report is not known here', async () => {
  const { database, ask } = await opened({ sets: ['records'] });
  await seedReport(database, { orgId: 1, cluster: clusterA, at: '2026-11-21 10:00:00', hits, requestId: 'known' });
  const statusOf = async (id: string) => (await ask(`/cluster/${clusterA}/request/${id}/status`, 'cluster-a')).body;
  assert.equal((await statusOf('known')).status, 'processed');
  assert.match((await statusOf('other')).status, /not kept here.*ccx tracker/);
});

test('a database that is away is 503 with Retry-After, and is used again when it is back', async () => {
  let proxy: TcpProxy | undefined;
  const { database, ask } = await opened({
    async through(url) {
      const address = new URL(url);
      proxy = await startTcpProxy({ host: address.hostname, port: Number(address.port) });
      open.push(() => proxy!.close());
      address.hostname = '127.0.0.1';
      address.port = String(proxy.port);
      return address.toString();
    },
  });
  await seedReport(database, { orgId: 1, cluster: clusterA, at: '2026-11-21 10:00:00', hits });
  assert.equal((await ask(`/cluster/${clusterA}/reports`, 'hub')).status, 200);
  proxy!.cut();
  for (const path of [`/cluster/${clusterA}/reports`, '/clusters', '/ack']) {
    const { status, headers, body } = await ask(path, 'hub');
    assert.equal(status, 503, `${path}: ${body?.status}`);
    assert.ok(Number(headers.get('retry-after')) > 0);
  }
  assert.equal((await ask('/content', 'hub')).status, 200, 'what needs no database is answered');
  proxy!.restore();
  await until(async () => (await ask(`/cluster/${clusterA}/reports`, 'hub')).status === 200);
});
