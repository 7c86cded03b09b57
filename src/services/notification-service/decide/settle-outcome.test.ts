/** Every outcome × whether an attempt may have arrived × with and without a cooldown: what becomes of the message and of its issues. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { type DeliveryOutcome, type Settlement, settleOutcome } from './settle-outcome.ts';

const nowMicros = 1_000n;
const cooldownMicros = 500n;
const error = new CcxError('as the test wants it', { code: 'TEST', category: 'delivery' });

const outcomes: Record<Case, DeliveryOutcome> = {
  delivered: { kind: 'delivered', atMicros: 900n, detail: '' },
  'dead for good': { kind: 'dead', error, hold: true },
  'dead by time': { kind: 'dead', error, hold: false },
  listed: { kind: 'listed', error },
  'later, not arrived': {
    kind: 'later',
    error,
    nextAttemptMicros: 2_000n,
    mayHaveArrived: false,
    runDeadlineMicros: 5_000n,
  },
  'later, may have arrived': {
    ...{ kind: 'later', error, nextAttemptMicros: 2_000n, mayHaveArrived: true, runDeadlineMicros: 5_000n },
  },
  unrendered: { kind: 'unrendered', error, nextAttemptMicros: 2_000n },
  'held-back': { kind: 'held-back', error, dueMicros: 9_000n },
  released: { kind: 'released' },
  withdrawn: { kind: 'withdrawn', reason: 'gone' },
};
type Case =
  | Exclude<DeliveryOutcome['kind'], 'dead' | 'later'>
  | 'dead for good'
  | 'dead by time'
  | 'later, not arrived'
  | 'later, may have arrived';

/** `state attempts mayHaveArrived next finished error untried | ledger state, clock, eligible, reason | due again` */
const expected: Record<Case, Record<'fresh' | 'may have arrived', string>> = {
  delivered: {
    fresh: 'delivered 3 true - 1000 - tried | notified 900 1400 - | 1400',
    'may have arrived': 'delivered 3 true - 1000 - tried | notified 900 1400 - | 1400',
  },
  'dead for good': {
    fresh: 'dead 3 false - 1000 TEST tried | dead 1000 1500 - | 1500',
    'may have arrived': 'dead 3 true - 1000 TEST tried | dead 1000 1500 - | 1500',
  },
  'dead by time': {
    fresh: 'dead 3 false - 1000 TEST tried | dead - - - | 1000',
    'may have arrived': 'dead 3 true - 1000 TEST tried | dead - - - | 1000',
  },
  listed: {
    fresh: 'unknown 3 true - 1000 TEST tried | unknown 1000 1500 - | 1500',
    'may have arrived': 'unknown 3 true - 1000 TEST tried | unknown 1000 1500 - | 1500',
  },
  'later, not arrived': {
    fresh: 'pending 3 false 2000 - TEST tried | - | -',
    'may have arrived': 'pending 3 false 2000 - TEST tried | - | -',
  },
  'later, may have arrived': {
    fresh: 'unknown 3 true 2000 - TEST tried | - | -',
    'may have arrived': 'unknown 3 true 2000 - TEST tried | - | -',
  },
  unrendered: {
    fresh: 'pending 2 false 2000 - TEST untried | - | -',
    'may have arrived': 'unknown 2 true 2000 - TEST untried | - | -',
  },
  'held-back': {
    fresh: 'pending 2 false 9000 - TEST untried | - | -',
    'may have arrived': 'unknown 2 true 9000 - TEST untried | - | -',
  },
  released: {
    fresh: 'pending 2 false 1000 - - untried | - | -',
    'may have arrived': 'unknown 2 true 1000 - - untried | - | -',
  },
  withdrawn: {
    fresh: 'withdrawn 2 false - 1000 WITHDRAWN untried | before - - gone | 1000',
    'may have arrived': 'withdrawn 2 true - 1000 WITHDRAWN untried | before - - gone | 1000',
  },
};

/** `trace, line by line | what it counts as` */
const announced: Record<Case, string> = {
  delivered: 'notification-delivered 11 900; outcome-recorded 12 1000: delivered | delivered',
  'dead for good': 'notification-dead - 1000: TEST, as the test wants it | dead, given up, left over',
  'dead by time': 'notification-dead - 1000: TEST, as the test wants it | dead, given up, left over',
  listed: 'notification-dead - 1000: TEST, as the test wants it | unknown, given up, left over',
  'later, not arrived': 'notification-failed - 1000: TEST, as the test wants it | goes on',
  'later, may have arrived': 'notification-failed - 1000: TEST, as the test wants it | goes on',
  unrendered: ' | goes on',
  'held-back': 'outcome-recorded - 1000: TEST, as the test wants it | goes on',
  released: ' | goes on',
  withdrawn: 'outcome-recorded 12 1000: withdrawn, gone | withdrawn',
};

function announcedBy({ trace, tally }: Settlement): string {
  const lines = trace.map(({ status, hop, atMicros, detail }) => {
    return `${status} ${hop ?? '-'} ${atMicros}${detail === '' ? '' : `: ${detail}`}`;
  });
  const counts = [
    tally.finishedAs ?? 'goes on',
    ...(tally.givenUp ? ['given up'] : []),
    ...(tally.leftOver ? ['left over'] : []),
  ];
  return `${lines.join('; ')} | ${counts.join(', ')}`;
}

for (const [name, wanted] of Object.entries(announced) as [Case, string][]) {
  test(`${name}: what the trace says, and what it counts as`, () => {
    const message = { attempts: 3, mayHaveArrived: false };
    assert.equal(
      announcedBy(settleOutcome(outcomes[name], message, { nowMicros, cooldownMicros, oneShot: true })),
      wanted,
    );
  });
}

test('what is due again only behind the deadline of a one-shot run is left over, and only then', () => {
  const message = { attempts: 3, mayHaveArrived: false };
  const leftOver = (runDeadlineMicros: bigint, oneShot: boolean) => {
    const outcome: DeliveryOutcome = {
      kind: 'later',
      error,
      nextAttemptMicros: 2_000n,
      mayHaveArrived: false,
      runDeadlineMicros,
    };
    return settleOutcome(outcome, message, { nowMicros, cooldownMicros, oneShot }).tally.leftOver;
  };
  assert.deepEqual([leftOver(1_999n, true), leftOver(2_000n, true), leftOver(1_999n, false)], [true, false, false]);
});

function described({ outbox, ledger, dueAgainMicros }: Settlement): string {
  const shown = (value: unknown) => String(value ?? '-');
  const message = [
    ...[outbox.state, outbox.attempts, outbox.mayHaveArrived, outbox.nextAttemptMicros, outbox.finishedMicros].map(
      shown,
    ),
    ...[shown(outbox.error?.code), outbox.untried ? 'untried' : 'tried'],
  ].join(' ');
  const issues =
    ledger === undefined
      ? '-'
      : [ledger.state, ledger.clockMicros, ledger.nextEligibleMicros, ledger.reason].map(shown).join(' ');
  return `${message} | ${issues} | ${shown(dueAgainMicros)}`;
}

for (const [name, rows] of Object.entries(expected) as [Case, (typeof expected)[Case]][]) {
  for (const [before, settled] of Object.entries(rows)) {
    test(`${name}, ${before}`, () => {
      const message = { attempts: 3, mayHaveArrived: before === 'may have arrived' };
      assert.equal(
        described(settleOutcome(outcomes[name], message, { nowMicros, cooldownMicros, oneShot: true })),
        settled,
      );
      const without = settleOutcome(outcomes[name], message, { nowMicros, cooldownMicros: undefined, oneShot: true });
      assert.equal(without.ledger?.nextEligibleMicros ?? null, null, 'without a cooldown nothing ends');
      const { dueAgainMicros } = settleOutcome(outcomes[name], message, { nowMicros, cooldownMicros, oneShot: true });
      const ends = dueAgainMicros !== undefined && dueAgainMicros !== nowMicros;
      assert.equal(without.dueAgainMicros, ends ? null : dueAgainMicros);
    });
  }
}
