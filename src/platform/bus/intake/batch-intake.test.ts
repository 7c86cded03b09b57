/** What the intake promises whatever the bus and the processing do: nothing is skipped, nothing is acknowledged too early. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { createManualClock } from '../../clock/manual-clock.ts';
import { Health } from '../../lifecycle/health.ts';
import type { BusRecord, Consumer, Position } from '../bus.ts';
import { fenced } from '../bus-errors.ts';
import { type BatchControl, BatchIntake } from './batch-intake.ts';
import { done, retry } from './step.ts';

function record(offset: number, bytes = 10, partition = 0): BusRecord {
  const value = Buffer.alloc(bytes);
  return { topic: 't', partition, offset: BigInt(offset), key: null, value, headers: [], timestampMs: 0 };
}

type Process = (records: readonly BusRecord[], control: BatchControl) => Promise<void>;

function bench(
  process: Process,
  onBegin: (records: readonly BusRecord[]) => void = () => undefined,
  bounds: { readonly waitsAlways?: boolean } = {},
) {
  const clock = createManualClock();
  const health = new Health();
  const polls: (readonly BusRecord[] | Error)[] = [];
  const commits: Position[][] = [];
  const commitErrors: Error[] = [];
  const told: string[] = [];
  const consumer: Consumer = {
    poll: async () => {
      const next = polls.shift() ?? [];
      if (next instanceof Error) throw next;
      return next;
    },
    commit: async (positions) => {
      const error = commitErrors.shift();
      if (error !== undefined) throw error;
      commits.push([...positions]);
    },
    assignment: () => [],
    pause: () => undefined,
    resume: () => undefined,
    close: async () => undefined,
  };
  const intake = new BatchIntake({
    clock,
    health,
    bounds: { recordsMax: 100, bytesMax: 100, waitMs: 50, ...bounds },
    begin: async (records, control) => {
      onBegin(records);
      return () =>
        process(
          records.filter((one) => control.owns(one)),
          control,
        );
    },
    events: {
      offsetsCommitted: () => told.push('committed'),
      stepRetried: (step, error) => told.push(`${step} ${error.code}`),
      partitionsLost: () => told.push('lost'),
      unexpectedFailure: () => told.push('unexpected'),
    },
  });
  const turn = () => intake.runOnce(consumer, 1000);
  return { clock, health, polls, commits, commitErrors, told, intake, turn };
}

const offsets = (records: readonly BusRecord[]) => records.map(({ offset }) => Number(offset));
const away = new CcxError('away', { code: 'BUS_UNREACHABLE', category: 'connection', retryable: true });

test('a batch is what several polls gave within its time, processed before it is committed', async () => {
  const seen: number[][] = [];
  const { polls, commits, turn } = bench(async (records) => {
    assert.deepEqual(commits, []);
    seen.push(offsets(records));
  });
  polls.push([record(4), record(5)], [record(6), record(0, 10, 1)], []);
  assert.equal(await turn(), 4);
  assert.deepEqual(seen, [[4, 5, 6, 0]]);
  assert.deepEqual(commits, [
    [
      { topic: 't', partition: 0, offset: 7n },
      { topic: 't', partition: 1, offset: 1n },
    ],
  ]);
});

test('what comes alone waits for nothing, what comes soon behind a batch waits for more', async () => {
  const seen: number[][] = [];
  const { clock, polls, turn } = bench(async (records) => void seen.push(offsets(records)));
  polls.push([record(0)], []);
  await turn();
  await clock.advance(49);
  polls.push([record(1)], [record(2)], []);
  await turn();
  await clock.advance(50);
  polls.push([record(3)], [record(4)], []);
  await turn();
  await turn();
  assert.deepEqual(seen, [[0], [1, 2], [3], [4]]);
});

test('where nobody is in a hurry what comes alone waits, too', async () => {
  const seen: number[][] = [];
  const { clock, polls, turn } = bench(async (records) => void seen.push(offsets(records)), undefined, {
    waitsAlways: true,
  });
  polls.push([record(0)], []);
  await turn();
  await clock.advance(50);
  polls.push([record(1)], [record(2)], []);
  await turn();
  assert.deepEqual(seen, [[0], [1, 2]]);
});

test('more bytes than a batch takes are several batches, in order, each committed by itself', async () => {
  const seen: number[][] = [];
  const { polls, commits, turn } = bench(async (records) => void seen.push(offsets(records)));
  polls.push([record(0, 60), record(1, 40), record(2, 1), record(3, 500), record(4, 0)]);
  await turn();
  assert.deepEqual(seen, [[0, 1], [2], [3], [4]]);
  assert.deepEqual(
    commits.flat().map(({ offset }) => offset),
    [2n, 3n, 4n, 5n],
  );
});

test('behind a full batch the next one is fetched while it is processed, and nothing of it is lost', async () => {
  const seen: number[][] = [];
  const { polls, commits, turn } = bench(async (records) => {
    seen.push(offsets(records));
    if (seen.length === 1) assert.equal(polls.length, 2, 'one poll is ahead');
    if (seen.length === 2) throw new Error('bug');
  });
  polls.push([record(0, 100)], [record(1, 100)], away, [record(2)]);
  assert.equal(await turn(), 1);
  await assert.rejects(turn(), /bug/);
  assert.equal(await turn(), 1);
  assert.equal(await turn(), 1);
  assert.deepEqual(seen, [[0], [1], [1], [2]]);
  assert.deepEqual(
    commits.flat().map(({ offset }) => offset),
    [1n, 2n, 3n],
  );
});

test('the next batch is begun while one is finished; one that failed is begun anew', async () => {
  const told: string[] = [];
  const { polls, turn } = bench(
    async (records) => {
      for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve));
      told.push(`finished ${offsets(records)}`);
      if (told.length === 3) throw new Error('bug');
    },
    (records) => told.push(`begun ${offsets(records)}`),
  );
  polls.push([record(0, 100)], [record(1, 100)]);
  await assert.rejects(turn(), /bug/);
  assert.equal(await turn(), 1);
  assert.equal(await turn(), 1);
  assert.deepEqual(told, ['begun 0', 'begun 1', 'finished 0', 'begun 0', 'finished 0', 'finished 1']);
});

test('records that were lost after their batch was begun are not finished', async () => {
  const seen: number[][] = [];
  let lose = () => {};
  const { polls, commits, intake, turn } = bench(async (records) => {
    seen.push(offsets(records));
    lose();
  });
  lose = () => intake.partitionsLost([{ topic: 't', partition: 0 }]);
  polls.push([record(0, 100), record(1, 100), record(7, 10, 1)]);
  await turn();
  assert.deepEqual(seen, [[0], [7]]);
  assert.deepEqual(commits, [[{ topic: 't', partition: 1, offset: 8n }]]);
});

test('records of a batch that failed are processed again before anything else is taken', async () => {
  const seen: number[][] = [];
  const { polls, turn } = bench(async (records) => {
    seen.push(offsets(records));
    if (seen.length === 1) throw new Error('bug');
  });
  polls.push([record(0), record(1)], [], [record(2)]);
  await assert.rejects(turn(), /bug/);
  assert.equal(await turn(), 2);
  assert.equal(await turn(), 1);
  assert.deepEqual(seen, [[0, 1], [0, 1], [2]]);
});

test('a bus that dies while a batch waits for more does not cost the batch', async () => {
  const { polls, commits, turn } = bench(async () => undefined);
  polls.push([record(0)], away);
  assert.equal(await turn(), 1);
  assert.equal(commits.length, 1);
});

test('G5: records of a partition that was taken away are left to its new owner, those of a new assignment are not', async () => {
  const seen: number[][] = [];
  const { polls, commits, intake, turn } = bench(async (records, control) => {
    intake.partitionsLost([{ topic: 't', partition: 1 }]);
    seen.push(offsets(records.filter((one) => control.owns(one))));
  });
  polls.push([record(0), record(7, 10, 1)], []);
  await turn();
  polls.push([record(7, 10, 1)], []);
  await turn();
  assert.deepEqual(seen, [[0], []]);
  assert.deepEqual(commits, [[{ topic: 't', partition: 0, offset: 1n }]]);
});

test('a commit is tried until it succeeds, or until somebody else has the partition', async () => {
  const { polls, commits, commitErrors, clock, health, told, turn } = bench(async () => undefined);
  polls.push([record(0)], []);
  commitErrors.push(away, away);
  const running = turn();
  while (told.length < 1) await clock.advance(0);
  assert.equal(health.readiness().ready, false);
  await clock.advance(60_000);
  await clock.advance(60_000);
  assert.equal(await running, 1);
  assert.equal(commits.length, 1);
  polls.push([record(1)], []);
  commitErrors.push(fenced([{ topic: 't', partition: 0 }]));
  assert.equal(await turn(), 1);
  assert.equal(commits.length, 1);
});

test('a step is tried until it is done, with longer and longer pauses, and readiness says what is missing', async () => {
  const attempts: number[] = [];
  const store = new CcxError('no database', { code: 'DATABASE_LOST', category: 'connection', retryable: true });
  const { polls, clock, health, told, turn } = bench(async (_records, control) => {
    const value = await control.untilDone('store', 'database', async ({ number, retryMs }) => {
      attempts.push(number);
      return number < 4 ? retry(store, retryMs) : done('stored');
    });
    assert.equal(value, 'stored');
  });
  polls.push([record(0)], []);
  const running = turn();
  while (told.length < 1) await clock.advance(0);
  assert.deepEqual(health.readiness(), { ready: false, reasons: ['database: no database [DATABASE_LOST]'] });
  for (const pauseMs of [75, 150, 300]) await clock.advance(pauseMs);
  await running;
  assert.deepEqual(attempts, [1, 2, 3, 4]);
  assert.deepEqual(health.readiness(), { ready: true, reasons: [] });
});

test('stopping ends the pauses, commits what is finished, and leaves the rest to be delivered again', async () => {
  const { polls, commits, clock, intake, told } = bench(async (records, control) => {
    if (offsets(records)[0] === 0) return;
    await control.untilDone('store', 'database', async () => retry(away, 60_000));
  });
  polls.push([record(0, 100), record(1, 100)], []);
  const consumer = {
    poll: async () => polls.shift() ?? [],
    commit: async (all: readonly Position[]) => void commits.push([...all]),
  };
  intake.start(consumer as unknown as Consumer);
  while (!told.includes('store BUS_UNREACHABLE')) await clock.advance(0);
  await intake.stop();
  assert.deepEqual(
    commits.flat().map(({ offset }) => offset),
    [1n],
  );
  assert.equal(intake.idle(), false);
});
