/** How rounds alternate, what a ratio is, and when a comparison ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualClock } from '../../src/platform/clock/manual-clock.ts';
import type { Contender } from './benchmark.ts';
import { compare, spread } from './compare.ts';

const clock = createManualClock();
const running = { clock, quick: false, signal: new AbortController().signal };

/** Takes so many milliseconds for one unit in each round, the first of which only warms up. */
function contender(name: string, roundMs: readonly number[], calls: string[] = []): Contender {
  return {
    name,
    prepare: () => void calls.push(`prepare ${name}`),
    async run(round) {
      calls.push(name);
      await clock.advance(roundMs[round] ?? 1);
      return 1;
    },
  };
}

test('the contenders take turns, each prepared before its own', async () => {
  const calls: string[] = [];
  await compare(
    {
      ...{ title: 'turns', unit: 'units', rounds: 1 },
      subject: contender('a', [], calls),
      baselines: [contender('b', [], calls)],
    },
    running,
  );
  const round = ['prepare a', 'a', 'prepare b', 'b'];
  assert.deepEqual(calls, [...round, ...round]);
});

test('a ratio is taken within each round, and the round that warms up does not count', async () => {
  const { subject, baselines, rounds } = await compare(
    {
      ...{ title: 'ratios', unit: 'units', rounds: 3 },
      // The machine is ten times slower in the second round, for both.
      subject: contender('a', [9_999, 10, 100, 10]),
      baselines: [contender('b', [1, 20, 200, 40])],
    },
    running,
  );
  assert.equal(rounds, 3);
  assert.deepEqual(subject.perSecond, { median: 100, min: 10, max: 100 });
  assert.deepEqual(baselines[0]?.ratio, { median: 2, min: 2, max: 4 });
});

test('work that took its own time is counted by that', async () => {
  const { subject } = await compare(
    {
      ...{ title: 'timed', unit: 'units', rounds: 1 },
      subject: {
        name: 'a',
        async run() {
          await clock.advance(500);
          return { units: 10, elapsedMs: 100 };
        },
      },
      baselines: [],
    },
    running,
  );
  assert.equal(subject.perSecond.median, 100);
});

test('a comparison ends when its time is up, but not before the third round', async () => {
  const contest = { title: 'time', unit: 'units', rounds: 100, budgetMs: 1_000, baselines: [] };
  const taking = (ms: number) =>
    contender(
      'a',
      Array.from({ length: 101 }, () => ms),
    );
  assert.equal((await compare({ ...contest, subject: taking(5_000) }, running)).rounds, 3);
  assert.equal((await compare({ ...contest, subject: taking(100) }, running)).rounds, 10);
});

test('Ctrl-C ends a comparison between two runs', async () => {
  const interrupted = new AbortController();
  const calls: string[] = [];
  const subject: Contender = {
    name: 'a',
    run() {
      interrupted.abort(new Error('interrupted'));
      return 1;
    },
  };
  const contest = { title: 'end', unit: 'units', subject, baselines: [contender('b', [], calls)] };
  await assert.rejects(compare(contest, { ...running, signal: interrupted.signal }), /interrupted/);
  assert.deepEqual(calls, []);
});

test('the median of an even number of values lies between the two in the middle', () => {
  assert.deepEqual(spread([4, 1, 3, 10]), { median: 3.5, min: 1, max: 10 });
});

test('costs are those of the process that a contender names, per unit of its work', async () => {
  const { subject, baselines } = await compare(
    {
      ...{ title: 'costs', unit: 'units', rounds: 3 },
      subject: {
        name: 'a',
        costs: () => ({ process: process.pid }),
        run() {
          const before = process.cpuUsage();
          for (let spent = 0; spent < 50_000; ) {
            const { user, system } = process.cpuUsage(before);
            spent = user + system;
          }
          return 10;
        },
      },
      baselines: [contender('b', [])],
    },
    running,
  );
  const measured = subject.costs!.cpuUs.process.median;
  // 0 where the system has no /proc.
  assert.ok(measured === 0 || (measured >= 3_000 && measured < 20_000), String(measured));
  assert.equal(baselines[0]!.costs, undefined);
});
