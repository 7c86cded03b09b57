/** What the cycles of follow mode are told by what goes on beside them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { createBeside } from './follow-beside.ts';
import type { FinishedRun } from './run.ts';

type Missed = Awaited<ReturnType<FinishedRun['store']['missedClusters']>>;

const nothing: Missed = { clusters: [], oldestMicros: undefined };
const newest = 1_000_000_000_000n;
const pollMs = 10_000;
/** Statements of one look. */
const parts = 20;

/** `answer` is what the database says of what was missed. */
function besideOf(answer: (afterMicros: bigint) => Promise<Missed>) {
  const clock = createManualClock();
  const did = { rings: 0, looks: 0, failures: 0 };
  const store = {
    async missedClusters({ afterMicros, untilMicros }: { readonly afterMicros: bigint; readonly untilMicros: bigint }) {
      did.looks += 1;
      const missed = await answer(afterMicros);
      const { oldestMicros = 0n } = missed;
      return oldestMicros > afterMicros && oldestMicros <= untilMicros ? missed : nothing;
    },
  };
  const run = { newestStoredMicros: newest, targets: [], recent: undefined };
  const finished = { run, store } as unknown as FinishedRun;
  const events = {
    lookBesideFailed() {
      did.failures += 1;
    },
  };
  const ring = () => {
    did.rings += 1;
  };
  const state = { clock, events, settings: { follow: { pollMs } }, signal: new AbortController().signal, store: {} };
  const beside = createBeside(state as never, ring);
  return {
    ...{ beside, clock, did },
    /** Behind a cycle, so much later. */
    async later(ms: number) {
      await clock.advance(ms);
      beside.look(finished, newest - BigInt(beside.overlapMs()) * 1000n);
      await beside.ended();
    },
  };
}

const lateBy = (seconds: number): Missed => ({
  clusters: ['a'],
  oldestMicros: newest - BigInt(seconds) * 1_000_000n,
});

test('what was missed goes to the next cycle, once', async () => {
  const { beside, did, later } = besideOf(async () => lateBy(3));
  await later(pollMs);
  assert.deepEqual([did.rings, beside.takeMissed(), beside.takeMissed()], [1, ['a'], []]);
});

test('cycles look as far back as they have missed something, a minute at most, until ten minutes went without', async () => {
  let answer = nothing;
  const { beside, later } = besideOf(async () => answer);
  assert.equal(beside.overlapMs(), 2_000);
  for (const [seconds, overlapMs] of [
    [1, 2_000],
    [40, 42_000],
    [20, 42_000],
    [300, 60_000],
  ] as const) {
    answer = lateBy(seconds);
    await later(pollMs);
    assert.equal(beside.overlapMs(), overlapMs);
  }
  answer = nothing;
  await later(9 * 60_000);
  assert.equal(beside.overlapMs(), 60_000);
  await later(60_000);
  assert.equal(beside.overlapMs(), 2_000);
});

test('it looks ten minutes back, the newest first, once per poll', async () => {
  const seconds: number[] = [];
  const { did, later } = besideOf(async (afterMicros) => {
    seconds.push(Number((newest - afterMicros) / 1_000_000n));
    return nothing;
  });
  await later(pollMs - 1);
  assert.equal(did.looks, 0);
  await later(1);
  await later(pollMs - 1);
  assert.deepEqual(
    seconds,
    Array.from({ length: parts }, (_, index) => 2 + 30 * (index + 1)),
  );
});

test('a look that takes long ends, and goes on where it was when it has its share of the time again', async () => {
  const seconds: number[] = [];
  const { clock, later } = besideOf(async (afterMicros) => {
    seconds.push(Number((newest - afterMicros) / 1_000_000n));
    await clock.advance(30);
    return nothing;
  });
  await later(pollMs);
  await later(60 * 19 - 1);
  assert.deepEqual(seconds, [32, 62]);
  await later(1);
  assert.deepEqual(seconds, [32, 62, 92, 122]);
});

test('a look that did not find all is followed by the next at once', async () => {
  const many = {
    clusters: Array.from({ length: 10_000 }, (_, index) => String(index)),
    oldestMicros: lateBy(3).oldestMicros,
  };
  const { did, later } = besideOf(async () => (did.looks === 1 ? many : nothing));
  await later(pollMs);
  await later(0);
  await later(0);
  assert.equal(did.looks, 2 * parts);
});

test('where nobody knows what was missed the next cycle compares everything', async () => {
  const { beside, did, later } = besideOf(() => Promise.reject(new Error('away')));
  await later(pollMs);
  assert.deepEqual([did.failures, beside.takeMissed(), beside.takeMissed()], [1, undefined, []]);
  await later(pollMs - 1);
  assert.equal(did.failures, 1);
});
