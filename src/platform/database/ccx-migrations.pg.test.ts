/** Our own migrations: once each, in order, whoever comes first, and never silently different from what was released. */
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { migrateCcx } from './ccx-migrations.ts';
import { connectDatabase } from './connect-database.ts';
import type { Database } from './database.ts';

let context: TestDatabase;
let database: Database;
let folder: string;
beforeEach(async () => {
  context = await createTestDatabase();
  database = context.database;
  folder = temporaryFolder();
});
afterEach(async () => {
  await context.drop();
});

const write = (name: string, sql: string) => writeFile(join(folder, name), sql);
const run = (on = database, set = 'demo') => migrateCcx(on, set, { folder });
const rejectsWith = (work: Promise<unknown>, code: string, text: RegExp) =>
  assert.rejects(work, (error) => {
    assert.ok(error instanceof CcxError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(`${error.message} / ${error.hint}`, text);
    return true;
  });
const recorded = async () => (await database.query('SELECT "set", number, name FROM ccx.migration ORDER BY 1, 2')).rows;

test('files are applied once each, in order, and recorded with name and time', async () => {
  await write('0001-first.sql', 'CREATE TABLE ccx.a (x int); INSERT INTO ccx.a VALUES (1);');
  assert.deepEqual(await run(), { applied: [1], version: 1 });
  await write('0002-second.sql', '-- adds\nALTER TABLE ccx.a ADD COLUMN y int;\n');
  assert.deepEqual(await run(), { applied: [2], version: 2 });
  assert.deepEqual(await run(), { applied: [], version: 2 });
  assert.deepEqual(await recorded(), [
    { set: 'demo', number: 1, name: '0001-first.sql' },
    { set: 'demo', number: 2, name: '0002-second.sql' },
  ]);
  assert.equal((await database.query('SELECT x, y FROM ccx.a')).rowCount, 1);
});

test('a file that fails leaves nothing of itself and keeps what came before', async () => {
  await write('0001-first.sql', 'CREATE TABLE ccx.a (x int);');
  await write('0002-second.sql', 'CREATE TABLE ccx.b (x int); SELECT 1/0;');
  await rejectsWith(run(), 'CCX_MIGRATION_FAILED', /0002-second\.sql.*division by zero/);
  assert.deepEqual(await recorded(), [{ set: 'demo', number: 1, name: '0001-first.sql' }]);
  assert.equal((await database.query(`SELECT to_regclass('ccx.b') AS b`)).rows[0]?.['b'], null);
  await write('0002-second.sql', 'CREATE TABLE ccx.b (x int);');
  assert.deepEqual(await run(), { applied: [2], version: 2 });
});

test('an applied file that was edited is refused, but other line ends are not an edit', async () => {
  await write('0001-first.sql', 'CREATE TABLE ccx.a (\n x int);\n');
  await run();
  await write('0001-first.sql', 'CREATE TABLE ccx.a (\r\n x int);\r\n');
  assert.deepEqual(await run(), { applied: [], version: 1 });
  await write('0001-first.sql', 'CREATE TABLE ccx.a (\n x bigint);\n');
  await rejectsWith(run(), 'CCX_MIGRATION_CHANGED', /0001-first\.sql.*next number/s);
});

test('numbers must start at 0001 and have no gap, in the files and in the database', async () => {
  await write('0002-second.sql', 'SELECT 1');
  await rejectsWith(run(), 'CCX_MIGRATION_FILES', /0002-second\.sql should be 0001-/);
  await write('0001-first.sql', 'SELECT 1');
  await run();
  await database.query('DELETE FROM ccx.migration WHERE number = 1');
  await rejectsWith(run(), 'CCX_MIGRATION_GAP', /not number 1/);
  await write('0002-twin.sql', 'SELECT 1');
  await rejectsWith(run(), 'CCX_MIGRATION_FILES', /should be 0003-/);
  await rejectsWith(migrateCcx(database, 'No Set', { folder }), 'CCX_MIGRATION_FILES', /not the name of a set/);
  await rejectsWith(migrateCcx(database, 'absent'), 'CCX_MIGRATION_FILES', /absent/);
});

test('G25: a newer release has been here: its tables are left alone and a warning says so', async () => {
  await write('0001-first.sql', 'SELECT 1');
  await write('0002-second.sql', 'SELECT 1');
  await run();
  await rm(join(folder, '0002-second.sql'));
  const result = await run();
  assert.deepEqual([result.applied, result.version], [[], 2]);
  assert.match(result.warning ?? '', /is at 2; this release knows 1/);
});

test('sets are numbered apart', async () => {
  await write('0001-first.sql', 'CREATE TABLE IF NOT EXISTS ccx.a (x int)');
  await run(database, 'one');
  await run(database, 'two');
  assert.deepEqual(
    (await recorded()).map(({ set }) => set),
    ['one', 'two'],
  );
});

test('processes that start at once apply every file once', async () => {
  await write('0001-first.sql', 'CREATE TABLE ccx.a (x int)');
  await write('0002-second.sql', 'INSERT INTO ccx.a VALUES (1)');
  const others = [1, 2, 3, 4].map(() =>
    connectDatabase({ url: context.url, applicationName: 'test', connectionsMax: 1 }),
  );
  const results = await Promise.all(others.map((other) => run(other)));
  assert.deepEqual(results.flatMap(({ applied }) => applied).sort(), [1, 2]);
  assert.equal((await database.query('SELECT * FROM ccx.a')).rowCount, 1);
  await Promise.all(others.map((other) => other.close()));
});

test('services that start at once on an empty database each bring up their own set', async () => {
  const sets = ['one', 'two', 'three'];
  await Promise.all(
    sets.map(async (set) => {
      const own = join(folder, set);
      await mkdir(own);
      await writeFile(join(own, '0001-first.sql'), `CREATE TABLE ccx.${set} (x int)`);
      const other = connectDatabase({ url: context.url, applicationName: 'test' });
      assert.deepEqual(await migrateCcx(other, set, { folder: own }), { applied: [1], version: 1 });
      await other.close();
    }),
  );
  assert.equal((await recorded()).length, sets.length);
});

test('without the right to create, the error holds the GRANT, and the GRANT is what was missing', async () => {
  await write('0001-first.sql', 'CREATE TABLE ccx.a (x int)');
  const role = `limited_${new URL(context.url).pathname.slice(-12)}`;
  await database.query(`CREATE ROLE ${role}`);
  const limited = connectDatabase({ url: `${context.url}&role=${role}`, applicationName: 'test' });
  const grants: string[] = [];
  const followTheHint = async () => {
    try {
      return await run(limited);
    } catch (error) {
      assert.ok(error instanceof CcxError);
      assert.equal(error.code, 'DATABASE_PERMISSION', error.message);
      assert.match(error.message, new RegExp(role));
      grants.push(error.hint ?? '');
      await database.query(error.hint ?? '');
      return undefined;
    }
  };
  // First the schema is missing altogether.
  assert.equal(await followTheHint(), undefined);
  assert.deepEqual(await followTheHint(), { applied: [1], version: 1 });
  assert.match(grants[0]!, /^GRANT CREATE ON DATABASE "?test_\w+"? TO "?limited_\w+"?;$/);

  // Then it belongs to somebody else.
  await database.query(
    `DROP SCHEMA ccx CASCADE; REVOKE CREATE ON DATABASE ${new URL(context.url).pathname.slice(1)} FROM ${role}`,
  );
  await run(database, 'other');
  await database.query('DROP TABLE ccx.a');
  for (let attempt = 0; attempt < 4; attempt += 1) if ((await followTheHint()) !== undefined) break;
  assert.deepEqual(await run(limited), { applied: [], version: 1 });
  assert.match(grants.slice(1).join('\n'), /GRANT USAGE, CREATE ON SCHEMA ccx TO/);

  // And a table that another user made can only be altered with that user's role.
  await write('0002-alter.sql', 'ALTER TABLE ccx.b ADD COLUMN y int');
  const owner = `owner_${role}`;
  await database.query(`CREATE ROLE ${owner}; GRANT USAGE, CREATE ON SCHEMA ccx TO ${owner};
    CREATE TABLE ccx.b (x int); ALTER TABLE ccx.b OWNER TO ${owner}; GRANT ALL ON ALL TABLES IN SCHEMA ccx TO ${role}`);
  await assert.rejects(run(limited), { code: 'DATABASE_PERMISSION', hint: new RegExp(`GRANT "?${owner}"? TO`) });
  await limited.close();
  await database.query(`DROP OWNED BY ${role}; DROP OWNED BY ${owner}; DROP ROLE ${role}; DROP ROLE ${owner}`);
});

test('a user who may only read the record starts as long as there is nothing to do', async () => {
  await write('0001-first.sql', 'CREATE TABLE ccx.a (x int)');
  await run();
  const role = `limited_${new URL(context.url).pathname.slice(-12)}`;
  await database.query(
    `CREATE ROLE ${role}; GRANT USAGE ON SCHEMA ccx TO ${role}; GRANT SELECT ON ccx.migration TO ${role}`,
  );
  const limited = connectDatabase({ url: `${context.url}&role=${role}`, applicationName: 'test' });
  assert.deepEqual(await run(limited), { applied: [], version: 1 });
  await limited.close();
  await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
});
