/** Many that wait are trouble only when nothing gets through. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { fetchSilenceMsMax, WaitingRoom } from './waiting-room.ts';

test('as many waiting as there are places, and nothing fetched for long, is trouble that names the hosts', async () => {
  const clock = createManualClock();
  const room = new WaitingRoom(clock, 2);
  await clock.advance(100_000);
  const end = Promise.withResolvers<void>();
  const waits = [room.during(end.promise)];
  await clock.advance(fetchSilenceMsMax);
  assert.equal(room.trouble([]), undefined, 'one of two');
  waits.push(room.during(end.promise));
  assert.equal(
    room.trouble(['store:9000']),
    '2 announcements wait for another attempt, nothing was fetched for 10 s, and these hosts do not answer: store:9000',
  );
  room.fetched();
  assert.equal(room.trouble([]), undefined);
  await clock.advance(fetchSilenceMsMax - 1);
  assert.equal(room.trouble([]), undefined);
  await clock.advance(1);
  assert.match(room.trouble([]) ?? '', /^2 announcements wait/);
  end.resolve();
  await Promise.all(waits);
  assert.deepEqual([room.waiting(), room.trouble([])], [0, undefined]);
});
