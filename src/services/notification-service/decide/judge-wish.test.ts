/** What can be done with a message, for every state that one can be in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Deed, judgeWish, type WishFacts } from './judge-wish.ts';

const dead: WishFacts = { state: 'dead', finished: true, retryRequested: false, replacedBy: null, discarded: false };

const rows: readonly (readonly [string, WishFacts | undefined, Readonly<Record<Deed, string>>])[] = [
  ['no message', undefined, { retry: 'refused unknown-id', discard: 'refused unknown-id' }],
  ['pending', { ...dead, state: 'pending', finished: false }, both('refused not-finished')],
  ['claimed', { ...dead, state: 'claimed', finished: false }, both('refused not-finished')],
  ['possibly arrived, repeated', { ...dead, state: 'unknown', finished: false }, both('refused not-finished')],
  ['delivered', { ...dead, state: 'delivered' }, both('refused delivered')],
  ['withdrawn', { ...dead, state: 'withdrawn' }, both('refused withdrawn')],
  ['dead', dead, both('possible')],
  ['possibly arrived, listed', { ...dead, state: 'unknown' }, both('possible')],
  [
    'retry requested',
    { ...dead, retryRequested: true },
    { retry: 'done-before retry-requested', discard: 'refused retry-requested' },
  ],
  [
    'sent again',
    { ...dead, retryRequested: true, replacedBy: 'x' },
    { retry: 'done-before sent-again', discard: 'refused sent-again' },
  ],
  ['discarded', { ...dead, discarded: true }, { retry: 'possible', discard: 'done-before discarded' }],
];

function both(expected: string) {
  return { retry: expected, discard: expected };
}

for (const [name, facts, expected] of rows) {
  test(`retry and discard of a message: ${name}`, () => {
    for (const deed of ['retry', 'discard'] as const) {
      const judged = judgeWish(deed, facts);
      assert.equal(judged.kind === 'possible' ? judged.kind : `${judged.kind} ${judged.reason}`, expected[deed], deed);
    }
  });
}
