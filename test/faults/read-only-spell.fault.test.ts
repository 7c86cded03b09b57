/**
 * A database that is read-only for a while, as in a failover: writer, tracker and notifier open sessions meanwhile that would stay read-only
 * for good, lose nothing, and go on without a restart when it may be written again.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPostgresBus, type PostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import { settingsOf } from '../../src/platform/config/options.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { ensureNotificationSchema } from '../../src/platform/records/notification-schema.ts';
import { createSilentTelemetry } from '../../src/platform/telemetry/telemetry.ts';
import { NOTHING_DISABLED } from '../../src/services/notification-service/decide/disabled-rules.ts';
import { type NotificationService, startNotificationService } from '../../src/services/notification-service/service.ts';
import { notificationWriterRole, startNotificationWriter } from '../../src/services/notification-writer/service.ts';
import { payloadTrackerOptions } from '../../src/services/payload-tracker/config.ts';
import { startPayloadTracker } from '../../src/services/payload-tracker/service.ts';
import { contentOf } from '../support/notification-content.ts';
import { createFakeTarget, reportOf, testSettings } from '../support/notification-timeline.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { sendReportAndStatus } from '../support/report-messages.ts';
import { until } from '../support/until.ts';

const clock = createSystemClock();
const applicationName = 'read-only spell';
let context: TestDatabase;
let topics: TestDatabase;
let bus: PostgresBus;
let database: Database;
const running: { stop(): Promise<void> }[] = [];

before(async () => {
  context = await createTestDatabase();
  topics = await createTestDatabase();
  await ensureNotificationSchema(context.database);
  bus = await createPostgresBus({ database: topics.database, clock, pollEveryMs: 50 });
  database = connectDatabase({ url: context.url, applicationName });
});
after(async () => {
  for (const service of running.reverse()) await service.stop();
  await bus.close();
  await database.close();
  await context.drop();
  await topics.drop();
});

const rowsOf = async (statement: string) => (await context.database.query(statement)).rowCount;

/** As an administrator, who may write all the while. */
async function asAdministrator(statement: string, values: readonly unknown[] = []): Promise<void> {
  await context.database.withConnection(async (connection) => {
    await connection.query('BEGIN READ WRITE');
    await connection.query(statement, values);
    await connection.query('COMMIT');
  });
}

const alterDatabase = (change: string) =>
  asAdministrator(`ALTER DATABASE ${new URL(context.url).pathname.slice(1)} ${change}`);

/** Connections begin anew, as behind a failover. */
async function cutConnections(): Promise<void> {
  await context.database.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1',
    [applicationName],
  );
}

test('F10: nothing is lost, and everybody goes on without a restart', async () => {
  const { settings, options } = notificationWriterRole;
  const writerSettings = settings(loadConfig(options, { env: {} }).config);
  const trackerSettings = settingsOf(payloadTrackerOptions, loadConfig(payloadTrackerOptions, { env: {} }).config);
  await bus.admin.ensureTopics([writerSettings.topic, trackerSettings.topic].map((name) => ({ name, partitions: 1 })));
  const writer = await startNotificationWriter(writerSettings, {
    bus,
    database,
    telemetry: createSilentTelemetry('writer'),
    clock,
  });
  running.push(
    writer,
    await startPayloadTracker(
      { ...trackerSettings, http: { host: '127.0.0.1', port: 0 } },
      { bus, database, telemetry: createSilentTelemetry('tracker'), clock },
    ),
  );
  const target = createFakeTarget('notification-backend');
  const notifier: NotificationService = await startNotificationService(
    testSettings({ mode: 'follow', timeSource: 'database', follow: { pollMs: 100, minGapMs: 0, fullSweepMs: 500 } }),
    {
      ...{ database, clock, telemetry: createSilentTelemetry('notifier'), targets: [target] },
      content: { load: async () => contentOf({ CRITICAL: { risk: 4, tags: ['openshift'] } }) },
      disabledRules: { load: async () => NOTHING_DISABLED },
    },
  );
  running.push(notifier);
  await until(async () => (await notifier.readiness()).ready);

  await alterDatabase('SET default_transaction_read_only TO on');
  await cutConnections();
  const { reports } = JSON.parse(reportOf('CRITICAL')) as { reports: unknown[] };
  await sendReportAndStatus(bus, { reports: writerSettings.topic, statuses: trackerSettings.topic }, reports);
  await until(async () => /read-only/.test((await writer.readiness()).reasons.join(' ')));
  // What the writer has not stored somebody else may have: the notifier meets the read-only database, too.
  await asAdministrator(
    `INSERT INTO new_reports VALUES (1, 1, '5d5892d3-1f74-4ccf-91af-548dfc9767ab', $1, now() AT TIME ZONE 'UTC', 0)`,
    [reportOf('CRITICAL')],
  );
  await until(async () => /read-only/.test((await notifier.readiness()).reasons.join(' ')));
  assert.equal(await rowsOf('SELECT FROM new_reports'), 1);

  await alterDatabase('RESET default_transaction_read_only');
  await until(async () => (await rowsOf('SELECT FROM new_reports')) === 2);
  await until(async () => (await rowsOf(`SELECT FROM ccx.trace WHERE request_id = 'r'`)) === 1);
  await until(async () => target.arrived.length === 2 && (await notifier.readiness()).ready);
  assert.deepEqual(target.told(), ['CRITICAL', 'CRITICAL']);
});
