/** Many that wait are trouble only when nothing gets through. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { WaitingRoom } from './waiting-room.ts';

test('as many waiting as there are places, and nothing fetched for long, is trouble that names the hosts', async () => {
  const clock = createManualClock();
  const room = new WaitingRoom({ clock, waitingMax: 2, fetchSilenceMsMax: 30_000 });
  await clock.advance(100_000);
  const end = Promise.withResolvers<void>();
  const waits = [room.during(end.promise)];
  await clock.advance(30_000);
  assert.equal(room.trouble([]), undefined, 'one of two');
  waits.push(room.during(end.promise));
  assert.equal(
    room.trouble(['store:9000']),
    '2 announcements wait for another attempt, nothing was fetched for 30 s, and these hosts do not answer: store:9000',
  );
  room.fetched();
  assert.equal(room.trouble([]), undefined);
  await clock.advance(29_999);
  assert.equal(room.trouble([]), undefined);
  await clock.advance(1);
  assert.match(room.trouble([]) ?? '', /^2 announcements wait/);
  end.resolve();
  await Promise.all(waits);
  assert.deepEqual([room.waiting(), room.trouble([])], [0, undefined]);
});
