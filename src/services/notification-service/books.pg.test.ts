/** What the service keeps beside the run: traces, retention, disabled rules of the aggregator, metrics, and what people ask it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createTimeline,
  dayMs,
  failure,
  hourMs,
  policiesOf,
  reportOf,
  type Timeline,
  testCluster,
  testOrg,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { asEarlierRelease, createTestDatabase } from '../../../test/support/postgres.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import { readTrace } from '../../platform/records/trace-log.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { disabledBy } from './decide/disabled-rules.ts';
import { formatExplanation } from './format-explanation.ts';
import { renderRetryMs } from './limits.ts';
import { createDisabledRulesDatabase } from './open-dependencies.ts';
import { readExplanation } from './store/explain.ts';
import { claimBytesMax } from './store/outbox.ts';
import { createKafkaTarget } from './targets/kafka-target/kafka-target.ts';
import { createTimeSource, serverMicros } from './timestamps.ts';

const bothTargets = { targets: ['notification-backend', 'service-log'] } as const;

async function storeRequestId(line: Timeline, requestId: string, updatedAt: string): Promise<void> {
  await line.database.query(
    `INSERT INTO ccx.report_facts (request_id, org_id, cluster, updated_at, last_checked) VALUES ($1, $2, $3, $4::timestamp, 'epoch')`,
    [requestId, testOrg, testCluster, updatedAt],
  );
}

/** As releases before the facts did. */
async function recordRequestId(line: Timeline, requestId: string, updatedAt: string): Promise<void> {
  await asEarlierRelease(
    line.database,
    `INSERT INTO ccx.stored_message (topic, partition, "offset", sha256, request_id, org_id, cluster, last_checked, updated_at)
     VALUES ('t', 0, (SELECT count(*) FROM ccx.stored_message), ''::bytea, $1, $2, $3, '', $4::timestamp)`,
    [requestId, testOrg, testCluster, updatedAt],
  );
}

async function countRows(line: Timeline, table: string): Promise<number> {
  const { rows } = await line.database.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
  return rows[0]!.count;
}

test('hops 9 to 12 of a request are in its trace, with what was decided', () =>
  withTimeline(bothTargets, async (line) => {
    await migrateCcx(line.database, 'writer');
    line.serviceLog.answer = () => ({ kind: 'rejected', error: failure('REFUSED') });
    await storeRequestId(line, 'request-1', await line.store(reportOf('CRITICAL', 'LOW')));
    await line.run();
    await line.clock.advance(hourMs);
    await line.run();
    const events = await readTrace(line.database, 'request-1');
    assert.deepEqual(events.map(({ status, hop }) => [status, hop]).sort(), [
      ['issue-decided', 10],
      ['notification-dead', undefined],
      ['notification-delivered', 11],
      ['outcome-recorded', 12],
      ['report-loaded', 9],
    ]);
    const decided = events.find(({ status }) => status === 'issue-decided')!;
    assert.equal(
      decided.detail,
      'notification-backend: new 1, below-threshold 1; service-log: new 1, below-threshold 1',
    );
    assert.equal(decided.orgId, String(testOrg));
    assert.match(events.find(({ status }) => status === 'notification-dead')!.detail!, /REFUSED/);
  }));

test('of several messages about one report that end together each has its own lines in the trace', () =>
  withTimeline({ targets: ['service-log'] }, async (line) => {
    await migrateCcx(line.database, 'writer');
    const refused = ['CRITICAL', 'LOW'];
    line.serviceLog.answer = ({ notification }) =>
      refused.includes(notification.issues[0]!.errorKey)
        ? { kind: 'rejected', error: failure('REFUSED') }
        : { kind: 'delivered', detail: '' };
    line.configure({ policies: policiesOf({}, { totalRiskThreshold: 0 }) });
    const updatedAt = await line.store(reportOf('CRITICAL', 'IMPORTANT', 'MODERATE', 'LOW'));
    await recordRequestId(line, 'request-1', updatedAt);
    await line.run();
    const statuses = (await readTrace(line.database, 'request-1')).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [
      'issue-decided',
      ...['notification-dead', 'notification-dead', 'notification-delivered', 'notification-delivered'],
      ...['outcome-recorded', 'outcome-recorded', 'report-loaded'],
    ]);
  }));

test('a report stored by another writer has no trace, and is told all the same', () =>
  withTimeline({}, async (line) => {
    await migrateCcx(line.database, 'writer');
    await storeRequestId(line, '', await line.store(reportOf('CRITICAL')));
    await line.run();
    assert.equal(line.kafka.arrived.length, 1);
    assert.equal(await countRows(line, 'ccx.trace'), 0);
  }));

test('retention deletes what is old and finished, and nothing that a cooldown counts by', async () => {
  const retention = { outboxMs: hourMs, issuesMs: hourMs, eventsMs: 400 * dayMs, reportsMaxAge: '', everyMs: 0 };
  await withTimeline({ settings: { retention } }, async (line) => {
    const count = (table: string) => countRows(line, table);
    await line.store(reportOf('CRITICAL'), { cluster: 'a' });
    await line.run();
    await line.clock.advance(hourMs);
    for (let without = 0; without < 2; without += 1) {
      await line.store(reportOf(), { cluster: 'a' });
      await line.run();
      await line.clock.advance(1_000);
    }
    await line.clock.advance(10 * hourMs);
    await line.run();
    assert.deepEqual([await count('ccx.notification_outbox'), await count('ccx.notification_ledger')], [1, 1]);
    assert.deepEqual([await count('ccx.issues'), await count('ccx.clusters')], [0, 1], 'it was resolved');
    await line.clock.advance(14 * hourMs);
    await line.run();
    assert.deepEqual([await count('ccx.notification_outbox'), await count('ccx.notification_ledger')], [0, 0]);
    assert.equal(await count('ccx.notification_considered'), 1, 'its cluster still has a report');
    assert.equal(await count('ccx.notification_sent_rows'), 1, 'its row is still in reported');
    line.configure({ retention: { ...retention, reportsMaxAge: '2 hours' } });
    await line.store(reportOf('CRITICAL'), { cluster: 'b' });
    await line.run();
    await line.run();
    assert.equal(await count('new_reports'), 1);
    assert.equal(await count('reported'), 2, 'one row of each of the last two runs');
    assert.deepEqual([await count('ccx.notification_considered'), await count('ccx.notification_sent_rows')], [1, 1]);
    assert.equal(line.kafka.arrived.length, 2);
  });
});

test('what is known of a cluster goes when it has been silent for long, an open issue and its decisions with it', async () => {
  const retention = {
    outboxMs: hourMs,
    issuesMs: 30 * dayMs,
    eventsMs: 30 * dayMs,
    reportsMaxAge: '10 days',
    everyMs: 0,
  };
  await withTimeline({ settings: { retention } }, async (line) => {
    const tables = ['clusters', 'issues', 'notification_ledger', 'notification_considered', 'issue_events'];
    const counted = () => Promise.all(tables.map((table) => countRows(line, `ccx.${table}`)));
    await line.store(reportOf('CRITICAL'));
    await line.run();
    assert.deepEqual(await counted(), [1, 1, 1, 1, 2]);
    await line.clock.advance(29 * dayMs);
    await line.run();
    assert.deepEqual(await counted(), [1, 1, 1, 1, 4], 'it was notified again, and has become stale');
    await line.clock.advance(20 * dayMs);
    await line.run();
    assert.deepEqual((await counted()).slice(0, 4), [1, 1, 1, 1], 'since when it is stale counts, too');
    await line.clock.advance(11 * dayMs);
    await line.run();
    assert.deepEqual((await counted()).slice(0, 4), [0, 0, 0, 0]);
    await line.clock.advance(32 * dayMs);
    await line.run();
    assert.deepEqual(await counted(), [0, 0, 0, 0, 0]);
  });
});

test('an age that is shorter than a cooldown tells nothing twice, and says so at the start', async () => {
  const retention = {
    outboxMs: hourMs,
    issuesMs: hourMs,
    eventsMs: 400 * dayMs,
    reportsMaxAge: '10 minutes',
    everyMs: 0,
  };
  await withTimeline({ settings: { retention } }, async (line) => {
    const count = (table: string) => countRows(line, table);
    for (let run = 0; run < 6; run += 1) {
      const at = await line.store(reportOf('CRITICAL'));
      await line.database
        .query(
          `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked)
         SELECT $1, $2, $3::timestamp, '', $3::timestamp WHERE to_regclass('ccx.report_facts') IS NOT NULL`,
          [testOrg, testCluster, at],
        )
        .catch(() => undefined);
      await line.run();
      assert.deepEqual(line.kafka.told(), run === 0 ? ['CRITICAL'] : []);
      await line.clock.advance(4 * hourMs - 1_000);
    }
    assert.equal(await count('new_reports'), 1, 'what nothing counts by goes');
    assert.ok((await count('ccx.report_facts')) <= 1, 'and its facts with it');
    assert.deepEqual(
      (await line.reported()).map(({ state }) => state),
      [1, 2],
      'the row that it counts by, and one of the last run',
    );
    await line.clock.advance(hourMs);
    await line.store(reportOf('CRITICAL'));
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL'], 'when the cooldown has ended');
    const lines: string[] = [];
    const telemetry = createSilentTelemetry();
    const log = {
      ...telemetry.log,
      warn: (text: unknown) => lines.push(String(text)),
    } as unknown as typeof telemetry.log;
    await line.another({}, { ...telemetry, log });
    assert.match(lines.join('\n'), /cleaner\.max_age: the age of 10 minutes is shorter than the cooldown of 24h/);
    await assert.rejects(line.another({ retention: { ...retention, reportsMaxAge: 'soon' } }), {
      ...{ code: 'MAX_AGE_INVALID', hint: /cleaner\.max_age/ },
    });
  });
});

test('retention goes by the longest cooldown of all targets, also of those that another process serves', async () => {
  const retention = { outboxMs: hourMs, issuesMs: hourMs, eventsMs: 400 * dayMs, reportsMaxAge: '1 day', everyMs: 0 };
  const policies = policiesOf({}, { cooldown: '1 hour' });
  await withTimeline({ targets: ['service-log'], settings: { retention, policies } }, async (line) => {
    const query = (text: string) => line.database.query(text);
    const left = async () => {
      const { rows } = await line.database.query<{ rows: number; issues: number }>(
        `SELECT (SELECT count(*)::int FROM reported WHERE event_type_id = 1) AS rows,
                (SELECT count(*)::int FROM ccx.notification_ledger WHERE event_type_id = 1) AS issues`,
      );
      return [rows[0]!.rows, rows[0]!.issues];
    };
    await line.run();
    assert.deepEqual((await query('SELECT event_type_id, cooldown::text FROM ccx.cooldowns')).rows, [
      { event_type_id: 2, cooldown: '01:00:00' },
    ]);
    await line.storeSent(reportOf('LOW'), { target: 1, hoursAgo: 10 * 24 });
    await query(
      `INSERT INTO ccx.notification_ledger (event_type_id, org_id, cluster, type, component, error_key, state, first_seen_at,
              last_seen_at, resolved_at, clock_at, reported_at, last_reason, decided_at)
       SELECT 1, org_id, cluster, 'rule', 'r', 'LOW', 'notified', notified_at, notified_at, notified_at, notified_at, notified_at, '', now()
         FROM reported`,
    );
    await query(`INSERT INTO ccx.cooldowns VALUES (1, '30 days')`);
    await line.run();
    assert.deepEqual(await left(), [1, 1]);
    await line.clock.advance(21 * dayMs);
    await line.run();
    assert.deepEqual(await left(), [0, 0]);
  });
});

test('G24: what the backend takes no message about is decided once, with its reason, and never composed', async () => {
  const line = await createTimeline();
  const silent = { sendEach: async () => undefined, close: async () => undefined };
  const target = await createKafkaTarget(
    { topic: 't', clusterDetailsUri: '', ruleDetailsUri: '', recordBytesMax: 1_000_000 },
    { bus: { createProducer: async () => silent, check: async () => undefined }, clock: line.clock },
  );
  let composed = 0;
  Object.assign(line.kafka, {
    hasRecipient: target.hasRecipient,
    compose: (...parameters: Parameters<typeof target.compose>) => {
      composed += 1;
      return target.compose(...parameters);
    },
  });
  try {
    for (const [cluster, orgId, account] of [
      ['zero', 0, 7],
      ['negative', -5, 7],
      ['account', testOrg, -1],
      ['', testOrg, 7],
    ] as const) {
      await line.store(reportOf('CRITICAL', 'LOW'), { cluster, orgId });
      await line.database.query('UPDATE new_reports SET account_number = $2 WHERE cluster = $1::character(36)', [
        cluster,
        account,
      ]);
    }
    const first = await line.run();
    assert.deepEqual(first.decisions, { 'no-recipient': 4, 'below-threshold': 4 });
    await line.clock.advance(hourMs);
    const second = await line.run();
    assert.deepEqual([second.reports, second.decisions, composed], [0, {}, 0], 'nothing of it is due again');
    await line.store(reportOf('CRITICAL', 'LOW'), { cluster: 'zero', orgId: 0 });
    await line.run();
    assert.equal(composed, 0);
    const issues = (await line.ledger()).filter(({ key }) => key === 'CRITICAL');
    assert.deepEqual(new Set(issues.map(({ state, reason }) => `${state} ${reason}`)), new Set(['open no-recipient']));
    const text = formatExplanation('zero', await readExplanation(line.database, 'zero'));
    assert.match(text, /no-recipient: The target never takes a message about such a cluster, whose organization is 0/);
    assert.equal(await countRows(line, 'new_reports'), 5, 'the rows stay as the writer stored them');
  } finally {
    await target.close();
    await line.end();
  }
});

test('D14: what can never be put into a message is tried once per report, and what only failed for now again', () =>
  withTimeline({ settings: { mode: 'follow' } }, async (line) => {
    const final = new CcxError('as the test wants it', { code: 'NOTIFICATION_INVALID', category: 'delivery' });
    let composed = 0;
    let fails: CcxError | undefined = final;
    line.kafka.composing = async () => {
      composed += 1;
      if (fails !== undefined) throw fails;
    };
    const reason = async () => (await line.ledger()).find(({ key }) => key === 'CRITICAL')?.reason;
    const service = await line.another();
    await line.store(reportOf('CRITICAL'));
    for (let run = 0; run < 3; run += 1) {
      await service.runOnce();
      await line.clock.advance(2 * renderRetryMs);
    }
    assert.deepEqual([composed, await reason()], [1, 'not-composable']);
    fails = failure('AWAY');
    await line.store(reportOf('CRITICAL'));
    for (let run = 0; run < 3; run += 1) {
      await service.runOnce();
      await line.clock.advance(2 * renderRetryMs);
    }
    assert.equal(await reason(), 'render-failed');
    assert.ok(composed > 2, 'it is tried again by itself');
    fails = undefined;
    await line.clock.advance(2 * renderRetryMs);
    await service.runOnce();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('a message that waits and can no longer be composed is withdrawn, once', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => ({ kind: 'retry', error: failure(), afterMs: 0 });
    await line.store(reportOf('CRITICAL'));
    await line.run();
    line.kafka.composing = async () => {
      throw new CcxError('as the test wants it', { code: 'NOTIFICATION_INVALID', category: 'delivery' });
    };
    for (let run = 0; run < 3; run += 1) {
      await line.clock.advance(hourMs);
      await line.store(reportOf('CRITICAL'));
      await line.run();
    }
    assert.deepEqual(await line.outboxStates(), { withdrawn: 1 });
    assert.equal((await line.ledger())[0]?.reason, 'not-composable');
  }));

test('D15, service Q1: disabled rules are read from the aggregator’s two tables; a database without them is one clear error', async () => {
  const { database, drop } = await createTestDatabase();
  try {
    const source = createDisabledRulesDatabase(database);
    await assert.rejects(source.load(), { code: 'DISABLED_RULES_UNAVAILABLE', hint: /aggregator_storage/ });
    await database.query(`
      CREATE TABLE cluster_rule_toggle (cluster_id varchar, rule_id varchar, error_key varchar, disabled smallint);
      CREATE TABLE rule_disable (org_id varchar, rule_id varchar, error_key varchar);
      INSERT INTO cluster_rule_toggle VALUES ('c1', 'a.b.test_rule.report', 'KEY', 1), ('c2', 'test_rule', 'KEY', 0);
      INSERT INTO rule_disable VALUES ('7', 'test_rule', 'KEY')`);
    const rules = await source.load();
    const issue = { type: 'rule', component: 'a.b.test_rule.report', errorKey: 'KEY' };
    const by = (orgId: number, cluster: string) => disabledBy(rules, { orgId, cluster }, issue);
    assert.deepEqual([by(1, 'c1'), by(1, 'c2'), by(7, 'c2')], ['disabled-by-cluster', undefined, 'disabled-by-org']);
  } finally {
    await drop();
  }
});

test('explain tells per target and issue what was decided, why, when it was sent and when it could next be', () =>
  withTimeline(bothTargets, async (line) => {
    line.serviceLog.answer = () => ({ kind: 'paused', error: failure('CREDENTIALS'), afterMs: hourMs });
    await line.store(reportOf('CRITICAL', 'LOW'));
    await line.run();
    await line.clock.advance(hourMs / 2);
    await line.store(reportOf('CRITICAL', 'LOW'));
    await line.run();
    const explanation = await readExplanation(line.database, testCluster);
    const byKey = explanation.issues.map(({ event_type_id, error_key, last_reason, message_state }) =>
      [event_type_id, error_key, last_reason, message_state].join(' '),
    );
    assert.deepEqual(byKey, [
      '1 CRITICAL already-notified delivered',
      '1 LOW below-threshold ',
      '2 CRITICAL pending pending',
      '2 LOW below-threshold ',
    ]);
    assert.equal(explanation.issues[0]!.last_seen_at, explanation.targets[0]!.report_updated_at);
    const text = formatExplanation(testCluster, explanation);
    assert.match(text, /already-notified: It was notified within its cooldown/);
    assert.match(text, /last sent 2026-11-21 16:00:00 UTC/);
    assert.match(text, /next possible 2026-11-22 16:00:00 UTC/);
    assert.match(text, /target is paused until 2026-11-21 17:00:00 UTC/);
    assert.match(text, /it is on its way/);
    const behind = await readExplanation(line.database, testCluster, { now: '2026-11-21 17:00:01' });
    assert.doesNotMatch(formatExplanation(testCluster, behind), /paused/, 'the pause has ended');
    await line.database.query('TRUNCATE reported');
    const emptied = formatExplanation(testCluster, await readExplanation(line.database, testCluster));
    assert.match(emptied, /at once: the record that it was sent is gone/);
  }));

test('targets have their names from the start, also those that an older release wrote, whose pause stays', () =>
  withTimeline(bothTargets, async (line) => {
    const named = async () =>
      (
        await line.database.query(
          'SELECT event_type_id AS id, name, pause_code FROM ccx.notification_targets ORDER BY 1',
        )
      ).rows;
    const both = [
      { id: 1, name: 'kafka', pause_code: null },
      { id: 2, name: 'service_log', pause_code: null },
    ];
    await line.another();
    assert.deepEqual(await named(), both);
    await line.database.query(
      `UPDATE ccx.notification_targets SET name = NULL, pause_code = 'OLD' WHERE event_type_id = 2`,
    );
    await line.another();
    assert.deepEqual(await named(), [both[0], { ...both[1], pause_code: 'OLD' }]);
    await assert.rejects(
      line.database.query(`INSERT INTO ccx.notification_targets (event_type_id, name) VALUES (1000, 'kafka')`),
      /notification_targets_name/,
    );
  }));

test('messages are claimed up to a number of bytes, and a larger one alone', () =>
  withTimeline({}, async (line) => {
    for (const cluster of ['a', 'b', 'c', 'd']) await line.store(reportOf('CRITICAL'), { cluster });
    line.kafka.answer = () => ({ kind: 'retry', error: failure(), afterMs: 0 });
    await line.run();
    await line.database.query('UPDATE ccx.notification_outbox SET body = repeat($1, $2)', ['x', claimBytesMax / 2]);
    const claims: number[] = [];
    line.kafka.answer = async () => {
      const { rows } = await line.database.query<{ claimed: number }>(
        `SELECT count(*)::int AS claimed FROM ccx.notification_outbox WHERE state = 'claimed'`,
      );
      claims.push(rows[0]!.claimed);
      return { kind: 'delivered', detail: '' };
    };
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual(claims, [2, 2, 2, 2]);
  }));

test('a database without the shared tables is one clear error', () =>
  withTimeline({}, async (line) => {
    await line.database.query('ALTER TABLE read_errors RENAME TO hidden');
    await assert.rejects(line.run(), { code: 'SCHEMA_MISSING', message: /lacks read_errors/, hint: /version 8/ });
  }));

test('metrics say what was decided, what waits and for how long', () =>
  withTimeline(bothTargets, async (line) => {
    line.serviceLog.answer = () => ({ kind: 'retry', error: failure('AWAY'), afterMs: 0 });
    await line.store(reportOf('CRITICAL', 'LOW'));
    await line.store('[]', { cluster: 'wrong' });
    const telemetry = createSilentTelemetry();
    const service = await line.another({ metrics: { namespace: 'ccx', subsystem: 'test' } }, telemetry);
    await service.runOnce();
    await line.clock.advance(90_001);
    await service.runOnce();
    const text = await telemetry.registry.metrics();
    for (const series of [
      'ccx_test_notification_sent 1',
      'ccx_test_report_with_high_impact 2',
      'ccx_test_notification_not_sent_error_state 2',
      'ccx_test_deserialize_report_errors 2',
      'ccx_notification_decisions_total{target="service-log",reason="below-threshold"} 1',
      'ccx_notification_outbox_messages{target="service-log",state="pending"} 1',
      'ccx_notification_outbox_oldest_seconds{target="service-log"} 90',
      'ccx_notification_outbox_oldest_seconds{target="notification-backend"} 0',
      'ccx_notification_attempts_total{target="service-log",result="retry"} 2',
      'ccx_notification_reports_total{target="notification-backend",outcome="unreadable"} 1',
      'ccx_test_service_status 0',
    ]) {
      assert.ok(text.includes(`${series}\n`), `${series} in\n${text}`);
    }
  }));

test('metrics say how long it takes from a report to its decision, once each, and to its notification', () =>
  withTimeline(bothTargets, async (line) => {
    const telemetry = createSilentTelemetry();
    const service = await line.another({}, telemetry);
    line.serviceLog.answer = () => ({ kind: 'retry', error: failure('AWAY'), afterMs: 0 });
    await line.store(reportOf('CRITICAL'));
    await line.store(reportOf('CRITICAL'), { cluster: 'odd', at: 'infinity' });
    await line.clock.advance(20_000);
    await service.runOnce();
    line.serviceLog.answer = () => ({ kind: 'delivered', detail: '' });
    await line.clock.advance(40_000);
    await service.runOnce();
    const text = await telemetry.registry.metrics();
    const counts = (name: string, target: string) =>
      [10, 30, 300].map((seconds) =>
        Number(
          new RegExp(`^ccx_notification_${name}_bucket\\{le="${seconds}",target="${target}"\\} (\\d+)$`, 'm').exec(
            text,
          )?.[1],
        ),
      );
    for (const target of ['notification-backend', 'service-log'])
      assert.deepEqual(counts('report_to_decision_seconds', target), [0, 1, 1]);
    assert.deepEqual(counts('report_to_notification_seconds', 'notification-backend'), [0, 1, 1]);
    assert.deepEqual(counts('report_to_notification_seconds', 'service-log'), [0, 0, 1]);
  }));

test('F24: the time of decisions is the server’s, whatever this machine’s clock is set to', () =>
  withTimeline({}, async (line) => {
    const ours = createTimeSource(line.clock, 'clock');
    await ours.synchronize(() => serverMicros(line.database));
    assert.equal(ours.now().toISOString(), line.clock.now().toISOString());
    const time = createTimeSource(line.clock, 'database');
    const { rows } = await line.database.query<{ now: bigint }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now',
    );
    await time.synchronize(() => serverMicros(line.database));
    const first = time.nowMicros();
    assert.ok(first - rows[0]!.now < 60_000_000n && first > rows[0]!.now);
    line.clock.setNow(new Date(line.clock.now().getTime() - dayMs));
    assert.ok(time.nowMicros() > first);
  }));

test('service Q6: a service without a target, or with a filter that cannot be used, does not start', async () => {
  await assert.rejects(
    withTimeline({ targets: [] }, async (line) => {
      await line.run();
    }),
    { code: 'NO_TARGET', category: 'configuration' },
  );
  await withTimeline({}, async (line) => {
    line.configure({ policies: policiesOf({ eventFilter: 'totalRisk >' }) });
    await assert.rejects(line.run(), { code: 'EVENT_FILTER_INVALID', hint: /kafka_broker\.event_filter/ });
  });
});
