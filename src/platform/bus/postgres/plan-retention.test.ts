/** What is dropped and when a segment is closed, at the limits and one past them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  planRetention,
  type SegmentState,
  segmentBytesMax,
  segmentBytesMin,
  segmentMsMax,
  segmentsPerRetention,
} from './retention.ts';

const limits = { retentionMs: 1_000_000_000, retentionBytes: 100 * segmentBytesMax };
const segment = (state: Partial<SegmentState> & { segment: bigint }): SegmentState => ({
  bytes: 10,
  openedMsAgo: 0,
  closedMsAgo: null,
  empty: false,
  ...state,
});

test('a closed segment is dropped once its youngest record has reached the retention, not before', () => {
  const aged = (closedMsAgo: number) =>
    planRetention([segment({ segment: 1n, closedMsAgo }), segment({ segment: 2n })], limits).drop;
  assert.deepEqual(aged(limits.retentionMs - 1), []);
  assert.deepEqual(aged(limits.retentionMs), [1n]);
});

test('the oldest segments go until the topic fits its size', () => {
  const three = [1n, 2n, 3n].map((number) => segment({ segment: number, bytes: 100, closedMsAgo: 1 }));
  const topic = [...three, segment({ segment: 4n, bytes: 100 })];
  assert.deepEqual(planRetention(topic, { ...limits, retentionBytes: 400 }).drop, []);
  assert.deepEqual(planRetention(topic, { ...limits, retentionBytes: 399 }).drop, [1n]);
  assert.deepEqual(planRetention(topic, { ...limits, retentionBytes: 1 }).drop, [1n, 2n, 3n]);
});

test('the open segment is never dropped, and a young one in front of an old one keeps it', () => {
  assert.deepEqual(planRetention([segment({ segment: 1n, openedMsAgo: 1e12 })], limits).drop, []);
  const shielded = [
    segment({ segment: 1n, closedMsAgo: 1 }),
    segment({ segment: 2n, closedMsAgo: limits.retentionMs }),
    segment({ segment: 3n }),
  ];
  assert.deepEqual(planRetention(shielded, limits).drop, []);
});

test('the open segment is closed by age, at its share of the retention and a day at most', () => {
  const roll = (openedMsAgo: number, retentionMs: number) =>
    planRetention([segment({ segment: 1n, openedMsAgo })], { ...limits, retentionMs }).roll;
  assert.equal(roll(999, 1_000 * segmentsPerRetention), false);
  assert.equal(roll(1_000, 1_000 * segmentsPerRetention), true);
  assert.equal(roll(segmentMsMax - 1, Number.MAX_SAFE_INTEGER), false);
  assert.equal(roll(segmentMsMax, Number.MAX_SAFE_INTEGER), true);
});

test('the open segment is closed by size, within the bounds of a segment', () => {
  const roll = (bytes: number, retentionBytes: number) =>
    planRetention([segment({ segment: 1n, bytes })], { ...limits, retentionBytes }).roll;
  assert.equal(roll(segmentBytesMax - 1, Number.MAX_SAFE_INTEGER), false);
  assert.equal(roll(segmentBytesMax, Number.MAX_SAFE_INTEGER), true);
  assert.equal(roll(segmentBytesMin - 1, 1), false);
  assert.equal(roll(segmentBytesMin, 1), true);
});

test('an empty segment stays open however old it is', () => {
  assert.equal(planRetention([segment({ segment: 1n, openedMsAgo: 1e15, empty: true })], limits).roll, false);
});
