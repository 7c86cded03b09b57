/**
 * Keeps the embedded bus within its bounds of age and size: closes segments, drops the oldest ones as whole tables. Runs in every process
 * of the bus; an advisory lock per topic lets one of them work. Nothing here waits long for anybody: a lock that a slow producer or reader
 * holds puts the topic off to the next run.
 *
 * As on Kafka, retention does not ask whether a group has read what it drops; it says so in the log.
 */
import type { Connection, Database } from '../../database/database.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { createSegmentTable, segmentTable } from './storage.ts';
import * as events from './telemetry.ts';

/** A segment is at most this share of what its topic keeps, so that dropping one does not drop most of it. */
export const segmentsPerRetention = 8;
export const segmentMsMax = 24 * 3_600_000;
export const segmentBytesMax = 128 * 1024 * 1024;
/** Below this a topic with a tiny retention would make a table for every handful of records. */
export const segmentBytesMin = 64 * 1024;

/** Opening or dropping a segment needs locks that a slow producer may hold; then it waits for the next run instead of holding others up. */
const segmentLockMsMax = 1_000;

export interface RetentionReport {
  readonly segmentsClosed: number;
  readonly segmentsDropped: number;
  readonly bytesDropped: number;
  /** Topics that could not be looked after this time. */
  readonly topicsPutOff: number;
}

interface TopicRow {
  readonly topic_id: bigint;
  readonly name: string;
  readonly retention_ms: bigint | null;
  readonly retention_bytes: bigint | null;
}

/** One pass over all topics; `defaults` are for those without limits of their own. Rejects only when the topics cannot be listed. */
export async function applyRetention(
  database: Database,
  telemetry: Telemetry,
  defaults: RetentionLimits,
): Promise<RetentionReport> {
  const report = { segmentsClosed: 0, segmentsDropped: 0, bytesDropped: 0, topicsPutOff: 0 };
  const { rows } = await database.query<TopicRow>(
    'SELECT topic_id, name, retention_ms, retention_bytes FROM ccx.bus_topics ORDER BY topic_id',
  );
  for (const topic of rows) {
    const limits = {
      retentionMs: Number(topic.retention_ms ?? defaults.retentionMs),
      retentionBytes: Number(topic.retention_bytes ?? defaults.retentionBytes),
    };
    try {
      const done = await database.transaction((tx) => retainTopic(tx, topic, limits, telemetry));
      report.segmentsClosed += done.closed;
      report.segmentsDropped += done.dropped;
      report.bytesDropped += done.bytes;
      if (done.dropped > 0) {
        events.segmentsDropped(telemetry, { topic: topic.name, segments: done.dropped, bytes: done.bytes });
      }
    } catch (error) {
      report.topicsPutOff += 1;
      events.retentionFailed(telemetry, topic.name, error);
    }
  }
  return report;
}

/** Until the end of the transaction no segment is closed or dropped, and nobody waits for it: every retention puts its topics off. Several may. */
export async function holdRetention(tx: Connection): Promise<void> {
  const { rows } = await tx.query<{ there: boolean }>(`SELECT to_regclass('ccx.bus_topics') IS NOT NULL AS there`);
  if (rows[0]?.there !== true) return;
  const { rows: topics } = await tx.query<Pick<TopicRow, 'topic_id'>>('SELECT topic_id FROM ccx.bus_topics');
  for (const { topic_id } of topics)
    await tx.query(`SELECT pg_advisory_xact_lock_shared(hashtext('ccx.bus_retention'), $1::int)`, [lockOf(topic_id)]);
}

/** Second key of the advisory lock of a topic. */
function lockOf(topicId: bigint): number {
  return Number(topicId % 0x7fffffffn);
}

async function retainTopic(
  tx: Connection,
  topic: TopicRow,
  limits: RetentionLimits,
  telemetry: Telemetry,
): Promise<{ closed: number; dropped: number; bytes: number }> {
  const nothing = { closed: 0, dropped: 0, bytes: 0 };
  const { rows: locked } = await tx.query<{ locked: boolean }>(
    `SELECT pg_try_advisory_xact_lock(hashtext('ccx.bus_retention'), $1::int) AS locked`,
    [lockOf(topic.topic_id)],
  );
  if (locked[0]?.locked !== true) return nothing;
  await tx.query(`SET LOCAL lock_timeout = ${segmentLockMsMax}`);

  const segments = await readSegments(tx, topic.topic_id);
  const plan = planRetention(segments, limits);
  if (plan.drop.length > 0) await dropSegments(tx, topic, plan.drop, telemetry);
  const closed = plan.roll && (await openNextSegment(tx, topic.topic_id)) ? 1 : 0;
  const dropped = segments.filter(({ segment }) => plan.drop.includes(segment));
  return { closed, dropped: dropped.length, bytes: dropped.reduce((sum, { bytes }) => sum + bytes, 0) };
}

async function readSegments(tx: Connection, topicId: bigint): Promise<SegmentState[]> {
  const { rows } = await tx.query<SegmentState>(
    `SELECT segment,
            pg_total_relation_size(format('ccx.bus_records_%s_%s', topic_id, segment)::regclass)::float8 AS bytes,
            extract(epoch FROM clock_timestamp() - opened_at)::float8 * 1000 AS "openedMsAgo",
            extract(epoch FROM clock_timestamp() - closed_at)::float8 * 1000 AS "closedMsAgo",
            first_offsets = coalesce(
              lead(first_offsets) OVER (ORDER BY segment),
              (SELECT array_agg(next_offset ORDER BY partition) FROM ccx.bus_partitions p WHERE p.topic_id = s.topic_id)
            ) AS empty
     FROM ccx.bus_segments s WHERE topic_id = $1 ORDER BY segment`,
    [topicId],
  );
  return rows;
}

async function dropSegments(
  tx: Connection,
  topic: TopicRow,
  segments: readonly bigint[],
  telemetry: Telemetry,
): Promise<void> {
  // The new start first: a member that looks now finds the records that stay. Rows are locked in order, as producers do.
  await tx.query('SELECT FROM ccx.bus_partitions WHERE topic_id = $1 ORDER BY partition FOR UPDATE', [topic.topic_id]);
  await tx.query('DELETE FROM ccx.bus_segments WHERE topic_id = $1 AND segment = ANY($2::bigint[])', [
    topic.topic_id,
    segments.map(String),
  ]);
  await tx.query(
    `UPDATE ccx.bus_partitions p SET start_offset = s.first_offsets[p.partition + 1]
     FROM (SELECT first_offsets FROM ccx.bus_segments WHERE topic_id = $1 ORDER BY segment LIMIT 1) s
     WHERE p.topic_id = $1`,
    [topic.topic_id],
  );
  const { rows: unread } = await tx.query<{ group_id: string; records: string }>(
    `SELECT g.group_id, sum(p.start_offset - g.committed)::text AS records
     FROM ccx.bus_positions g JOIN ccx.bus_partitions p USING (topic_id, partition)
     WHERE g.topic_id = $1 AND g.committed < p.start_offset GROUP BY g.group_id`,
    [topic.topic_id],
  );
  for (const { group_id: group, records } of unread) {
    events.unreadRecordsDropped(telemetry, { topic: topic.name, group, records });
  }
  for (const segment of segments) await tx.query(`DROP TABLE ${segmentTable(topic.topic_id, segment)}`);
}

/** Closes the open segment under the locks of all partitions: no producer is between its offset and its row then. */
async function openNextSegment(tx: Connection, topicId: bigint): Promise<boolean> {
  const { rows } = await tx.query<{ next_offset: bigint; segment: bigint }>(
    'SELECT next_offset, segment FROM ccx.bus_partitions WHERE topic_id = $1 ORDER BY partition FOR UPDATE',
    [topicId],
  );
  const segment = rows[0]?.segment;
  if (segment === undefined) return false;
  await createSegmentTable(tx, topicId, segment + 1n);
  await tx.query('UPDATE ccx.bus_segments SET closed_at = clock_timestamp() WHERE topic_id = $1 AND segment = $2', [
    topicId,
    segment,
  ]);
  await tx.query('INSERT INTO ccx.bus_segments (topic_id, segment, first_offsets) VALUES ($1, $2, $3::bigint[])', [
    topicId,
    segment + 1n,
    rows.map((row) => String(row.next_offset)),
  ]);
  await tx.query('UPDATE ccx.bus_partitions SET segment = $2 WHERE topic_id = $1', [topicId, segment + 1n]);
  return true;
}

/** What retention does with the segments of one topic. Pure. */
export interface SegmentState {
  readonly segment: bigint;
  readonly bytes: number;
  /** Since the segment was opened. */
  readonly openedMsAgo: number;
  /** Since it was closed: its youngest record is at least that old. Null while it takes records. */
  readonly closedMsAgo: number | null;
  /** Whether any partition has a record in it. */
  readonly empty: boolean;
}

interface RetentionLimits {
  readonly retentionMs: number;
  readonly retentionBytes: number;
}

/**
 * `segments` are in order, oldest first; the last one is open. Only whole prefixes are dropped, so offsets keep having no gaps. `roll`:
 * whether the open segment is old or large enough to be closed.
 */
export function planRetention(segments: readonly SegmentState[], limits: RetentionLimits) {
  const drop: bigint[] = [];
  let bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  for (const segment of segments) {
    if (segment.closedMsAgo === null) break;
    if (segment.closedMsAgo < limits.retentionMs && bytes <= limits.retentionBytes) break;
    drop.push(segment.segment);
    bytes -= segment.bytes;
  }
  const segmentMs = Math.min(segmentMsMax, limits.retentionMs / segmentsPerRetention);
  const segmentBytes = Math.max(
    segmentBytesMin,
    Math.min(segmentBytesMax, limits.retentionBytes / segmentsPerRetention),
  );
  const open = segments.at(-1);
  const roll = open !== undefined && !open.empty && (open.openedMsAgo >= segmentMs || open.bytes >= segmentBytes);
  return { drop, roll };
}
