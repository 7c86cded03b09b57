/**
 * Each kind of finding, made by hand in tables that are sound otherwise; and that a life with deaths, refusals, lost answers, removed rows,
 * retries and other writers leaves none.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import {
  createCrashingTelemetry,
  dayMs,
  failure,
  hourMs,
  nextEvent,
  policiesOf,
  reportOf,
  type Timeline,
  testSettings,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { createWatchedClock } from '../../../test/support/watched-clock.ts';
import { notificationMessageExamples } from '../../contracts/notification-message.ts';
import { createSilentTelemetry, type Telemetry } from '../../platform/telemetry/telemetry.ts';
import { createAuditEvents } from './audit-events.ts';
import { auditOnce, startAuditing } from './auditor.ts';
import { FINDING_KINDS, type Finding, type FindingKind } from './decide/find-faults.ts';
import { grantWish } from './store/messages.ts';
import { timestampText } from './timestamps.ts';

const bothTargets = { targets: ['notification-backend', 'service-log'] } as const;

async function audit(
  line: Timeline,
  { overdueMs = 2 * hourMs, readsBodies = false } = {},
): Promise<readonly Finding[]> {
  const { findings, counts, lookedThrough } = await auditOnce(line.database, {
    ...{ overdueMs, readsBodies, nowMicros: line.clock.nowMicros(), clock: line.clock },
    ...{ retryWindowMs: testSettings().delivery.retryWindowMs, msMax: hourMs, findingsMax: 100 },
  });
  assert.ok(lookedThrough.every(({ complete }) => complete));
  assert.equal(
    findings.length,
    [...counts.values()].reduce((sum, count) => sum + count, 0),
  );
  return findings;
}

/** Cluster a was told, the message of cluster b waits: it was tried once. */
async function withTables(check: (line: Timeline) => Promise<void>): Promise<void> {
  await withTimeline({}, async (line) => {
    line.kafka.answer = ({ notification }) =>
      notification.cluster === 'a'
        ? { kind: 'delivered', detail: '' }
        : { kind: 'retry', error: failure('AWAY'), afterMs: 0 };
    for (const cluster of ['a', 'b']) await line.store(reportOf('CRITICAL'), { cluster });
    await line.run();
    // The table has the server's clock, the timeline its own.
    await line.database.query(`UPDATE ccx.cooldowns SET stored_at = '-infinity'`);
    assert.deepEqual(await audit(line), []);
    await check(line);
  });
}

const outbox = 'ccx.notification_outbox';
const asDead = `state = 'dead', finished_at = $1::timestamp, next_attempt_at = NULL`;

/** By statements with `$1` for now, `$2` for three hours before. */
const byHand: Readonly<Record<Exclude<FindingKind, 'body-breaks-contract'>, readonly string[]>> = {
  'due-not-tried': [`UPDATE ${outbox} SET next_attempt_at = $2::timestamp WHERE cluster = 'b'`],
  'lease-outlived': [
    `UPDATE ${outbox} SET state = 'claimed', lease_token = id, next_attempt_at = $2::timestamp WHERE cluster = 'b'`,
  ],
  'window-overrun': [
    `UPDATE ${outbox} SET first_attempt_at = first_attempt_at - interval '4 days' WHERE cluster = 'b'`,
  ],
  'never-due': [`UPDATE ${outbox} SET next_attempt_at = NULL WHERE cluster = 'b'`],
  'state-contradicts': [`UPDATE ${outbox} SET next_attempt_at = $1::timestamp WHERE cluster = 'a'`],
  'message-without-ledger': [`DELETE FROM ccx.notification_ledger WHERE cluster = 'b'`],
  'pending-without-message': [`DELETE FROM ${outbox} WHERE cluster = 'b'`],
  'wish-not-taken': [
    `UPDATE ${outbox} SET ${asDead}, retry_requested_at = $2::timestamp WHERE cluster = 'b'`,
    `UPDATE ccx.notification_ledger SET state = 'dead' WHERE cluster = 'b'`,
  ],
  'id-not-in-body': [`UPDATE ${outbox} SET body = '{}' WHERE cluster = 'a'`],
  'successor-missing': [
    `UPDATE ${outbox} SET ${asDead}, replaced_by = '${randomUUID()}' WHERE cluster = 'b'`,
    `UPDATE ccx.notification_ledger SET state = 'dead' WHERE cluster = 'b'`,
  ],
  'told-within-cooldown': [
    `INSERT INTO ${outbox} SELECT (r).* FROM (
       SELECT jsonb_populate_record(o, jsonb_build_object('id', n.id, 'body', n.id, 'delivered_at', o.delivered_at + interval '1 hour')) AS r
         FROM ${outbox} AS o, (SELECT gen_random_uuid() AS id) AS n WHERE o.cluster = 'a') AS copy`,
  ],
  'delivered-without-ledger': [`DELETE FROM ccx.notification_ledger WHERE cluster = 'a'`],
  'delivered-without-record': [`UPDATE ${outbox} SET delivered_at = NULL WHERE cluster = 'a'`],
  'notified-without-row': [
    `DELETE FROM reported WHERE cluster = 'a'`,
    `DELETE FROM ccx.notification_sent_rows WHERE cluster = 'a'`,
  ],
  'sent-row-without-message': [`DELETE FROM ${outbox} WHERE cluster = 'a'`],
  'due-not-decided': [`UPDATE ccx.notification_considered SET next_due_at = $2::timestamp WHERE cluster = 'a'`],
  'report-not-decided': [
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at) VALUES (1, 1, 'c', '{}', $2::timestamp)`,
  ],
};

for (const [kind, statements] of Object.entries(byHand)) {
  test(`the auditor finds what was made by hand: ${kind}`, () =>
    withTables(async (line) => {
      const now = line.clock.nowMicros();
      for (const statement of statements) {
        const moments = [timestampText(now), timestampText(now - 3n * 3_600_000_000n)];
        const named = moments.map((moment, index) => [`$${index + 1}`, `'${moment}'`] as const);
        const text = named.reduce((sql, [name, moment]) => sql.replaceAll(name, moment), statement);
        assert.equal((await line.database.query(text)).rowCount, 1, text);
      }
      const [finding, ...others] = await audit(line);
      assert.equal(finding?.kind, kind);
      assert.deepEqual(others, []);
      assert.notEqual(finding?.detail, '');
    }));
}

test('the auditor reads bodies as their receiver would', () =>
  withTables(async (line) => {
    const findings = await audit(line, { readsBodies: true });
    assert.deepEqual(
      findings.map(({ kind, detail }) => [kind, /lost without a trace/.test(detail)]),
      [
        ['body-breaks-contract', true],
        ['body-breaks-contract', true],
      ],
    );
  }));

test('what a pause, a lease in force or the next run explains is no finding', () =>
  withTables(async (line) => {
    const pausedUntil = timestampText(line.clock.nowMicros() + 3n * 3_600_000_000n);
    await line.database.query(
      `INSERT INTO ccx.notification_targets (event_type_id, paused_until) VALUES (1, $1::timestamp)
       ON CONFLICT (event_type_id) DO UPDATE SET paused_until = excluded.paused_until`,
      [pausedUntil],
    );
    await line.clock.advance(2.5 * hourMs);
    assert.deepEqual(await audit(line), [], 'the target is paused');
    await line.clock.advance(3 * hourMs);
    assert.deepEqual(
      (await audit(line)).map(({ kind }) => kind),
      ['due-not-tried'],
    );
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await line.run();
    await line.database.query('DELETE FROM reported');
    assert.deepEqual(await audit(line), [], 'the next run notices that rows were removed');
    await line.run();
    assert.deepEqual(await audit(line, { overdueMs: 0 }), []);
    assert.equal((await line.outboxStates())['delivered'], 4);
  }));

test('an audit ends when its time is over, and says what it has not looked through', () =>
  withTables(async (line) => {
    const { lookedThrough } = await auditOnce(line.database, {
      ...{
        overdueMs: 0,
        retryWindowMs: 0,
        nowMicros: line.clock.nowMicros(),
        clock: line.clock,
        msMax: 0,
        findingsMax: 1,
      },
    });
    assert.equal(lookedThrough.length, 7);
    assert.ok(lookedThrough.every(({ complete, rows }) => !complete && rows === 0));
  }));

const events = [
  ...['report-loaded', 'issue-decided', 'notification-enqueued', 'notification-attempted', 'notification-delivered'],
  ...['outcome-recorded', 'unsent-rows-written', 'run-finished'],
];

for (const event of events) {
  test(`a death behind ${event} leaves nothing to find, neither before it is made good nor after`, () =>
    withTimeline(bothTargets, async (line) => {
      for (const cluster of ['a', 'b', 'c']) await line.store(reportOf('CRITICAL', 'IMPORTANT'), { cluster });
      const service = await line.another({}, createCrashingTelemetry(event));
      await assert.rejects(service.runOnce(), { message: `crash at ${event} 1` });
      assert.deepEqual(await audit(line), []);
      await line.clock.advance(testSettings().delivery.leaseMs + 1);
      await line.run();
      await line.database.query(`UPDATE ccx.cooldowns SET stored_at = '-infinity'`);
      assert.deepEqual(await audit(line, { overdueMs: 0 }), []);
      assert.deepEqual(await line.outboxStates(), { delivered: 9 });
    }));
}

test('weeks with everything that may happen leave nothing to find', () =>
  withTimeline({ ...bothTargets, settings: { policies: policiesOf({}, { sendResolved: true }) } }, async (line) => {
    const look = async (what: string) => assert.deepEqual(await audit(line), [], what);
    const next = async (what: string, afterMs = hourMs) => {
      await line.clock.advance(afterMs);
      await line.run();
      await line.database.query(`UPDATE ccx.cooldowns SET stored_at = '-infinity'`);
      await look(what);
    };
    const both = (answer: Timeline['kafka']['answer']) => {
      line.kafka.answer = answer;
      line.serviceLog.answer = answer;
    };
    await line.storeSent(reportOf('CRITICAL'), { cluster: 'b' });
    for (const cluster of ['a', 'b', 'c']) await line.store(reportOf('CRITICAL', 'IMPORTANT'), { cluster });
    both(({ notification }) =>
      notification.cluster === 'a'
        ? { kind: 'rejected', error: failure('REFUSED') }
        : notification.cluster === 'b'
          ? { kind: 'unknown', error: failure('LOST'), afterMs: 0 }
          : { kind: 'delivered', detail: '' },
    );
    await next('refused, lost, delivered', 0);
    await line.store(reportOf('IMPORTANT'), { cluster: 'c' });
    await next('one is gone');
    await line.store(reportOf('CRITICAL', 'IMPORTANT'), { cluster: 'c' });
    await next('and back within its cooldown');
    await next('of unknown outcome for too long', 21 * hourMs);
    assert.ok(((await line.outboxStates())['unknown'] ?? 0) > 0);
    const { rows } = await line.database.query<{ id: string }>(
      `SELECT id FROM ${outbox} WHERE state IN ('dead', 'unknown')`,
    );
    const by = { actor: 'ada', origin: 'test', action: 'notifications retry' } as const;
    await grantWish(
      line.database,
      { deed: 'retry', isDryRun: false, by },
      rows.slice(0, 3).map(({ id }) => id),
    );
    both(() => ({ kind: 'delivered', detail: '' }));
    await next('tried again as a person wanted');
    await next('cooldowns are over', 25 * hourMs);
    await line.database.query(`DELETE FROM reported WHERE cluster = 'c'`);
    await look('rows are removed');
    await next('and told again');
    both(() => ({ kind: 'retry', error: failure('AWAY'), afterMs: 0 }));
    for (const cluster of ['a', 'b', 'c']) await line.store(reportOf('CRITICAL', 'IMPORTANT', 'MODERATE'), { cluster });
    await next('something new waits', 26 * hourMs);
    for (const cluster of ['a', 'b']) await line.store(reportOf('MODERATE'), { cluster });
    await next('some of it is gone before it was sent');
    for (const cluster of ['a', 'b']) await line.store(reportOf('MODERATE'), { cluster });
    await next('and resolved, of which a message waits');
    const resolved = await line.database.query(`SELECT FROM ${outbox} WHERE about = 'resolved' AND state = 'pending'`);
    assert.ok(resolved.rowCount > 0);
    await line.database.query(`DELETE FROM new_reports WHERE cluster = 'c'`);
    await next('a report is removed');
    await next('not delivered in its window', 3 * dayMs + hourMs);
    both(() => ({ kind: 'delivered', detail: '' }));
    await next('decided anew and delivered');
    await next('weeks later', 40 * dayMs);
    const states = await line.outboxStates();
    assert.ok((states['delivered'] ?? 0) > 0, JSON.stringify(states));
  }));

test('every kind has a test that makes it', () => {
  assert.deepEqual(Object.keys(FINDING_KINDS).sort(), [...Object.keys(byHand), 'body-breaks-contract'].sort());
});

test('beside a running service findings are a gauge, and a line in the log when their number changes', () =>
  withTables(async (line) => {
    const telemetry = createSilentTelemetry();
    const lines: string[] = [];
    const record = (level: string) => (fields: Record<string, unknown>) =>
      void lines.push(`${level} ${fields['kind']} ${fields['before']} → ${fields['count']} ${fields['subject'] ?? ''}`);
    const log = { ...telemetry.log, info: record('info'), error: record('error') } as Telemetry['log'];
    const clock = createWatchedClock();
    const stopping = new AbortController();
    let hasRun = false;
    const auditing = startAuditing(
      { everyMs: hourMs, overdueMs: 2 * hourMs, retryWindowMs: 3 * dayMs },
      {
        ...{ database: line.database, clock, nowMicros: () => line.clock.nowMicros(), signal: stopping.signal },
        ...{
          events: createAuditEvents({ ...telemetry, log }, clock),
          decidingFor: [1],
          ownersCount: true,
          hasRun: () => hasRun,
        },
      },
    );
    const gauge = async (kind: FindingKind) => {
      const { values } = await telemetry.registry.getSingleMetric('ccx_notification_audit_findings')!.get();
      return values.find(({ labels }) => labels['kind'] === kind)?.value;
    };
    /** The pauses of a round, up to the long one behind it. */
    const passRound = async () => {
      const pauses: number[] = [];
      do {
        const ms = await clock.nextSleep();
        pauses.push(ms);
        if (ms < hourMs) await clock.advance(ms);
      } while (pauses.at(-1)! < hourMs);
      return pauses;
    };
    assert.equal(await clock.passNextSleep(), hourMs / 10);
    assert.equal(await clock.passNextSleep(), hourMs / 10, 'no run has ended yet');
    assert.equal(await gauge('due-not-tried'), undefined);
    hasRun = true;
    const body = JSON.stringify(notificationMessageExamples.valid[0]);
    await line.database.query(`UPDATE ${outbox} SET body = $1`, [body]);
    const pauses = await passRound();
    assert.deepEqual(new Set(pauses), new Set([hourMs / 10, 100, hourMs]));
    assert.equal(await gauge('id-not-in-body'), 2);
    assert.equal(await gauge('due-not-tried'), 0);
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /^error id-not-in-body 0 → 2 notifications\//);

    await clock.advance(hourMs);
    await passRound();
    assert.equal(lines.length, 1, 'nothing has changed');
    await line.database.query(`UPDATE ${outbox} SET body = replace(body, $1, id::text)`, [
      notificationMessageExamples.valid[0]!.id,
    ]);
    await clock.advance(hourMs);
    await passRound();
    assert.equal(lines[1], 'info id-not-in-body 2 → 0 ');
    assert.equal(await gauge('id-not-in-body'), 0);
    await line.database.query(`ALTER TABLE ${outbox} RENAME TO away`);
    const failed = nextEvent('audit-failed');
    await clock.advance(hourMs);
    await passRound();
    assert.equal(typeof (await failed).fields['code'], 'string');
    stopping.abort();
    await auditing.ended;
  }));
