/** The list of clusters, and what people change of one: its name, and that it is gone for good. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createTestDatabase, emptyTables, type TestDatabase } from '../../../test/support/postgres.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { readAudit } from './audit.ts';
import { ClusterOwners } from './cluster-owners.ts';
import { listClusters, nameCluster, retireCluster } from './clusters.ts';

const cluster = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
const other = cluster.replace('84', '85');
const byWhom = { actor: 'ada', origin: 'test', reason: 'sold' };
const nowMicros = 1_764_115_200_123_456n;
const nowText = '2025-11-26 00:00:00.123456';
const nowRfc3339 = '2025-11-26T00:00:00.123456Z';

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true, sets: ['records'] });
});
after(() => context.drop());
beforeEach(() =>
  emptyTables(
    context.database,
    ...['ccx.cluster_owners', 'ccx.clusters', 'ccx.issues', 'ccx.issue_events', 'ccx.audit'],
  ),
);

async function report(orgId: number, id: string, at: string, more: { readonly critical?: number } = {}): Promise<void> {
  await context.database.query(
    `INSERT INTO ccx.clusters (org_id, cluster, version, last_report_at, issues_report_at, critical, state_since)
     VALUES ($1, $2, '4.17.1', $3, $3, $4, $3)`,
    [orgId, id, at, more.critical ?? 0],
  );
}

async function issue(orgId: number, key: string, state: string): Promise<void> {
  await context.database.query(
    `INSERT INTO ccx.issues (org_id, cluster, type, component, error_key, state, first_seen_at, appeared_at, changed_at)
     VALUES ($1, $2, 'rule', 'a.rule.report', $3, $4, '2025-11-01', '2025-11-01', '2025-11-01')`,
    [orgId, cluster, key, state],
  );
}

async function audited() {
  const rows = await readAudit(context.database, { rowsMax: 10 });
  return rows.map(({ actor, action, subject, before: was, after: is }) => [actor, action, subject, was, is]);
}

const unknown = (error: unknown) => error instanceof CcxError && error.code === 'CLUSTER_UNKNOWN';

test('clusters are listed with whose they are and what they reported, as far as either is known', async () => {
  const owners = new ClusterOwners(context.database);
  await owners.claim({ cluster, orgId: 1, bound: true, tokenSha256: 'ab' }, nowMicros);
  await owners.claim({ cluster: other, orgId: 2, bound: false, tokenSha256: 'cd' }, nowMicros);
  await report(1, cluster, '2025-11-27', { critical: 2 });
  await report(7, cluster, '2025-11-20');
  const unreported = { name: null, version: null, lastReportAt: null, state: null, stateSince: null, open: null };
  const open = { important: 0, moderate: 0, low: 0 };
  const rows = await listClusters(context.database, { rowsMax: 10 });
  assert.deepEqual(rows, [
    {
      ...{ cluster, orgId: 1, since: nowRfc3339, bound: true, tokenSha256: 'ab', name: null, version: '4.17.1' },
      ...{ lastReportAt: '2025-11-27T00:00:00Z', state: 'reporting', stateSince: '2025-11-27T00:00:00Z' },
      open: { critical: 2, ...open },
    },
    { cluster: other, orgId: 2, since: nowRfc3339, bound: false, tokenSha256: 'cd', ...unreported },
    {
      ...{ cluster, orgId: 7, since: null, bound: null, tokenSha256: null, name: null, version: '4.17.1' },
      ...{ lastReportAt: '2025-11-20T00:00:00Z', state: 'reporting', stateSince: '2025-11-20T00:00:00Z' },
      open: { critical: 0, ...open },
    },
  ]);
  assert.deepEqual(await listClusters(context.database, { orgId: 7, rowsMax: 10 }), [rows[2]]);
  assert.deepEqual(await listClusters(context.database, { rowsMax: 1 }), [rows[0]]);
});

test('a list of clusters names the table that is missing, and makes none', async (t) => {
  const empty = await createTestDatabase();
  t.after(() => empty.drop());
  await assert.rejects(
    listClusters(empty.database, { rowsMax: 10 }),
    (error) => error instanceof CcxError && error.code === 'CLUSTERS_NO_TABLE' && /ccx db init/.test(error.hint ?? ''),
  );
});

test('a cluster gets a name, another, and none, and the audit says which it had', async () => {
  await report(1, cluster, '2025-11-27');
  await report(7, cluster, '2025-11-20');
  const names = async () => (await listClusters(context.database, { rowsMax: 10 })).map(({ name }) => name);
  await nameCluster(context.database, { cluster, name: ' production, Brno ' }, byWhom);
  assert.deepEqual(await names(), ['production, Brno', 'production, Brno']);
  await nameCluster(context.database, { cluster, name: '' }, byWhom);
  assert.deepEqual(await names(), [null, null]);
  assert.deepEqual(await audited(), [
    ['ada', 'clusters name', cluster, 'production, Brno', null],
    ['ada', 'clusters name', cluster, null, 'production, Brno'],
  ]);
  for (const name of ['x'.repeat(121), 'a\nb', 'a\u202eb', '\0']) {
    await assert.rejects(
      nameCluster(context.database, { cluster, name }, byWhom),
      (error) => error instanceof CcxError && error.code === 'CLUSTER_NAME',
    );
  }
  await assert.rejects(nameCluster(context.database, { cluster: other, name: 'x' }, byWhom), unknown);
  assert.equal((await audited()).length, 2);
});

test('a retired cluster has no open issues any more, and each of them says when and why', async () => {
  await report(1, cluster, '2025-11-20', { critical: 1 });
  await issue(1, 'OPEN', 'open');
  await issue(1, 'GONE', 'gone');
  await issue(1, 'RESOLVED', 'resolved');
  await report(7, cluster, '2025-11-27');
  assert.equal(await retireCluster(context.database, { cluster, nowMicros }, byWhom), 2);
  const listed = await listClusters(context.database, { rowsMax: 10 });
  assert.deepEqual(
    listed.map(({ orgId, state, stateSince, open }) => [orgId, state, stateSince, open?.critical]),
    [
      // Not before its newest report, which would bring it back at once.
      [7, 'retired', '2025-11-27T00:00:00Z', 0],
      [1, 'retired', nowRfc3339, 0],
    ],
  );
  const { rows: issues } = await context.database.query(
    `SELECT error_key AS key, state, last_seen_at AS seen, changed_at AS changed FROM ccx.issues ORDER BY 1`,
  );
  const closed = { state: 'cluster-retired', seen: '2025-11-20 00:00:00', changed: nowText };
  assert.deepEqual(issues, [
    { key: 'GONE', ...closed },
    { key: 'OPEN', ...closed },
    { key: 'RESOLVED', state: 'resolved', seen: null, changed: '2025-11-01 00:00:00' },
  ]);
  const { rows: events } = await context.database.query<{ text: string }>(
    `SELECT concat_ws(' ', org_id, event, error_key) AS text FROM ccx.issue_events ORDER BY org_id, error_key NULLS FIRST`,
  );
  assert.deepEqual(
    events.map(({ text }) => text),
    ['1 cluster-retired', '1 cluster-retired GONE', '1 cluster-retired OPEN', '7 cluster-retired'],
  );
  assert.equal(await retireCluster(context.database, { cluster, nowMicros: nowMicros + 1n }, byWhom), undefined);
  const before = [
    { orgId: 1, state: 'reporting' },
    { orgId: 7, state: 'reporting' },
  ];
  assert.deepEqual(await audited(), [
    ['ada', 'clusters retire', cluster, before, { state: 'retired', issuesClosed: 2 }],
  ]);
  await assert.rejects(retireCluster(context.database, { cluster: other, nowMicros }, byWhom), unknown);
});

test('a cluster that is moved is retired for every other organization, and for its new one it is not', async () => {
  await report(1, cluster, '2025-11-20', { critical: 1 });
  await issue(1, 'OPEN', 'open');
  await report(7, cluster, '2025-11-21', { critical: 1 });
  await issue(7, 'OPEN', 'open');
  await new ClusterOwners(context.database).move(cluster, 7, nowMicros, byWhom);
  const { rows } = await context.database.query<{ text: string }>(
    `SELECT concat_ws(' ', c.org_id, c.state, c.critical, i.state) AS text
       FROM ccx.clusters AS c JOIN ccx.issues AS i USING (org_id, cluster) ORDER BY c.org_id`,
  );
  assert.deepEqual(
    rows.map(({ text }) => text),
    ['1 retired 0 cluster-retired', '7 reporting 1 open'],
  );
});
