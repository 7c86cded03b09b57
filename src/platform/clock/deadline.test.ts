/** Whoever waits with an end hears of the work, of the end, or of being called off: of one of them, once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause, within } from './deadline.ts';
import { createManualClock } from './manual-clock.ts';

test('work that is done in time answers, and the timer goes with it', async () => {
  const clock = createManualClock();
  const asked: string[] = [];
  const answer = await within(Promise.resolve(7), { clock, ms: 10 }, (why) => asked.push(why));
  await clock.advance(100);
  assert.equal(answer, 7);
  assert.deepEqual(asked, [], 'nobody is asked for another answer');
});

test('a failure of the work in time is the caller’s', async () => {
  const clock = createManualClock();
  await assert.rejects(
    within(Promise.reject(new Error('broken')), { clock, ms: 10 }, () => undefined),
    /broken/,
  );
});

test('work that is late is answered for, and its late failure is nobody’s', async () => {
  const clock = createManualClock();
  const work = Promise.withResolvers<number>();
  const answer = within(work.promise, { clock, ms: 10 }, (why) => why);
  await clock.advance(10);
  assert.equal(await answer, 'late');
  work.reject(new Error('too late to matter'));
  await clock.advance(10);
});

test('an answer for late work may be an error', async () => {
  const clock = createManualClock();
  const answer = within(new Promise(() => undefined), { clock, ms: 10 }, () => {
    throw new Error('no answer within 10 ms');
  });
  const failed = assert.rejects(answer, /within 10 ms/);
  await clock.advance(10);
  await failed;
});

test('a signal ends the waiting at once, also one that aborted before', async () => {
  const clock = createManualClock();
  const called = new AbortController();
  const forever = new Promise<never>(() => undefined);
  const answer = within(forever, { clock, ms: 1_000, signal: called.signal }, (why) => why);
  called.abort();
  assert.equal(await answer, 'aborted');
  assert.equal(await within(forever, { clock, ms: 1_000, signal: called.signal }, (why) => why), 'aborted');
});

test('a pause ends early without throwing', async () => {
  const clock = createManualClock();
  const called = new AbortController();
  const pausing = pause(clock, 1_000, called.signal);
  called.abort();
  await pausing;
});
