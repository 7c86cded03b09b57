/** How a request's story ends, and that the words for hops agree with the topology. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TraceEvent } from '../../../contracts/trace-event.ts';
import { HOPS } from '../../../topology.ts';
import { formatTrace } from '../format-trace.ts';
import { describeTrace, hopNames, lastHop } from './describe-trace.ts';

function event(second: number, status: string, more: Partial<TraceEvent> = {}): TraceEvent {
  const at = `2026-11-21T16:00:${String(second).padStart(2, '0')}Z`;
  return { requestId: 'r', service: 's', status, at, ...more };
}

const toHop8 = [
  event(1, 'received', { service: 'ingress', hop: 1, orgId: '7', account: '8' }),
  event(2, 'success', { service: 'ingress', hop: 2, detail: 'Sent to validation service: openshift' }),
  event(3, 'received', { service: 'ccx-data-pipeline', hop: 3 }),
  event(4, 'success', { service: 'ccx-data-pipeline', hop: 6 }),
  event(6, 'report-stored', { service: 'ccx-notification-writer', hop: 8, cluster: 'c' }),
];
const toHop10 = [
  ...toHop8,
  event(7, 'report-loaded', { hop: 9 }),
  event(8, 'issue-decided', { hop: 10, detail: 'service-log: already-notified 2' }),
];
const toHop12 = [
  ...toHop10,
  event(9, 'notification-delivered', { hop: 11 }),
  event(10, 'outcome-recorded', { hop: 12 }),
];

test('hops have the services of the topology', () => {
  assert.deepEqual(
    Object.entries(hopNames).map(([number, { service }]) => ({ number: Number(number), service })),
    HOPS.filter(({ number }) => number > 0).map(({ number, service }) => ({ number, service })),
  );
  assert.equal(lastHop, HOPS.at(-1)?.number);
});

test('a request that went all the way is complete, with what it is about and how long it took', () => {
  const story = describeTrace(toHop12);
  assert.deepEqual(
    [story.requestId, story.orgId, story.account, story.cluster, story.reachedHop, story.totalMs],
    ['r', '7', '8', 'c', 12, 9000],
  );
  assert.deepEqual(story.ending, { kind: 'complete', text: 'all 12 hops done' });
  assert.deepEqual(
    story.lines.map(({ afterMs }) => afterMs),
    [undefined, 1000, 1000, 1000, 2000, 1000, 1000, 1000, 1000],
  );
});

test('a stored report that a newer one replaced says so, and by which', () => {
  const newer = { requestId: 'r2', storedAt: '2026-01-01 10:00:00' };
  assert.deepEqual(describeTrace(toHop8, newer).ending, {
    kind: 'superseded',
    text: 'stored, then superseded by the report of request r2 at 2026-01-01 10:00:00 UTC: only the newest report of a cluster is decided',
  });
  assert.match(describeTrace(toHop8, { ...newer, requestId: '' }).ending.text, /by a report without a request id at/);
  // What was decided or told before the newer one came stays what it was.
  assert.equal(describeTrace(toHop10, newer).ending.kind, 'decided');
  assert.equal(describeTrace(toHop12, newer).ending.kind, 'complete');
  assert.equal(describeTrace([event(1, 'processing')], newer).ending.kind, 'under-way');
});

test('a request that is on its way says what comes next', () => {
  assert.deepEqual(describeTrace(toHop8).ending, {
    kind: 'under-way',
    text: 'came to hop 8, report stored; hop 9 (notification-service: report loaded) has not happened yet',
  });
  assert.deepEqual(describeTrace([event(1, 'processing')]).ending, {
    kind: 'under-way',
    text: 'no hop is finished; hop 1 (ingress: upload validated) has not happened yet',
  });
});

test('a report for which nothing was due ends with the decision', () => {
  assert.deepEqual(describeTrace(toHop10).ending, {
    kind: 'decided',
    text: 'decided: service-log: already-notified 2; nothing was due, or it is not yet delivered',
  });
});

test('a request that failed says where and why', () => {
  const failed = [
    ...toHop8.slice(0, 3),
    event(5, 'error', { service: 'ccx-data-pipeline', detail: 'ARCHIVE_NOT_GZIP: no archive' }),
  ];
  assert.deepEqual(describeTrace(failed).ending, {
    kind: 'failed',
    text: 'stopped after hop 3, announcement accepted: ccx-data-pipeline: error, ARCHIVE_NOT_GZIP: no archive',
  });
  assert.equal(describeTrace([event(1, 'error')]).ending.text, 'stopped before the first hop: s: error');
  const dead = [...toHop10, event(9, 'notification-dead', { detail: 'service-log 1: gone' })];
  assert.equal(describeTrace(dead).ending.kind, 'failed');
});

test("a failure that was overcome, or that is one target's only, is told beside the end", () => {
  const overcome = [...toHop8.slice(0, 3), event(3, 'error', { detail: 'first try' }), ...toHop8.slice(3)];
  assert.equal(describeTrace(overcome).ending.kind, 'under-way');
  assert.match(describeTrace(overcome).ending.text, /; before that s: error, first try$/);
  const oneTarget = [...toHop10, event(9, 'notification-dead', { detail: 'service-log' }), ...toHop12.slice(-2)];
  assert.deepEqual(describeTrace(oneTarget).ending, {
    kind: 'complete',
    text: 'all 12 hops done; before that s: notification-dead, service-log',
  });
});

test('the text for a terminal has a line per event and obeys no control characters', () => {
  const text = formatTrace(describeTrace([...toHop8, event(7, 'error', { detail: 'a\u001b[2J\nb\u2028c' })]));
  assert.equal(
    text,
    [
      'request      r',
      'organization 7',
      'account      8',
      'cluster      c',
      '',
      '2026-11-21 16:00:01          hop 1  ingress                  upload validated (received)',
      '2026-11-21 16:00:02  +1.0 s  hop 2  ingress                  archive stored and announced (success): Sent to validation service: openshift',
      '2026-11-21 16:00:03  +1.0 s  hop 3  ccx-data-pipeline        announcement accepted (received)',
      '2026-11-21 16:00:04  +1.0 s  hop 6  ccx-data-pipeline        report published (success)',
      '2026-11-21 16:00:06  +2.0 s  hop 8  ccx-notification-writer  report stored (report-stored)',
      '2026-11-21 16:00:07  +1.0 s         s                        ! error: a [2J b c',
      '',
      'stopped after hop 8, report stored: s: error, a\u001b[2J\nb\u2028c (6.0 s in all)',
    ].join('\n'),
  );
});
