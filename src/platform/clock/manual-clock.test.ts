/** The clock of the tests moves only when told, and wakes sleepers in order. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { createSystemClock } from './clock.ts';
import { createManualClock } from './manual-clock.ts';

test('sleepers wake in order of their due time, at their due time', async () => {
  const clock = createManualClock('2026-01-01T00:00:00Z');
  const woken: [string, string][] = [];
  void clock.sleep(200).then(() => woken.push(['late', clock.now().toISOString()]));
  void clock.sleep(100).then(() => woken.push(['early', clock.now().toISOString()]));
  await clock.advance(1000);
  assert.deepEqual(woken, [
    ['early', '2026-01-01T00:00:00.100Z'],
    ['late', '2026-01-01T00:00:00.200Z'],
  ]);
  assert.equal(clock.now().toISOString(), '2026-01-01T00:00:01.000Z');
});

test('every runs once per period until it is stopped', async () => {
  const clock = createManualClock();
  let runs = 0;
  const stop = clock.every(10, () => {
    runs += 1;
  });
  await clock.advance(35);
  stop();
  await clock.advance(100);
  assert.equal(runs, 3);
});

test('a run of every that fails is no end of the others', async () => {
  const clock = createManualClock();
  const warned = once(process, 'warning');
  let runs = 0;
  const stop = clock.every(10, () => {
    runs += 1;
    if (runs === 1) throw new Error('the first');
  });
  await clock.advance(25);
  stop();
  assert.equal(runs, 2);
  const [warning] = (await warned) as [Error];
  assert.match(`${warning.name} ${warning.message}`, /^TickFailed Error: the first/);
});

test('microseconds never repeat, on either clock', () => {
  for (const clock of [createManualClock(), createSystemClock()]) {
    let last = clock.nowMicros();
    for (let i = 0; i < 1000; i += 1) {
      const next = clock.nowMicros();
      assert.ok(next > last);
      last = next;
    }
  }
});
