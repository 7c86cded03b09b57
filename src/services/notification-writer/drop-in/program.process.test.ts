/** The drop-in program as scripts and the published black-box suite use it: started by its launcher, judged by output, exit code and tables. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import {
  type FinishedProgram,
  launcherOf,
  runProgram,
  settingsOf,
  storageSettings,
} from '../../../../test/support/drop-in-program.ts';
import {
  asEarlierRelease,
  createTestDatabase,
  createTestRole,
  type TestDatabase,
  type TestRole,
} from '../../../../test/support/postgres.ts';
import { temporaryFolder } from '../../../../test/support/temporary-folder.ts';
import { listening } from '../../../../test/support/test-server.ts';
import { migrateCcx } from '../../../platform/database/ccx-migrations.ts';
import { ensureNotificationSchema } from '../../../platform/records/notification-schema.ts';
import { grantStatements } from '../../../tools/database/grants.ts';

const program = 'ccx-notification-writer';
const folder = temporaryFolder();

let context: TestDatabase;
let environment: Readonly<Record<string, string>>;
beforeEach(async () => {
  context = await createTestDatabase();
  environment = settingsOf(program, {
    ...storageSettings(context.url),
    METRICS__NAMESPACE: 'notification-writer',
  });
});
afterEach(() => context.drop());

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<FinishedProgram> {
  return runProgram(launcherOf(program), args, { cwd: folder, env: { ...environment, ...env } });
}

async function succeed(...args: string[]): Promise<FinishedProgram> {
  const finished = await run(args);
  assert.equal(finished.code, 0, `${args.join(' ')}: ${finished.stdout}${finished.stderr}`);
  return finished;
}

async function count(table: string): Promise<number> {
  const { rows } = await context.database.query<{ count: bigint }>(`SELECT count(*) AS count FROM ${table}`);
  return Number(rows[0]?.count);
}

const cluster = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';

async function addReport(table: 'new_reports' | 'reported', time: string): Promise<void> {
  const insert =
    table === 'new_reports'
      ? `INSERT INTO new_reports VALUES (1, 2, $1, '', $2::timestamp, 0)`
      : `INSERT INTO reported VALUES (1, 2, $1, 1, 1, '', $2::timestamp, $2::timestamp, NULL, 1)`;
  await context.database.query(insert, [cluster, time]);
}

async function describeReport(time: string): Promise<void> {
  await context.database.query(
    `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked) VALUES (1, $1, $2::timestamp, '', $2::timestamp)`,
    [cluster, time],
  );
}

describe('flags', () => {
  test('help is the block that the black-box suite looks for, on standard error', async () => {
    const { code, stderr, stdout } = await run(['--help']);
    assert.equal(code, 0);
    assert.equal(stdout, '');
    const lines = stderr.replaceAll('\t', '    ').split('\n');
    assert.deepEqual(lines.slice(0, 5), [
      'Usage of ccx-notification-writer:',
      '  -authors',
      '        show authors',
      '  -check-kafka',
      '        check connection to Kafka',
    ]);
    assert.equal(lines.filter((line) => line.startsWith('  -')).length, 18);
    assert.ok(lines.includes('  -max-age string'));
  });

  test('the version is a whole line beside the line about Clowder', async () => {
    const version = await succeed('--version');
    assert.deepEqual(
      version.stdout.split('\n').filter((line) => !line.startsWith('{')),
      ['Clowder is disabled', 'CCX Notification Writer version 1.0', ''],
    );
    assert.match(
      version.stderr,
      /^\{"level":"info","filename":"config","time":"[^"]+","message":"parsing configuration file"\}\n$/,
    );
  });

  test('the configuration is shown without passwords', async () => {
    const { stdout } = await run(['--show-configuration'], {
      CCX_NOTIFICATION_WRITER__BROKER__ADDRESSES: 'broker:1',
      CCX_NOTIFICATION_WRITER__BROKER__TOPIC: 'the-topic',
      CCX_NOTIFICATION_WRITER__STORAGE__PG_PASSWORD: 'very-secret',
    });
    for (const text of ['broker:1', 'the-topic', 'notification-writer', '"message":"Storage configuration"'])
      assert.ok(stdout.includes(text), text);
    assert.ok(!stdout.includes('very-secret'));
  });

  test('lines for people are chosen by logging.debug', async () => {
    const { stdout } = await run(['--show-configuration'], {
      CCX_NOTIFICATION_WRITER__LOGGING__DEBUG: 'true',
      NO_COLOR: '1',
    });
    assert.match(stdout, /^\d{1,2}:\d\d[AP]M INF Metrics configuration Address= Namespace=notification-writer$/m);
  });
});

test('writer Q1: --check-kafka speaks to brokers as the settings say, and ends with 4 where none answers', async () => {
  const begun: (number | undefined)[] = [];
  const broker = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (bytes) => {
      begun.push(bytes[0]);
      socket.destroy();
    });
  });
  const { port, close } = await listening(broker);
  try {
    const { code, stdout } = await run(['--check-kafka'], {
      CCX_NOTIFICATION_WRITER__BROKER__ADDRESSES: `127.0.0.1:${port}`,
      CCX_NOTIFICATION_WRITER__BROKER__SECURITY_PROTOCOL: 'SSL',
    });
    assert.equal(code, 4, stdout);
    // A TLS handshake. Once it failed, the program asks whether plain text is what is spoken there, to say so.
    assert.equal(begun[0], 0x16);
  } finally {
    close();
  }
});

describe('the schema', () => {
  test('is made, migrated, asked about, cleaned and dropped with the codes of the reference', async () => {
    await succeed('--db-init-migration');
    assert.equal(await count('migration_info'), 1);
    assert.match((await succeed('--db-init')).stdout, /"Statement":"CREATE TABLE.*"message":"SQL statement"/);
    await migrateCcx(context.database, 'records');
    await describeReport('2990-01-01');
    await succeed('--db-drop-tables');
    assert.equal(await count('ccx.report_facts'), 0);
    assert.equal((await run(['--db-drop-tables'])).code, 5);
    await succeed('--db-init-migration');
    await succeed('--db-init');
    await succeed('--migrate', 'latest');
    const info = await succeed('--migration-info');
    assert.match(info.stdout, /Current DB version: 8/);
    assert.match(info.stdout, /Maximum available version: 8/);
    await addReport('new_reports', '2990-01-01');
    await succeed('--db-cleanup');
    assert.equal(await count('new_reports'), 0);
  });

  test('truncating and cleaning up empties what we keep about the rows', async () => {
    await ensureNotificationSchema(context.database);
    await migrateCcx(context.database, 'writer');
    await migrateCcx(context.database, 'notifier');
    await migrateCcx(context.database, 'records');
    const remember = () =>
      context.database.query(
        `INSERT INTO ccx.notification_sent_rows VALUES (1, $1, now(), 1, true);`.replace('$1', `'${cluster}'`),
      );
    await remember();
    await addReport('reported', '2020-01-01');
    await succeed('--truncate-old-reports');
    assert.deepEqual([await count('reported'), await count('ccx.notification_sent_rows')], [0, 0]);
    await asEarlierRelease(
      context.database,
      `INSERT INTO ccx.stored_message VALUES ('t', 0, 0, '', '', 1, $1, '', '2990-01-01')`,
      [cluster],
    );
    await context.database.query(`INSERT INTO ccx.stored_positions VALUES ('t', '', 0, 0, 1, now())`);
    await describeReport('2990-01-01');
    await context.database.query(`INSERT INTO ccx.catalogues VALUES ('v', '', '{r}')`);
    await succeed('--db-cleanup');
    assert.deepEqual([await count('ccx.stored_message'), await count('ccx.stored_positions')], [0, 0]);
    assert.deepEqual([await count('ccx.report_facts'), await count('ccx.catalogues')], [0, 0]);
  });
});

describe('old records', () => {
  for (const [flag, table] of [
    ['new-reports', 'new_reports'],
    ['old-reports', 'reported'],
  ] as const) {
    test(`of ${table} are listed and cleaned by age`, async () => {
      await ensureNotificationSchema(context.database);
      await succeed(`--print-${flag}-for-cleanup`);
      await succeed(`--${flag}-cleanup`);
      for (const time of ['1990-01-01', '1990-01-02 12:30:45.5', '2990-01-01']) await addReport(table, time);
      const { stdout } = await succeed(`--print-${flag}-for-cleanup`);
      assert.match(
        stdout,
        new RegExp(`"select statement":"[^"]*FROM ${table}.*"message":"PrintReportsForCleanup operation"`),
      );
      const listed = stdout.split('\n').filter((line) => line.includes(`Old report from \`${table}\` table`));
      assert.equal(listed.length, 2);
      const { 'Updated at': updatedAt, 'Organization ID': org, 'Account number': account } = JSON.parse(listed[1]!);
      assert.deepEqual([updatedAt, org, account], ['1990-01-02T12:30:45Z', 1, 2]);
      const cleaned = await succeed(`--${flag}-cleanup`);
      assert.match(cleaned.stdout, /"delete statement":"DELETE FROM .*"message":"Cleanup operation"/);
      assert.match(cleaned.stdout, new RegExp(`"Rows deleted":2,.*"message":"Cleanup \`${table}\` finished"`));
      assert.match(cleaned.stdout, /"message":"Started"(.|\n)*"message":"Finished"/);
      assert.equal(await count(table), 1);
      await succeed(`--${flag}-cleanup`, '--max-age', '-2000 years');
      assert.equal(await count(table), 0);
      const failed = await run([`--${flag}-cleanup`, '--max-age', 'a while']);
      assert.equal(failed.code, 5);
      assert.deepEqual(failed.stdout.match(/"level":"error".*"message":"(.*)"/g)?.length, 1, failed.stdout);
      assert.match(failed.stdout, /"operation":".*-reports-cleanup",.*"message":"Do selected operation"/);
      assert.doesNotMatch(failed.stdout, /"message":"Finished"/);
    });
  }

  test('that a cooldown counts by are neither listed nor cleaned, and the cleaning says so; emptying the table asks nobody', async () => {
    await ensureNotificationSchema(context.database);
    await migrateCcx(context.database, 'records');
    await context.database.query(`INSERT INTO ccx.cooldowns VALUES (1, '100 days')`);
    for (const [state, reportDays, sentDays] of [
      [1, 100, 1],
      [1, 200, 101],
      [2, 100, 2],
    ]) {
      await context.database.query(
        `INSERT INTO reported VALUES (1, 2, $1, 1, $2, '', now() - $3 * interval '1 day', now() - $4 * interval '1 day', NULL, 1)`,
        [cluster, state, reportDays, sentDays],
      );
    }
    const { stdout: listed } = await succeed('--print-old-reports-for-cleanup');
    assert.equal(listed.split('Old report from').length - 1, 2);
    const { stdout } = await succeed('--old-reports-cleanup');
    assert.match(stdout, /is shorter than the cooldown of 100 days: rows of reported that it counts by are kept/);
    assert.match(stdout, /"Rows deleted":2/);
    assert.equal(await count('reported'), 1);
    await succeed('--truncate-old-reports');
    assert.equal(await count('reported'), 0);
  });

  test('of read_errors are listed and cleaned, and go with their reports', async () => {
    await ensureNotificationSchema(context.database);
    await addReport('new_reports', '1990-01-01');
    await addReport('new_reports', '2990-01-01');
    for (const time of ['1990-01-01', '2990-01-01']) {
      await context.database.query(
        `INSERT INTO read_errors (org_id, cluster, updated_at, error_text, created_at) VALUES (1, $1, $2::timestamp, 'x', now())`,
        [cluster, time],
      );
    }
    assert.match((await succeed('--print-read-errors-for-cleanup')).stdout, /"Account number":0/);
    await succeed('--read-errors-cleanup');
    assert.equal(await count('read_errors'), 1);
  });

  test('the record of stored messages and the facts of reports are cleaned with the reports', async () => {
    await ensureNotificationSchema(context.database);
    await migrateCcx(context.database, 'writer');
    await migrateCcx(context.database, 'records');
    for (const time of ['1990-01-01', '2990-01-01']) {
      await asEarlierRelease(
        context.database,
        `INSERT INTO ccx.stored_message VALUES ('t', 0, 0, $1::bytea, '', 1, $2, '', $3::timestamp)`,
        [Buffer.from(time), cluster, time],
      );
      await addReport('new_reports', time);
      await describeReport(time);
    }
    await succeed('--new-reports-cleanup');
    assert.equal(await count('ccx.stored_message'), 1);
    assert.equal(await count('ccx.report_facts'), 1);
  });
});

describe('as a user with the right to read and write data only', () => {
  const data = (user: string) => [`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${user}`];
  const asRole = ({ url }: TestRole) => ({
    CCX_NOTIFICATION_WRITER__STORAGE__PG_USERNAME: new URL(url).username,
    CCX_NOTIFICATION_WRITER__STORAGE__PG_PASSWORD: new URL(url).password,
  });
  const withRole = async (grants: (user: string) => readonly string[], work: (role: TestRole) => Promise<void>) => {
    await ensureNotificationSchema(context.database);
    const before = await createTestRole(context, grants);
    try {
      await work(before);
    } finally {
      await before.remove();
    }
  };

  test('clean-ups work as long as there is no schema ccx', () =>
    withRole(data, async (role) => {
      await addReport('new_reports', '2020-01-01 00:00:00');
      const cleaned = await run(['-new-reports-cleanup', '-max-age=1 day'], asRole(role));
      assert.equal(cleaned.code, 0, cleaned.stdout);
      assert.equal(await count('new_reports'), 0);
      assert.equal((await run(['-migrate=latest'], asRole(role))).code, 0, 'nothing to do needs no right');
    }));

  test('where schema ccx is there without USAGE nothing is deleted, and the GRANT is named', () =>
    withRole(data, async (role) => {
      for (const set of ['writer', 'records', 'notifier']) await migrateCcx(context.database, set);
      await addReport('new_reports', '2020-01-01 00:00:00');
      for (const args of [['-new-reports-cleanup', '-max-age=1 day'], ['-db-cleanup']]) {
        const refused = await run(args, asRole(role));
        assert.equal(refused.code, 5, refused.stdout + refused.stderr);
        assert.match(refused.stdout + refused.stderr, /DATABASE_PERMISSION/);
        assert.match(refused.stdout + refused.stderr, /GRANT USAGE ON SCHEMA ccx TO/);
        assert.equal(await count('new_reports'), 1, args.join(' '));
      }
      for (const grant of grantStatements(role.user, { embeddedBus: false })) await context.database.query(grant);
      assert.equal((await run(['-new-reports-cleanup', '-max-age=1 day'], asRole(role))).code, 0);
      assert.equal(await count('new_reports'), 0);
    }));
});
