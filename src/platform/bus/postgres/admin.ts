/**
 * Topics, positions and plain reads of the embedded bus. Creating and deleting are serialised by an advisory lock: `ccx` roles that start
 * together all ensure the same topics.
 */
import type { Connection, Database } from '../../database/database.ts';
import type { BusAdmin, BusRecord, PartitionLag, Position, TopicSpec } from '../bus.ts';
import { closed, invalid, topicUnknown } from '../bus-errors.ts';
import { readBytesMax, readRecordsMax } from '../bus-options.ts';
import { withBusErrors } from './bus-error-of.ts';
import { busChannel } from './channel.ts';
import type { ReadCursor, RecordReader } from './record-reader.ts';
import { createSegmentTable, segmentTable, type TopicDirectory } from './storage.ts';

/** Kafka's own bound of a topic's name. */
export const topicNameLengthMax = 249;
/** Partitions of a topic of the embedded bus: a lock and a row each; more than a small installation has consumers. */
export const partitionsMax = 256;

interface PostgresAdminDependencies {
  readonly database: Database;
  readonly reader: RecordReader;
  readonly topics: TopicDirectory;
  readonly isClosed: () => boolean;
  /** Of topics that have none of their own. */
  readonly retentionMs: number;
}

const firstSegment = 1n;

export class PostgresAdmin implements BusAdmin {
  readonly #dependencies: PostgresAdminDependencies;

  constructor(dependencies: PostgresAdminDependencies) {
    this.#dependencies = dependencies;
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    for (const topic of topics) checkTopicSpec(topic);
    if (topics.length === 0) return;
    await this.#change(async (tx) => {
      let created = 0;
      for (const topic of topics) if (await createTopic(tx, topic)) created += 1;
      return created > 0;
    });
  }

  async deleteTopic(name: string): Promise<void> {
    this.#dependencies.topics.forget([name]);
    await this.#change(async (tx) => {
      const { rows } = await tx.query<{ topic_id: bigint }>(
        'SELECT topic_id FROM ccx.bus_topics WHERE name = $1 FOR UPDATE',
        [name],
      );
      const topicId = rows[0]?.topic_id;
      if (topicId === undefined) throw topicUnknown([name]);
      // Waits for producers that are under way; from then on nobody takes an offset of this topic.
      await tx.query('SELECT FROM ccx.bus_partitions WHERE topic_id = $1 ORDER BY partition FOR UPDATE', [topicId]);
      const segments = await tx.query<{ segment: bigint }>('SELECT segment FROM ccx.bus_segments WHERE topic_id = $1', [
        topicId,
      ]);
      await tx.query('DELETE FROM ccx.bus_topics WHERE topic_id = $1', [topicId]);
      for (const { segment } of segments.rows) await tx.query(`DROP TABLE ${segmentTable(topicId, segment)}`);
      return true;
    });
  }

  async listTopics(): Promise<readonly string[]> {
    const { rows } = await this.#run((database) =>
      database.query<{ name: string }>('SELECT name FROM ccx.bus_topics ORDER BY name COLLATE "C"'),
    );
    return rows.map((row) => row.name);
  }

  async retentionMs(topic: string): Promise<number> {
    const { rows } = await this.#run((database) =>
      database.query<{ retention_ms: bigint | null }>('SELECT retention_ms FROM ccx.bus_topics WHERE name = $1', [
        topic,
      ]),
    );
    const [row] = rows;
    if (row === undefined) throw topicUnknown([topic]);
    return Number(row.retention_ms ?? this.#dependencies.retentionMs);
  }

  async lag(groupId: string, topics: readonly string[]): Promise<readonly PartitionLag[]> {
    const { rows } = await this.#run((database) =>
      database.query<PartitionLag>(
        `SELECT t.name AS topic, p.partition, g.committed, p.start_offset AS start, p.next_offset AS "end"
         FROM ccx.bus_topics t
         JOIN ccx.bus_partitions p USING (topic_id)
         LEFT JOIN ccx.bus_positions g ON g.group_id = $1 AND g.topic_id = p.topic_id AND g.partition = p.partition
         WHERE t.name = ANY($2::text[])
         ORDER BY t.name COLLATE "C", p.partition`,
        [groupId, topics],
      ),
    );
    const missing = topics.filter((topic) => !rows.some((row) => row.topic === topic));
    if (missing.length > 0) throw topicUnknown(missing);
    return rows;
  }

  async read(from: Position, recordsMax: number): Promise<readonly BusRecord[]> {
    const { reader, topics } = this.#dependencies;
    // Its id may have changed since somebody in this process used it.
    topics.forget([from.topic]);
    const topic = (await this.#run(() => topics.resolve([from.topic]))).get(from.topic)!;
    if (from.partition < 0 || from.partition >= topic.partitions) {
      throw invalid(`topic ${topic.name} has partitions 0 to ${topic.partitions - 1}, not ${from.partition}`);
    }
    const records: BusRecord[] = [];
    const wanted = Math.min(recordsMax, readRecordsMax);
    let bytesLeft = readBytesMax;
    const { partition } = from;
    let cursor: ReadCursor = {
      topicId: topic.topicId,
      topic: topic.name,
      partition,
      position: from.offset,
      head: undefined,
    };
    while (records.length < wanted && bytesLeft > 0) {
      const limits = { recordsMax: wanted - records.length, bytesMax: bytesLeft };
      const [page] = await this.#run(() => reader.read([cursor], limits));
      if (page === undefined) break;
      for (const record of page.records) {
        records.push(record);
        bytesLeft -= (record.value?.length ?? 0) + (record.key?.length ?? 0);
      }
      cursor = { ...cursor, position: page.next };
    }
    return records;
  }

  /** Runs a change of topics; when it changed something, every group looks at its assignment again. */
  async #change(work: (tx: Connection) => Promise<boolean>): Promise<void> {
    await this.#run((database) =>
      database.transaction(async (tx) => {
        await tx.query(`SELECT pg_advisory_xact_lock(hashtext('ccx.bus_topics'))`);
        // Groups before topics, as members lock them.
        await tx.query('SELECT FROM ccx.bus_groups ORDER BY group_id FOR UPDATE');
        if (!(await work(tx))) return;
        await tx.query('UPDATE ccx.bus_groups SET generation = generation + 1');
        await tx.query('SELECT pg_notify($1, $2)', [busChannel, 'topics']);
      }),
    );
  }

  async #run<T>(work: (database: Database) => Promise<T>): Promise<T> {
    if (this.#dependencies.isClosed()) throw closed('bus');
    return await withBusErrors(() => work(this.#dependencies.database));
  }
}

function checkTopicSpec({ name, partitions }: TopicSpec): void {
  if (!/^[a-zA-Z0-9._-]+$/.test(name) || name.length > topicNameLengthMax || name === '.' || name === '..') {
    throw invalid(`a topic cannot be named ${JSON.stringify(name)}`);
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > partitionsMax) {
    throw invalid(`topic ${name} cannot have ${partitions} partitions, only 1 to ${partitionsMax}`);
  }
}

async function createTopic(tx: Connection, topic: TopicSpec): Promise<boolean> {
  const { rows } = await tx.query<{ topic_id: bigint }>(
    `INSERT INTO ccx.bus_topics (name, partitions, retention_ms, retention_bytes) VALUES ($1, $2, $3, $4)
     ON CONFLICT DO NOTHING RETURNING topic_id`,
    [topic.name, topic.partitions, topic.retentionMs ?? null, topic.retentionBytes ?? null],
  );
  const topicId = rows[0]?.topic_id;
  if (topicId === undefined) return false;
  await createSegmentTable(tx, topicId, firstSegment);
  await tx.query(
    `INSERT INTO ccx.bus_segments (topic_id, segment, first_offsets) VALUES ($1, $2, array_fill(0::bigint, ARRAY[$3::int]))`,
    [topicId, firstSegment, topic.partitions],
  );
  await tx.query(
    `INSERT INTO ccx.bus_partitions (topic_id, partition, segment)
     SELECT $1, partition, $2 FROM generate_series(0, $3::int - 1) AS partition`,
    [topicId, firstSegment, topic.partitions],
  );
  return true;
}
