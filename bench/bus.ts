/**
 * What Kafka's semantics cost on PostgreSQL: records through the embedded bus (offsets without gaps, groups, hints, commits) against the same
 * rows through plain multi-row INSERTs and SELECTs on a table with the same columns and key.
 */
import { GROUP_WRITER } from '../src/contracts/topics.ts';
import type { Consumer, Producer } from '../src/platform/bus/bus.ts';
import { createPostgresBus } from '../src/platform/bus/postgres/postgres-bus.ts';
import type { Database } from '../src/platform/database/database.ts';
import type { BenchContext, Benchmark } from './support/benchmark.ts';
import { spread } from './support/compare.ts';

const topic = 'bench.bus';
const lonelyTopic = 'bench.bus.lonely';
const partition = 0;
const recordsAtOnce = 500;
const valueBytes = 2_000;
const plainTable = 'bench_plain';

interface Parts {
  readonly context: BenchContext;
  readonly database: Database;
  readonly producer: Producer;
  readonly records: number;
  /** Like a report, some of it compresses. */
  readonly value: Buffer;
}

export const benchmark: Benchmark = {
  description: 'records through the embedded bus against plain INSERT and SELECT of the same rows',
  async run(context) {
    const { clock, lifecycle } = context;
    const { database } = await context.createDatabase();
    const bus = await createPostgresBus({ database, clock });
    lifecycle.defer('bus', () => bus.close());
    await bus.admin.ensureTopics([topic, lonelyTopic].map((name) => ({ name, partitions: 1 })));
    await database.query(
      `CREATE TABLE ${plainTable} (partition int, "offset" bigint, timestamp_ms bigint, bytes int, key bytea, headers bytea,
                                   value bytea STORAGE EXTERNAL, PRIMARY KEY (partition, "offset"))`,
    );
    const producer = await bus.createProducer();
    const open = (name: string) =>
      bus.createConsumer({ groupId: `${GROUP_WRITER}-${name}`, topics: [name], startAt: 'latest' });
    const parts = {
      ...{ context, database, producer },
      records: context.size(2_000, 40),
      value: Buffer.from(`${'{"details":"'.padEnd(valueBytes / 2, 'x')}${clock.uuid().repeat(valueBytes)}`).subarray(
        0,
        valueBytes,
      ),
    };
    const consumer = await open(topic);
    const produced = await compareProducing(parts);
    await drain(consumer, Number.POSITIVE_INFINITY);
    const consumed = await compareConsuming(parts, consumer);
    const lonelyMs = await measureLoneRecords(parts, await open(lonelyTopic));
    return {
      comparisons: [produced, consumed],
      figures: [
        { name: 'one record at rest, from send to poll (median)', value: lonelyMs, unit: 'ms' },
        { name: 'bytes of a value', value: valueBytes, unit: 'bytes' },
      ],
    };
  },
};

function compareProducing(parts: Parts) {
  return parts.context.compare({
    title: `producing, ${recordsAtOnce} at once`,
    unit: 'records',
    subject: { name: 'producer.send', run: () => produce(parts) },
    baselines: [{ name: 'INSERT of as many rows', ...plainInsert(parts) }],
  });
}

function compareConsuming(parts: Parts, consumer: Consumer) {
  const { database, records } = parts;
  return parts.context.compare({
    title: `consuming, ${recordsAtOnce} at once`,
    unit: 'records',
    subject: {
      name: 'consumer.poll and commit',
      prepare: async () => void (await produce(parts)),
      run: () => drain(consumer, records),
    },
    baselines: [
      {
        name: 'SELECT of as many rows',
        prepare: async () => {
          await plainInsert(parts).prepare();
          await plainInsert(parts).run();
        },
        run: () => plainSelect(database, records),
      },
    ],
  });
}

async function produce({ producer, records, value }: Parts): Promise<number> {
  for (let sent = 0; sent < records; sent += recordsAtOnce) {
    const count = Math.min(recordsAtOnce, records - sent);
    await producer.send(Array.from({ length: count }, () => ({ topic, value })));
  }
  return records;
}

function plainInsert({ database, records, value }: Parts) {
  return {
    prepare: async () => void (await database.query(`TRUNCATE ${plainTable}`)),
    async run() {
      for (let sent = 0; sent < records; sent += recordsAtOnce) {
        const count = Math.min(recordsAtOnce, records - sent);
        const rows = Array.from(
          { length: count },
          (_, index) => `(${partition}, ${sent + index}, 0, ${value.length}, NULL, NULL, $${index + 1})`,
        );
        await database.query(
          `INSERT INTO ${plainTable} VALUES ${rows.join(', ')}`,
          rows.map(() => value),
        );
      }
      return records;
    },
  };
}

/** Until so many were handed out; without an end, until nothing more comes. */
async function drain(consumer: Consumer, records: number): Promise<number> {
  let handedOut = 0;
  while (handedOut < records) {
    const polled = await consumer.poll({ recordsMax: recordsAtOnce, waitMs: Number.isFinite(records) ? 5_000 : 0 });
    const last = polled.at(-1);
    if (last === undefined) break;
    await consumer.commit([{ topic: last.topic, partition: last.partition, offset: last.offset + 1n }]);
    handedOut += polled.length;
  }
  if (Number.isFinite(records) && handedOut < records) throw new Error(`the bus handed out ${handedOut} of ${records}`);
  return handedOut;
}

async function plainSelect(database: Database, records: number): Promise<number> {
  let read = 0;
  while (read < records) {
    const { rows } = await database.query(
      `SELECT * FROM ${plainTable} WHERE partition = ${partition} AND "offset" >= $1 ORDER BY "offset" LIMIT ${recordsAtOnce}`,
      [read],
    );
    if (rows.length === 0) throw new Error(`the table handed out ${read} of ${records}`);
    read += rows.length;
  }
  return read;
}

/** Milliseconds until a record reaches a consumer that waits: the least that a hop over the bus takes. */
async function measureLoneRecords({ context, producer, value }: Parts, consumer: Consumer): Promise<number> {
  const { clock } = context;
  const times: number[] = [];
  for (let count = 0; count < context.size(50, 3); count += 1) {
    const polled = consumer.poll({ recordsMax: 1, waitMs: 5_000 });
    const startedMs = clock.monotonicMs();
    await producer.send([{ topic: lonelyTopic, value }]);
    if ((await polled).length !== 1) throw new Error('the record did not arrive');
    times.push(clock.monotonicMs() - startedMs);
  }
  return spread(times).median;
}
