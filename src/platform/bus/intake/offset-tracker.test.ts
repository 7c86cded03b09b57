/** The tracker by example, and against the plainest possible model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compactAfterTaken, OffsetTracker } from './offset-tracker.ts';

const at = (offset: number | bigint, partition = 0) => ({ topic: 't', partition, offset: BigInt(offset) });

test('nothing may be committed while the oldest record is in flight', () => {
  const tracker = new OffsetTracker();
  for (const offset of [5, 6, 7]) tracker.take(at(offset));
  tracker.finish(at(6));
  tracker.finish(at(7));
  assert.deepEqual(tracker.committable(), []);
  tracker.finish(at(5));
  assert.deepEqual(tracker.committable(), [at(8)]);
  assert.deepEqual(tracker.committable(), [], 'a position is told once');
});

test('partitions advance on their own', () => {
  const tracker = new OffsetTracker();
  tracker.take(at(1, 0));
  tracker.take(at(9, 1));
  tracker.finish(at(9, 1));
  assert.deepEqual(tracker.committable(), [at(10, 1)]);
});

test('the spread of a partition counts from its oldest record in flight', () => {
  const tracker = new OffsetTracker();
  assert.equal(tracker.spread(at(0)), 0);
  for (const offset of [5, 6, 9]) tracker.take(at(offset));
  tracker.finish(at(6));
  tracker.committable();
  assert.equal(tracker.spread(at(0)), 5);
  tracker.finish(at(5));
  tracker.committable();
  assert.equal(tracker.spread(at(0)), 3);
});

test('gaps in the offsets do not hold the position back', () => {
  const tracker = new OffsetTracker();
  for (const offset of [3, 10]) tracker.take(at(offset));
  for (const offset of [3, 10]) tracker.finish(at(offset));
  assert.deepEqual(tracker.committable(), [at(11)]);
});

test('a partition that was taken away is forgotten with its late finishers', () => {
  const tracker = new OffsetTracker();
  for (const offset of [1, 2]) tracker.take(at(offset));
  tracker.forget([{ topic: 't', partition: 0 }]);
  tracker.finish(at(1));
  assert.deepEqual(tracker.committable(), []);
});

test('a record that is taken again is in flight again', () => {
  const tracker = new OffsetTracker();
  tracker.take(at(1));
  tracker.finish(at(1));
  tracker.take(at(1));
  assert.deepEqual(tracker.committable(), []);
  tracker.finish(at(1));
  assert.deepEqual(tracker.committable(), [at(2)]);
});

test('a long run does not keep what it has committed', () => {
  const tracker = new OffsetTracker();
  const rounds = compactAfterTaken * 4;
  for (let offset = 0; offset < rounds; offset += 1) {
    tracker.take(at(offset));
    tracker.finish(at(offset));
    assert.deepEqual(tracker.committable(), [at(offset + 1)]);
  }
});

/** The slow, obvious version: every record in a list; the position is after the finished ones at its front. */
class Model {
  readonly lists = new Map<number, { offset: number; finished: boolean }[]>();

  take(partition: number, offset: number): void {
    const list = this.lists.get(partition) ?? [];
    this.lists.set(partition, list);
    list.push({ offset, finished: false });
  }

  finish(partition: number, offset: number): void {
    for (const entry of this.lists.get(partition) ?? []) if (entry.offset === offset) entry.finished = true;
  }

  committable(): string[] {
    const positions: string[] = [];
    for (const [partition, list] of this.lists) {
      let last: number | undefined;
      while (list[0]?.finished === true) last = list.shift()?.offset;
      if (last !== undefined) positions.push(`${partition}:${last + 1}`);
    }
    return positions.sort();
  }
}

test('any interleaving gives the positions of the plain model', () => {
  const partition = fc.integer({ min: 0, max: 2 });
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), partition, skip: fc.nat(2) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('finish' as const), partition, pick: fc.nat(30) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('commit' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), partition }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const tracker = new OffsetTracker();
      const model = new Model();
      const next = [0, 0, 0];
      for (const action of steps) {
        if (action.do === 'take') {
          const offset = next[action.partition]! + action.skip;
          next[action.partition] = offset + 1;
          tracker.take(at(offset, action.partition));
          model.take(action.partition, offset);
        } else if (action.do === 'finish') {
          tracker.finish(at(action.pick, action.partition));
          model.finish(action.partition, action.pick);
        } else if (action.do === 'forget') {
          tracker.forget([{ topic: 't', partition: action.partition }]);
          model.lists.delete(action.partition);
        } else {
          const told = tracker.committable().map((position) => `${position.partition}:${position.offset}`);
          assert.deepEqual(told.sort(), model.committable());
        }
      }
    }),
  );
});
