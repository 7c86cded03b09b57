/** With a token file and a database: whose a cluster is, asked and recorded at each upload. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import {
  archiveKeys,
  type Exchange,
  form,
  type IngressBench,
  send,
  startIngressBench,
} from '../../../test/support/ingress-bench.ts';
import { by, cluster, otherCluster, post, sha256, tokensFile } from '../../../test/support/operator-tokens.ts';
import { createTestDatabase } from '../../../test/support/postgres.ts';
import { encodeIdentity } from '../../contracts/identity.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Database } from '../../platform/database/database.ts';
import { ClusterOwners } from '../../platform/records/cluster-owners.ts';

const token = (name: string, orgId: number, clusterId?: string) => ({
  sha256: sha256(name),
  org_id: String(orgId),
  ...(clusterId === undefined ? {} : { cluster_id: clusterId }),
});
const tokens = [token('one', 1), token('one-too', 1), token('evil', 666), token('bound', 2, cluster)];
const unboundOnly = tokens.slice(0, 3);

interface Fixture {
  readonly bench: IngressBench;
  readonly database: Database;
  readonly owners: ClusterOwners;
  /** From then on every statement fails, as if the server were gone. */
  readonly cut: { away: boolean };
  setTokens(list: readonly object[]): Promise<void>;
  restart(list: readonly object[]): Promise<void>;
  upload(name: string, id?: string, more?: { readonly body?: Buffer }): Promise<Exchange>;
}

async function start(t: TestContext, list: readonly object[], prepare?: (database: Database) => Promise<unknown>) {
  const context = await createTestDatabase({ migrated: true });
  t.after(() => context.drop());
  await prepare?.(context.database);
  const path = tokensFile({ tokens: list });
  const setTokens = (next: readonly object[]) => writeFile(path, JSON.stringify({ tokens: next }));
  const cut = { away: false };
  const bench = await startIngressBench(t, {
    settings: { tokensFile: path },
    env: { CCX_INGRESS__GATEWAY__TRUST_IDENTITY_HEADER: 'true' },
    database: cuttable(context.database, cut),
  });
  const fixture: Fixture = {
    bench,
    database: context.database,
    owners: new ClusterOwners(context.database),
    cut,
    setTokens,
    async restart(next) {
      await setTokens(next);
      await bench.restart();
    },
    upload: (name, id = cluster, { body } = {}) => post(bench, by(name, id), body),
  };
  return fixture;
}

function cuttable(database: Database, cut: { readonly away: boolean }): Database {
  const gone = () =>
    Promise.reject(new CcxError('gone', { code: 'DATABASE_GONE', category: 'connection', retryable: true }));
  return {
    ...database,
    query: (text, values) => (cut.away ? gone() : database.query(text, values)),
    transaction: (work, how) => (cut.away ? gone() : database.transaction(work, how)),
  };
}

const ownerRows = async ({ owners }: Fixture) =>
  (await owners.newest(10)).map(({ cluster: id, orgId, bound, tokenSha256 }) => [id, orgId, bound, tokenSha256]);

test('a cluster belongs to the organization whose token first uploaded it', async (t) => {
  const f = await start(t, unboundOnly);
  assert.equal((await f.upload('one')).status, 202);
  assert.deepEqual(await ownerRows(f), [[cluster, 1, false, sha256('one')]]);
  const keys = await archiveKeys(f.bench.objects);
  const refused = await f.upload('evil');
  assert.deepEqual(
    [refused.status, refused.text],
    [403, 'Upload denied: the cluster belongs to another organization\n'],
  );
  assert.deepEqual(await archiveKeys(f.bench.objects), keys, 'nothing of it is kept');
  const labels = { code: 'CLUSTER_OF_ANOTHER_ORGANIZATION' };
  assert.equal(await f.bench.metric('ccx_ingress_refused_total', labels), 1);
  assert.equal(await f.bench.metric('ingress_responses', { code: '403' }), 1);
  // The organization counts, not the token, and nothing is kept in memory only.
  assert.equal((await f.upload('one-too')).status, 202);
  await f.bench.restart();
  assert.equal((await f.upload('evil')).status, 403);
  assert.equal((await f.upload('one')).status, 202);
});

test('an upload that is no good makes nobody an owner', async (t) => {
  const f = await start(t, unboundOnly);
  const noArchive = form([{ name: 'other', body: 'x' }]);
  assert.equal((await f.upload('evil', cluster, { body: noArchive })).status, 400);
  assert.deepEqual(await ownerRows(f), []);
  assert.equal((await f.upload('one')).status, 202);
});

test('of two first uploads at once exactly one is accepted', async (t) => {
  const f = await start(t, unboundOnly);
  for (const id of [cluster, otherCluster]) {
    const answers = await Promise.all([f.upload('one', id), f.upload('evil', id)]);
    const statuses = answers.map(({ status }) => status);
    assert.deepEqual(statuses.toSorted(), [202, 403]);
    const winner = statuses[0] === 202 ? 1 : 666;
    assert.equal((await f.owners.find(id))?.orgId, winner);
  }
  assert.equal((await archiveKeys(f.bench.objects)).length, 2);
});

test('a bound token takes a cluster over from an unbound one at its next upload', async (t) => {
  const f = await start(t, unboundOnly);
  assert.equal((await f.upload('evil')).status, 202);
  await f.restart(tokens);
  assert.equal((await f.upload('bound')).status, 202);
  assert.deepEqual(await ownerRows(f), [[cluster, 2, true, sha256('bound')]]);
  for (const name of ['evil', 'one']) assert.equal((await f.upload(name)).status, 403, name);
  // It stays so without the token that settled it.
  await f.restart(unboundOnly);
  assert.equal((await f.upload('evil')).status, 403);
});

test('ccx clusters move counts at once, against a bound token, too', async (t) => {
  const f = await start(t, tokens);
  assert.equal((await f.upload('bound')).status, 202);
  await f.owners.move(cluster, 1, 1n, { actor: 'ada', origin: 'test' });
  assert.equal((await f.upload('bound')).status, 403);
  assert.equal((await f.upload('one')).status, 202);
});

test('an identity that counts owns like a token does, and cannot leave the cluster out', async (t) => {
  const f = await start(t, unboundOnly);
  const withHeader = (orgId: string, system?: object) =>
    post(f.bench, {
      'x-rh-identity': encodeIdentity({
        identity: { type: 'System', org_id: orgId, internal: { org_id: orgId }, ...(system && { system }) },
      }),
    });
  assert.equal((await withHeader('5', { cluster_id: cluster.toUpperCase() })).status, 202);
  assert.deepEqual(await ownerRows(f), [[cluster, 5, false, null]]);
  assert.equal((await f.upload('evil')).status, 403);
  assert.equal((await withHeader('666', { cluster_id: cluster })).status, 403);
  assert.equal((await withHeader('666', { cluster_id: cluster.toUpperCase() })).status, 403);
  for (const system of [undefined, {}, { cluster_id: '' }, { cluster_id: 'no uuid' }])
    assert.equal((await withHeader('666', system)).status, 400);
});

test('an older installation’s clusters belong to the organizations of their oldest reports', async (t) => {
  const f = await start(t, tokens, (database) =>
    database.query(
      `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at, kafka_offset) VALUES
         (1, 1, $1, '{}', '2026-01-01', 1), (666, 1, $1, '{}', '2026-01-02', 2)`,
      [otherCluster],
    ),
  );
  assert.equal((await f.upload('evil', otherCluster)).status, 403);
  assert.equal((await f.upload('one', otherCluster)).status, 202);
});

test('while the database is away, what is known still holds, and a new cluster has to wait', async (t) => {
  const f = await start(t, unboundOnly);
  assert.equal((await f.upload('one')).status, 202);
  await f.bench.restart();
  f.cut.away = true;
  assert.equal((await f.upload('one')).status, 202, 'known from before the start');
  assert.equal((await f.upload('evil')).status, 403);
  const unknown = await f.upload('evil', otherCluster);
  assert.deepEqual([unknown.status, unknown.headers['retry-after']], [503, '30']);
  assert.equal(await f.bench.metric('ccx_ingress_refused_total', { code: 'OWNERS_UNAVAILABLE' }), 1);
  const ready = await send(`${f.bench.ingress.baseUrl}/ready`);
  assert.deepEqual([ready.status, /whose the clusters are cannot be looked up/.test(ready.text)], [200, true]);
  f.cut.away = false;
  assert.equal((await f.upload('evil', otherCluster)).status, 202);
});

test('a bound token needs no database', async (t) => {
  const f = await start(t, tokens);
  f.cut.away = true;
  await f.bench.restart();
  assert.equal((await f.upload('bound')).status, 202);
  assert.equal((await f.upload('evil')).status, 503);
  f.cut.away = false;
  assert.equal((await f.upload('bound')).status, 202);
  assert.deepEqual(await ownerRows(f), [[cluster, 2, true, sha256('bound')]]);
  assert.equal((await f.upload('evil')).status, 403);
});

test('a database that is away at the start keeps nobody from starting', async (t) => {
  const f = await start(t, unboundOnly);
  f.cut.away = true;
  await f.bench.restart();
  assert.equal((await f.upload('one')).status, 503);
  f.cut.away = false;
  assert.equal((await f.upload('one')).status, 202);
});
