/** Nothing that somebody writes can fail the change it belongs to, what is read back is what was written, and old rows go. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createTestDatabase, createTestRole, emptyTables, type TestDatabase } from '../../../test/support/postgres.ts';
import { connectDatabase } from '../database/connect-database.ts';
import { type AuditEntry, pruneAudit, readAudit, recordAudit } from './audit.ts';

const cluster = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
const entry: AuditEntry = { actor: 'ada', origin: 'test', action: 'clusters move', subject: cluster };

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true, sets: ['records'] });
});
after(() => context.drop());
beforeEach(() => emptyTables(context.database, 'ccx.audit'));

const record = (entries: AuditEntry | readonly AuditEntry[]) =>
  context.database.transaction((tx) => recordAudit(tx, entries));
const read = (query: { since?: string; subject?: string } = {}) =>
  readAudit(context.database, { ...query, rowsMax: 3_000 });

test('what is read back is what was written', async () => {
  await record({ ...entry, before: { orgId: 1 }, after: [{ until: null, large: 2n ** 60n }], reason: 'sold' });
  const { id, at, ...row } = (await read())[0]!;
  assert.equal(typeof id, 'bigint');
  assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  assert.deepEqual(row, {
    ...entry,
    before: { orgId: 1 },
    after: [{ until: null, large: '1152921504606846976' }],
    reason: 'sold',
  });
});

test('no text and no value is refused', async () => {
  const odd = 'a\0b\ud800c\\u0000"';
  const mended = 'a\ufffdb\ufffdc\\u0000"';
  await record({
    ...{ actor: odd, origin: 'é'.repeat(2_000), action: '', subject: odd, reason: '' },
    before: { [odd]: odd },
    after: { text: 'x'.repeat(70_000) },
  });
  const [row] = await read();
  assert.equal(row?.actor, mended);
  assert.equal(row?.origin, 'é'.repeat(512));
  assert.deepEqual(row?.before, { [mended]: mended });
  assert.deepEqual(row?.after, { leftOut: '70011 bytes' });
  assert.equal(row?.reason, null);
});

test('thousands of changes are one transaction, in the order in which they were made', async () => {
  const subjects = Array.from({ length: 2_500 }, (_, index) => `notifications/${index}`);
  await record(subjects.map((subject) => ({ ...entry, subject })));
  const rows = await read();
  assert.deepEqual(
    rows.map(({ subject }) => subject),
    subjects.toReversed(),
  );
});

test('rows are found by a part of their subject and by time or age', async () => {
  await record(entry);
  await context.database.query(`UPDATE ccx.audit SET at = '2026-01-02 03:04:05'`);
  await record({ ...entry, subject: 'notifications/7' });
  const subjects = async (query: object) => (await read(query)).map(({ subject }) => subject);
  assert.deepEqual(await subjects({ subject: '84ef291d' }), [cluster]);
  assert.deepEqual(await subjects({ subject: '%' }), []);
  assert.deepEqual(await subjects({ since: '1 hour' }), ['notifications/7']);
  assert.deepEqual(await subjects({ since: '2026-01-02' }), ['notifications/7', cluster]);
  assert.deepEqual(await subjects({ since: '2026-01-02T05:04:06+02:00' }), ['notifications/7']);
  for (const since of ['soon', '2026-99-01', '']) await assert.rejects(read({ since }), { code: 'AUDIT_SINCE' });
});

test('rows of 400 days go, younger ones stay', async () => {
  await record([entry, entry]);
  const aged = (days: number) =>
    context.database.query(
      `UPDATE ccx.audit SET at = (clock_timestamp() AT TIME ZONE 'UTC') - $1 * interval '1 day'
        WHERE id = (SELECT max(id) FROM ccx.audit)`,
      [days],
    );
  await aged(399);
  assert.equal(await pruneAudit(context.database), 0);
  await aged(401);
  assert.equal(await pruneAudit(context.database, { signal: AbortSignal.abort() }), 0);
  assert.equal(await pruneAudit(context.database), 1);
  assert.equal((await read()).length, 1);
});

test('where the table is missing or not ours, reading names what to do and cleaning does nothing', async () => {
  const role = await createTestRole(context, () => []);
  const database = connectDatabase({ url: role.url, applicationName: 'test' });
  try {
    await assert.rejects(readAudit(database, { rowsMax: 1 }), { code: 'AUDIT_NO_TABLE' });
    assert.equal(await pruneAudit(database), 0);
  } finally {
    await database.close();
    await role.remove();
  }
});
