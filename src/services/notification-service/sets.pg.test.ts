/** Work is done in sets: how many statements a run sends depends on the number of sets, not on the number of clusters; and memory on neither. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  dayMs,
  passPauses,
  reportOf,
  type Timeline,
  testSettings,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { reportBytesMax } from './decide/read-report.ts';
import { setClustersMax } from './store/reports.ts';

async function storeMany(line: Timeline, count: number, report: string): Promise<void> {
  await line.database.query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at)
     SELECT 1, 7, 'cluster-' || n, $2, '2026-11-21 15:00:00'::timestamp + n * interval '1 microsecond' FROM generate_series(1, $1::int) AS n`,
    [count, report],
  );
}

async function statementsOf(line: Timeline, work: () => Promise<unknown>): Promise<number> {
  const before = line.statements.count;
  await work();
  return line.statements.count - before;
}

test('D13: 2 000 clusters take few statements: with news, with nothing new, with the cooldown over', async () => {
  const delivery = { ...testSettings().delivery, claimMax: 500, concurrency: 16 };
  // What is old is looked for behind the first run only.
  const retention = { ...testSettings().retention, everyMs: 30 * dayMs };
  await withTimeline({ settings: { delivery, retention } }, async (line) => {
    const service = await line.another();
    await service.runOnce();
    const idle = await statementsOf(line, () => service.runOnce());
    await storeMany(line, 4 * setClustersMax, reportOf('CRITICAL', 'MODERATE', 'LOW'));
    const news = await statementsOf(line, () => service.runOnce());
    assert.equal(line.kafka.arrived.length, 2_000);
    assert.ok(news <= idle + 120, `${news} statements, ${idle} without any cluster`);
    const nothingNew = await statementsOf(line, () => service.runOnce());
    assert.ok(nothingNew <= idle + 3, `${nothingNew} statements, ${idle} without any cluster`);
    await line.clock.advance(dayMs + 60_000);
    const again = await statementsOf(line, () => service.runOnce());
    assert.equal(line.kafka.arrived.length, 4_000);
    assert.ok(again <= news, `${again} statements, ${news} at first`);
    assert.equal((await line.reported()).length, 6_000);
  });
});

test('D13, service Q15, G24: one cluster that cannot be written does not exist: odd ids, zero organizations, hostile keys are all decided', () =>
  withTimeline({}, async (line) => {
    const odd = [
      "'; DROP TABLE reported; --",
      'ümläut-😀',
      '  leading',
      '5d5892d4-2g85-4ccf-02bg-548dfc9767aa',
      '{"a":1}',
    ];
    for (const cluster of odd) await line.store(reportOf('CRITICAL'), { cluster, orgId: 0 });
    await line.store('{"reports":[{"type":"rule","component":"a.test_rule.report","key":"__proto__"}]}', {
      cluster: 'proto',
    });
    await line.store('{"reports":[{"type":"rule","component":"a.test_rule.report","key":"a\\u0000b"}]}', {
      cluster: 'nul',
    });
    const run = await line.run();
    assert.deepEqual(line.kafka.arrived.map(({ cluster }) => cluster).sort(), [...odd].sort());
    assert.equal(run.decisions['content-missing'], 1);
    await line.run();
    assert.equal(line.kafka.arrived.length, odd.length);
  }));

test('a report at the size limit is decided, one past it is listed and skipped', () =>
  withTimeline({}, async (line) => {
    const report = (bytes: number) => {
      const text = reportOf('CRITICAL').slice(0, -1);
      return `${text},"padding":"${'x'.repeat(bytes - text.length - ',"padding":""}'.length)}"}`;
    };
    await line.store(report(reportBytesMax), { cluster: 'large' });
    await line.store(report(reportBytesMax + 1), { cluster: 'larger' });
    await line.run();
    assert.deepEqual(
      line.kafka.arrived.map(({ cluster }) => cluster),
      ['large'],
    );
    const { rows } = await line.database.query<{ cluster: string; code: string }>(
      `SELECT rtrim(cluster) AS cluster, split_part(error_text, ':', 1) AS code FROM read_errors`,
    );
    assert.deepEqual(rows, [{ cluster: 'larger', code: 'REPORT_TOO_LARGE' }]);
  }));

test('rows of reported keep their keys apart when another writer takes the same microsecond', () =>
  withTimeline({ targets: ['notification-backend', 'service-log'] }, async (line) => {
    await line.store(reportOf('CRITICAL'), { cluster: 'a' });
    // The other writer takes each of the next microseconds, so that whatever ours would be is taken.
    await line.database.query(
      `INSERT INTO reported (org_id, account_number, cluster, notification_type, state, report, updated_at, notified_at, error_log, event_type_id)
       SELECT 11789772, 7, 'a', 1, 2, '{}', now(), $1::timestamp + n * interval '1 microsecond', '', 1 FROM generate_series(0, 500) AS n`,
      [line.clock.now().toISOString().replace('T', ' ').slice(0, -1)],
    );
    await passPauses(line, line.run());
    const rows = await line.database.query<{ target: number }>(
      'SELECT event_type_id AS target FROM reported WHERE state = 1 ORDER BY 1',
    );
    assert.deepEqual(
      rows.rows.map(({ target }) => target),
      [1, 2],
    );
  }));
