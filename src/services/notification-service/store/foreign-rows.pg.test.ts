/**
 * Rows of `reported` that somebody else wrote, in the database: the statement that takes them in says what `withForeignRows` says, and a row
 * that is there silences an issue for its cooldown whatever the ledger remembers, as in the reference.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { defaultRisks } from '../../../../test/support/notification-content.ts';
import {
  createTimeline,
  failure,
  hourMs,
  policiesOf,
  reportOf,
  type Timeline,
  testOrg,
} from '../../../../test/support/notification-timeline.ts';
import { emptyTables } from '../../../../test/support/postgres.ts';
import type { LedgerIssue, LedgerState } from '../decide/decide-cluster.ts';
import { withForeignRows } from '../decide/decide-cluster.ts';
import { timestampMicros, timestampText } from '../timestamps.ts';
import { ledgerKey, readLedger } from './ledger.ts';

let line: Timeline;
beforeEach(async () => {
  line = await createTimeline();
});
afterEach(() => line.end());

const issue = { type: 'rule', component: 'ccx_rules_ocp.external.rules.test_rule.report', errorKey: 'CRITICAL' };
const reasonOf = async () => (await line.ledger()).find(({ key }) => key === 'CRITICAL')?.reason;

/** Another report of the same issue, and a run. */
async function reportAgain(): Promise<void> {
  await line.store(reportOf('CRITICAL'));
  await line.run();
}

/** Everything older is deleted by somebody, and one row is there. */
async function emptyReported(): Promise<void> {
  await emptyTables(line.database, 'reported');
}

const states: Record<LedgerState, true> = {
  ...{ open: true, pending: true, notified: true, removed: true, dead: true, unknown: true },
};

test('every state of the ledger takes a row in as the pure function says, and none of them notifies beside it', async () => {
  const nowMicros = BigInt(line.clock.now().getTime()) * 1000n;
  const rowMicros = nowMicros - 3_600_000_000n;
  const cases = Object.keys(states).flatMap((state) =>
    [true, false].flatMap((recorded) =>
      [null, rowMicros - 1n, rowMicros, rowMicros + 1n].map((clockMicros) => ({
        ...{ state: state as LedgerState, recorded, clockMicros },
      })),
    ),
  );
  await reportAgain();
  for (const [index, { state, recorded, clockMicros }] of cases.entries()) {
    const cluster = `case-${index}`;
    await line.store(reportOf('CRITICAL'), { cluster });
    // The row that it counts by is not the new one.
    const own = timestampText(rowMicros - 5n);
    const clock = clockMicros === null ? null : timestampText(clockMicros);
    await line.database.query(
      `INSERT INTO ccx.notification_ledger (event_type_id, org_id, cluster, type, component, error_key, state, first_seen_at,
              last_seen_at, clock_at, reported_at, last_reason, decided_at)
       VALUES (1, $1, $2, $3, $4, $5, $6, now(), now(), $7::timestamp, $8::timestamp, 'new', now())`,
      [testOrg, cluster, issue.type, issue.component, issue.errorKey, state, clock, recorded ? own : null],
    );
    await line.storeSent(reportOf('CRITICAL'), { cluster });
    if (recorded) {
      await line.database.query(
        `INSERT INTO reported SELECT org_id, account_number, cluster, notification_type, state, '', updated_at, $2::timestamp, '', 1
           FROM reported WHERE cluster = $1::character(36)`,
        [cluster, own],
      );
      await line.database.query(`INSERT INTO ccx.notification_sent_rows VALUES ($1, $2, $3::timestamp, 1, true)`, [
        testOrg,
        cluster,
        own,
      ]);
    }
  }
  line.kafka.told();
  await line.run();
  assert.deepEqual(line.kafka.told(), [], 'the row silences every one of them');
  for (const [index, before] of cases.entries()) {
    const cluster = `case-${index}`;
    const key = { eventTargetId: 1, orgId: testOrg, cluster };
    const stored = (await readLedger(line, [key])).get(ledgerKey(key));
    const after = stored?.map(({ decided, ...rest }): LedgerIssue => rest);
    const known: LedgerIssue = { ...issue, ...before, closed: false };
    const expected = withForeignRows([known], [{ notifiedMicros: rowMicros, issues: [issue] }]);
    assert.deepEqual(
      after,
      expected,
      JSON.stringify(before, (_key, value) => String(value)),
    );
  }
});

test('our row is removed while an older one of somebody else is there: the issue stays silent, as in the reference', async () => {
  await reportAgain();
  assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  await emptyReported();
  await line.storeSent(reportOf('CRITICAL'), { hoursAgo: 10 / 3_600 });
  await reportAgain();
  assert.deepEqual([line.kafka.told(), await reasonOf()], [[], 'already-notified']);
  await line.clock.advance(20 * hourMs);
  await reportAgain();
  assert.deepEqual(line.kafka.told(), []);
  await line.clock.advance(4 * hourMs);
  await reportAgain();
  assert.deepEqual([line.kafka.told(), (await line.reported()).at(-1)?.state], [['CRITICAL'], 1]);
});

test('and once that row is removed too, it is notified, as when no row is there at all', async () => {
  await reportAgain();
  await emptyReported();
  await line.storeSent(reportOf('CRITICAL'));
  await reportAgain();
  line.kafka.told();
  await emptyReported();
  await reportAgain();
  assert.deepEqual(line.kafka.told(), ['CRITICAL']);
});

test('of several rows that were taken in, the next one counts when the newest is removed', async () => {
  for (const hoursAgo of [1, 2, 3]) await line.storeSent(reportOf('CRITICAL'), { hoursAgo });
  await reportAgain();
  for (let left = 3; left > 0; left -= 1) {
    assert.deepEqual([line.kafka.told(), await reasonOf()], [[], 'already-notified'], `${left} left`);
    await line.database.query(
      'DELETE FROM reported WHERE notified_at = (SELECT max(notified_at) FROM reported WHERE state = 1)',
    );
    await reportAgain();
  }
  assert.deepEqual(line.kafka.told(), ['CRITICAL']);
});

test('a row of somebody else over ours is removed again: ours counts again, and for what it told only', async () => {
  await line.store(reportOf('CRITICAL', 'LOW'));
  await line.run();
  await line.clock.advance(hourMs);
  await line.storeSent(reportOf('CRITICAL'), { hoursAgo: 0.5 });
  await reportAgain();
  line.kafka.told();
  const foreign =
    'DELETE FROM reported WHERE state = 1 AND notified_at = (SELECT max(notified_at) FROM reported WHERE state = 1)';
  await line.database.query(foreign);
  line.setRisks({ ...defaultRisks, LOW: { risk: 4 } });
  await line.store(reportOf('CRITICAL', 'LOW'));
  await line.run();
  assert.deepEqual(line.kafka.told(), ['LOW'], 'LOW stood in the report of our row, which did not tell of it');
  assert.equal(await reasonOf(), 'already-notified');
});

test('our newer row is removed while an older one of ours is inside the cooldown', async () => {
  const policies = (cooldown: string) => ({
    policies: policiesOf({ cooldown }),
  });
  line.configure(policies('1 hour'));
  await reportAgain();
  await line.clock.advance(2 * hourMs);
  await reportAgain();
  assert.deepEqual(line.kafka.told(), ['CRITICAL', 'CRITICAL']);
  line.configure(policies('1 day'));
  await line.database.query(
    'DELETE FROM reported WHERE state = 1 AND notified_at = (SELECT max(notified_at) FROM reported WHERE state = 1)',
  );
  await reportAgain();
  assert.deepEqual([line.kafka.told(), await reasonOf()], [[], 'already-notified']);
});

for (const [name, hours, state, reason] of [
  ['is refused', 2, 'dead', 'given-up'],
  ['is listed as possibly arrived', 21, 'unknown', 'arrival-unknown'],
] as const) {
  test(`a message whose bytes are frozen and that ${name} leaves its issue to the row that is there`, async () => {
    line.kafka.answer = () => ({ kind: 'unknown', error: failure(), afterMs: 0 });
    await reportAgain();
    await line.clock.advance(hours * hourMs);
    await line.storeSent(reportOf('CRITICAL'), { hoursAgo: 0.001 });
    line.kafka.answer = () => ({ kind: 'rejected', error: failure() });
    await reportAgain();
    assert.deepEqual(await line.outboxStates(), { [state]: 1 });
    line.kafka.told();
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await reportAgain();
    assert.deepEqual([line.kafka.told(), await reasonOf()], [[], reason]);
    await line.clock.advance(25 * hourMs);
    await reportAgain();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  });
}

test('a row at the very moment of one of ours that was removed, for another target, is that target’s', async () => {
  await reportAgain();
  const [ours] = await line.reported();
  await emptyReported();
  await line.storeSent(reportOf('CRITICAL'), { target: 2 });
  await line.database.query('UPDATE reported SET notified_at = $1::timestamp', [ours!.notifiedAt]);
  const { rows } = await line.database.query<{ micros: string }>('SELECT notified_at AS micros FROM reported');
  assert.equal(timestampMicros(rows[0]!.micros), timestampMicros(ours!.notifiedAt));
  line.kafka.told();
  await reportAgain();
  assert.deepEqual(line.kafka.told(), ['CRITICAL'], 'no row of this target is there');
  assert.equal((await line.reported()).length, 2);
});
