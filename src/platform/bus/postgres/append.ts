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
import type { PreparedRecord } from '../outgoing-record.ts';
import { recordsHintSql } from './channel.ts';
import { encodeHeaders, segmentTable } from './storage.ts';

/** Rows of one INSERT; more gain nothing. */
export const insertRowsMax = 1_000;
/** Bytes of one INSERT; a larger batch goes in several statements of the same transaction. */
const insertBytesMax = 8 * 1024 * 1024;

export interface AppendRecord extends PreparedRecord {
  readonly topicId: bigint;
  readonly partition: number;
}

/** Of records that name a topic which was deleted meanwhile: the transaction is rolled back. */
export const topicGone = new Error('a topic was deleted');

/** A record with its offset, and the table that it goes into. */
interface PlacedRecord {
  readonly record: AppendRecord;
  readonly offset: bigint;
  readonly table: string;
}

/**
 * Answers with the offsets in the order of `records`; rejects with `topicGone` when one of the topics was deleted meanwhile.
 * `timestampMs` is the records' time.
 */
export async function appendRecords(
  tx: Queryable,
  records: readonly AppendRecord[],
  timestampMs: number,
): Promise<readonly bigint[]> {
  const taken = await takeOffsets(tx, records);
  const placed = records.map((record): PlacedRecord => {
    const place = taken.get(placeKey(record))!;
    const offset = place.next;
    place.next += 1n;
    return { record, offset, table: segmentTable(record.topicId, place.segment) };
  });
  for (const [table, rows] of Map.groupBy(placed, (row) => row.table)) {
    for (const batch of inBatches(rows)) await insertRows(tx, table, batch, timestampMs);
  }
  return placed.map(({ offset }) => offset);
}

/**
 * Locks the partitions in order, takes their offsets and says so to the listeners, in one round trip. The lock comes from the inner
 * SELECT: an UPDATE alone would lock in whatever order the plan gives. All values in the text are integers.
 */
async function takeOffsets(
  tx: Queryable,
  records: readonly AppendRecord[],
): Promise<Map<string, { readonly segment: bigint; next: bigint }>> {
  const wanted = Map.groupBy(records, placeKey);
  const values = [...wanted.values()].map((same) => `(${same[0]!.topicId}, ${same[0]!.partition}, ${same.length})`);
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
  if (rows.length < wanted.size) throw topicGone;
  return new Map(
    rows.map((row) => [`${row.topic_id}/${row.partition}`, { segment: row.segment, next: row.first_offset }]),
  );
}

/** Cut where a statement reaches its bounds. */
function* inBatches(rows: readonly PlacedRecord[]): Generator<readonly PlacedRecord[]> {
  let start = 0;
  let bytes = 0;
  for (const [at, { record }] of rows.entries()) {
    if (at > start && (at - start >= insertRowsMax || bytes + record.bytes > insertBytesMax)) {
      yield rows.slice(start, at);
      start = at;
      bytes = 0;
    }
    bytes += record.bytes;
  }
  yield rows.slice(start);
}

/** Why arrays: docs/decisions/0004. */
async function insertRows(
  tx: Queryable,
  table: string,
  rows: readonly PlacedRecord[],
  timestampMs: number,
): Promise<void> {
  await tx.query(
    `INSERT INTO ${table} (partition, "offset", timestamp_ms, bytes, key, headers, value)
     SELECT partition, "offset", ${timestampMs}, bytes, key, headers, value
     FROM unnest($1::int[], $2::bigint[], $3::int[], $4::bytea[], $5::bytea[], $6::bytea[])
       AS record (partition, "offset", bytes, key, headers, value)`,
    [
      integerArray(rows.map(({ record }) => record.partition)),
      bigintArray(rows.map(({ offset }) => offset)),
      integerArray(rows.map(({ record }) => record.bytes)),
      byteaArray(rows.map(({ record }) => record.key)),
      byteaArray(rows.map(({ record }) => encodeHeaders(record.headers))),
      byteaArray(rows.map(({ record }) => record.value)),
    ],
  );
}

function placeKey({ topicId, partition }: AppendRecord): string {
  return `${topicId}/${partition}`;
}
