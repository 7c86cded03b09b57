/**
 * Defects of the reference's notification service that only show where it works on a database; each test bears the defect's number and
 * fails on what the reference does. The others are tested where they would be; `docs/compatibility.md` lists all. Source:
 * notification-service.md 17; consumers.md 4.5.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultRisks } from '../../../test/support/notification-content.ts';
import {
  failure,
  passPauses,
  policiesOf,
  reportOf,
  testSettings,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { createTestDatabase } from '../../../test/support/postgres.ts';
import type { CcxError } from '../../encoding/ccx-error.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { databaseOfParts } from '../../platform/reference/broker-settings.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { notificationServiceOptions } from './config.ts';
import { disabledBy } from './decide/disabled-rules.ts';
import { createDisabledRulesDatabase } from './open-dependencies.ts';

const clock = createSystemClock();

test('D11, service Q7, service Q8: old rows and new reports that are broken, or hold a null, stop nobody', () =>
  withTimeline({}, async (line) => {
    const [, issue] = /\[(.*)\]/.exec(reportOf('CRITICAL'))!;
    for (const cluster of ['a', 'b', 'c', 'd', 'f']) await line.store(reportOf('CRITICAL'), { cluster });
    await line.store(`{"reports":[null,${issue}]}`, { cluster: 'e' });
    await line.storeSent('{"reports": [', { cluster: 'a' });
    await line.storeSent('', { cluster: 'b' });
    await line.storeSent('{"reports":[null]}', { cluster: 'c' });
    await line.storeSent(`{"reports":[null,${issue}]}`, { cluster: 'd' });
    await line.run();
    assert.deepEqual(line.kafka.arrived.map(({ cluster }) => cluster).sort(), ['a', 'b', 'c', 'e', 'f']);
    assert.ok(line.kafka.arrived.every(({ issues }) => issues.length === 1));
  }));

test('service Q10: what failed while a target was set up is counted, and still is after a run', () =>
  withTimeline({ settings: { mode: 'follow', metrics: { namespace: 'n', subsystem: 's' } } }, async (line) => {
    Object.assign(line.kafka, { check: () => Promise.reject(failure('AWAY')) });
    const telemetry = createSilentTelemetry();
    await (await line.another({}, telemetry)).runOnce();
    assert.match(await telemetry.registry.metrics(), /^n_s_producer_setup_errors 1$/m);
  }));

test('service Q11: a total risk without a severity is counted', () =>
  withTimeline({ targets: ['service-log'] }, async (line) => {
    line.configure({ policies: policiesOf({}, { totalRiskThreshold: 0 }) });
    line.setRisks({ ...defaultRisks, CRITICAL: { risk: 5 }, LOW: { risk: 0 } });
    await line.store(reportOf('CRITICAL', 'IMPORTANT', 'LOW'));
    const telemetry = createSilentTelemetry();
    await (await line.another({ metrics: { namespace: '', subsystem: '' } }, telemetry)).runOnce();
    assert.equal(line.serviceLog.arrived.length, 3);
    assert.match(await telemetry.registry.metrics(), /^total_risk_no_severity 2$/m);
  }));

for (const section of ['storage', 'aggregator_storage'] as const) {
  test(`service Q16: a user and a password of reserved characters open the database of ${section}`, async () => {
    const context = await createTestDatabase();
    const { hostname, port, pathname } = new URL(context.url);
    const user = `service ${clock.uuid()}@:/?#[]%25&"`;
    const password = 'p@ss:w/o?r#d[]%41&=+ "';
    const name = `"${user.replaceAll('"', '""')}"`;
    await context.database.query(`CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
    const parts = { USERNAME: user, PASSWORD: password, HOST: hostname, PORT: port, DB_NAME: pathname.slice(1) };
    const prefix = `CCX_NOTIFICATION_SERVICE__${section.toUpperCase()}__PG_`;
    const env = Object.fromEntries(Object.entries(parts).map(([part, value]) => [prefix + part, value]));
    const { config } = loadConfig(notificationServiceOptions, { env });
    const database = connectDatabase({
      ...databaseOfParts({ config, secretFiles: {} }, section),
      applicationName: 'service test',
    });
    try {
      const { rows } = await database.query('SELECT current_user AS name');
      assert.deepEqual(rows, [{ name: user }]);
    } finally {
      await database.close();
      await context.database.query(`DROP ROLE ${name}`);
      await context.drop();
    }
  });
}

test('service Q17: disabled rules of which only a part could be read are none, not a part', async () => {
  const { database, url, drop } = await createTestDatabase();
  const aggregator = connectDatabase({ url, applicationName: 'service test' });
  try {
    await database.query(`
      CREATE TABLE rule_disable (org_id varchar, rule_id varchar, error_key varchar);
      CREATE TABLE toggles (cluster_id varchar, rule_id varchar, error_key varchar, disabled smallint, ends boolean);
      INSERT INTO toggles SELECT 'cluster ' || n, 'test_rule', 'KEY', 1, n = 4000 FROM generate_series(1, 5000) AS n;
      CREATE VIEW cluster_rule_toggle AS
        SELECT * FROM toggles WHERE CASE WHEN ends THEN pg_terminate_backend(pg_backend_pid()) ELSE true END`);
    const source = createDisabledRulesDatabase(aggregator);
    await assert.rejects(source.load(), { code: 'DISABLED_RULES_UNAVAILABLE' });
    await database.query('UPDATE toggles SET ends = false');
    const rules = await source.load();
    const issue = { type: 'rule', component: 'test_rule', errorKey: 'KEY' };
    assert.equal(disabledBy(rules, { orgId: 1, cluster: 'cluster 5000' }, issue), 'disabled-by-cluster');
  } finally {
    await aggregator.close();
    await drop();
  }
});

/** From now on the connection that reads `table` ends, once, when it has come to its `nth` row. */
async function breakAt(database: Database, table: string, nth: number): Promise<void> {
  await database.query(`
    CREATE SEQUENCE rows_read;
    CREATE FUNCTION goes_on() RETURNS boolean LANGUAGE sql VOLATILE AS
      $$ SELECT CASE WHEN nextval('rows_read') = ${nth} THEN pg_terminate_backend(pg_backend_pid()) ELSE true END $$;
    ALTER TABLE ${table} RENAME TO ${table}_whole;
    CREATE VIEW ${table} AS SELECT * FROM ${table}_whole WHERE goes_on()`);
}

for (const [table, nth] of [
  ['new_reports', 5],
  ['new_reports', 20],
  ['reported', 3],
  ['reported', 12],
] as const) {
  test(`service Q17: a connection that ends at row ${nth} of ${table} makes no list shorter: each is notified, once`, () =>
    withTimeline({}, async (line) => {
      const clusters = Array.from({ length: 8 }, (_, index) => `cluster-${index}`);
      for (const cluster of clusters) {
        await line.store(reportOf('CRITICAL', 'IMPORTANT'), { cluster });
        await line.storeSent(reportOf('IMPORTANT'), { cluster });
      }
      await breakAt(line.database, table, nth);
      // It fails, or does once more what certainly was not done.
      await passPauses(
        line,
        line.run().catch((error: unknown) => assert.equal((error as CcxError).category, 'connection')),
      );
      await line.clock.advance(testSettings().delivery.leaseMs + 1);
      await passPauses(line, line.run());
      const { rows } = await line.database.query<{ read: number }>('SELECT last_value::int AS read FROM rows_read');
      assert.ok(rows[0]!.read > nth, 'it has ended');
      const notified = new Map(line.kafka.arrived.map(({ id, cluster }) => [id, cluster]));
      assert.deepEqual([...notified.values()].sort(), clusters);
      assert.deepEqual([...new Set(line.kafka.told())], ['CRITICAL']);
    }));
}
