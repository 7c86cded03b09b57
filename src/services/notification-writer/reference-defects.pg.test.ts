/**
 * Defects of the reference's writer that only show where it works on a database; each test bears the defect's number and fails on what the
 * reference does. The others are tested where they would be; `docs/compatibility.md` lists all. Source: notification-writer.md 12.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { reportMessage } from '../../../test/support/report-messages.ts';
import { startWriterBench } from '../../../test/support/writer-bench.ts';
import { formatRfc3339 } from '../../encoding/rfc3339.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { storageDatabase } from '../../platform/reference/broker-settings.ts';
import { handleOldRecords } from '../../platform/reference/old-records.ts';
import { createSilentTelemetry, createTelemetry } from '../../platform/telemetry/telemetry.ts';
import { notificationWriterOptions } from './config.ts';

const clock = createSystemClock();
const cluster = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';
const zone = process.env.TZ;
let context: TestDatabase;
beforeEach(async () => {
  context = await createTestDatabase({ migrated: true });
});
afterEach(async () => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
  await context.drop();
});

test('writer Q5: a user and a password of reserved characters open the database', async () => {
  const { hostname, port, pathname } = new URL(context.url);
  const user = `writer ${clock.uuid()}@:/?#[]%25&"`;
  const password = 'p@ss:w/o?r#d[]%41&=+ "';
  const name = `"${user.replaceAll('"', '""')}"`;
  await context.database.query(`CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
  const prefix = 'CCX_NOTIFICATION_WRITER__STORAGE__PG_';
  const { config } = loadConfig(notificationWriterOptions, {
    env: {
      [`${prefix}USERNAME`]: user,
      [`${prefix}PASSWORD`]: password,
      [`${prefix}HOST`]: hostname,
      [`${prefix}PORT`]: port,
      [`${prefix}DB_NAME`]: pathname.slice(1),
    },
  });
  const database = connectDatabase({ ...storageDatabase({ config, secretFiles: {} }), applicationName: 'writer test' });
  try {
    const { rows } = await database.query('SELECT current_user AS name');
    assert.deepEqual(rows, [{ name: user }]);
  } finally {
    await database.close();
    await context.database.query(`DROP ROLE ${name}`);
  }
});

test('writer Q10: a report that lacks a key is said once, with what is missing and no addresses of memory', async () => {
  const lines: string[] = [];
  const telemetry = createTelemetry({
    service: 'writer',
    level: 'info',
    destination: { write: (line) => void lines.push(line) },
  });
  const writer = await startWriterBench({ database: context.database, telemetry });
  try {
    await writer.handle([reportMessage({ Report: '{"fingerprints":[{"a":1}],"system":{}}' })]);
  } finally {
    await writer.close();
  }
  const said = lines.filter((line) => line.includes('Improper report structure'));
  assert.equal(said.length, 1, said.join(''));
  const { level, error, cluster: about } = JSON.parse(said[0]!) as Readonly<Record<string, string>>;
  assert.deepEqual([level, error, about], ['warn', 'Improper report structure, missing key reports', cluster]);
  assert.doesNotMatch(lines.join(''), /0x[0-9a-f]{6,}|"level":"error"/);
});

test('writer Q14: what fails at the commit failed: it is not counted as stored and not told as success', async () => {
  await context.database.query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF new.org_id = 13 THEN RAISE check_violation USING message = 'not at the end'; END IF; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON new_reports DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION refuse()`);
  const writer = await startWriterBench({ database: context.database });
  try {
    await writer.handle([reportMessage({ OrgID: '13' }), reportMessage({ OrgID: '14', RequestId: '"fine"' })]);
    assert.deepEqual(
      (await writer.rows()).map(({ org_id }) => org_id),
      [14],
    );
    assert.deepEqual(
      (await writer.deadLetters()).map(({ code, reason }) => [code, reason]),
      [['REPORT_NOT_STORABLE', 'the database refuses the report: not at the end']],
    );
    assert.equal((await writer.metric('notification_writer_stored_messages'))[0]?.value, 1);
    assert.equal((await writer.metric('notification_writer_consuming_errors'))[0]?.value, 1);
    const told = (await writer.statuses()).filter((status) => status === 'success' || status === 'error');
    assert.deepEqual(told.sort(), ['error', 'success']);
  } finally {
    await writer.close();
  }
});

/** A connection of a database whose own time zone, and this process's, is another one. */
async function inZone(name: string, work: (database: Database) => Promise<void>): Promise<void> {
  process.env.TZ = name;
  await context.database.query(`ALTER DATABASE "${new URL(context.url).pathname.slice(1)}" SET timezone = '${name}'`);
  const database = connectDatabase({ url: context.url, applicationName: 'writer test' });
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

test('writer Q18: the time of a row is UTC, whatever the time zone of process and database', () =>
  inZone('America/New_York', async (database) => {
    assert.notEqual(new Date().getTimezoneOffset(), 0, 'the zone of this process');
    const before = formatRfc3339(clock.nowMicros());
    const writer = await startWriterBench({ database });
    try {
      await writer.handle([reportMessage()]);
      const [row] = await writer.rows();
      const updatedAt = `${row!.updated_at.replace(' ', 'T')}Z`;
      assert.ok(updatedAt >= before.slice(0, 19) && updatedAt <= formatRfc3339(clock.nowMicros()), updatedAt);
    } finally {
      await writer.close();
    }
  }));

for (const name of ['America/New_York', 'Asia/Tokyo']) {
  test(`writer Q18: an age is counted in UTC where the time zone is ${name}`, () =>
    inZone(name, async (database) => {
      for (const [org, age] of [
        [1, '7 days 2 hours'],
        [2, '6 days 22 hours'],
      ] as const) {
        await context.database.query(
          `INSERT INTO new_reports VALUES ($1, 1, $2, '', (now() AT TIME ZONE 'UTC') - $3::interval, 0)`,
          [org, cluster, age],
        );
      }
      const { log } = createSilentTelemetry('writer');
      const options = { database, log, clock, maxAge: '7 days', columnsOf: () => '*', cleanup: 'Cleanup operation' };
      await handleOldRecords('new-reports-cleanup', options);
      const { rows } = await context.database.query('SELECT org_id FROM new_reports');
      assert.deepEqual(rows, [{ org_id: 2 }]);
    }));
}
