/** A lone announcement goes at once, others together behind it; what fails, fails for those it concerns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutgoingRecord } from '../../platform/bus/bus.ts';
import { GroupedSends } from './grouped-sends.ts';

const recordOf = (value: string): OutgoingRecord => ({ topic: 'topic', value });

/** A sender whose sends end when the test says so. */
function fixture() {
  const sends: { readonly values: string[]; readonly end: (error?: Error) => void; readonly late: () => void }[] = [];
  const sender = {
    send(records: readonly OutgoingRecord[], arrivedLate = () => {}) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const end = (error?: Error) => (error === undefined ? resolve() : reject(error));
      sends.push({ values: records.map(({ value }) => String(value)), end, late: arrivedLate });
      return promise;
    },
  };
  const groups = new GroupedSends(sender, (error) => (error as Error).message === 'unsendable');
  const outcomes: string[] = [];
  const send = (value: string) =>
    groups
      .send(recordOf(value), () => outcomes.push(`${value} late`))
      .then(
        () => outcomes.push(value),
        (error: Error) => outcomes.push(`${value} ${error.message}`),
      );
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { sends, send, outcomes, turn, values: () => sends.map(({ values }) => values.join()) };
}

test('the first goes at once, those that come meanwhile go together', async () => {
  const { sends, send, outcomes, turn, values } = fixture();
  const all = ['a', 'b', 'c'].map(send);
  assert.deepEqual(values(), ['a']);
  sends[0]!.end();
  await turn();
  assert.deepEqual([values(), outcomes], [['a', 'b,c'], ['a']]);
  sends[1]!.end();
  await Promise.all(all);
  assert.deepEqual(outcomes, ['a', 'b', 'c']);
});

test('where the bus fails nobody who waits tries again; what arrives late after all is told to each', async () => {
  const { sends, send, outcomes, turn, values } = fixture();
  await Promise.all([send('a'), send('b'), turn().then(() => sends[0]!.end(new Error('away')))]);
  assert.deepEqual([values(), outcomes], [['a'], ['a away', 'b away']]);
  const next = send('c');
  sends[1]!.end();
  await next;
  sends[0]!.late();
  assert.deepEqual(outcomes, ['a away', 'b away', 'c', 'a late']);
});

test('one that can never be sent fails alone', async () => {
  const { sends, send, outcomes, turn, values } = fixture();
  const all = ['a', 'b', 'huge', 'c'].map(send);
  for (const error of [undefined, 'unsendable', undefined, 'unsendable', undefined]) {
    sends.at(-1)!.end(error === undefined ? undefined : new Error(error));
    await turn();
  }
  await Promise.all(all);
  assert.deepEqual(values(), ['a', 'b,huge,c', 'b', 'huge', 'c']);
  assert.deepEqual(outcomes, ['a', 'b', 'huge unsendable', 'c']);
});
