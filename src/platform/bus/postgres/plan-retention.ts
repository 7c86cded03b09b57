/**
 * What retention does with the segments of one topic. Pure; called by `retention.ts` with what the database says.
 */

/** A segment is at most this share of what its topic keeps, so that dropping one does not drop most of it. */
export const segmentsPerRetention = 8;
export const segmentMsMax = 24 * 3_600_000;
export const segmentBytesMax = 128 * 1024 * 1024;
/** Below this a topic with a tiny retention would make a table for every handful of records. */
export const segmentBytesMin = 64 * 1024;
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

export interface RetentionLimits {
  readonly retentionMs: number;
  readonly retentionBytes: number;
}

export interface RetentionPlan {
  readonly drop: readonly bigint[];
  /** Whether the open segment is old or large enough to be closed. */
  readonly roll: boolean;
}

/** `segments` are in order, oldest first; the last one is open. Only whole prefixes are dropped, so offsets keep having no gaps. */
export function planRetention(segments: readonly SegmentState[], limits: RetentionLimits): RetentionPlan {
  const drop: bigint[] = [];
  let bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  for (const segment of segments) {
    if (segment.closedMsAgo === null) break;
    if (segment.closedMsAgo < limits.retentionMs && bytes <= limits.retentionBytes) break;
    drop.push(segment.segment);
    bytes -= segment.bytes;
  }
  const open = segments.at(-1);
  const roll =
    open !== undefined &&
    !open.empty &&
    (open.openedMsAgo >= segmentMs(limits.retentionMs) || open.bytes >= segmentBytes(limits.retentionBytes));
  return { drop, roll };
}

function segmentMs(retentionMs: number): number {
  return Math.min(segmentMsMax, retentionMs / segmentsPerRetention);
}

function segmentBytes(retentionBytes: number): number {
  return Math.max(segmentBytesMin, Math.min(segmentBytesMax, retentionBytes / segmentsPerRetention));
}
