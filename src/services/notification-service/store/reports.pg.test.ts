/** Which clusters are due, on a real server: page by page, each once, without holding a connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestDatabase } from '../../../../test/support/postgres.ts';
import { createManualClock } from '../../../platform/clock/manual-clock.ts';
import { migrateCcx } from '../../../platform/database/ccx-migrations.ts';
import { connectDatabase } from '../../../platform/database/connect-database.ts';
import { createTimeSource, microsOfMs, timestampText } from '../timestamps.ts';
import { dueKeysPerRead, dueReports, type RecentReports, setClustersMax } from './reports.ts';

test('F25: due clusters come page by page, each with its newest report, and no connection is held meanwhile', async () => {
  const { database: admin, url, drop } = await createTestDatabase({ migrated: true });
  await migrateCcx(admin, 'notifier');
  const clock = createManualClock();
  const nowMicros = clock.nowMicros();
  const clusters = dueKeysPerRead + 700;
  // Each cluster has an older report, of another organization; every second one was stored before the moment that follow mode looks back to.
  await admin.query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at)
     SELECT org, 0, md5(number::text), 'x', $2::timestamp - (CASE number % 2 WHEN 0 THEN 1 ELSE 60 END + org) * interval '1 minute'
       FROM generate_series(1, $1) AS number, (VALUES (1), (2)) AS orgs(org)`,
    [clusters, timestampText(nowMicros)],
  );
  // With a single connection any that is held would make the inner statement wait for ever.
  const database = connectDatabase({ url, applicationName: 'due', connectionsMax: 1 });
  const list = async (recent: RecentReports | undefined) => {
    const reports = {
      database,
      targets: [{ eventTargetId: 1, policyHash: 'h' }],
      nowMicros: createTimeSource(clock, 'clock').nowMicros,
      ownersCount: false,
      requestIdsKept: false,
    };
    const seen: string[] = [];
    for await (const set of dueReports(reports, recent)) {
      assert.ok(set.length <= setClustersMax);
      await database.query('SELECT 1');
      assert.ok(set.every(({ orgId }) => orgId === 1));
      seen.push(...set.map(({ cluster }) => cluster));
    }
    return seen;
  };
  try {
    const all = await list(undefined);
    assert.equal(all.length, clusters);
    assert.equal(new Set(all).size, clusters);
    const sinceMicros = nowMicros - microsOfMs(30 * 60_000);
    const recent = await list({ sinceMicros, clusters: [] });
    assert.equal(recent.length, clusters / 2);
    // One that is named is looked at, too, in its place; one that is among the recent ones once.
    const [named] = all.filter((cluster) => !recent.includes(cluster)).slice(-1);
    assert.deepEqual(await list({ sinceMicros, clusters: [named!, recent[0]!] }), [...recent, named!].sort());
    const { rowCount } = await database.query('SELECT FROM pg_cursors');
    assert.equal(rowCount, 0);
  } finally {
    await database.close();
    await drop();
  }
});
