/** Creating, moving and clearing the notification schema: every way between two versions, and what each refusal says. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { connectDatabase } from '../database/connect-database.ts';
import type { Database } from '../database/database.ts';
import {
  cleanup,
  dropTables,
  ensureNotificationSchema,
  initDatabase,
  initMigration,
  migrate,
  migrationInfo,
  NOTIFICATION_SCHEMA_VERSION,
  truncateReported,
} from './notification-schema.ts';

let context: TestDatabase;
let database: Database;
beforeEach(async () => {
  context = await createTestDatabase();
  database = context.database;
});
afterEach(() => context.drop());

const initialise = async () => {
  await initMigration(database);
  await initDatabase(database);
};

/** Everything that a migration can change, as text. */
async function catalog(): Promise<string[]> {
  const { rows } = await database.query<{ fact: string }>(`
    SELECT format('column %s.%s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull) AS fact
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    UNION ALL
    SELECT format('constraint %s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT format('comment %s %s', relname, obj_description(oid)) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND obj_description(oid) IS NOT NULL
    ORDER BY 1`);
  const { rows: targets } = (await exists('event_targets'))
    ? await database.query<{ fact: string }>(`SELECT 'target ' || id AS fact FROM event_targets ORDER BY id`)
    : { rows: [] };
  return [...rows, ...targets].map(({ fact }) => fact);
}

async function exists(table: string): Promise<boolean> {
  return (await database.query('SELECT to_regclass($1) AS found', [table])).rows[0]?.['found'] !== null;
}

async function rejectsWith(work: Promise<unknown>, text: RegExp | string, code?: string): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof CcxError, String(error));
    if (typeof text === 'string') assert.equal(error.message, text);
    else assert.match(error.message, text);
    if (code !== undefined) assert.equal(error.code, code);
    return true;
  });
}

const insertReported = (eventType: number) =>
  database.query(
    `INSERT INTO reported (org_id, account_number, cluster, notification_type, state, report, updated_at, notified_at, event_type_id)
     VALUES (1, 1, 'c', 1, 1, '', '2026-01-01', '2026-01-01', $1)`,
    [eventType],
  );

test('every version can be reached from every other, and a version is the same whichever way it was reached', async () => {
  await initialise();
  const byVersion: string[][] = [await catalog()];
  for (let version = 1; version <= NOTIFICATION_SCHEMA_VERSION; version += 1) {
    await migrate(database, String(version));
    byVersion.push(await catalog());
    assert.notDeepEqual(byVersion[version], byVersion[version - 1]);
  }
  for (let from = 0; from <= NOTIFICATION_SCHEMA_VERSION; from += 1) {
    for (let to = 0; to <= NOTIFICATION_SCHEMA_VERSION; to += 1) {
      await migrate(database, String(from));
      const current = (await migrationInfo(database)).current;
      assert.equal(current, from);
      assert.deepEqual(await migrate(database, String(to)), { from, to });
      assert.deepEqual(await migrationInfo(database), { current: to, latest: 8 });
      assert.deepEqual(await catalog(), byVersion[to], `${from} to ${to}`);
    }
  }
});

test('latest is 8, and moving to the present version runs no statement', async () => {
  await initialise();
  assert.deepEqual(await migrate(database, 'latest'), { from: 0, to: 8 });
  const statements: string[] = [];
  assert.deepEqual(await migrate(database, '8', { onStatement: (text) => statements.push(text) }), { from: 8, to: 8 });
  assert.deepEqual(statements, []);
});

test('every statement is told before it runs, on one line', async () => {
  await initialise();
  await migrate(database, '7');
  const statements: string[] = [];
  await migrate(database, '8', { onStatement: (text) => statements.push(text) });
  assert.deepEqual(statements, [
    'CREATE INDEX IF NOT EXISTS idx_reported_event_state_org_cluster ON reported (event_type_id, state, org_id, cluster)',
    'CREATE INDEX IF NOT EXISTS idx_reported_updated_at ON reported (updated_at)',
  ]);
});

test('writer Q12: a target that is no version is refused and nothing changes', async () => {
  await initialise();
  await migrate(database, '5');
  await rejectsWith(migrate(database, '9'), 'invalid target version (available version range is 0-8)');
  await rejectsWith(migrate(database, '4294967295'), 'invalid target version (available version range is 0-8)');
  await rejectsWith(migrate(database, '4294967296'), 'version out of range: 4294967296');
  await rejectsWith(migrate(database, '-1'), 'version out of range: -1');
  for (const text of ['newest', '', '1.0', '0x3', 'latest2', '٣'])
    await rejectsWith(migrate(database, text), /invalid target version/);
  assert.equal((await migrationInfo(database)).current, 5);
});

test('without exactly one version nothing is migrated', async () => {
  await rejectsWith(migrate(database, 'latest'), 'no such table: migration_info');
  await rejectsWith(migrationInfo(database), 'no such table: migration_info');
  await initialise();
  await database.query('DELETE FROM migration_info');
  await rejectsWith(migrate(database, 'latest'), 'migration info table contain 0 rows');
  await database.query('INSERT INTO migration_info VALUES (0), (1)');
  await rejectsWith(migrate(database, 'latest'), 'migration info table contain 2 rows');
  await database.query('DELETE FROM migration_info WHERE version = 1; UPDATE migration_info SET version = 9');
  await rejectsWith(migrate(database, '8'), /the schema has version 9/);
});

test('going up without the base schema fails at step 2 and leaves version 0', async () => {
  await initMigration(database);
  await rejectsWith(migrate(database, 'latest'), 'no such table: reported', 'SCHEMA_NO_TABLE');
  assert.equal((await migrationInfo(database)).current, 0);
  assert.equal(await exists('event_targets'), false);
});

test('rows of the second target keep the schema from going down, and nothing is half done', async () => {
  await ensureNotificationSchema(database);
  const before = await catalog();
  await insertReported(2);
  await rejectsWith(
    migrate(database, '0'),
    'operation violates foreign key "reported_event_type_id_fkey" on table "reported"',
    'SCHEMA_FOREIGN_KEY',
  );
  assert.equal((await migrationInfo(database)).current, 8);
  assert.deepEqual(await catalog(), before);
});

test('rows of the first target survive the way down and up again', async () => {
  await ensureNotificationSchema(database);
  await insertReported(1);
  await migrate(database, '0');
  await migrate(database, 'latest');
  assert.deepEqual((await database.query('SELECT event_type_id FROM reported')).rows, [{ event_type_id: 1 }]);
});

test('going down takes a table away even if rows are in it, and step 5 down says which table is missing', async () => {
  await ensureNotificationSchema(database);
  await database.query('DROP TABLE read_errors');
  await rejectsWith(
    migrate(database, '7').then(() => migrate(database, '4')),
    'no such table: read_errors',
  );
});

test('db-init twice does nothing the second time, and looks at states alone', async () => {
  assert.equal(await initDatabase(database), 'created');
  await database.query('DROP TABLE new_reports');
  assert.equal(await initDatabase(database), 'already-there');
  assert.equal(await exists('new_reports'), false);
});

test('db-init logs four tables, eight indexes and six rows in their order', async () => {
  const statements: string[] = [];
  await initDatabase(database, {
    onStatement: (text) => statements.push(text.replace(/^(CREATE \w+|INSERT INTO)( IF NOT EXISTS)? (\w+).*/, '$1 $3')),
  });
  assert.deepEqual(statements, [
    'CREATE TABLE notification_types',
    'CREATE TABLE states',
    'CREATE TABLE reported',
    'CREATE TABLE new_reports',
    'CREATE INDEX report_kafka_offset_btree_idx',
    'CREATE INDEX new_reports_org_id_idx',
    'CREATE INDEX new_reports_cluster_idx',
    'CREATE INDEX new_reports_updated_at_asc_idx',
    'CREATE INDEX new_reports_updated_at_desc_idx',
    'CREATE INDEX notified_at_desc_idx',
    'CREATE INDEX updated_at_desc_idx',
    'CREATE INDEX notification_types_id_idx',
    'INSERT INTO notification_types',
    'INSERT INTO notification_types',
    'INSERT INTO states',
    'INSERT INTO states',
    'INSERT INTO states',
    'INSERT INTO states',
  ]);
});

test('db-init with emptied states but filled types fails as a whole', async () => {
  await initDatabase(database);
  await database.query('DELETE FROM states');
  await rejectsWith(initDatabase(database), /duplicate key value violates unique constraint "notification_types_pkey"/);
  assert.equal((await database.query('SELECT * FROM states')).rowCount, 0);
});

test('db-init-migration keeps a version that is there, also among several, and starts again from an empty table', async () => {
  assert.deepEqual(await initMigration(database), { kind: 'created' });
  await database.query('UPDATE migration_info SET version = 3');
  assert.deepEqual(await initMigration(database), { kind: 'already-there', version: 3 });
  await database.query('INSERT INTO migration_info VALUES (3)');
  assert.deepEqual(await initMigration(database), { kind: 'already-there', version: 3 });
  await database.query('DELETE FROM migration_info');
  assert.deepEqual(await initMigration(database), { kind: 'created' });
  assert.equal((await migrationInfo(database)).current, 0);
  await database.query('UPDATE migration_info SET version = -1');
  assert.deepEqual(await initMigration(database), { kind: 'created' });
});

test('cleanup empties the five base tables, db-init works again, and migrating then says what is wrong', async () => {
  await ensureNotificationSchema(database);
  await database.query(`INSERT INTO new_reports VALUES (1, 1, 'c', '', '2026-01-01')`);
  await database.query(
    `INSERT INTO read_errors (org_id, cluster, updated_at, error_text, created_at) VALUES (1, 'c', '2026-01-01', 'x', now())`,
  );
  await insertReported(1);
  await cleanup(database);
  for (const table of ['migration_info', 'new_reports', 'reported', 'notification_types', 'states', 'read_errors']) {
    assert.equal((await database.query(`SELECT * FROM ${table}`)).rowCount, 0, table);
  }
  assert.equal((await database.query('SELECT * FROM event_targets')).rowCount, 2);
  assert.equal(await initDatabase(database), 'created');
  await rejectsWith(migrate(database, 'latest'), 'migration info table contain 0 rows');
  await initMigration(database);
  await rejectsWith(
    migrate(database, 'latest'),
    /duplicate key value violates unique constraint "event_targets_pkey"/,
    'SCHEMA_DUPLICATE',
  );
  assert.equal((await migrationInfo(database)).current, 0);
});

test('cleanup of a database that lacks a table changes nothing', async () => {
  await initDatabase(database);
  await rejectsWith(cleanup(database), 'no such table: migration_info');
  assert.equal((await database.query('SELECT * FROM states')).rowCount, 4);
});

test('dropping the tables works at version 0, leaves event_targets at 4 and fails from 5 on', async () => {
  await initialise();
  await dropTables(database);
  assert.equal(await exists('reported'), false);
  await rejectsWith(dropTables(database), 'no such table: migration_info');
  await initialise();
  await migrate(database, '5');
  await rejectsWith(dropTables(database), /cannot drop table new_reports because other objects depend on it/);
  assert.equal((await migrationInfo(database)).current, 5);
  await migrate(database, '4');
  await dropTables(database);
  assert.equal(await exists('event_targets'), true);
});

test('truncating reported empties it and what we keep about it, and nothing else', async () => {
  await ensureNotificationSchema(database);
  await insertReported(1);
  await database.query(`CREATE SCHEMA ccx; CREATE TABLE ccx.ledger (x int); INSERT INTO ccx.ledger VALUES (1);
    CREATE TABLE ccx.other (x int); INSERT INTO ccx.other VALUES (1)`);
  await truncateReported(database, { companionTables: ['ccx.ledger', 'ccx.not_there'] });
  assert.equal((await database.query('SELECT * FROM reported')).rowCount, 0);
  assert.equal((await database.query('SELECT * FROM ccx.ledger')).rowCount, 0);
  assert.equal((await database.query('SELECT * FROM ccx.other')).rowCount, 1);
  await database.query('DROP TABLE reported');
  await rejectsWith(truncateReported(database), 'no such table: reported');
});

test('several processes that make the schema ready at once end with one schema', async () => {
  const results = await Promise.all([1, 2, 3, 4].map(() => ensureNotificationSchema(database)));
  assert.deepEqual(
    results.map(({ version }) => version),
    [8, 8, 8, 8],
  );
  assert.equal(results.filter(({ from }) => from === 0).length, 1);
  assert.equal((await database.query('SELECT * FROM states')).rowCount, 4);
});

test('G25: a schema of a newer release is left alone and told', async () => {
  await ensureNotificationSchema(database);
  await database.query('UPDATE migration_info SET version = 9');
  const result = await ensureNotificationSchema(database);
  assert.equal(result.version, 9);
  assert.match(result.warning ?? '', /version 9/);
});

test('a user without rights in public is told so', async () => {
  const role = `limited_${new URL(context.url).pathname.slice(-12)}`;
  await database.query(`CREATE ROLE ${role}; REVOKE CREATE ON SCHEMA public FROM PUBLIC`);
  const limited = connectDatabase({ url: `${context.url}&role=${role}`, applicationName: 'test' });
  await rejectsWith(initDatabase(limited), /permission denied for schema public/, 'DATABASE_PERMISSION');
  await limited.close();
  await database.query(`DROP ROLE ${role}`);
});
