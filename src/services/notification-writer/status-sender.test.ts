/** Status messages: in order, in batches, bounded, and never anybody's problem. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutgoingRecord } from '../../platform/bus/bus.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { statusBatchMax, statusesQueuedMax, statusRetryMsMax } from './limits.ts';
import { StatusSender } from './status-sender.ts';

function bench(topic = 'statuses') {
  const clock = createManualClock();
  const batches: (readonly OutgoingRecord[])[] = [];
  const state = { away: false };
  const dropped: [number, string][] = [];
  const sender = new StatusSender({
    sender: {
      send: async (records) => {
        if (state.away) throw new Error('away');
        batches.push(records);
        return [];
      },
    },
    topic,
    serviceName: 'writer',
    clock,
    onDropped: (count, code) => dropped.push([count, code]),
  });
  const requests = () =>
    batches.flat().map(({ value }) => (JSON.parse(String(value)) as { request_id: string }).request_id);
  const settle = async () => {
    while (!sender.idle() && !state.away) await clock.advance(statusRetryMsMax);
  };
  return { clock, batches, state, dropped, sender, requests, settle };
}

test('what is told in one turn goes out as one batch in the order of telling', async () => {
  const { sender, batches, settle } = bench();
  sender.tell('r', 'received', 1_000_000n);
  sender.tell('r', 'processed', 2_500_000n);
  sender.tell('r', 'success', 2_500_000n);
  assert.equal(sender.idle(), false);
  await settle();
  assert.deepEqual(
    batches.map((batch) => batch.map(({ topic, value, key, headers }) => [topic, value, key, headers])),
    [
      [
        [
          'statuses',
          '{"service":"writer","request_id":"r","status":"received","date":"1970-01-01T00:00:01Z"}',
          undefined,
          undefined,
        ],
        [
          'statuses',
          '{"service":"writer","request_id":"r","status":"processed","date":"1970-01-01T00:00:02.5Z"}',
          undefined,
          undefined,
        ],
        [
          'statuses',
          '{"service":"writer","request_id":"r","status":"success","date":"1970-01-01T00:00:02.5Z"}',
          undefined,
          undefined,
        ],
      ],
    ],
  );
});

test('nothing is told without a request id or a topic', async () => {
  const one = bench();
  one.sender.tell('', 'received', 1n);
  const other = bench('');
  other.sender.tell('r', 'received', 1n);
  assert.deepEqual([one.sender.idle(), other.sender.idle()], [true, true]);
});

test('a bus that is away is waited for, in order and without losing any', async () => {
  const { sender, state, clock, requests, settle } = bench();
  state.away = true;
  sender.tell('first', 'received', 1n);
  await clock.advance(0);
  sender.tell('second', 'received', 1n);
  await clock.advance(statusRetryMsMax);
  state.away = false;
  await settle();
  assert.deepEqual(requests(), ['first', 'second']);
});

test('as many as the list holds wait, one more costs the oldest, and batches have their limit', async () => {
  const { sender, state, clock, dropped, requests, batches, settle } = bench();
  state.away = true;
  for (let number = 0; number < statusesQueuedMax; number += 1) sender.tell(String(number), 'received', 1n);
  assert.deepEqual(dropped, []);
  sender.tell('one more', 'received', 1n);
  assert.deepEqual(dropped, [[1, 'STATUS_QUEUE_FULL']]);
  await clock.advance(0);
  state.away = false;
  await settle();
  assert.equal(requests().length, statusesQueuedMax);
  assert.deepEqual([requests()[0], requests().at(-1)], ['1', 'one more']);
  assert.ok(batches.every((batch) => batch.length <= statusBatchMax));
});

test('closing sends what waits, once, and says what could not be sent', async () => {
  const { sender, requests, dropped } = bench();
  sender.tell('r', 'received', 1n);
  await sender.close();
  assert.deepEqual(requests(), ['r']);
  sender.tell('late', 'received', 1n);
  assert.equal(sender.idle(), true);

  const away = bench();
  away.state.away = true;
  away.sender.tell('a', 'received', 1n);
  away.sender.tell('b', 'received', 1n);
  await away.sender.close();
  assert.deepEqual(away.dropped, [[2, 'UNKNOWN']]);
  assert.deepEqual(dropped, []);
});
