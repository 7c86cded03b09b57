/** Who asks for spans gets them, and a hop has the time that it took. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpanTimes } from './span-times.ts';
import { asksForSpans } from './spans-if-asked.ts';

test('spans are sent where an endpoint or the exporter is named, and nowhere else', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  assert.equal(asksForSpans({}), false);
  assert.equal(asksForSpans(endpoint), true);
  assert.equal(asksForSpans({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318/v1/traces' }), true);
  assert.equal(asksForSpans({ OTEL_TRACES_EXPORTER: 'otlp' }), true);
  assert.equal(asksForSpans({ OTEL_EXPORTER_OTLP_ENDPOINT: '' }), false);
  assert.equal(asksForSpans({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }), false);
  assert.equal(asksForSpans({ ...endpoint, OTEL_SDK_DISABLED: 'true' }), false);
});

test('a hop begins where the one before it in the same service ended', () => {
  const times = new SpanTimes();
  const of = (hop: number, nowMs: number, more = {}) =>
    times.of({ service: 'data-pipeline', requestId: 'r', hop, ...more }, nowMs);
  assert.deepEqual(of(3, 1_010, { elapsedMs: 10 }), { startMs: 1_000, endMs: 1_010 });
  // Both are known when the rules are through: the archive was open 300 ms before.
  assert.deepEqual(of(4, 1_500, { elapsedMs: 500, endedMsAgo: 300 }), { startMs: 1_010, endMs: 1_200 });
  assert.deepEqual(of(5, 1_500, { elapsedMs: 500 }), { startMs: 1_200, endMs: 1_500 });
});

test('several events of one hop begin together, and another service or a second try begins anew', () => {
  const times = new SpanTimes();
  const of = (service: string, hop: number, nowMs: number, elapsedMs: number) =>
    times.of({ service, requestId: 'r', hop, elapsedMs }, nowMs);
  assert.deepEqual(of('notifier', 10, 150, 50), { startMs: 100, endMs: 150 });
  assert.deepEqual(of('notifier', 10, 151, 51), { startMs: 100, endMs: 151 });
  assert.deepEqual(of('writer', 8, 152, 10), { startMs: 142, endMs: 152 });
  assert.deepEqual(of('notifier', 9, 900, 20), { startMs: 880, endMs: 900 });
});
