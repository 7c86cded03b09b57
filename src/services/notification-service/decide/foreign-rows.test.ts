/**
 * What somebody else's `sent` row does to the ledger, as a table: every state × whether a row stands behind it × its clock beside the row.
 * The statement that stores it is held against this function in `store/foreign-rows.pg.test.ts`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LedgerIssue, LedgerState } from './decide-cluster.ts';
import { withForeignRows } from './decide-cluster.ts';

const key = { type: 'rule', component: 'a.rule.report', errorKey: 'KEY' };
const rowMicros = 1_000n;
const clocks = { none: null, older: rowMicros - 1n, equal: rowMicros, newer: rowMicros + 1n } as const;
type Clock = keyof typeof clocks;

/** `taken`: it counts by the row now. `kept`: it is as it was. `pending`: the row is taken in, and its message stays on its way. */
type Cell = 'taken' | 'kept' | 'pending';
const always = { none: 'taken', older: 'taken', equal: 'taken', newer: 'taken' } as const;
const newest = { none: 'taken', older: 'taken', equal: 'kept', newer: 'kept' } as const;
const table: Record<LedgerState, Record<'recorded' | 'unrecorded', Record<Clock, Cell>>> = {
  open: { recorded: always, unrecorded: always },
  pending: {
    recorded: { none: 'pending', older: 'pending', equal: 'kept', newer: 'kept' },
    unrecorded: { none: 'pending', older: 'pending', equal: 'pending', newer: 'pending' },
  },
  notified: { recorded: newest, unrecorded: always },
  removed: { recorded: always, unrecorded: always },
  dead: { recorded: newest, unrecorded: newest },
  unknown: { recorded: newest, unrecorded: newest },
};

for (const [state, byRecord] of Object.entries(table) as [LedgerState, (typeof table)[LedgerState]][]) {
  for (const [record, byClock] of Object.entries(byRecord)) {
    test(`${state}, ${record}, beside a sent row of somebody else`, () => {
      for (const [clock, expected] of Object.entries(byClock) as [Clock, Cell][]) {
        const known: LedgerIssue = {
          ...{ ...key, state, clockMicros: clocks[clock], recorded: record === 'recorded', closed: false },
        };
        const taken = { ...known, clockMicros: rowMicros, recorded: true };
        const outcome = { kept: known, taken: { ...taken, state: 'notified' }, pending: taken }[expected];
        assert.deepEqual(withForeignRows([known], [{ notifiedMicros: rowMicros, issues: [key] }]), [outcome], clock);
      }
    });
  }
}

test('an issue that was not known is notified and gone until a report shows it', () => {
  assert.deepEqual(withForeignRows([], [{ notifiedMicros: rowMicros, issues: [key] }]), [
    { ...key, state: 'notified', clockMicros: rowMicros, recorded: true, closed: true },
  ]);
});

test('of several rows the newest counts, in whatever order they come', () => {
  const removed: LedgerIssue = { ...key, state: 'removed', clockMicros: 5_000n, recorded: false, closed: false };
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 1n, max: 9_000n }), { minLength: 1, maxLength: 8 }), (moments) => {
      const rows = moments.map((notifiedMicros) => ({ notifiedMicros, issues: [key] }));
      const newest = moments.reduce((later, one) => (one > later ? one : later));
      assert.deepEqual(withForeignRows([removed], rows), [
        { ...removed, state: 'notified', clockMicros: newest, recorded: true },
      ]);
    }),
  );
});
