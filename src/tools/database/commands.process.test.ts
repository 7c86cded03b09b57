/** `ccx db`: what an administrator does once, after which writer, notifier and tracker need no right to create anything. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runCcx } from '../../../test/support/ccx-process.ts';
import { contentOf } from '../../../test/support/notification-content.ts';
import { createFakeTarget, reportOf, testSettings } from '../../../test/support/notification-timeline.ts';
import {
  createTestDatabase,
  createTestRole,
  type TestDatabase,
  type TestRole,
} from '../../../test/support/postgres.ts';
import { sendReportAndStatus } from '../../../test/support/report-messages.ts';
import { until } from '../../../test/support/until.ts';
import { createPostgresBus, type PostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { settingsOf } from '../../platform/config/options.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { NOTHING_DISABLED } from '../../services/notification-service/decide/disabled-rules.ts';
import { startNotificationService } from '../../services/notification-service/service.ts';
import { notificationWriterRole, startNotificationWriter } from '../../services/notification-writer/service.ts';
import { payloadTrackerOptions } from '../../services/payload-tracker/config.ts';
import { startPayloadTracker } from '../../services/payload-tracker/service.ts';
import { listSets } from './commands.ts';

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
  assert.match(first.stdout, /^notification schema: version 8, from 0\n/);
  assert.deepEqual(
    [...first.stdout.matchAll(/^schema ccx, (\S+): version (\d+), applied (?:\d+, )*\2$/gm)].map(([, set]) => set),
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
  const grants = await runCcx(['db', 'grants', '--to', role.user]);
  assert.equal(grants.code, 0, grants.stderr);
  assert.doesNotMatch(grants.stdout, /CREATE|ALL PRIVILEGES|TRUNCATE/);
  await context.database.query(grants.stdout);
  assert.match((await runCcx(['db', 'grants', '--bus', 'postgres'])).stdout, /GRANT CREATE ON SCHEMA ccx TO "ccx";/);

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
