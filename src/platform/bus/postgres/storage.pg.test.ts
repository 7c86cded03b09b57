/** What only the embedded bus has: segments that are dropped as tables, lost hints, and members that share a database. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.ts';
import { createSystemClock } from '../../clock/clock.ts';
import type { Database } from '../../database/database.ts';
import { createSilentTelemetry } from '../../telemetry/telemetry.ts';
import type { Bus } from '../bus.ts';
import { readRecordsMax } from '../bus-options.ts';
import {
  commitAfter,
  createTopic,
  numbered,
  numbers,
  rejectsWith,
  send,
  subscribe,
  take,
  texts,
  uniqueGroup,
} from '../contract/bus-harness.contract.ts';
import { partitionsMax } from './admin.ts';
import { insertRowsMax } from './append.ts';
import { createPostgresBus, type PostgresBus } from './postgres-bus.ts';
import { applyRetention, segmentsPerRetention } from './retention.ts';

const state: { test?: TestDatabase; bus?: PostgresBus } = {};
const database = (): Database => state.test!.database;
const bus = (): PostgresBus => state.bus!;

/** Hooks of the suites below; not of the file, whose own come after the server is stopped. */
function useFreshBus(): void {
  before(async () => {
    state.test = await createTestDatabase();
  });
  after(async () => {
    await state.test?.drop();
  });
  beforeEach(async () => {
    state.bus = await createPostgresBus({
      database: database(),
      clock: createSystemClock(),
      pollEveryMs: 100,
      retentionEveryMs: 0,
    });
  });
  afterEach(() => bus().close());
}

/** A topic of that size closes its open segment at an eighth of it; large enough that pages and indexes do not count. */
const roomySize = 4 * 1024 * 1024;
const fillsSegment = roomySize / segmentsPerRetention;

async function createSizedTopic(retentionBytes: number, partitions = 1): Promise<string> {
  const topic = await createTopic(bus(), partitions);
  await database().query('UPDATE ccx.bus_topics SET retention_bytes = $2 WHERE name = $1', [topic, retentionBytes]);
  return topic;
}

async function segmentTables(topic: string): Promise<number> {
  const { rows } = await database().query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'ccx' AND c.relkind = 'r'
       AND c.relname LIKE 'bus\\_records\\_' || (SELECT topic_id FROM ccx.bus_topics WHERE name = $1) || '\\_%'`,
    [topic],
  );
  return rows[0]!.count;
}

/** Text that no server can compress. */
const filling = (length: number) =>
  randomBytes(Math.ceil((length * 3) / 4))
    .toString('base64')
    .slice(0, length);

async function fill(topic: string, value: string): Promise<void> {
  await send(bus(), [{ topic, key: 'k', value: `${value}:${filling(fillsSegment)}` }]);
}

describe('segments', () => {
  useFreshBus();

  test('records are read in order across segments', async () => {
    const topic = await createSizedTopic(roomySize, 2);
    for (let round = 0; round < 4; round += 1) {
      await send(
        bus(),
        numbers(0, 6).map((n) => ({ topic, key: n, value: `${round}/${n}:${filling(fillsSegment / 6)}` })),
      );
      assert.equal((await bus().runRetention()).segmentsClosed, 1);
    }
    assert.equal(await segmentTables(topic), 5);
    const records = await take(await subscribe(bus(), topic), 24);
    for (const partition of [0, 1]) {
      const mine = records.filter((record) => record.partition === partition);
      assert.deepEqual(
        mine.map((record) => record.offset),
        mine.map((_, index) => BigInt(index)),
      );
    }
    assert.deepEqual(
      texts(await bus().admin.read({ topic, partition: records[0]!.partition, offset: 0n }, 100)).length,
      records.filter((record) => record.partition === records[0]!.partition).length,
    );
  });

  test('an open segment without records is not closed again and again', async () => {
    const topic = await createSizedTopic(roomySize);
    await fill(topic, 'a');
    assert.equal((await bus().runRetention()).segmentsClosed, 1);
    assert.equal((await bus().runRetention()).segmentsClosed, 0);
    assert.equal(await segmentTables(topic), 2);
  });

  test('past its size a topic loses its oldest segments whole, and readers go on at the oldest record left', async () => {
    const topic = await createSizedTopic(roomySize);
    const groupId = uniqueGroup();
    const behind = await subscribe(bus(), topic, { groupId });
    await fill(topic, 'a');
    await commitAfter(behind, await take(behind, 1));
    for (const value of ['b', 'c', 'd']) {
      await bus().runRetention();
      await fill(topic, value);
    }
    assert.equal(await segmentTables(topic), 4);
    await database().query('UPDATE ccx.bus_topics SET retention_bytes = $2 WHERE name = $1', [
      topic,
      2.5 * fillsSegment,
    ]);
    const report = await bus().runRetention();
    assert.equal(report.segmentsDropped, 2);
    assert.ok(report.bytesDropped > 2 * fillsSegment);
    assert.equal(await segmentTables(topic), 3);

    const [lag] = await bus().admin.lag(groupId, [topic]);
    assert.deepEqual([lag?.start, lag?.committed, lag?.end], [2n, 1n, 4n]);
    assert.deepEqual(
      texts(await take(behind, 2)).map((text) => text?.[0]),
      ['c', 'd'],
    );
    assert.deepEqual(
      texts(await bus().admin.read({ topic, partition: 0, offset: 0n }, 1)).map((text) => text?.[0]),
      ['c'],
    );
    const newcomer = await subscribe(bus(), topic);
    assert.deepEqual(
      texts(await take(newcomer, 2)).map((text) => text?.[0]),
      ['c', 'd'],
    );
  });

  test('a reader goes on when the segment that it is in is dropped between two looks', async () => {
    const topic = await createSizedTopic(roomySize);
    for (const value of ['a', 'b', 'c']) {
      await fill(topic, value);
      await bus().runRetention();
    }
    const consumer = await subscribe(bus(), topic);
    // One record at a time: the consumer has seen all three and the table of the second when the first two tables go.
    assert.deepEqual(
      texts(await take(consumer, 1)).map((text) => text?.[0]),
      ['a'],
    );
    await database().query('UPDATE ccx.bus_topics SET retention_bytes = $2 WHERE name = $1', [
      topic,
      1.5 * fillsSegment,
    ]);
    assert.equal((await bus().runRetention()).segmentsDropped, 2);
    assert.deepEqual(
      texts(await take(consumer, 1)).map((text) => text?.[0]),
      ['c'],
    );
  });

  test('past its age a closed segment is dropped, the open one stays', async () => {
    const topic = await createSizedTopic(roomySize);
    await fill(topic, 'a');
    await bus().runRetention();
    await fill(topic, 'b');
    await database().query(
      `UPDATE ccx.bus_segments SET opened_at = opened_at - interval '8 days', closed_at = closed_at - interval '8 days'
       WHERE topic_id = (SELECT topic_id FROM ccx.bus_topics WHERE name = $1)`,
      [topic],
    );
    await bus().runRetention();
    assert.deepEqual(
      texts(await take(await subscribe(bus(), topic), 1)).map((text) => text?.[0]),
      ['b'],
    );
    assert.equal((await bus().admin.lag('nobody', [topic]))[0]?.start, 1n);
  });

  test('a slow producer puts its topic off to the next run and holds nobody else up', async () => {
    const topic = await createSizedTopic(roomySize);
    const other = await createSizedTopic(roomySize);
    await fill(topic, 'a');
    await fill(other, 'a');
    await database().transaction(async (tx) => {
      await tx.query(
        'SELECT FROM ccx.bus_partitions WHERE topic_id = (SELECT topic_id FROM ccx.bus_topics WHERE name = $1) FOR UPDATE',
        [topic],
      );
      const report = await bus().runRetention();
      assert.deepEqual([report.topicsPutOff, report.segmentsClosed], [1, 1]);
    });
    assert.equal((await bus().runRetention()).segmentsClosed, 1);
  });

  test('producers and readers lose nothing while segments are closed and retention runs in two processes', async () => {
    const topic = await createSizedTopic(1_000 * roomySize, 2);
    const run = { stop: false };
    const telemetry = createSilentTelemetry();
    const defaults = { retentionMs: 1e12, retentionBytes: 1e12 };
    const retaining = [0, 1].map(async () => {
      let closed = 0;
      while (!run.stop) {
        // Aged on purpose, so that every run closes what is open.
        await database().query(
          `UPDATE ccx.bus_segments SET opened_at = opened_at - interval '1 day'
           WHERE closed_at IS NULL AND topic_id = (SELECT topic_id FROM ccx.bus_topics WHERE name = $1)`,
          [topic],
        );
        closed += (await applyRetention(database(), telemetry, defaults)).segmentsClosed;
      }
      return closed;
    });
    const consumer = await subscribe(bus(), topic);
    const producers = await Promise.all([0, 1, 2].map(() => bus().createProducer()));
    const sending = producers.map(async (producer, at) => {
      for (let round = 0; round < 25; round += 1) {
        await producer.send(numbers(0, 4).map((n) => ({ topic, key: `${at}${n}`, value: 'x'.repeat(5_000) })));
      }
    });
    const records = await take(consumer, 300);
    await Promise.all(sending);
    run.stop = true;
    const closed = (await Promise.all(retaining)).reduce((sum, count) => sum + count, 0);
    assert.ok(closed > 2, `${closed} segments were closed`);
    for (const partition of [0, 1]) {
      const offsets = records.filter((record) => record.partition === partition).map(({ offset }) => offset);
      assert.deepEqual(
        offsets,
        offsets.map((_, index) => BigInt(index)),
      );
    }
  });

  test('a deleted topic leaves no table and no position behind', async () => {
    const topic = await createSizedTopic(roomySize);
    await fill(topic, 'a');
    await bus().runRetention();
    const consumer = await subscribe(bus(), topic);
    await commitAfter(consumer, await take(consumer, 1));
    const { rows } = await database().query<{ topic_id: bigint }>(
      'SELECT topic_id FROM ccx.bus_topics WHERE name = $1',
      [topic],
    );
    await bus().admin.deleteTopic(topic);
    const left = await database().query(
      `SELECT 1 FROM pg_class WHERE relname LIKE 'bus\\_records\\_' || $1 || '\\_%' AND relkind = 'r'
       UNION ALL SELECT 1 FROM ccx.bus_positions WHERE topic_id = $1::bigint`,
      [String(rows[0]!.topic_id)],
    );
    assert.equal(left.rowCount, 0);
    await rejectsWith(consumer.poll({ recordsMax: 1, waitMs: 0 }), 'BUS_TOPIC_UNKNOWN');
  });
});

describe('bounds', () => {
  useFreshBus();

  test('a topic has as many partitions as allowed, not one more', async () => {
    await createTopic(bus(), partitionsMax);
    await rejectsWith(createTopic(bus(), partitionsMax + 1), 'BUS_INVALID');
  });

  test('one read gives as many records as allowed, not one more, whatever is asked for', async () => {
    const topic = await createTopic(bus());
    await send(bus(), numbered(topic, 0, readRecordsMax + 1));
    const records = await bus().admin.read({ topic, partition: 0, offset: 0n }, Number.MAX_SAFE_INTEGER);
    assert.equal(records.length, readRecordsMax);
  });

  test('one poll gives what fits the buffer, and at least one record of each partition', async () => {
    const topic = await createTopic(bus());
    await send(
      bus(),
      numbers(0, 9).map(() => ({ topic, value: 'x'.repeat(4_000) })),
    );
    const polled = async (bufferedBytesMax: number) =>
      (await (await subscribe(bus(), topic, { bufferedBytesMax })).poll({ recordsMax: 9, waitMs: 1_000 })).length;
    assert.equal(await polled(8_000), 2);
    assert.equal(await polled(8_001), 3);
    assert.equal(await polled(1), 1);
    assert.equal(await polled(1_000_000), 9);
  });

  test('a batch larger than one statement is one transaction all the same', async () => {
    const topic = await createTopic(bus(), 2);
    const count = 2 * insertRowsMax + 1;
    const positions = await send(bus(), numbered(topic, 0, count, 'k'));
    assert.deepEqual(
      positions.map((position) => Number(position.offset)),
      numbers(0, count).map(Number),
    );
  });
});

describe('membership', () => {
  useFreshBus();

  test('members that left leave no row behind, and their partitions have no owner', async () => {
    const topic = await createTopic(bus(), 3);
    const groupId = uniqueGroup();
    for (let round = 0; round < 5; round += 1) {
      const members = await Promise.all([0, 1, 2].map(() => subscribe(bus(), topic, { groupId })));
      await Promise.all(members.map((member) => member.close()));
    }
    const { rows } = await database().query(
      `SELECT (SELECT count(*)::int FROM ccx.bus_members WHERE group_id = $1) AS members,
              (SELECT count(*)::int FROM ccx.bus_positions WHERE group_id = $1 AND owner IS NOT NULL) AS owned`,
      [groupId],
    );
    assert.deepEqual(rows, [{ members: 0, owned: 0 }]);
  });

  test('a dead member holds nothing after the clock of the server was set back', async () => {
    const topic = await createTopic(bus(), 2);
    const groupId = uniqueGroup();
    await database().query('INSERT INTO ccx.bus_groups (group_id) VALUES ($1)', [groupId]);
    await database().query(
      `INSERT INTO ccx.bus_members (member_id, group_id, topics, lease_until)
       VALUES (gen_random_uuid(), $1, ARRAY[$2::text], clock_timestamp() + interval '2 hours')`,
      [groupId, topic],
    );
    const heir = await subscribe(bus(), topic, { groupId });
    await heir.poll({ recordsMax: 1, waitMs: 50 });
    assert.equal(heir.assignment().length, 2);
    await heir.close();
  });

  test('without LISTEN everything is found by polling, only later', async () => {
    const deaf = { ...database(), listen: () => Promise.reject(new Error('a pooler is in between')) };
    const slow: Bus = await createPostgresBus({
      database: deaf,
      clock: createSystemClock(),
      leaseMs: 1_500,
      pollEveryMs: 50,
    });
    const topic = await createTopic(slow, 2);
    const groupId = uniqueGroup();
    const first = await subscribe(slow, topic, { groupId });
    const second = await subscribe(slow, topic, { groupId });
    await send(bus(), numbered(topic, 0, 10));
    const seen = new Set<string | null>();
    while (seen.size < 10 || first.assignment().length !== 1 || second.assignment().length !== 1) {
      for (const member of [first, second])
        for (const text of texts(await member.poll({ recordsMax: 9, waitMs: 100 }))) seen.add(text);
    }
    await slow.close();
  });
});
