/** Processes that share the embedded bus, one of which is killed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createTestDatabase } from '../../../../test/support/postgres.ts';
import { createSystemClock } from '../../clock/clock.ts';
import { createTopic, numbers, send, uniqueGroup } from '../contract/bus-harness.contract.ts';
import { createPostgresBus } from './postgres-bus.ts';

test('G5: a process that is killed loses its place, and another does its work', async (t) => {
  const { database, url, drop } = await createTestDatabase();
  const bus = await createPostgresBus({ database, clock: createSystemClock(), pollEveryMs: 100 });
  t.after(async () => {
    await bus.close();
    await drop();
  });
  const topic = await createTopic(bus, 4);
  const groupId = uniqueGroup();
  await database.query('CREATE TABLE effects (consumer text NOT NULL, value text NOT NULL)');
  const script = fileURLToPath(new URL('../../../../test/support/bus-consumer-process.ts', import.meta.url));
  const start = (name: string) =>
    spawn(process.execPath, [script, url, groupId, topic, name], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const children = [start('victim'), start('survivor')];
  const exited = children.map((child) => once(child, 'exit'));
  const effects = async (consumer: string) =>
    Number(
      (await database.query<{ count: bigint }>('SELECT count(*) FROM effects WHERE consumer = $1', [consumer])).rows[0]!
        .count,
    );
  const owners = async () =>
    (
      await database.query<{ owners: number }>(
        'SELECT count(DISTINCT owner)::int AS owners FROM ccx.bus_positions WHERE group_id = $1',
        [groupId],
      )
    ).rows[0]!.owners;
  while ((await owners()) < 2) await bus.admin.listTopics();
  const total = 400;
  const sending = send(
    bus,
    numbers(0, total).map((value) => ({ topic, key: value, value })),
  );
  while ((await effects('victim')) < 5 || (await effects('survivor')) < 5) await bus.admin.listTopics();
  children[0]!.kill('SIGKILL');
  await sending;
  const committed = async () => (await bus.admin.lag(groupId, [topic])).every((lag) => lag.committed === lag.end);
  while (!(await committed())) await effects('survivor');
  children[1]!.kill('SIGKILL');
  await Promise.all(exited);
  const { rows } = await database.query<{ values: number; repeats: number }>(
    'SELECT count(DISTINCT value)::int AS values, (count(*) - count(DISTINCT value))::int AS repeats FROM effects',
  );
  assert.equal(rows[0]?.values, total);
  assert.ok(rows[0]!.repeats <= 1, 'at most the record between effect and commit comes twice');
});
