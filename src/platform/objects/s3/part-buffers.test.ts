/** Buffers go round among those that fill them fast, and nobody waits for long for one that is slow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../clock/manual-clock.ts';
import { PartBuffers, sharedBuffers, turnMsMax } from './part-buffers.ts';

async function full() {
  const clock = createManualClock();
  const buffers = new PartBuffers(16, clock);
  const taken = await Promise.all(Array.from({ length: sharedBuffers }, () => buffers.take()));
  return { clock, buffers, taken };
}

test('who finds none waits for one that is given back, and gets that one', async () => {
  const { buffers, taken } = await full();
  assert.equal(new Set(taken).size, sharedBuffers);
  const order: string[] = [];
  const first = buffers.take().finally(() => order.push('first'));
  const second = buffers.take().finally(() => order.push('second'));
  buffers.giveBack(taken[3]!);
  assert.equal(await first, taken[3]);
  assert.deepEqual(order, ['first']);
  buffers.giveBack(taken[5]!);
  assert.equal(await second, taken[5]);
});

test('a buffer that is held for longer than a turn does not count: others get new ones', async () => {
  const { clock, buffers, taken } = await full();
  const waiting = Array.from({ length: sharedBuffers + 1 }, () => buffers.take());
  await clock.advance(turnMsMax);
  const fresh = await Promise.all(waiting.slice(0, sharedBuffers));
  assert.equal(new Set([...taken, ...fresh]).size, 2 * sharedBuffers);
  // The last one waits for these; what the slow ones give back late is nobody's turn.
  buffers.giveBack(taken[0]!);
  let came = false;
  const last = waiting[sharedBuffers]!.finally(() => {
    came = true;
  });
  await clock.advance(1);
  assert.equal(came, false);
  buffers.giveBack(fresh[0]!);
  await last;
});
