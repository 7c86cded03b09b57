/** Cleanups run once, in reverse, bounded in time, and failures are reported rather than thrown. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../clock/manual-clock.ts';
import { cleanupMsMax, Lifecycle } from './lifecycle.ts';

test('cleanups run in reverse order of registration, once', async () => {
  const lifecycle = new Lifecycle(createManualClock());
  const order: string[] = [];
  lifecycle.defer('first', () => void order.push('first'));
  lifecycle.defer('second', async () => void order.push('second'));
  const [one, two] = await Promise.all([lifecycle.stop(), lifecycle.stop()]);
  assert.deepEqual(order, ['second', 'first']);
  assert.equal(one, two);
  assert.deepEqual(one.failed, []);
});

test('a cleanup that fails is named and does not keep the others from running', async () => {
  const lifecycle = new Lifecycle(createManualClock());
  let ran = false;
  lifecycle.defer('good', () => {
    ran = true;
  });
  lifecycle.defer('bad', () => {
    throw new Error('no');
  });
  const report = await lifecycle.stop();
  assert.deepEqual(report.failed, [{ name: 'bad', error: 'no' }]);
  assert.ok(ran);
});

test('a cleanup that hangs is given up after its time', async () => {
  const clock = createManualClock();
  const lifecycle = new Lifecycle(clock);
  lifecycle.defer('stuck', () => new Promise<void>(() => undefined));
  const stopping = lifecycle.stop();
  await clock.advance(cleanupMsMax);
  const report = await stopping;
  assert.equal(report.failed[0]?.name, 'stuck');
});
