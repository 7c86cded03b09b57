/** The clock of the process on a machine whose clock is set, slewed and suspended. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSystemClock } from './clock.ts';

const hourMs = 3_600_000;

function createMachine() {
  const machine = { wall: Date.UTC(2026, 10, 21, 16), monotonic: 1_000 };
  return {
    /** Time that passes. */
    pass: (ms: number) => {
      machine.wall += ms;
      machine.monotonic += ms;
    },
    /** The wall clock alone: somebody sets it, or the machine was suspended. */
    set: (ms: number) => {
      machine.wall += ms;
    },
    wallMicros: () => BigInt(Math.trunc(machine.wall)) * 1000n,
    clock: createSystemClock({ wallMs: () => Math.trunc(machine.wall), monotonicMs: () => machine.monotonic }),
  };
}

const apart = (left: bigint, right: bigint) => Number(left > right ? left - right : right - left) / 1000;

test('a step of hours is followed at once, forward and back', () => {
  for (const step of [2 * hourMs, -2 * hourMs, 60_000, -60_000]) {
    const { clock, pass, set, wallMicros } = createMachine();
    clock.nowMicros();
    pass(10_000);
    set(step);
    assert.ok(apart(clock.nowMicros(), wallMicros()) < 100, `after ${step} ms`);
    pass(hourMs);
    assert.ok(apart(clock.nowMicros(), wallMicros()) < 100, 'and an hour later');
    assert.equal(clock.now().getTime(), Number(wallMicros() / 1000n));
  }
});

test('corrections by little never repeat a time, and are followed, too', () => {
  const { clock, pass, set, wallMicros } = createMachine();
  let last = clock.nowMicros();
  for (let step = 0; step < 5_000; step += 1) {
    pass(1.25);
    // As NTP does it, and now and then by half a second.
    set(step % 1_000 === 999 ? -500 : -0.001);
    const next = clock.nowMicros();
    assert.ok(next > last, `step ${step}`);
    last = next;
  }
  pass(2_000);
  assert.ok(apart(clock.nowMicros(), wallMicros()) < 100);
});

test('between two looks at the wall clock there are microseconds', () => {
  const { clock, pass } = createMachine();
  const first = clock.nowMicros();
  pass(0.5);
  assert.equal(clock.nowMicros() - first, 500n);
});

test('a tick that throws or rejects is told, and the next one comes', async () => {
  const told: unknown[] = [];
  const third = Promise.withResolvers<void>();
  let ticks = 0;
  const stop = createSystemClock(undefined, (error) => told.push((error as Error).message)).every(1, () => {
    ticks += 1;
    if (ticks === 1) throw new Error('thrown');
    if (ticks === 2) return Promise.reject(new Error('rejected'));
    third.resolve();
  });
  await third.promise;
  stop();
  assert.deepEqual(told, ['thrown', 'rejected']);
});
