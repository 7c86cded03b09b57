/** `ccx db cleanup` as a person runs it: what it counts, what it deletes and what stays, and how it is interrupted and goes on. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { runCcx, startCcx } from '../../../test/support/ccx-process.ts';
import {
  asEarlierRelease,
  createTestDatabase,
  createTestRole,
  emptyTables,
  type TestDatabase,
} from '../../../test/support/postgres.ts';
import { until } from '../../../test/support/until.ts';
import { cleanedTables } from './cleanup.ts';
import { grantStatements } from './grants.ts';

const oldReports = 500;
const youngReports = 3;
let context: TestDatabase;

before(async () => {
  context = await createTestDatabase({ migrated: true, sets: ['writer', 'records', 'notifier', 'trace'] });
});
after(() => context.drop());
beforeEach(async () => {
  const { database } = context;
  const ours = cleanedTables.filter((table) => !['new_reports', 'reported', 'read_errors'].includes(table));
  await emptyTables(
    database,
    'read_errors',
    'new_reports',
    'reported',
    'ccx.report_facts',
    'ccx.audit',
    'ccx.cooldowns',
  );
  await emptyTables(database, ...ours.map((table) => `ccx.${table}`));
  // A second lies between two of the old ones; all of them are a hundred days old and more.
  await database.query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at, kafka_offset)
     SELECT 1, 1, md5(n::text)::uuid, '', now() - CASE WHEN n < $1::int THEN interval '100 days' ELSE interval '10 days' END + n * interval '1 second', n
       FROM generate_series(0, $1::int + $2::int - 1) AS n`,
    [oldReports, youngReports],
  );
  await database.query(`
    INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked)
    SELECT org_id, cluster, updated_at, '', updated_at FROM new_reports;
    INSERT INTO ccx.trace (request_id, service, status, happened_at, recorded_at)
    SELECT kafka_offset, 's', 'received', updated_at, updated_at FROM new_reports`);
  await asEarlierRelease(
    database,
    `INSERT INTO ccx.stored_message SELECT 't', 0, kafka_offset, '', '', org_id, cluster, '', updated_at FROM new_reports`,
  );
  await database.query(`
    INSERT INTO read_errors (org_id, cluster, updated_at, error_text, created_at)
    SELECT org_id, cluster, updated_at, 'e', now() FROM new_reports WHERE kafka_offset % 100 = 0`);
  // One that a cooldown counts by, one that was the same, one that is young.
  await database.query(`
    INSERT INTO ccx.cooldowns VALUES (1, '1 year');
    INSERT INTO reported SELECT 1, 1, 'c', 1, state, '', now() - age, now() - age, '', 1
      FROM (VALUES (1, interval '200 days'), (2, '201 days'), (2, '1 day')) AS r (state, age)`);
});

const cleanup = (...args: readonly string[]) =>
  runCcx(['db', 'cleanup', '--database', context.url, '--older-than', '90d', ...args]);
const countOf = async (table: string) => (await context.database.query(`SELECT FROM ${table}`)).rowCount;

test('a dry run counts what would go, and deletes nothing', async () => {
  const dry = await cleanup('--dry-run');
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, /^rows older than 90d, of before \d{4}-\d\d-\d\d .* \(UTC\); none is deleted\n/);
  assert.match(
    dry.stdout,
    /\nread_errors: 5 rows\nnew_reports: 500 rows\nstored_message: 500 rows\nreported: 1 rows\n/,
  );
  assert.match(dry.stdout, /\n1506 rows of 12 tables would be deleted\n$/);
  assert.match(dry.stderr, /age of 90d is shorter than the cooldown of 1 year/);
  assert.equal(await countOf('new_reports'), oldReports + youngReports);
  assert.equal(await countOf('ccx.audit'), 0);
});

test('what is old goes with what belongs to it; what is young and what a cooldown counts by stays', async () => {
  const { code, stdout, stderr } = await cleanup('--json', '--by', 'ada', '--reason', 'ticket 7');
  assert.equal(code, 0, stderr);
  const { interrupted, tables, absent } = JSON.parse(stdout);
  assert.deepEqual([interrupted, absent], [false, []]);
  assert.deepEqual(
    tables.map(({ table }: { table: string }) => table),
    cleanedTables,
  );
  assert.deepEqual(tables[1], { table: 'new_reports', found: oldReports, deleted: oldReports });
  for (const table of ['new_reports', 'ccx.report_facts', 'ccx.stored_message', 'ccx.trace'])
    assert.equal(await countOf(table), youngReports, table);
  assert.equal(await countOf('reported'), 2);
  assert.equal(await countOf('read_errors'), 1, 'of a young report');
  assert.match((await cleanup()).stdout, /\n0 rows of 12 tables deleted in \d+\.\d s\n$/);
  const { rows } = await context.database.query(
    'SELECT actor, action, subject, after, reason FROM ccx.audit ORDER BY id',
  );
  assert.deepEqual(
    rows.map(({ subject }) => subject),
    ['read_errors', 'new_reports', 'stored_message', 'reported', 'trace'],
  );
  assert.deepEqual([rows[1]?.['actor'], rows[1]?.['action'], rows[1]?.['reason']], ['ada', 'db cleanup', 'ticket 7']);
  assert.equal((rows[1]!['after'] as { found: number }).found, oldReports);
});

test('only the tables that are named are cleaned, also by a user with the rights of the roles', async () => {
  const role = await createTestRole(context, (user) => grantStatements(user, { embeddedBus: false }));
  try {
    const url = ['--database', role.url];
    const done = await runCcx(['db', 'cleanup', ...url, '--older-than', '3 months', '--table', 'trace,reported']);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /\nreported: 1 of 1 rows deleted\ntrace: 500 of 500 rows deleted\n501 rows of 2 tables/);
    assert.equal(await countOf('new_reports'), oldReports + youngReports);
    await context.database.query(`REVOKE DELETE ON ccx.trace FROM ${role.user}`);
    const refused = await runCcx(['db', 'cleanup', ...url, '--older-than', '90d']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /lacks rights on ccx\.trace: nothing was changed.*\[DATABASE_PERMISSION\]/);
    assert.equal(await countOf('new_reports'), oldReports + youngReports);
  } finally {
    await role.remove();
  }
});

test('an age without a unit, in the future, or that is none is refused, and so is a table that nobody cleans', async () => {
  for (const age of ['90', '-1 day', '0 days', 'a while', '', '3m', '1y 3M', '999999 years']) {
    const refused = await runCcx(['db', 'cleanup', '--database', context.url, `--older-than=${age}`]);
    assert.equal(refused.code, 1, age);
    assert.match(refused.stderr, /\[MAX_AGE_INVALID\]/, age);
  }
  assert.match((await cleanup('--table', 'states')).stderr, /There is no table states that is cleaned/);
  assert.equal(await countOf('new_reports'), oldReports + youngReports);
});

test('tables that are not there are passed over, unless they are named', async (t) => {
  const shared = await createTestDatabase({ migrated: true });
  t.after(() => shared.drop());
  const args = ['db', 'cleanup', '--database', shared.url, '--older-than', '90d'];
  const passed = await runCcx(args);
  assert.equal(passed.code, 0, passed.stderr);
  assert.match(passed.stdout, /\n0 rows of 3 tables deleted in .*; not in this database: stored_message, trace, /);
  assert.match((await runCcx([...args, '--table', 'trace'])).stderr, /\[CLEANUP_TABLE\]/);
  const nothing = await createTestDatabase();
  t.after(() => nothing.drop());
  const lost = await runCcx(['db', 'cleanup', '--database', nothing.url, '--older-than', '90d']);
  assert.equal(lost.code, 1, 'the wrong database is no success');
  assert.match(lost.stderr, /none of the tables.*\[CLEANUP_TABLE\]\n {2}name the right database/);
});

test('SIGINT ends it behind the slice under way and says how far it came; the same command goes on', async () => {
  const command = await context.database.transaction(async (tx) => {
    // A slice that reaches this row waits for us.
    await tx.query('SELECT FROM new_reports WHERE kafka_offset = 300 FOR UPDATE');
    const started = startCcx({
      args: ['db', 'cleanup', '--database', context.url, '--older-than', '90d', '--table', 'new_reports'],
      env: {},
    });
    await until(async () => {
      const { rowCount } = await context.database.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ccx db' AND wait_event_type = 'Lock'`,
      );
      return rowCount === 1;
    });
    started.kill('SIGINT');
    return started;
  });
  const { code } = await command.exited(20_000);
  assert.equal(code, 130, command.stderr());
  const [, deleted, found] = /\nnew_reports: (\d+) of (\d+) rows deleted\n/.exec(command.stdout()) ?? [];
  assert.equal(Number(found), oldReports);
  assert.ok(Number(deleted) > 300 && Number(deleted) < oldReports, command.stdout());
  assert.match(command.stderr(), /interrupted; the same command goes on from here/);
  assert.equal(await countOf('new_reports'), oldReports + youngReports - Number(deleted));
  const rest = await cleanup('--table', 'new_reports');
  assert.match(rest.stdout, new RegExp(`\nnew_reports: ${oldReports - Number(deleted)} of `));
  assert.equal(await countOf('new_reports'), youngReports);
});
