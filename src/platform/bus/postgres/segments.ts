/**
 * Where records lie: one table per topic and segment. A segment takes records of every partition until it is closed and the next one
 * opened, under the locks of all partitions; from then on it only waits to be dropped as a whole. Called by the admin side (first
 * segment), by retention (the next one) and by readers (which table holds an offset).
 */
import type { Queryable } from '../../database/database.ts';

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
    const { rows } = await queryable.query<{ segment: bigint; first_offsets: bigint[] }>(
      'SELECT segment, first_offsets FROM ccx.bus_segments WHERE topic_id = $1 ORDER BY segment',
      [topicId],
    );
    this.#spans.set(
      topicId,
      rows.map((row) => ({ segment: row.segment, firstOffsets: row.first_offsets })),
    );
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
