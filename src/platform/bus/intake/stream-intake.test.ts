/** How far the group has come is committed in order, whatever order the work ends in; and no more is taken than there is room for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { busRecord } from '../../../../test/support/announcements.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { createManualClock } from '../../clock/manual-clock.ts';
import type { Bus, BusRecord, Consumer, ConsumerOptions, Position, TopicPartition } from '../bus.ts';
import { busPauseMs } from './offset-committer.ts';
import {
  drainMsMax,
  Intake,
  type StreamIntakeEvents,
  uncommittedRecordsMax,
  type WorkControl,
} from './stream-intake.ts';

const topic = 'announcements';

/** A bus whose records, failures and revocations a test decides. */
class ScriptedBus {
  readonly clock = createManualClock();
  readonly waiting: BusRecord[] = [];
  readonly commits: Position[][] = [];
  readonly paused: TopicPartition[][] = [];
  readonly resumed: TopicPartition[][] = [];
  pollError: Error | undefined;
  commitError: ((positions: readonly Position[]) => Error | undefined) | undefined;
  isClosed = false;
  options: ConsumerOptions | undefined;

  put(partition: number, ...offsets: number[]): void {
    for (const offset of offsets) this.waiting.push(busRecord('{}', { topic, partition, offset: BigInt(offset) }));
  }

  asBus(): Bus {
    const consumer: Consumer = {
      poll: async ({ recordsMax, waitMs, signal }) => {
        if (this.pollError !== undefined) throw this.pollError;
        if (this.waiting.length === 0) await this.clock.sleep(waitMs, signal).catch(() => undefined);
        return this.waiting.splice(0, recordsMax);
      },
      commit: async (positions) => {
        const error = this.commitError?.(positions);
        if (error !== undefined) throw error;
        this.commits.push([...positions]);
      },
      assignment: () => [0, 1].map((partition) => ({ topic, partition })),
      pause: (partitions) => this.paused.push([...partitions]),
      resume: (partitions) => this.resumed.push([...partitions]),
      close: async () => {
        this.isClosed = true;
      },
    };
    const bus: Partial<Bus> = {
      createConsumer: async (options) => {
        this.options = options;
        return consumer;
      },
    };
    return bus as Bus;
  }

  /** The newest committed offset of a partition. */
  committed(partition = 0): number | undefined {
    const last = this.commits.flat().findLast((position) => position.partition === partition);
    return last === undefined ? undefined : Number(last.offset);
  }
}

interface Started {
  readonly record: BusRecord;
  readonly control: WorkControl;
  readonly end: (isDone: boolean) => void;
}

async function open(readAheadRecordsMax = 10, readAheadBytesMax = 1_000_000) {
  const scripted = new ScriptedBus();
  const started: Started[] = [];
  const seen: string[] = [];
  const events: Partial<StreamIntakeEvents> = {
    offsetsCommitted: () => seen.push('committed'),
    busUnavailable: (doing) => seen.push(`no ${doing}`),
  };
  const intake = new Intake({
    bus: scripted.asBus(),
    topic,
    groupId: 'group',
    startAt: 'earliest',
    readAheadRecordsMax,
    readAheadBytesMax,
    clock: scripted.clock,
    events: events as StreamIntakeEvents,
    process: (record, control) =>
      new Promise((resolve) => {
        started.push({ record, control, end: resolve });
        control.abandoned.addEventListener('abort', () => resolve(false));
      }),
  });
  await intake.open();
  const finish = async (...offsets: number[]) => {
    for (const offset of offsets) started.findLast(({ record }) => Number(record.offset) === offset)?.end(true);
    await scripted.clock.advance(0);
  };
  return { scripted, started, seen, intake, finish };
}

describe('committing', () => {
  test('G5: nothing is committed past a record that is still in work', async () => {
    const { scripted, intake, finish } = await open();
    scripted.put(0, 5, 6, 7);
    assert.equal(await intake.runOnce(), 3);
    await finish(6, 7);
    assert.deepEqual([scripted.committed(), intake.taken()], [undefined, 1]);
    await finish(5);
    assert.equal(scripted.committed(), 8);
  });

  test('what finishes in one turn is committed in one call, partition by partition', async () => {
    const { scripted, intake, finish } = await open();
    scripted.put(0, 1, 2);
    scripted.put(1, 10);
    await intake.runOnce();
    await finish(1, 2, 10);
    assert.equal(scripted.commits.length, 1);
    assert.deepEqual([scripted.committed(0), scripted.committed(1)], [3, 11]);
  });

  test('a commit that fails is made again, with what has finished since', async () => {
    const { scripted, seen, intake, finish } = await open();
    scripted.put(0, 1, 2);
    await intake.runOnce();
    scripted.commitError = () =>
      new CcxError('away', { code: 'BUS_UNREACHABLE', category: 'connection', retryable: true });
    await finish(1);
    await finish(2);
    assert.deepEqual([scripted.commits.length, seen], [0, ['no commit']]);
    scripted.commitError = undefined;
    await scripted.clock.advance(busPauseMs);
    assert.deepEqual([scripted.committed(), scripted.commits.length], [3, 1]);
  });

  test('a fenced partition is given up, the others are still committed', async () => {
    const { scripted, started, intake, finish } = await open();
    scripted.put(0, 1, 2);
    scripted.put(1, 10);
    await intake.runOnce();
    scripted.commitError = (positions) =>
      positions.some((position) => position.partition === 0)
        ? new CcxError('fenced', { code: 'BUS_FENCED', category: 'connection' })
        : undefined;
    await finish(1, 10);
    assert.deepEqual([scripted.committed(0), scripted.committed(1)], [undefined, 11]);
    assert.ok(started[1]?.control.abandoned.aborted, 'record 2 of the lost partition is given up');
  });

  test('a partition that was taken away is given up and not committed, and may come back', async () => {
    const { scripted, started, intake, finish } = await open();
    scripted.put(0, 1, 2);
    await intake.runOnce();
    scripted.options?.onRevoked?.([{ topic, partition: 0 }]);
    await scripted.clock.advance(0);
    assert.ok(started.every(({ control }) => control.abandoned.aborted));
    assert.deepEqual([intake.taken(), scripted.commits.length], [0, 0]);
    scripted.put(0, 1, 2);
    await intake.runOnce();
    await finish(1, 2);
    assert.equal(scripted.committed(), 3);
  });
});

describe('room', () => {
  test('no more is taken than there is room for; while there is none the partitions are paused', async () => {
    const { scripted, started, intake, finish } = await open(4);
    scripted.put(0, 1, 2, 3, 4, 5, 6);
    assert.equal(await intake.runOnce(), 4);
    const next = intake.runOnce();
    await scripted.clock.advance(0);
    assert.deepEqual([started.length, scripted.paused.length, scripted.resumed.length], [4, 1, 0]);
    await finish(1);
    assert.equal(await next, 1);
    assert.deepEqual([scripted.resumed, started.length], [scripted.paused, 5]);
  });
});

test('no more bytes are taken than there is room for', async () => {
  const { scripted, started, intake, finish } = await open(10, 3);
  scripted.put(0, 1, 2, 3);
  assert.equal(await intake.runOnce(), 3);
  scripted.put(0, 4);
  const next = intake.runOnce();
  await scripted.clock.advance(0);
  assert.deepEqual([started.length, scripted.paused.length], [3, 1]);
  await finish(1, 2, 3);
  assert.equal(await next, 1);
});

test('one record that takes long lets only so many of its partition pass by, and any number of others', async () => {
  const { scripted, intake, finish } = await open(5);
  scripted.put(0, 0, uncommittedRecordsMax - 2);
  await intake.runOnce();
  await finish(uncommittedRecordsMax - 2);
  scripted.put(0, uncommittedRecordsMax - 1);
  await intake.runOnce();
  assert.deepEqual(scripted.paused, [], 'one less than the bound still passes');
  await finish(uncommittedRecordsMax - 1);
  scripted.put(1, 100);
  assert.equal(await intake.runOnce(), 1);
  assert.deepEqual(scripted.paused, [[{ topic, partition: 0 }]]);
  scripted.put(1, 101);
  assert.equal(await intake.runOnce(), 1);
  assert.deepEqual([scripted.paused.length, scripted.resumed], [1, []]);
  await finish(0);
  scripted.put(1, 102);
  await intake.runOnce();
  assert.deepEqual(scripted.resumed, [[{ topic, partition: 0 }]]);
  assert.equal(scripted.committed(), uncommittedRecordsMax);
});

describe('the bus away, and stopping', () => {
  test('a failing poll is seen and made again; trouble ends with the first that succeeds', async () => {
    const { scripted, seen, started, intake } = await open();
    scripted.pollError = new Error('connection refused');
    intake.start();
    await scripted.clock.advance(busPauseMs);
    assert.match(intake.trouble() ?? '', /connection refused/);
    assert.ok(seen.includes('no poll'));
    scripted.pollError = undefined;
    scripted.put(0, 1);
    await scripted.clock.advance(busPauseMs);
    assert.deepEqual([intake.trouble(), started.length], [undefined, 1]);
    started[0]?.end(true);
    await scripted.clock.advance(0);
    await intake.stop();
  });

  test('a stop lets work finish and commits it, gives up what takes too long, and leaves the group', async () => {
    const { scripted, started, intake } = await open();
    scripted.put(0, 1, 2);
    await intake.runOnce();
    const stopped = intake.stop();
    await scripted.clock.advance(0);
    assert.ok(started[0]?.control.stopping.aborted);
    assert.equal(started[0]?.control.abandoned.aborted, false);
    started[0]?.end(true);
    await scripted.clock.advance(drainMsMax);
    assert.ok(started[1]?.control.abandoned.aborted);
    await stopped;
    assert.deepEqual([scripted.committed(), scripted.isClosed], [2, true]);
  });

  test('a stop that cannot commit ends all the same', async () => {
    const { scripted, intake, finish } = await open();
    scripted.put(0, 1);
    await intake.runOnce();
    scripted.commitError = () => new Error('away');
    await finish(1);
    await intake.stop();
    assert.deepEqual([scripted.commits.length, scripted.isClosed], [0, true]);
  });
});
