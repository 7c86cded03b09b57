/** Every decision × whether a message tells of the issue × how rendering failed: the final reason, and the message's id. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from './decide-cluster.ts';
import { settleDecisions } from './decide-cluster.ts';

const issue = { type: 'rule', component: 'a.report', errorKey: 'A' };
const decision: Decision = {
  issue,
  notify: true,
  reason: 'new',
  closed: false,
  position: 0,
  changed: true,
  seenBefore: false,
  nextEligibleMicros: null,
  acknowledgement: undefined,
  acknowledgedBefore: null,
  clockEnds: false,
};
const errors = { none: undefined, passing: { retryable: true }, lasting: { retryable: false } } as const;

const expected: Record<'due' | 'not due', Record<'told' | 'untold', Record<keyof typeof errors, string>>> = {
  due: {
    told: { none: 'new by m1', passing: 'new by m1', lasting: 'new by m1' },
    untold: { none: 'render-failed by -', passing: 'render-failed by -', lasting: 'not-composable by -' },
  },
  'not due': {
    told: { none: 'new by -', passing: 'new by -', lasting: 'new by -' },
    untold: { none: 'new by -', passing: 'new by -', lasting: 'new by -' },
  },
};

for (const [due, byMessage] of Object.entries(expected)) {
  for (const [told, byError] of Object.entries(byMessage)) {
    for (const [name, wanted] of Object.entries(byError)) {
      test(`an issue that is ${due} and ${told}, error: ${name}`, () => {
        const messages = told === 'told' ? [{ id: 'm1', issues: [issue] }] : [];
        const error = errors[name as keyof typeof errors];
        const [settled] = settleDecisions([{ ...decision, notify: due === 'due' }], messages, error);
        assert.equal(`${settled?.reason} by ${settled?.notificationId ?? '-'}`, wanted);
      });
    }
  }
}
