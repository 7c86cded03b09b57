/** Whose a cluster is: the first claim, bound before unbound, two at once, older reports, and a person's word. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestDatabase, emptyTables, type TestDatabase } from '../../../test/support/postgres.ts';
import { readAudit } from './audit.ts';
import { ClusterOwners } from './cluster-owners.ts';

const cluster = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
const byWhom = { actor: 'ada', origin: 'test', reason: 'sold' };
const now = 1_764_115_200_123_456n;
const claim = (orgId: number, bound = false, id = cluster) => ({ cluster: id, orgId, bound, tokenSha256: 'ab' });

let context: TestDatabase;
let owners: ClusterOwners;
before(async () => {
  context = await createTestDatabase({ migrated: true });
  owners = new ClusterOwners(context.database);
  await owners.prepare();
});
after(() => context.drop());

async function emptied(): Promise<void> {
  await emptyTables(context.database, 'ccx.cluster_owners', 'read_errors', 'new_reports');
}

test('the first claim stands against later ones, until a bound one comes', async () => {
  await emptied();
  assert.equal(await owners.find(cluster), undefined);
  assert.deepEqual(await owners.claim(claim(1), now), { orgId: 1, bound: false });
  assert.deepEqual(await owners.claim(claim(666), now + 1n), { orgId: 1, bound: false });
  assert.deepEqual(await owners.claim(claim(2, true), now + 2n), { orgId: 2, bound: true });
  assert.deepEqual(await owners.claim(claim(3, true), now + 3n), { orgId: 2, bound: true });
  assert.deepEqual(await owners.claim(claim(1), now + 4n), { orgId: 2, bound: true });
  const [kept] = await owners.newest(10);
  assert.deepEqual(kept, { cluster, orgId: 2, bound: true, since: '2025-11-26 00:00:00.123458', tokenSha256: 'ab' });
});

test('a bound token of the same organization settles what an unbound one began', async () => {
  await emptied();
  await owners.claim(claim(1), now);
  assert.deepEqual(await owners.claim(claim(1, true), now + 9n), { orgId: 1, bound: true });
  assert.equal((await owners.newest(1))[0]?.since, '2025-11-26 00:00:00.123456');
});

test('of many first claims at once exactly one wins, and everybody hears the same', async () => {
  await emptied();
  const heard = await Promise.all(Array.from({ length: 20 }, (_, index) => owners.claim(claim(index + 1), now)));
  assert.equal(new Set(heard.map(({ orgId }) => orgId)).size, 1);
  assert.deepEqual(await owners.find(cluster), heard[0]);
});

test('older reports give each cluster to the organization of the oldest, once', async () => {
  await emptied();
  const other = cluster.replace('84', '85');
  await context.database.query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at, kafka_offset) VALUES
       (666, 1, $1, '{}', '2026-01-03', 3), (1, 1, $1, '{}', '2026-01-01', 1), (1, 1, $1, '{}', '2026-01-02', 2),
       (7, 1, $2, '{}', '2026-01-05', 4)`,
    [cluster, other],
  );
  assert.equal(await owners.adoptReports(), 2);
  assert.deepEqual(await owners.find(cluster), { orgId: 1, bound: false });
  assert.deepEqual(await owners.find(other), { orgId: 7, bound: false });
  const later = cluster.replace('84', '86');
  await context.database.query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at, kafka_offset) VALUES (9, 1, $1, '{}', now(), 5)`,
    [later],
  );
  assert.equal(await owners.adoptReports(), 0, 'there are owners already: tokens decide from here on');
  assert.equal(await owners.find(later), undefined);
});

test('a database without reports gives nobody anything', async () => {
  const empty = await createTestDatabase();
  try {
    const fresh = new ClusterOwners(empty.database);
    await fresh.prepare();
    assert.equal(await fresh.adoptReports(), 0);
  } finally {
    await empty.drop();
  }
});

test('a person moves a cluster, and no token takes it back', async () => {
  await emptied();
  assert.equal(await owners.move(cluster, 5, now, byWhom), undefined);
  await owners.claim(claim(1), now);
  assert.deepEqual(await owners.move(cluster, 6, now, byWhom), { orgId: 5, bound: true });
  assert.deepEqual(await owners.claim(claim(5, true), now), { orgId: 6, bound: true });
  const [second, first] = await readAudit(context.database, { subject: cluster, rowsMax: 3 });
  const moved = { ...byWhom, action: 'clusters move', subject: cluster };
  const { id: _one, at: _first, ...firstMove } = first!;
  const { id: _two, at: _second, ...secondMove } = second!;
  assert.deepEqual(firstMove, { ...moved, before: null, after: { orgId: 5, bound: true } });
  assert.deepEqual(secondMove, { ...moved, before: { orgId: 5, bound: true }, after: { orgId: 6, bound: true } });
});
