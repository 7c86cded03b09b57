/**
 * Puts records into the embedded bus inside the caller's transaction. Offsets come from `next_offset` of the partition's row, whose lock
 * is held until that transaction ends: the next producer of the partition waits, so offsets have no gaps and become visible in
 * order, and no consumer can commit past a slow producer. A sequence would give neither.
 *
 * Partitions are locked in order of topic and partition, so two batches cannot wait for each other; for the same reason one transaction
 * appends once. Called by `producer.ts`.
 */

import { bigintArray, byteaArray, integerArray } from '../../database/binary-arrays.ts';
import type { Queryable } from '../../database/database.ts';
import { recordsHintSql } from './channel.ts';
import { segmentTable } from './segments.ts';

/** Rows of one INSERT; more gain nothing. */
export const insertRowsMax = 1_000;
/** Bytes of one INSERT; a larger batch goes in several statements of the same transaction. */
const insertBytesMax = 8 * 1024 * 1024;

export interface AppendRecord {
  readonly topicId: bigint;
  readonly partition: number;
  readonly key: Buffer | null;
  /** As `encodeHeaders` makes them. */
  readonly headers: Buffer | null;
  readonly value: Buffer | null;
  readonly bytes: number;
}

interface TakenOffsets {
  readonly segment: bigint;
  next: bigint;
}

/**
 * Answers with the offsets in the order of `records`, or undefined when one of the topics was deleted meanwhile; then nothing was
 * written and the caller rolls back. `timestampMs` is the records' time.
 */
export async function appendRecords(
  tx: Queryable,
  records: readonly AppendRecord[],
  timestampMs: number,
): Promise<readonly bigint[] | undefined> {
  const taken = await takeOffsets(tx, records);
  if (taken === undefined) return undefined;

  const offsets: bigint[] = [];
  const batches = new Map<string, InsertBatch>();
  for (const record of records) {
    const place = taken.get(placeKey(record))!;
    const table = segmentTable(record.topicId, place.segment);
    let batch = batches.get(table);
    if (batch === undefined) {
      batch = new InsertBatch(tx, table, timestampMs);
      batches.set(table, batch);
    }
    if (batch.isFull(record)) await batch.flush();
    batch.add(record, place.next);
    offsets.push(place.next);
    place.next += 1n;
  }
  for (const batch of batches.values()) await batch.flush();
  return offsets;
}

/**
 * Locks the partitions in order, takes their offsets and says so to the listeners, in one round trip. The lock comes from the inner
 * SELECT: an UPDATE alone would lock in whatever order the plan gives. All values in the text are integers.
 */
async function takeOffsets(
  tx: Queryable,
  records: readonly AppendRecord[],
): Promise<Map<string, TakenOffsets> | undefined> {
  const wanted = new Map<string, { readonly record: AppendRecord; count: number }>();
  for (const record of records) {
    const key = placeKey(record);
    const entry = wanted.get(key);
    if (entry === undefined) wanted.set(key, { record, count: 1 });
    else entry.count += 1;
  }
  const values = [...wanted.values()].map(({ record, count }) => `(${record.topicId}, ${record.partition}, ${count})`);
  const { rows } = await tx.query<{ topic_id: bigint; partition: number; first_offset: bigint; segment: bigint }>(`
    WITH wanted (topic_id, partition, records) AS (VALUES ${values.join(', ')}),
    locked AS (
      SELECT p.topic_id, p.partition, w.records
      FROM ccx.bus_partitions p JOIN wanted w ON p.topic_id = w.topic_id AND p.partition = w.partition
      ORDER BY p.topic_id, p.partition
      FOR UPDATE OF p
    )
    UPDATE ccx.bus_partitions p SET next_offset = p.next_offset + l.records
    FROM locked l
    WHERE p.topic_id = l.topic_id AND p.partition = l.partition
    RETURNING p.topic_id, p.partition, p.next_offset - l.records AS first_offset, p.segment,
              ${recordsHintSql('p.topic_id')} AS hint`);
  if (rows.length < wanted.size) return undefined;
  return new Map(
    rows.map((row) => [`${row.topic_id}/${row.partition}`, { segment: row.segment, next: row.first_offset }]),
  );
}

/** Rows for one segment table, sent whenever they reach a statement's bounds. Why arrays: docs/decisions/0004. */
class InsertBatch {
  readonly #tx: Queryable;
  readonly #table: string;
  readonly #timestampMs: number;
  #records: AppendRecord[] = [];
  #offsets: bigint[] = [];
  #bytes = 0;

  constructor(tx: Queryable, table: string, timestampMs: number) {
    this.#tx = tx;
    this.#table = table;
    this.#timestampMs = timestampMs;
  }

  isFull(record: AppendRecord): boolean {
    const { length } = this.#records;
    return length >= insertRowsMax || (length > 0 && this.#bytes + record.bytes > insertBytesMax);
  }

  add(record: AppendRecord, offset: bigint): void {
    this.#records.push(record);
    this.#offsets.push(offset);
    this.#bytes += record.bytes;
  }

  async flush(): Promise<void> {
    const records = this.#records;
    if (records.length === 0) return;
    await this.#tx.query(
      `INSERT INTO ${this.#table} (partition, "offset", timestamp_ms, bytes, key, headers, value)
       SELECT partition, "offset", ${this.#timestampMs}, bytes, key, headers, value
       FROM unnest($1::int[], $2::bigint[], $3::int[], $4::bytea[], $5::bytea[], $6::bytea[])
         AS record (partition, "offset", bytes, key, headers, value)`,
      [
        integerArray(records.map((record) => record.partition)),
        bigintArray(this.#offsets),
        integerArray(records.map((record) => record.bytes)),
        byteaArray(records.map((record) => record.key)),
        byteaArray(records.map((record) => record.headers)),
        byteaArray(records.map((record) => record.value)),
      ],
    );
    this.#records = [];
    this.#offsets = [];
    this.#bytes = 0;
  }
}

function placeKey(record: AppendRecord): string {
  return `${record.topicId}/${record.partition}`;
}
