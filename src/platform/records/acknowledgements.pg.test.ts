/** What is made, changed, repeated and ended; each change is audited once, nothing is deleted, and two who do the same at once do it once. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createTestDatabase, createTestRole, emptyTables, type TestDatabase } from '../../../test/support/postgres.ts';
import { connectDatabase } from '../database/connect-database.ts';
import {
  addAcknowledgement,
  type ListedAcknowledgement,
  listAcknowledgements,
  nowOf,
  organizationOf,
  readUntil,
  removeAcknowledgement,
  type WantedAcknowledgement,
} from './acknowledgements.ts';
import { readAudit } from './audit.ts';

const cluster = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
const wanted: WantedAcknowledgement = {
  ...{ orgId: 1, cluster, component: 'a.b.rule.report', errorKey: 'KEY' },
  ...{ until: null, untilResolved: false, justification: 'known' },
};
const ada = { actor: 'ada', origin: 'test' };
const ben = { actor: 'ben', origin: 'test', reason: 'mended' };
const day = (number: number) => `2026-11-${String(number).padStart(2, '0')} 12:00:00`;

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true, sets: ['records'] });
});
after(() => context.drop());
beforeEach(() =>
  emptyTables(
    context.database,
    ...['ccx.acknowledgement_ends', 'ccx.acknowledgements', 'ccx.audit', 'ccx.clusters', 'ccx.cluster_owners'],
    'new_reports',
  ),
);

const add = (changes: Partial<WantedAcknowledgement> = {}, at = day(1), byWhom = ada) =>
  addAcknowledgement(context.database, { ...wanted, ...changes }, { byWhom, at });
const remove = (id: string, at = day(2)) => removeAcknowledgement(context.database, id, { byWhom: ben, at });
async function list(filter: Parameters<typeof listAcknowledgements>[1] = {}, at = day(3)) {
  const listed: ListedAcknowledgement[] = [];
  for await (const one of listAcknowledgements(context.database, filter, at)) listed.push(one);
  return listed;
}
const audited = async () =>
  (await readAudit(context.database, { rowsMax: 100 }))
    .map(({ actor, action, subject, reason }) => [actor, action, subject, reason].join('; '))
    .reverse();

test('the same again changes nothing, something else changes what is there, and each change is audited once', async () => {
  const first = await add();
  assert.equal(first.result, 'added');
  const again = await add({}, day(2), ben);
  assert.deepEqual(again, { ...first, result: 'unchanged' });
  const changed = await add({ until: day(20), justification: 'until the window' }, day(2), ben);
  assert.deepEqual(changed, {
    result: 'changed',
    acknowledgement: { ...first.acknowledgement, until: day(20), justification: 'until the window' },
  });
  assert.equal((await add({ until: day(20), justification: 'until the window' })).result, 'unchanged');
  assert.deepEqual(await audited(), [
    `ada; acks add; ${cluster} a.b.rule|KEY; known`,
    `ben; acks add; ${cluster} a.b.rule|KEY; until the window`,
  ]);
});

test('what is removed stays readable, may be removed again, and be acknowledged anew', async () => {
  const { acknowledgement } = await add();
  const removed = await remove(acknowledgement.id);
  assert.equal(removed?.result, 'removed');
  assert.equal((await remove(acknowledgement.id))?.result, 'unchanged');
  assert.equal(await remove('00000000-0000-4000-8000-000000000000'), undefined);
  assert.deepEqual(await list(), []);
  const next = await add({}, day(3));
  assert.notEqual(next.acknowledgement.id, acknowledgement.id);
  assert.deepEqual(await list({ all: true }), [
    { ...acknowledgement, endedAt: day(2), endedReason: 'removed', endedBy: 'ben' },
    next.acknowledgement,
  ]);
  assert.deepEqual(await audited(), [
    `ada; acks add; ${cluster} a.b.rule|KEY; known`,
    `ben; acks remove; ${cluster} a.b.rule|KEY; mended`,
    `ada; acks add; ${cluster} a.b.rule|KEY; known`,
  ]);
});

test('one whose date has passed is over whether or not anybody has written that down', async () => {
  const { acknowledgement } = await add({ until: day(2) });
  assert.equal((await list({}, day(1))).length, 1);
  assert.deepEqual(await list({}, day(2)), []);
  assert.deepEqual(await list({ all: true }, day(2)), [{ ...acknowledgement, endedAt: day(2), endedReason: 'date' }]);
  assert.equal((await remove(acknowledgement.id, day(3)))?.result, 'unchanged');
  const next = await add({ until: day(9) }, day(3));
  assert.equal(next.result, 'added');
  const { rows } = await context.database.query<{ ended_at: string; ended_reason: string }>(
    'SELECT ended_at, ended_reason FROM ccx.acknowledgements WHERE id = $1',
    [acknowledgement.id],
  );
  assert.deepEqual(rows, [{ ended_at: day(2), ended_reason: 'date' }]);
});

test('a cluster, another organization’s, a whole rule and its key are different things', async () => {
  for (const changes of [{}, { cluster: null }, { errorKey: null }, { orgId: 2 }, { errorKey: 'OTHER' }])
    assert.equal((await add(changes)).result, 'added', JSON.stringify(changes));
  assert.equal((await list({ cluster })).length, 4);
  assert.equal((await list({ orgId: 2 })).length, 1);
  assert.equal((await list({ rule: { component: wanted.component, errorKey: null } })).length, 5);
  assert.equal((await list({ rule: { component: wanted.component, errorKey: 'OTHER' } })).length, 1);
});

test('twenty who acknowledge the same at once make one, and twenty who remove it remove it once', async () => {
  const added = await Promise.all(Array.from({ length: 20 }, () => add()));
  assert.equal(added.filter(({ result }) => result === 'added').length, 1);
  const { id } = added[0]!.acknowledgement;
  const removed = await Promise.all(Array.from({ length: 20 }, () => remove(id)));
  assert.equal(removed.filter((one) => one?.result === 'removed').length, 1);
  assert.equal((await audited()).length, 2);
});

test('lists go on page by page', async () => {
  await context.database.query(
    `INSERT INTO ccx.acknowledgements (id, scope, org_id, component, by, made_at)
     SELECT gen_random_uuid(), 'organization', n, 'a.b.report', 'ada', timestamp '2026-11-01' + (n / 10) * interval '1 second'
       FROM generate_series(1, 2500) AS n`,
  );
  const listed = await list();
  assert.equal(new Set(listed.map(({ id }) => id)).size, 2_500);
  assert.deepEqual(
    listed.map(({ madeAt }) => madeAt),
    listed.map(({ madeAt }) => madeAt).toSorted(),
  );
});

test('no text fails the change, and what PostgreSQL cannot hold is mended', async () => {
  const { acknowledgement } = await add({ justification: `a\0b\ud800${'é'.repeat(4_000)}` });
  assert.match(acknowledgement.justification, /^a\ufffdb\ufffdé+$/);
  assert.ok(Buffer.byteLength(acknowledgement.justification) <= 4_096);
});

test('a date is a time or an interval that lies ahead', async () => {
  const until = (text: string) => readUntil(context.database, text);
  assert.equal(await until('2999-12-24'), '2999-12-24 00:00:00');
  assert.equal(await until('2999-12-24T16:00:00+02:00'), '2999-12-24 14:00:00');
  const now = Date.parse(`${await nowOf(context.database)}Z`);
  for (const [text, hours] of [
    ['30d', 720],
    ['2 weeks', 336],
    [' 36h ', 36],
    ['90m', 1.5],
  ] as const) {
    const ahead = (Date.parse(`${await until(text)}Z`) - now) / 3_600_000;
    assert.ok(ahead >= hours && ahead < hours + 0.1, `${text}: ${ahead}`);
  }
  for (const text of [
    '',
    'soon',
    '30',
    '2026-13-01',
    '2020-01-01',
    '-3d',
    '0d',
    'infinity',
    '12000-01-01',
    '99999999999d',
    '9000 years',
  ])
    await assert.rejects(until(text), { code: 'ACK_UNTIL' }, text);
});

test('a cluster is its owner’s, or of whoever reported it last', async () => {
  const { database } = context;
  assert.equal(await organizationOf(database, cluster), undefined);
  await database.query(
    `INSERT INTO ccx.clusters (org_id, cluster, last_report_at, state_since) VALUES (1, $1, now(), now())`,
    [cluster],
  );
  assert.equal(await organizationOf(database, cluster), 1);
  await database.query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at)
     VALUES (2, 0, $1, '{}', '2026-11-01'), (3, 0, $1, '{}', '2026-11-02')`,
    [cluster],
  );
  assert.equal(await organizationOf(database, cluster), 3);
  await database.query(`INSERT INTO ccx.cluster_owners (cluster, org_id, since) VALUES ($1, 2, now())`, [cluster]);
  assert.equal(await organizationOf(database, cluster), 2);
});

test('where the table is missing or not ours, reading names what to do', async () => {
  const role = await createTestRole(context, () => []);
  const database = connectDatabase({ url: role.url, applicationName: 'test' });
  try {
    await assert.rejects(listAcknowledgements(database, {}, day(1)).next(), { code: 'ACK_NO_TABLE' });
  } finally {
    await database.close();
    await role.remove();
  }
});
