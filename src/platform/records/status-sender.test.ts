/** Status messages are told in order, in batches, within bounds, and never in the way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PayloadStatusMessage, serializePayloadStatus } from '../../contracts/payload-status.ts';
import { TOPIC_PAYLOAD_STATUS } from '../../contracts/topics.ts';
import type { OutgoingRecord } from '../bus/bus.ts';
import { createManualClock } from '../clock/manual-clock.ts';
import { StatusSender, statusBatchMax, statusesWaitingMax, statusRetryMsMax } from './status-sender.ts';

function make(topic = TOPIC_PAYLOAD_STATUS) {
  const clock = createManualClock();
  const state = { isAway: false, dropped: 0 };
  const batches: PayloadStatusMessage[][] = [];
  const sender = {
    send: async (records: readonly OutgoingRecord[]) => {
      if (state.isAway) throw new Error('away');
      batches.push(records.map((record) => JSON.parse(String(record.value))));
      return [];
    },
  };
  const dropped = {
    inc: (count: unknown) => {
      state.dropped += Number(count);
    },
  };
  const statuses = new StatusSender({ sender, topic, service: 'ccx-data-pipeline', clock, dropped });
  return { clock, state, batches, statuses };
}

const subject = { requestId: 'req-1', orgId: '7', account: undefined };

test('a status has its members in order, and what is unknown is left out', async () => {
  const { clock, batches, statuses } = make();
  statuses.report(subject, 'received');
  statuses.report({ ...subject, account: '10' }, 'error', { text: 'Invalid URL format' });
  await clock.advance(0);
  assert.equal(
    JSON.stringify(batches[0]?.[0]),
    '{"service":"ccx-data-pipeline","org_id":"7","request_id":"req-1","status":"received","date":"2026-11-21T16:00:00Z"}',
  );
  assert.deepEqual(batches[0]?.[1], {
    service: 'ccx-data-pipeline',
    account: '10',
    org_id: '7',
    request_id: 'req-1',
    status: 'error',
    status_msg: 'Invalid URL format',
    date: '2026-11-21T16:00:00.000001Z',
  });
  assert.ok(statuses.idle());
});

test('statuses of many requests are the same messages, with one time for all', async () => {
  const { clock, batches, statuses } = make();
  const requests = ['req-1', '', 'a "b"\\\n\u2028é', '\ud800'];
  statuses.reportAll(requests, ['processed', 'success']);
  await clock.advance(0);
  const date = '2026-11-21T16:00:00Z';
  assert.deepEqual(
    batches[0]!.map((message) => JSON.stringify(message)),
    requests
      .filter((id) => id !== '')
      .flatMap((request_id) =>
        (['processed', 'success'] as const).map((status) =>
          serializePayloadStatus({ service: 'ccx-data-pipeline', request_id, status, date }),
        ),
      ),
  );
  const silent = make('');
  silent.statuses.reportAll(requests, ['received']);
  statuses.reportAll([''], ['received']);
  assert.deepEqual([batches.length, silent.statuses.idle(), statuses.idle()], [1, true, true]);
});

test('nothing is told without a request id or without a topic', async () => {
  const { clock, batches, statuses } = make();
  statuses.report({ ...subject, requestId: null }, 'received');
  const silent = make('');
  silent.statuses.report(subject, 'received');
  await clock.advance(0);
  assert.deepEqual([batches.length, silent.batches.length, silent.statuses.idle()], [0, 0, true]);
});

test('while the bus is away statuses wait, and follow in order when it is back', async () => {
  const { clock, state, batches, statuses } = make();
  state.isAway = true;
  statuses.report(subject, 'received');
  await clock.advance(0);
  statuses.report(subject, 'processing');
  assert.equal(statuses.idle(), false);
  state.isAway = false;
  await clock.advance(statusRetryMsMax);
  assert.deepEqual(
    batches.flat().map((message) => message.status),
    ['received', 'processing'],
  );
});

test('more than may wait are dropped, oldest first, and counted', async () => {
  const { clock, state, batches, statuses } = make();
  state.isAway = true;
  for (let index = 0; index <= statusesWaitingMax; index += 1) {
    statuses.report({ ...subject, requestId: `req-${index}` }, 'received');
  }
  assert.equal(state.dropped, 1);
  await clock.advance(0);
  state.isAway = false;
  await clock.advance(statusRetryMsMax);
  const told = batches.flat();
  assert.deepEqual(
    [told.length, told[0]?.request_id, told.at(-1)?.request_id],
    [statusesWaitingMax, 'req-1', `req-${statusesWaitingMax}`],
  );
  assert.ok(batches.every((batch) => batch.length <= statusBatchMax));
});

test('closing sends what waits, once, and counts what cannot be sent', async () => {
  const given = make();
  given.statuses.report(subject, 'success');
  await given.statuses.close();
  assert.equal(given.batches.flat().length, 1);
  const away = make();
  away.state.isAway = true;
  away.statuses.report(subject, 'success');
  await away.statuses.close();
  away.statuses.report(subject, 'success');
  assert.deepEqual([away.state.dropped, away.statuses.idle()], [1, true]);
});
