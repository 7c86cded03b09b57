/** What is an active alert, and what follows for the ledger, over every state that it may have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf } from '../../../../test/support/notification-content.ts';
import {
  ALERT_ACTIVE,
  type AlertDecision,
  type AlertRow,
  type AlertSituation,
  alertChange,
  decideAlert,
  endedBecause,
  reasonOfClosed,
  toldAsOf,
} from './decide-alert.ts';

const rule = contentOf({ CRITICAL: { risk: 4, tags: ['security'] } }).rules['test_rule']!;
const content = rule.error_keys['CRITICAL']!;
const acknowledged = {
  reason: 'disabled-by-org',
  acknowledgement: { id: 'ack' } as never,
  endsMicros: null,
} as const;

const passing: AlertSituation = {
  issue: { type: 'rule', component: 'a.test_rule.report', errorKey: 'CRITICAL' },
  moved: false,
  keptFromTarget: false,
  allowed: true,
  inScope: true,
  silence: undefined,
  verdict: { kind: 'pass', totalRisk: 4, rule, content },
};

/** Each stands against it, and is named before those behind it. */
const against: readonly (readonly [Partial<AlertSituation>, string])[] = [
  [{ moved: true }, 'cluster-moved'],
  [{ keptFromTarget: true }, 'simulated-cluster'],
  [{ allowed: false }, 'cluster-not-allowed'],
  [{ silence: acknowledged }, 'disabled-by-org'],
  [{ inScope: false }, 'not-for-receiver'],
  [{ verdict: { kind: 'below-threshold' } }, 'below-threshold'],
];

test('an issue is active unless something stands against it, which has one name', () => {
  assert.deepEqual(decideAlert(passing), { active: true, toldAs: '4/security' });
  for (const [index, [, wanted]] of against.entries()) {
    const situation: AlertSituation = Object.assign({}, passing, ...against.slice(index).map(([change]) => change));
    const decision = decideAlert(situation);
    assert.ok(!decision.active);
    assert.equal(decision.reason, wanted);
    assert.equal(decision.acknowledgementId, wanted === 'disabled-by-org' ? 'ack' : null);
  }
});

test('a category is the first tag that is one', () => {
  assert.equal(toldAsOf(3, ['openshift', 'performance', 'security']), '3/security');
  assert.equal(toldAsOf(1, []), '1/other');
});

const active: AlertDecision = { active: true, toldAs: '4/security' };
const silent: AlertDecision = { active: false, reason: 'disabled-by-org', acknowledgementId: 'ack' };
const rowOf = (change: Partial<AlertRow>): AlertRow => ({
  ...{ reason: ALERT_ACTIVE, acknowledgementId: null, toldAs: '4/security', closed: false },
  ...change,
});
const explained = { kind: 'explained', reason: 'disabled-by-org', acknowledgementId: 'ack' } as const;
const begins = { kind: 'begins', toldAs: '4/security' } as const;

/** Every row that there may be, by what is decided now. */
const changes: Readonly<Record<string, readonly [AlertRow | undefined, whenActive: unknown, whenSilent: unknown]>> = {
  'not known': [undefined, begins, explained],
  active: [rowOf({}), undefined, { ...explained, kind: 'ends' }],
  'active under other labels': [
    rowOf({ toldAs: '3/security' }),
    { kind: 'ends', reason: 'alert-changed', acknowledgementId: null },
    { ...explained, kind: 'ends' },
  ],
  'ended for that': [rowOf({ reason: 'disabled-by-org', acknowledgementId: 'ack' }), begins, undefined],
  'ended for another acknowledgement': [
    rowOf({ reason: 'disabled-by-org', acknowledgementId: 'b' }),
    begins,
    explained,
  ],
  'ended for something else': [rowOf({ reason: 'below-threshold' }), begins, explained],
  'changed before': [rowOf({ reason: 'alert-changed', toldAs: '3/security' }), begins, explained],
  'never active': [rowOf({ reason: 'below-threshold', toldAs: null }), begins, explained],
  closed: [rowOf({ reason: 'gone', closed: true }), begins, explained],
  'closed as silent': [rowOf({ reason: 'disabled-by-org', acknowledgementId: 'ack', closed: true }), begins, explained],
};

for (const [what, [row, whenActive, whenSilent]] of Object.entries(changes)) {
  test(`of one that is ${what}`, () => {
    assert.deepEqual(alertChange(row, active), whenActive);
    assert.deepEqual(alertChange(row, silent), whenSilent);
  });
}

test('what is closed ends for what closed it, in words of people', () => {
  const reasons = (['resolved', 'rule-removed', 'cluster-retired', null] as const).map(reasonOfClosed);
  assert.deepEqual(
    reasons.map((reason) => endedBecause(reason, null)),
    ['resolved', 'rule-removed', 'cluster-retired', 'report-removed'],
  );
  assert.equal(endedBecause('disabled-by-org', 'ack'), 'acknowledged');
  assert.equal(endedBecause('disabled-by-org', null), 'disabled-by-org');
});
