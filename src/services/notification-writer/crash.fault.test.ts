/** The writer's process is killed right behind each of its effects, and started again: every report is there once, nothing is lost. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type CcxProcess, startCcx } from '../../../test/support/ccx-process.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { reportMessage } from '../../../test/support/report-messages.ts';
import { createPostgresBus, type PostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';

const clock = createSystemClock();
let context: TestDatabase;
let bus: PostgresBus;

before(async () => {
  context = await createTestDatabase({ migrated: true });
  bus = await createPostgresBus({ database: context.database, clock });
});
after(async () => {
  await bus.close();
  await context.drop();
});

const group = 'crash-test';

function startWriter(topic: string, killAt?: string): CcxProcess {
  return startCcx({
    args: ['writer', '--database', context.url],
    env: {
      CCX_NOTIFICATION_WRITER__BROKER__TOPIC: topic,
      CCX_NOTIFICATION_WRITER__BROKER__GROUP: group,
      CCX_NOTIFICATION_WRITER__DEAD_LETTERS__TOPIC: `${topic}-dead`,
      CCX_NOTIFICATION_WRITER__TRACKER__TOPIC: `${topic}-status`,
      CCX_NOTIFICATION_WRITER__METRICS__ADDRESS: 'none',
      CCX_NOTIFICATION_WRITER__BATCH__RECORDS: '8',
      CCX_NOTIFICATION_WRITER__BUS__SESSION_TIMEOUT: '1s',
    },
    ...(killAt === undefined ? {} : { killAt }),
  });
}

const committed = async (topic: string) => (await bus.admin.lag(group, [topic]))[0]?.committed ?? 0n;

const kills = [
  'report-parsed:1',
  'report-parsed:12',
  'report-stored:1',
  'report-stored:9',
  'message-dead-lettered:1',
  'offsets-committed:1',
  'offsets-committed:2',
];

for (const [number, killAt] of kills.entries()) {
  test(`killed at ${killAt} it makes no second row and loses none`, async () => {
    const topic = `crash-${number}`;
    await bus.admin.ensureTopics([{ name: topic, partitions: 1 }]);
    const producer = await bus.createProducer();
    const values = Array.from({ length: 24 }, (_, index) =>
      // Without request ids only the position tells a repeat; every sixth message is bad.
      index % 6 === 5
        ? 'bad'
        : reportMessage({
            OrgID: String(100 * number + index),
            RequestId: index % 2 === 0 ? '""' : `"${topic}-${index}"`,
          }),
    );
    await producer.send(values.map((value) => ({ topic, value })));
    await producer.close();

    const victim = startWriter(topic, killAt);
    assert.equal((await victim.exited(30_000)).signal, 'SIGKILL', victim.stderr());
    const heir = startWriter(topic);
    while ((await committed(topic)) < BigInt(values.length)) await clock.sleep(20);
    heir.kill('SIGTERM');
    assert.deepEqual(await heir.exited(20_000), { code: 0, signal: null }, heir.stderr());

    const { rows } = await context.database.query<{ org_id: number }>(
      'SELECT org_id FROM new_reports WHERE org_id BETWEEN $1 AND $2 ORDER BY org_id',
      [100 * number, 100 * number + 99],
    );
    const wanted = values.flatMap((value, index) => (value === 'bad' ? [] : [100 * number + index]));
    assert.deepEqual(
      rows.map(({ org_id }) => org_id),
      wanted,
    );
    const dead = await bus.admin.read({ topic: `${topic}-dead`, partition: 0, offset: 0n }, 100);
    // A dead letter may be there twice, a bad message that is nowhere may not be.
    assert.ok(dead.length >= 4, `${dead.length} dead letters`);
  });
}
