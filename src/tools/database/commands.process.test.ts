/** `ccx db`: what an administrator does once, after which writer, notifier and tracker need no right to create anything. */

import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCcx, startCcx } from '../../../test/support/ccx-process.ts';
import { contentOf } from '../../../test/support/notification-content.ts';
import { createFakeTarget, reportOf, testSettings } from '../../../test/support/notification-timeline.ts';
import {
  createTestDatabase,
  createTestRole,
  type TestDatabase,
  type TestRole,
} from '../../../test/support/postgres.ts';
import { sendReportAndStatus } from '../../../test/support/report-messages.ts';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { until } from '../../../test/support/until.ts';
import { createPostgresBus, type PostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { settingsOf } from '../../platform/config/options.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { migrationsPath } from '../../platform/database/sql-file.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { NOTHING_DISABLED } from '../../services/notification-service/decide/disabled-rules.ts';
import { startNotificationService } from '../../services/notification-service/service.ts';
import { notificationWriterRole, startNotificationWriter } from '../../services/notification-writer/service.ts';
import { payloadTrackerOptions } from '../../services/payload-tracker/config.ts';
import { startPayloadTracker } from '../../services/payload-tracker/service.ts';
import { listSets } from './schema-parts.ts';

const clock = createSystemClock();
let context: TestDatabase;
let topics: TestDatabase;
let bus: PostgresBus;
let role: TestRole;
let database: Database;

before(async () => {
  context = await createTestDatabase();
  // Of its own, because the topics of the embedded bus are made as they fill.
  topics = await createTestDatabase();
  bus = await createPostgresBus({ database: topics.database, clock, pollEveryMs: 50 });
  role = await createTestRole(context, () => []);
  database = connectDatabase({ url: role.url, applicationName: 'test' });
});
after(async () => {
  await bus.close();
  await database.close();
  await role.remove();
  await context.drop();
  await topics.drop();
});

test('ccx db init brings every set up, and finds nothing to do the second time', async () => {
  const first = await runCcx(['db', 'init', '--database', context.url]);
  assert.equal(first.code, 0, first.stderr);
  const sets = await listSets();
  assert.match(first.stdout, /^notification schema: version 8, from 0, applied 0000-base, .*, 0008-reported-indexes\n/);
  assert.deepEqual(
    [...first.stdout.matchAll(/^schema ccx, (\S+): version (\d+), applied (?:\S+, )*0*\2-\S+$/gm)].map(
      ([, set]) => set,
    ),
    sets,
  );
  assert.ok(['bus', 'notifier', 'records', 'trace', 'writer'].every((set) => sets.includes(set)));
  const second = await runCcx(['db', 'init'], { CCX_DATABASE_URL: context.url });
  assert.equal(second.code, 0, second.stderr);
  assert.doesNotMatch(second.stdout, /applied|from/);
  const refused = await runCcx(['db', 'init', '--database', role.url]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /\[DATABASE_PERMISSION\]/);
});

test('what ccx db grants prints is enough for writer, tracker and notifier', async () => {
  const grants = await runCcx(['db', 'grants', '--role', role.user]);
  assert.equal(grants.code, 0, grants.stderr);
  assert.doesNotMatch(grants.stdout, /CREATE|ALL PRIVILEGES|TRUNCATE/);
  const applied = await runCcx(['db', 'grants', '--role', role.user, '--apply', '--database', context.url]);
  assert.deepEqual(applied, { code: 0, stdout: grants.stdout, stderr: '' });
  assert.equal((await runCcx(['db', 'status', '--database', role.url])).code, 0, 'it may look at the versions');
  assert.match((await runCcx(['db', 'grants', '--bus', 'postgres'])).stdout, /GRANT CREATE ON SCHEMA ccx TO "ccx";/);
  const ofResults = await runCcx(['db', 'grants', '--for', 'results', '--role', 'reader']);
  assert.deepEqual(ofResults.stdout.split('\n'), [
    'GRANT USAGE ON SCHEMA public, ccx TO "reader";',
    'GRANT SELECT ON new_reports TO "reader";',
    'GRANT SELECT ON ALL TABLES IN SCHEMA ccx TO "reader";',
    'GRANT INSERT ON ccx.audit TO "reader";',
    'GRANT INSERT, UPDATE ON ccx.acknowledgements, ccx.roles TO "reader";',
    '',
  ]);
  const wrong = await runCcx(['db', 'grants', '--for', 'results', '--bus', 'postgres']);
  assert.match(wrong.stderr, /ccx results reads no topics.*\n {2}leave out --bus/);

  const { settings, options } = notificationWriterRole;
  const writerSettings = settings(loadConfig(options, { env: {} }).config);
  const trackerSettings = settingsOf(payloadTrackerOptions, loadConfig(payloadTrackerOptions, { env: {} }).config);
  await bus.admin.ensureTopics([writerSettings.topic, trackerSettings.topic].map((name) => ({ name, partitions: 1 })));
  const telemetry = createSilentTelemetry('test');
  // Also where the writer is told to bring the shared tables up: they are there.
  const writer = await startNotificationWriter(
    { ...writerSettings, ensureSchema: true },
    { bus, database, telemetry, clock },
  );
  const tracker = await startPayloadTracker(
    { ...trackerSettings, http: { host: '127.0.0.1', port: 0 } },
    { bus, database, telemetry: createSilentTelemetry('tracker'), clock },
  );
  const target = createFakeTarget('notification-backend');
  const notifier = await startNotificationService(testSettings({ timeSource: 'database' }), {
    ...{ database, clock, telemetry: createSilentTelemetry('notifier'), targets: [target] },
    content: { load: async () => contentOf({ CRITICAL: { risk: 4, tags: ['openshift'] } }) },
    disabledRules: { load: async () => NOTHING_DISABLED },
  });
  try {
    const { reports } = JSON.parse(reportOf('CRITICAL')) as { reports: unknown[] };
    await sendReportAndStatus(bus, { reports: writerSettings.topic, statuses: trackerSettings.topic }, reports);
    await until(async () => (await context.database.query('SELECT FROM new_reports')).rowCount === 1);
    await until(
      async () => (await context.database.query(`SELECT FROM ccx.trace WHERE request_id = 'r'`)).rowCount === 1,
    );
    // A report that nobody can read is listed, which takes a number of a sequence.
    await context.database.query(
      `INSERT INTO new_reports VALUES (1, 1, '5d5892d3-1f74-4ccf-91af-548dfc9767ab', '{"reports":[1]}', now() AT TIME ZONE 'UTC', 0)`,
    );
    await notifier.runOnce();
    await notifier.runOnce();
    assert.deepEqual(target.told(), ['CRITICAL']);
    assert.equal((await context.database.query('SELECT FROM read_errors')).rowCount, 1);
  } finally {
    await notifier.stop();
    await tracker.stop();
    await writer.stop();
  }
});

test('tables of an older release are named, and not made', async () => {
  await context.database.query(`DELETE FROM ccx.migration WHERE "set" = 'notifier' AND number > 1`);
  const target = createFakeTarget('notification-backend');
  await assert.rejects(
    startNotificationService(testSettings(), {
      ...{ database, clock, telemetry: createSilentTelemetry('notifier'), targets: [target] },
      content: { load: async () => contentOf({}) },
      disabledRules: { load: async () => NOTHING_DISABLED },
    }),
    /ccx/,
  );
});

test('rights that cannot be given say what to do first, and none is given', async () => {
  const nobody = await runCcx(['db', 'grants', '--role', 'nobody-here', '--apply', '--database', context.url]);
  assert.equal(nobody.code, 1);
  assert.match(
    nobody.stderr,
    /nothing was granted: role "nobody-here" does not exist.*\[GRANTS_REFUSED\]\n {2}make the user/,
  );
  const misspelt = await runCcx(['db', 'grants', '--bus', 'postgre']);
  assert.match(misspelt.stderr, /--bus <kind>.*Allowed choices are postgres, kafka/);
  const empty = await runCcx(['db', 'grants', '--role', role.user, '--apply', '--database', topics.url]);
  assert.match(empty.stderr, /\[GRANTS_REFUSED\]\n {2}ccx db init/);
});

test('rights that a user may not give are not said to be given', async (t) => {
  const other = await createTestRole(context, () => []);
  t.after(() => other.remove());
  // PostgreSQL warns and goes on where who grants has rights of its own, as the roles do.
  for (const url of [role.url, other.url]) {
    const refused = await runCcx(['db', 'grants', '--role', other.user, '--apply', '--database', url]);
    assert.equal(refused.code, 1, refused.stdout);
    assert.match(refused.stderr, /nothing was granted.*\[GRANTS_REFUSED\]\n {2}log in as the owner of the tables/);
  }
  const few = await runCcx([
    'db',
    'grants',
    '--for',
    'results',
    '--role',
    other.user,
    '--apply',
    '--database',
    role.url,
  ]);
  assert.match(few.stderr, /nothing was granted.*\[GRANTS_REFUSED\]/);
  const { rows } = await context.database.query(
    `SELECT actor, subject, after FROM ccx.audit WHERE action = 'db grants' ORDER BY id`,
  );
  assert.deepEqual(
    rows.map(({ subject }) => subject),
    [role.user],
    'only what was given is in the audit',
  );
});

test('status says what is there and what is missing, and ends with 2 where something must be done', async (t) => {
  const fresh = await createTestDatabase();
  t.after(() => fresh.drop());
  const onFresh = (...args: readonly string[]) => runCcx(['db', ...args, '--database', fresh.url]);
  const empty = await onFresh('status');
  assert.equal(empty.code, 2, empty.stderr);
  assert.match(empty.stdout, /^notification schema: not there, missing: 0000-base, 0001-event-targets,/);
  assert.match(empty.stdout, /\nschema ccx, writer: not there, missing: 0001-stored-messages/);
  assert.match(empty.stdout, /\nsomething must be done: ccx db init\n$/);
  const planned = await onFresh('init', '--dry-run');
  assert.match(planned.stdout, /^notification schema: version none, would apply 0000-base, /);
  assert.equal((await fresh.database.query(`SELECT FROM pg_tables WHERE schemaname IN ('public', 'ccx')`)).rowCount, 0);
  const refused = await onFresh('migrate');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /\[SCHEMA_VERSION\]\n {2}ccx db init makes them/);

  assert.equal((await onFresh('init')).code, 0);
  const full = await onFresh('status');
  assert.equal(full.code, 0, full.stdout);
  assert.match(full.stdout, /^notification schema: version 8\n.*\nnothing to do\n$/s);

  await fresh.database.query(`UPDATE ccx.migration SET sha256 = 'x' WHERE "set" = 'trace'`);
  const changed = await onFresh('status');
  assert.equal(changed.code, 2);
  assert.match(
    changed.stdout,
    /schema ccx, trace: .*\[CCX_MIGRATION_CHANGED\]\n {2}restore the file.*by hand first\n$/s,
  );
  const unknown = await onFresh('status', '--only', 'nothing');
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /there is no part "nothing".*\[DATABASE_PART\]\n {2}--only takes shared, bus,/);
});

test('a set that an older release brought up is behind, and migrate says each step and brings it up', async (t) => {
  const older = await createTestDatabase({ migrated: true });
  t.after(() => older.drop());
  const folder = temporaryFolder();
  const first = '0001-topics-and-groups.sql';
  await copyFile(join(migrationsPath('ccx/bus'), first), join(folder, first));
  await migrateCcx(older.database, 'bus', { folder });
  const onOlder = (...args: readonly string[]) => runCcx(['db', ...args, '--only', 'bus', '--database', older.url]);
  const behind = await onOlder('status', '--json');
  assert.equal(behind.code, 2);
  const { ok, parts } = JSON.parse(behind.stdout);
  const { missing, needed, ...part } = parts[0];
  assert.deepEqual([ok, part], [false, { part: 'bus', schema: 'ccx', state: 'behind', version: 1 }]);
  assert.equal(missing[0], '0002-groups-that-began');
  assert.equal(missing.length, needed - 1);
  const planned = await onOlder('migrate', '--dry-run');
  assert.match(planned.stdout, /^schema ccx, bus: version 1, would apply 0002-groups-that-began/);
  const migrated = await onOlder('migrate', '--json');
  assert.deepEqual(JSON.parse(migrated.stdout), {
    dryRun: false,
    parts: [{ part: 'bus', from: 1, version: needed, applied: missing }],
  });
  assert.match(migrated.stderr, /^ccx: schema ccx, bus: 0002-groups-that-began\n/);
  const settled = await onOlder('status');
  assert.deepEqual([settled.code, settled.stdout], [0, `schema ccx, bus: version ${needed}\nnothing to do\n`]);
  const other = await runCcx(['db', 'status', '--only', 'shared,trace', '--database', older.url]);
  assert.equal(other.code, 2);
  assert.match(other.stdout, /schema ccx, trace: not there.*\nsomething must be done: ccx db migrate\n$/s);
});

test('the shared tables go down only when that is said, and up again', async (t) => {
  const other = await createTestDatabase({ migrated: true });
  t.after(() => other.drop());
  const migrateTo = (...args: readonly string[]) => runCcx(['db', 'migrate', '--database', other.url, '--to', ...args]);
  const version = async () => (await other.database.query('SELECT version FROM migration_info')).rows[0]?.['version'];
  const refused = await migrateTo('6');
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /takes back 0008-reported-indexes, 0007-table-comments, .*\[SCHEMA_DOWN\]\n {2}add --down/,
  );
  const planned = await migrateTo('6', '--down', '--dry-run');
  assert.equal(
    planned.stdout,
    'notification schema: version 8, to 6, would take back 0008-reported-indexes, 0007-table-comments\n',
  );
  assert.equal(await version(), 8);
  const down = await migrateTo('6', '--down', '--json');
  assert.deepEqual(JSON.parse(down.stdout), {
    ...{ dryRun: false, from: 8, version: 6, steps: ['0008-reported-indexes', '0007-table-comments'] },
  });
  assert.equal(await version(), 6);
  assert.match((await runCcx(['db', 'status', '--database', other.url])).stdout, /version 6 of 8, missing: 0007/);
  await migrateCcx(other.database, 'records');
  assert.equal((await migrateTo('5', '--down', '--by', 'ada', '--reason', 'ticket 8')).code, 0);
  const { rows } = await other.database.query('SELECT actor, action, subject, before, after, reason FROM ccx.audit');
  assert.deepEqual(rows, [
    {
      ...{ actor: 'ada', action: 'db migrate --down', subject: 'shared', reason: 'ticket 8' },
      ...{ before: { version: 6 }, after: { version: 5 } },
    },
  ]);
  await other.database.query(`INSERT INTO reported VALUES (1, 1, 'c', 1, 1, '', now(), now(), '', 2)`);
  const held = await migrateTo('2', '--down');
  assert.match(held.stderr, /\[SCHEMA_FOREIGN_KEY\]\n {2}nothing was changed: reported has rows/);
  assert.equal(await version(), 5);
  assert.match(
    (await migrateTo('latest')).stdout,
    /version 8, from 5, applied 0006-read-errors-cascade, 0007-table-comments, 0008-/,
  );
  assert.match((await migrateTo('8')).stdout, /version 8, from 8, nothing to do/);
  assert.match((await migrateTo('9')).stderr, /\[SCHEMA_VERSION\]/);
  assert.equal((await migrateTo('down')).code, 1);
  assert.match((await migrateTo('7', '--only', 'trace')).stderr, /only the shared tables.*\[CONFIG_INVALID\]/);
  assert.match(
    (await runCcx(['db', 'migrate', '--down', '--database', other.url])).stderr,
    /\[CONFIG_INVALID\]\n {2}add --to/,
  );
  assert.equal(await version(), 8);
});

test('nobody waits for a migration that was killed while it waited', async (t) => {
  const other = await createTestDatabase({ migrated: true });
  t.after(() => other.drop());
  const { rows } = await other.database.query(`SELECT current_setting('server_version_num')::int >= 140000 AS tells`);
  if (rows[0]?.['tells'] !== true) return t.skip('PostgreSQL 13 does not look whether its client is there');
  const atServer = async () =>
    (
      await other.database.query<{ wait: string | null }>(
        `SELECT wait_event_type AS wait FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ccx db'`,
      )
    ).rows.map(({ wait }) => wait);
  await other.database.transaction(async (tx) => {
    await tx.query('SELECT FROM reported');
    const migrate = startCcx({ args: ['db', 'migrate', '--database', other.url, '--to', '7', '--down'], env: {} });
    await until(async () => (await atServer()).includes('Lock'));
    migrate.kill('SIGKILL');
    await until(async () => (await atServer()).length === 0);
  });
  assert.equal((await other.database.query('SELECT version FROM migration_info')).rows[0]?.['version'], 8);
});
