/**
 * Where records lie: one table per topic and segment. A segment takes records of every partition until it is closed and the next one
 * opened, under the locks of all partitions; from then on it only waits to be dropped as a whole. Called by the admin side (first
 * segment), by retention (the next one), by producers (which topic) and by readers (which table holds an offset).
 */
import type { Database, Queryable } from '../../database/database.ts';
import type { RecordHeader } from '../bus.ts';
import { topicUnknown } from '../bus-errors.ts';
import { type HeaderBytes, headerOfBytes } from '../outgoing-record.ts';

/** Safe in SQL text: both parts are integers. */
export function segmentTable(topicId: bigint, segment: bigint): string {
  return `ccx.bus_records_${topicId}_${segment}`;
}

/**
 * Makes the table of a segment. Values are stored out of line: compressed with lz4 where the server has it, else as they are, because
 * the server's other method costs more than the disk it saves on records that live for days. Nothing in it is ever updated or
 * deleted, so vacuum has no business there before the segment is dropped.
 */
export async function createSegmentTable(tx: Queryable, topicId: bigint, segment: bigint): Promise<void> {
  const table = segmentTable(topicId, segment);
  await tx.query(`
    CREATE TABLE ${table} (
      partition    integer NOT NULL,
      "offset"     bigint NOT NULL,
      timestamp_ms bigint NOT NULL,
      bytes        integer NOT NULL,
      key          bytea,
      headers      bytea,
      value        bytea,
      PRIMARY KEY (partition, "offset")
    ) WITH (autovacuum_vacuum_insert_threshold = -1)`);
  const { rows } = await tx.query<{ lz4: boolean }>(
    `SELECT 'lz4' = ANY(enumvals) AS lz4 FROM pg_settings WHERE name = 'default_toast_compression'`,
  );
  await tx.query(
    `ALTER TABLE ${table} ALTER COLUMN value SET ${rows[0]?.lz4 === true ? 'COMPRESSION lz4' : 'STORAGE EXTERNAL'}`,
  );
}

/** One segment of a topic as readers need it. */
interface SegmentSpan {
  readonly segment: bigint;
  /** Indexed by partition. */
  readonly firstOffsets: readonly bigint[];
}

interface SegmentPlace {
  readonly table: string;
  /** The offset asked for, or the oldest one still stored. */
  readonly from: bigint;
  /** First offset of the next segment; undefined while this one is open. */
  readonly end: bigint | undefined;
}

/** Which table holds an offset, remembered per topic until a newer segment shows up or a table turns out to be gone. */
export class SegmentDirectory {
  readonly #spans = new Map<bigint, readonly SegmentSpan[]>();

  /**
   * Looks again unless `openSegment` is known. With a head that was read together with `openSegment`, every offset before that head is
   * then found where it is.
   */
  async refresh(queryable: Queryable, topicId: bigint, openSegment: bigint): Promise<void> {
    if (this.#spans.get(topicId)?.at(-1)?.segment === openSegment) return;
    const { rows } = await queryable.query<SegmentSpan>(
      'SELECT segment, first_offsets AS "firstOffsets" FROM ccx.bus_segments WHERE topic_id = $1 ORDER BY segment',
      [topicId],
    );
    this.#spans.set(topicId, rows);
  }

  forget(topicId: bigint): void {
    this.#spans.delete(topicId);
  }

  /** The segment of an offset, or of the oldest offset still stored when that one was dropped; undefined for an unknown topic. */
  locate(topicId: bigint, partition: number, offset: bigint): SegmentPlace | undefined {
    const spans = this.#spans.get(topicId) ?? [];
    const oldest = spans[0]?.firstOffsets[partition];
    if (oldest === undefined) return undefined;
    const from = offset > oldest ? offset : oldest;
    // The last one that starts there or before: segments that stayed empty for this partition start where the next one does.
    const index = spans.findLastIndex((span) => span.firstOffsets[partition]! <= from);
    return {
      table: segmentTable(topicId, spans[index]!.segment),
      from,
      end: spans[index + 1]?.firstOffsets[partition],
    };
  }
}

export interface Topic {
  readonly topicId: bigint;
  readonly name: string;
  readonly partitions: number;
}

/**
 * Topics by name, remembered per process. A topic that was deleted and made again has another id, so what is remembered is only ever used
 * together with its id and forgotten when that id is gone.
 */
export class TopicDirectory {
  readonly #database: Database;
  readonly #known = new Map<string, Topic>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Every named topic; throws `BUS_TOPIC_UNKNOWN` naming those that do not exist. */
  async resolve(names: Iterable<string>): Promise<ReadonlyMap<string, Topic>> {
    const wanted = new Set(names);
    const missing = [...wanted].filter((name) => !this.#known.has(name));
    if (missing.length > 0) {
      const { rows } = await this.#database.query<Topic>(
        'SELECT topic_id AS "topicId", name, partitions FROM ccx.bus_topics WHERE name = ANY($1::text[])',
        [missing],
      );
      for (const topic of rows) this.#known.set(topic.name, topic);
    }
    const unknown = missing.filter((name) => !this.#known.has(name));
    if (unknown.length > 0) throw topicUnknown(unknown);
    return new Map([...wanted].map((name) => [name, this.#known.get(name)!]));
  }

  forget(names: Iterable<string>): void {
    for (const name of names) this.#known.delete(name);
  }
}

const lengthBytes = 4;
const lengthOfNull = 0xff_ff_ff_ff;

/**
 * Headers of a record as one bytea. Not jsonb or text[]: a header's value is bytes, and PostgreSQL's text cannot hold NUL.
 * Per header: u32 length of the name, the name, u32 length of the value, the value; big-endian. No value at all, which is not an empty
 * one, has the length 2^32 - 1, as no value of a record can have. Null for no headers, which most records have.
 */
export function encodeHeaders(headers: readonly HeaderBytes[]): Buffer | null {
  if (headers.length === 0) return null;
  return Buffer.concat(headers.flatMap(([name, value]) => [...encode(name), ...encode(value)]));
}

export function decodeHeaders(encoded: Buffer | null): RecordHeader[] {
  const headers: RecordHeader[] = [];
  if (encoded === null) return headers;
  let at = 0;
  const next = (): Buffer | null => {
    const length = encoded.readUInt32BE(at);
    const start = at + lengthBytes;
    at = length === lengthOfNull ? start : start + length;
    return length === lengthOfNull ? null : encoded.subarray(start, at);
  };
  while (at < encoded.length) {
    const name = next() ?? Buffer.alloc(0);
    headers.push(headerOfBytes([name, next()]));
  }
  return headers;
}

function encode(bytes: Buffer | null): readonly Buffer[] {
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(bytes?.length ?? lengthOfNull);
  return bytes === null ? [length] : [length, bytes];
}
