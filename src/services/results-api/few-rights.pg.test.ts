/**
 * The results API as a user of the database that may do what `ccx db grants --for results` gives and nothing else: every route that there
 * is answers, the process is in `ccx roles`, and what has nothing to do with it stays out of reach.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  clusterA,
  keyA,
  moduleA,
  R1,
  R2,
  type ResultsBench,
  seedOwner,
  seedReport,
  startResultsBench,
} from '../../../test/support/results-bench.ts';
import { until } from '../../../test/support/until.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { keepRoleRecord } from '../../platform/records/role-record.ts';
import { createLog } from '../../platform/telemetry/log.ts';
import { grantStatements } from '../../tools/database/grants.ts';

const requestId = 'a0000000000040008000000000000001';
const rule = `${moduleA}|${keyA}`;
const selector = encodeURIComponent(rule);
let bench: ResultsBench;
let limited: Database;

before(async () => {
  bench = await startResultsBench({
    archives: async () => ({ alerts: [], operators: [] }),
    grants: (user) => grantStatements(user, { embeddedBus: false, needs: 'results' }),
  });
  limited = connectDatabase({ url: bench.databaseUrl, applicationName: 'test' });
  const hits = [{ module: moduleA, key: keyA }];
  await seedReport(bench.database, { orgId: 1, cluster: clusterA, at: '2026-11-21 10:00:00', requestId, hits });
  await seedOwner(bench.database, { cluster: clusterA, orgId: 1 });
});
after(async () => {
  await limited.close();
  await bench.end();
});

/** In an order in which each has something to do. */
const ofVersion2 = [
  ['POST /ack', 201, { rule_id: rule, justification: 'we know' }],
  ['GET /ack', 200],
  ['GET /ack/{selector}', 200],
  ['PUT /ack/{selector}', 200, { until: '2999-03-01' }],
  ['DELETE /ack/{selector}', 204],
  ['GET /cluster/{cluster}/reports', 200],
  ['GET /cluster/{cluster}/info', 200],
  ['GET /cluster/{cluster}/request/{requestId}/status', 200],
  ['GET /cluster/{cluster}/request/{requestId}/report', 200],
  ['GET /cluster/{cluster}/requests', 200],
  ['POST /cluster/{cluster}/requests', 200, [requestId]],
  ['GET /clusters', 200],
  ['GET /rule', 200],
  ['GET /rule/{selector}', 200],
  ['GET /rule/{selector}/content', 200],
  ['GET /rule/{selector}/clusters_detail', 200],
  ['GET /cluster/{cluster}/upgrade-risks-prediction', 200],
  ['POST /upgrade-risks-prediction', 200, { clusters: [clusterA] }],
  ['GET /content', 200],
  ['GET /groups', 200],
  ['GET /info', 200],
  ['GET /openapi.json', 200],
] as const;
const toggle = `${R1}/clusters/{cluster}/rules/{rule}/error_key/{errorKey}`;
const routes: readonly (readonly [route: string, status: number, body?: unknown])[] = [
  ...[R2, '/api/v2'].flatMap((prefix) =>
    ofVersion2.map(([route, ...rest]) => [route.replace(' ', ` ${prefix}`), ...rest] as const),
  ),
  [`PUT ${toggle}/disable`, 200],
  [`POST ${toggle}/disable_feedback`, 200, { message: 'until the nodes are there' }],
  [`PUT ${toggle}/enable`, 200],
  [`GET ${R1}/org_overview`, 200],
  ['GET /api/gathering/v2/{version}/gathering_rules', 200],
  ['GET /api/gathering/v1/gathering_rules', 200],
  ['GET /api/gathering/gathering_rules', 200],
  ['GET /api/accounts_mgmt/v1/cluster_transfers', 204],
  ['GET /api/accounts_mgmt/v1/cluster_transfers/', 204],
  ['GET /api/accounts_mgmt/v1/entitlement_certificates', 404],
  ['POST /api/accounts_mgmt/v1/entitlement_certificates', 404],
];
const values: Readonly<Record<string, string>> = {
  ...{ cluster: clusterA, requestId, selector, version: '4.19.7' },
  ...{ rule: `${moduleA}.report`, errorKey: keyA },
};

test('every route answers as it does with all rights', async () => {
  for (const [route, status, body] of routes) {
    const [method = '', path = ''] = route.split(' ');
    const filled = path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => values[name] ?? assert.fail(name));
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const answer = await bench.ask(filled, 'admin', { method, ...init });
    assert.equal(answer.status, status, `${route}: ${answer.text}`);
  }
  const { rows } = await bench.database.query<{ action: string }>('SELECT action FROM ccx.audit ORDER BY id');
  const changes = ['acks add', 'acks add', 'acks remove'];
  assert.deepEqual(
    rows.map(({ action }) => action),
    [...changes, ...changes, ...changes],
    'each change is in the audit',
  );
});

test('those are all the routes that there are', async () => {
  const { paths } = (await bench.ask('/openapi.json', 'admin')).body as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(routes.map(([route]) => route).toSorted(), described.toSorted());
});

test('the process is in ccx roles, is seen again, and says there that it stopped', async () => {
  const clock = createManualClock('2026-11-21T10:00:00Z');
  const logged: string[] = [];
  const destination = { write: (line: string) => void logged.push(line) };
  const stop = keepRoleRecord({
    ...{ database: limited, clock, role: 'results', version: 'test', settings: [], warnings: [] },
    log: createLog({ service: 'results', level: 'info', destination }),
    service: { readiness: async () => ({ ready: true, reasons: [] }) },
  });
  const states = async () =>
    (await bench.database.query<{ state: { stopped?: boolean } }>('SELECT state FROM ccx.roles')).rows;
  await until(async () => (await states()).length === 1);
  await stop();
  assert.equal((await states())[0]!.state.stopped, true);
  assert.deepEqual(logged, []);
});

test('nothing can be deleted, and what others write cannot be changed', async () => {
  for (const statement of [
    'DELETE FROM ccx.acknowledgements',
    'DELETE FROM ccx.audit',
    "UPDATE ccx.audit SET actor = 'nobody'",
    'DELETE FROM ccx.roles',
    'DELETE FROM new_reports',
    "UPDATE new_reports SET report = ''",
    'DELETE FROM ccx.notification_outbox',
    'UPDATE ccx.cluster_owners SET org_id = 2',
    'SELECT FROM reported',
    'CREATE TABLE ccx.mine ()',
  ])
    await assert.rejects(limited.query(statement), { code: 'DATABASE_PERMISSION' }, statement);
});

test('without a right the answer is that it is not there now, and what gives the right', async () => {
  const { username } = new URL(bench.databaseUrl);
  await bench.database.query(`REVOKE SELECT ON new_reports FROM "${username}"`);
  const answer = await bench.ask(`${R2}/cluster/${clusterA}/reports`, 'admin');
  assert.equal(answer.status, 503, answer.text);
  assert.match(
    answer.text,
    /DATABASE_PERMISSION.*ccx db grants --for results|ccx db grants --for results.*DATABASE_PERMISSION/,
  );
  await bench.database.query(`GRANT SELECT ON new_reports TO "${username}"`);
  assert.equal((await bench.ask(`${R2}/cluster/${clusterA}/reports`, 'admin')).status, 200);
});
