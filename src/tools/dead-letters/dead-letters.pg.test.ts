/** Dead letters can be listed, looked at, put back as they were, and be done with; what was done is remembered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestDatabase } from '../../../test/support/postgres.ts';
import { deadLetterHeaders } from '../../contracts/dead-letter.ts';
import { HEADER_SERVICE, TOPIC_PIPELINE_DEAD_LETTERS, TOPIC_UPLOAD_ANNOUNCE } from '../../contracts/topics.ts';
import { type Bus, headerText } from '../../platform/bus/bus.ts';
import { createPostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import { readAudit } from '../../platform/records/audit.ts';
import { describeDeadLetters } from './dead-letters.contract.ts';
import { type DeadLetters, openDeadLetters } from './service.ts';

describeDeadLetters('embedded bus', (database) =>
  createPostgresBus({ database, clock: createSystemClock(), retentionEveryMs: 0 }),
);

const ada = { actor: 'ada', origin: 'test' };

async function withDeadLetters(
  work: (deadLetters: DeadLetters, bus: Bus, database: Database) => Promise<void>,
): Promise<void> {
  const { database, drop } = await createTestDatabase();
  const bus = await createPostgresBus({ database, clock: createSystemClock(), retentionEveryMs: 0 });
  try {
    await bus.admin.ensureTopics([
      { name: TOPIC_PIPELINE_DEAD_LETTERS, partitions: 2 },
      { name: TOPIC_UPLOAD_ANNOUNCE, partitions: 1 },
    ]);
    await work(await openDeadLetters({ bus, database }), bus, database);
  } finally {
    await bus.close();
    await drop();
  }
}

async function putDeadLetter(bus: Bus, value: string, code = 'ARCHIVE_TRUNCATED'): Promise<void> {
  const producer = await bus.createProducer();
  const info = { code, reason: 'why', step: 'run-rules', service: 'data-pipeline', sourceTopic: TOPIC_UPLOAD_ANNOUNCE };
  const headers = deadLetterHeaders({ ...info, sourcePartition: 0, sourceOffset: 7n, time: '2026-11-21T16:00:00Z' });
  await producer.send([
    { topic: TOPIC_PIPELINE_DEAD_LETTERS, key: 'k', value, headers: { [HEADER_SERVICE]: 'openshift', ...headers } },
  ]);
  await producer.close();
}

async function ids(deadLetters: DeadLetters, handledToo = false): Promise<string[]> {
  const found: string[] = [];
  for await (const deadLetter of deadLetters.list({ handledToo }))
    found.push(`${deadLetter.value.toString()} ${deadLetter.state}`);
  return found.sort();
}

test('dead letters are listed with their reason until they are handled', async () => {
  await withDeadLetters(async (deadLetters, bus) => {
    for (let i = 0; i < 250; i += 1) await putDeadLetter(bus, `dead letter ${String(i).padStart(3, '0')}`);
    assert.equal((await ids(deadLetters)).length, 250);
    const first = (await deadLetters.list()[Symbol.asyncIterator]().next()).value;
    assert.equal(first?.info?.code, 'ARCHIVE_TRUNCATED');
    assert.equal(first?.info?.step, 'run-rules');
    await deadLetters.discard(first!.id, { ...ada, reason: 'seen' });
    assert.equal((await ids(deadLetters)).length, 249);
    assert.equal((await ids(deadLetters, true)).filter((line) => line.endsWith('discarded')).length, 1);
  });
});

test('a replayed dead letter is back on its topic as it was, without our headers', async () => {
  await withDeadLetters(async (deadLetters, bus) => {
    await putDeadLetter(bus, 'the original');
    const deadLetter = (await deadLetters.list()[Symbol.asyncIterator]().next()).value!;
    await deadLetters.replay(deadLetter.id, ada);
    const [record] = await bus.admin.read({ topic: TOPIC_UPLOAD_ANNOUNCE, partition: 0, offset: 0n }, 10);
    assert.equal(record?.value?.toString(), 'the original');
    assert.equal(record?.key?.toString(), 'k');
    assert.equal(headerText(record!, HEADER_SERVICE), 'openshift');
    assert.deepEqual(
      record?.headers.map((header) => header.name),
      [HEADER_SERVICE],
    );
    assert.deepEqual(await ids(deadLetters), []);
    assert.deepEqual(await ids(deadLetters, true), ['the original replayed']);
  });
});

test('a dead letter of the reference services carries a value only: it can be discarded but not replayed', async () => {
  await withDeadLetters(async (deadLetters, bus) => {
    const producer = await bus.createProducer();
    await producer.send([{ topic: TOPIC_PIPELINE_DEAD_LETTERS, value: 'bare' }]);
    await producer.close();
    const deadLetter = (await deadLetters.list()[Symbol.asyncIterator]().next()).value!;
    assert.equal(deadLetter.info, undefined);
    await assert.rejects(deadLetters.replay(deadLetter.id, ada), { code: 'DEAD_LETTER_NO_SOURCE' });
    await deadLetters.discard(deadLetter.id, ada);
    assert.equal((await deadLetters.find(deadLetter.id)).state, 'discarded');
  });
});

test('replay and discard are audited, each in the transaction that marks the dead letter', async () => {
  await withDeadLetters(async (deadLetters, bus, database) => {
    await putDeadLetter(bus, 'one');
    const { id } = (await deadLetters.list()[Symbol.asyncIterator]().next()).value!;
    await deadLetters.replay(id, { ...ada, reason: 'mended' });
    await deadLetters.discard(id, ada);
    const rows = await readAudit(database, { subject: id, rowsMax: 10 });
    assert.deepEqual(
      rows.map(({ actor, action, before, after, reason }) => ({ actor, action, before, after, reason })),
      [
        {
          ...{ actor: 'ada', action: 'dead-letters discard', reason: null },
          ...{ before: { state: 'replayed' }, after: { state: 'discarded', code: 'ARCHIVE_TRUNCATED' } },
        },
        {
          ...{ actor: 'ada', action: 'dead-letters replay', reason: 'mended' },
          ...{ before: { state: 'open' }, after: { state: 'replayed', code: 'ARCHIVE_TRUNCATED' } },
        },
      ],
    );
    await database.query('DROP TABLE ccx.audit');
    await putDeadLetter(bus, 'two');
    const other = (await deadLetters.list()[Symbol.asyncIterator]().next()).value!;
    await assert.rejects(deadLetters.discard(other.id, ada));
    assert.equal((await deadLetters.find(other.id)).state, 'open', 'no change without its row in the audit');
  });
});

test('a letter on a topic that was made again is open, whatever was at its offset; what is gone from its topic is forgotten', async () => {
  await withDeadLetters(async (deadLetters, bus, database) => {
    const topic = TOPIC_PIPELINE_DEAD_LETTERS;
    const handled = async () =>
      (await database.query('SELECT "offset" FROM ccx.dead_letter_handled ORDER BY 1')).rows.map(
        (row) => row['offset'],
      );
    await putDeadLetter(bus, 'old');
    const { id } = (await deadLetters.list()[Symbol.asyncIterator]().next()).value!;
    await deadLetters.discard(id, ada);
    await bus.admin.deleteTopic(topic);
    await bus.admin.ensureTopics([{ name: topic, partitions: 2 }]);
    await database.query('UPDATE ccx.dead_letter_handled SET timestamp_ms = timestamp_ms - 1');
    await putDeadLetter(bus, 'new');
    assert.deepEqual(await ids(deadLetters), ['new open']);
    assert.equal((await deadLetters.find(id)).state, 'open');
    await deadLetters.discard(id, ada);
    assert.deepEqual(await ids(deadLetters, true), ['new discarded']);

    await putDeadLetter(bus, 'newer');
    await database.query('UPDATE ccx.bus_partitions SET start_offset = 1 WHERE next_offset > 1');
    const newer = (await deadLetters.list()[Symbol.asyncIterator]().next()).value!;
    assert.deepEqual(await handled(), [0n]);
    await deadLetters.replay(newer.id, ada);
    assert.deepEqual(await handled(), [1n]);
  });
});

test('what is no dead letter is refused by name', async () => {
  await withDeadLetters(async (deadLetters) => {
    await assert.rejects(deadLetters.find('nonsense'), { code: 'DEAD_LETTER_ID' });
    await assert.rejects(deadLetters.find(`${TOPIC_PIPELINE_DEAD_LETTERS}/0/99`), { code: 'DEAD_LETTER_UNKNOWN' });
  });
});
