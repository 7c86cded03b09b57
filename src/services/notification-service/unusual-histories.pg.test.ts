/** Reports that come in an odd order, issues that flap, a database that is a few hours younger than it was (consumers.md 5.2, 5.3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  failure,
  hourMs,
  reportOf,
  type Timeline,
  testCluster,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';

test('F23: behind a backup of six hours ago only what was told in those hours is told again, and what waited then keeps its id', () =>
  withTimeline({}, async (line) => {
    const clusters = Array.from({ length: 20 }, (_, index) => `before-${index}`);
    for (const cluster of clusters) await line.store(reportOf('CRITICAL', 'MODERATE'), { cluster });
    await line.run();
    line.kafka.answer = () => ({ kind: 'unreachable', error: failure(), afterMs: 0 });
    await line.store(reportOf('CRITICAL'), { cluster: 'waiting' });
    await line.run();
    const waiting = line.kafka.attempts.at(-1)!.notification;
    const restore = await backUp(line);

    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await line.clock.advance(hourMs);
    await line.store(reportOf('CRITICAL'), { cluster: 'lost' });
    await line.run();
    const before = line.kafka.arrived.length;
    assert.deepEqual(
      line.kafka.arrived
        .slice(-2)
        .map(({ cluster }) => cluster)
        .sort(),
      ['lost', 'waiting'],
    );
    await line.clock.advance(5 * hourMs);

    await restore();
    // Every cluster reports again.
    for (const cluster of clusters) await line.store(reportOf('CRITICAL', 'MODERATE'), { cluster });
    for (const cluster of ['waiting', 'lost']) await line.store(reportOf('CRITICAL'), { cluster });
    await line.run();
    const again = line.kafka.arrived.slice(before);
    assert.deepEqual(again.map(({ cluster }) => cluster).sort(), ['lost', 'waiting']);
    assert.equal(again.find(({ cluster }) => cluster === 'waiting')!.id, waiting.id, 'which the backend knows');
    await line.run();
    assert.equal(line.kafka.arrived.length, before + 2);
  }));

test('G2: an older report that comes late is read as the newest, as in the reference, and tells nothing that was told', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL', 'MODERATE'));
    await line.run();
    await line.clock.advance(hourMs);
    await line.store(reportOf());
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'MODERATE']);
    await line.clock.advance(hourMs);
    await line.store(reportOf('CRITICAL', 'MODERATE'));
    assert.deepEqual((await line.run()).decisions, { 'already-notified': 2 });
    await line.store(reportOf());
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
  }));

test('G6: an issue that is there and gone over ten reports is told once in a cooldown, and once more behind it', () =>
  withTimeline({}, async (line) => {
    for (let round = 0; round < 10; round += 1) {
      await line.store(round % 2 === 0 ? reportOf('CRITICAL') : reportOf());
      await line.run();
      await line.clock.advance(hourMs);
    }
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    await line.clock.advance(15 * hourMs);
    await line.store(reportOf('CRITICAL'));
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('G7: other details of the same issue are the same issue, and what is told are those of its report', () =>
  withTimeline({}, async (line) => {
    const withDetails = (details: string) => reportOf('CRITICAL').replace('"of":"CRITICAL"', `"of":"${details}"`);
    await line.store(withDetails('first'));
    await line.run();
    assert.match(line.kafka.arrived[0]!.body, /first/);
    await line.clock.advance(hourMs);
    await line.store(withDetails('second'));
    assert.deepEqual((await line.run()).decisions, { 'already-notified': 1 });
    assert.equal(line.kafka.arrived.length, 1);
  }));

test('G8: a rule that was disabled and is enabled again before and behind the cooldown is told once each', () =>
  withTimeline({}, async (line) => {
    const disabled = [[{ scope: testCluster, rule: 'test_rule', errorKey: 'CRITICAL' }], []] as const;
    await line.store(reportOf('CRITICAL'));
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    line.disable([...disabled]);
    for (const [hours, told] of [
      [1, []],
      [24, ['CRITICAL']],
    ] as const) {
      await line.clock.advance(hours * hourMs);
      line.disable([...disabled]);
      await line.run();
      assert.deepEqual(line.kafka.told(), [], 'while it is disabled');
      line.disable([[], []]);
      await line.run();
      await line.run();
      assert.deepEqual(line.kafka.told(), told);
    }
  }));

/** Copies all tables as they are now; what it answers brings them back. */
async function backUp({ database }: Timeline): Promise<() => Promise<void>> {
  const { rows } = await database.query<{ name: string; copy: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name, format('backup.%I', n.nspname || '_' || c.relname) AS copy
       FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname IN ('public', 'ccx')`,
  );
  await database.query('CREATE SCHEMA backup');
  for (const { name, copy } of rows) await database.query(`CREATE TABLE ${copy} AS TABLE ${name}`);
  return async () => {
    await database.transaction(async (tx) => {
      // Tables that refer to each other are filled in any order.
      await tx.query(`SET LOCAL session_replication_role = 'replica'`);
      for (const { name } of rows) await tx.query(`DELETE FROM ${name}`);
      for (const { name, copy } of rows)
        await tx.query(`INSERT INTO ${name} OVERRIDING SYSTEM VALUE SELECT * FROM ${copy}`);
    });
    await database.query('DROP SCHEMA backup CASCADE');
  };
}
