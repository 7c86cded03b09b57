/** Status messages are told, not promised: bounded, in order, never in the way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRecordingBus } from '../../../test/support/recording-bus.ts';
import { TOPIC_PAYLOAD_STATUS } from '../../contracts/topics.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { statusesPerSendMax, statusesWaitingMax, statusRetryMs } from './limits.ts';
import { StatusReporter } from './status-reporter.ts';

async function start() {
  const clock = createManualClock();
  const bus = createRecordingBus();
  const producer = await bus.createProducer();
  const dropped = { count: 0 };
  const sends: number[] = [];
  const reporter = new StatusReporter({
    sender: {
      send: async (records) => {
        sends.push(records.length);
        await producer.send(records);
      },
    },
    topic: TOPIC_PAYLOAD_STATUS,
    clock,
    onDropped: (count) => {
      dropped.count += count;
    },
  });
  const report = (id: string) => reporter.report({ requestId: id, account: '', orgId: '' }, 'received', 'text');
  const ids = () => bus.records.map(({ value }) => (JSON.parse(String(value)) as { request_id: string }).request_id);
  return { clock, bus, reporter, report, dropped, ids, sends };
}

test('what is told while the bus is away is kept up to a bound; the oldest goes first', async () => {
  const { clock, bus, reporter, report, dropped, ids } = await start();
  bus.mode = 'down';
  for (let n = 0; n <= statusesWaitingMax; n += 1) report(`id${n}`);
  assert.equal(dropped.count, 1);
  assert.equal(reporter.idle(), false);
  await clock.advance(statusRetryMs);
  bus.mode = 'up';
  await clock.advance(statusRetryMs);
  await bus.taken(TOPIC_PAYLOAD_STATUS, statusesWaitingMax);
  assert.deepEqual(
    ids(),
    Array.from({ length: statusesWaitingMax }, (_, n) => `id${n + 1}`),
  );
  await clock.advance(statusRetryMs);
  assert.equal(reporter.idle(), true);
});

test('many go out together, but not more than so many', async () => {
  const { bus, report, sends } = await start();
  for (let n = 0; n < statusesPerSendMax + 1; n += 1) report(`id${n}`);
  await bus.taken(TOPIC_PAYLOAD_STATUS, statusesPerSendMax + 1);
  assert.deepEqual(sends, [statusesPerSendMax, 1]);
});

test('stopping sends the rest where the bus answers, and drops it where it does not', async () => {
  const working = await start();
  working.report('id1');
  await working.reporter.stop();
  assert.deepEqual(working.ids(), ['id1']);

  const away = await start();
  away.bus.mode = 'down';
  away.report('id1');
  await away.clock.advance(0);
  await away.reporter.stop();
  assert.equal(away.dropped.count, 1);
});
