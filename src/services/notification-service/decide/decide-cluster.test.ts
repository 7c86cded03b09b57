/**
 * The decision as a table: every state that an issue can be in × everything that can be observed of it. Leaving out a cell does not
 * compile. Then the properties that hold over whole timelines.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SIMULATED_CLUSTER_PREFIX } from '../../../contracts/identifiers.ts';
import {
  type Absence,
  absenceIn,
  type ClusterSituation,
  decideCluster,
  isKeptFrom,
  type LedgerIssue,
  type LedgerState,
} from './decide-cluster.ts';
import type { Silence } from './disabled-rules.ts';
import {
  currentReason,
  NOTIFY_REASONS,
  type NotifyReason,
  type Reason,
  reasonSentence,
  SKIP_REASONS,
} from './reasons.ts';
import type { Verdict } from './verdicts.ts';

const cooldownMicros = 1_000n;
const now = 10_000n;
const key = { type: 'rule', component: 'a.rule.report', errorKey: 'KEY' };
const passing = { kind: 'pass', totalRisk: 3 } as Verdict;

/** The past of one issue. `-waiting` and `-over` say whether its cooldown is running at `now`. */
const pasts = {
  unseen: undefined,
  open: past('open', null),
  pending: past('pending', null),
  'pending-again': past('pending', now - 5_000n),
  'notified-waiting': past('notified', now - cooldownMicros + 1n),
  'notified-over': past('notified', now - cooldownMicros),
  'removed-waiting': past('removed', now - 1n),
  'removed-over': past('removed', now - 5_000n),
  'dead-waiting': past('dead', now - 1n),
  'dead-over': past('dead', now - cooldownMicros),
  'dead-without-wait': past('dead', null),
  'unknown-waiting': past('unknown', now - 1n),
  'unknown-over': past('unknown', now - cooldownMicros),
  'open-closed': past('open', null, true),
  'pending-closed': past('pending', null, true),
  'notified-closed-waiting': past('notified', now - 1n, true),
  'notified-closed-over': past('notified', now - cooldownMicros, true),
  'removed-closed': past('removed', now - 1n, true),
  'dead-closed-waiting': past('dead', now - 1n, true),
  'dead-closed-over': past('dead', now - cooldownMicros, true),
  'unknown-closed-waiting': past('unknown', now - 1n, true),
  'unknown-closed-over': past('unknown', now - cooldownMicros, true),
  ...silencedPasts(),
} satisfies Record<string, LedgerIssue | undefined>;

/** What is seen of the issue now; the first that holds decides. */
const observations = {
  gone: { present: false, absence: 'gone' },
  'rule-did-not-run': { present: false, absence: 'rule-did-not-run' },
  'rule-removed': { present: false, absence: 'rule-removed' },
  'simulated-cluster': {
    present: true,
    keptFromTarget: true,
    retired: true,
    allowed: false,
    disabled: 'disabled-by-org',
  },
  'cluster-retired': { present: true, retired: true, allowed: false, disabled: 'disabled-by-org' },
  'cluster-not-allowed': { present: true, allowed: false, disabled: 'disabled-by-cluster', verdict: 'below-threshold' },
  'disabled-by-cluster': { present: true, disabled: 'disabled-by-cluster', verdict: 'content-missing' },
  'disabled-by-org': { present: true, disabled: 'disabled-by-org', verdict: 'below-threshold' },
  'acknowledged-for-cluster': { present: true, acknowledged: 'disabled-by-cluster', verdict: 'below-threshold' },
  'acknowledged-for-org': { present: true, acknowledged: 'disabled-by-org', hasRecipient: false },
  'content-missing': { present: true, verdict: 'content-missing' },
  'below-threshold': { present: true, verdict: 'below-threshold' },
  'filter-failed': { present: true, verdict: 'filter-failed' },
  'filtered-by-tag': { present: true, verdict: 'filtered-by-tag' },
  'no-recipient': { present: true, hasRecipient: false },
  passing: { present: true },
} as const satisfies Record<string, Observation>;

interface Observation {
  readonly present: boolean;
  readonly absence?: Absence;
  readonly hasRecipient?: boolean;
  readonly keptFromTarget?: boolean;
  readonly retired?: boolean;
  readonly allowed?: boolean;
  /** By the aggregator's rows. */
  readonly disabled?: 'disabled-by-cluster' | 'disabled-by-org';
  readonly acknowledged?: 'disabled-by-cluster' | 'disabled-by-org';
  readonly verdict?: 'below-threshold' | 'filter-failed' | 'filtered-by-tag' | 'content-missing';
}

type Past = keyof typeof pasts;
type Seen = keyof typeof observations;
/** The reason, or `none` where nothing about the issue changes. */
type Cell = Reason | 'none';

/** Filters answer before the past is asked, whatever it was. */
const filtered = {
  'simulated-cluster': 'simulated-cluster',
  'cluster-retired': 'cluster-retired',
  'cluster-not-allowed': 'cluster-not-allowed',
  'disabled-by-cluster': 'disabled-by-cluster',
  'disabled-by-org': 'disabled-by-org',
  'acknowledged-for-cluster': 'disabled-by-cluster',
  'acknowledged-for-org': 'disabled-by-org',
  'content-missing': 'content-missing',
  'below-threshold': 'below-threshold',
  'filter-failed': 'filter-failed',
  'filtered-by-tag': 'filtered-by-tag',
  'no-recipient': 'no-recipient',
} as const satisfies Record<Exclude<Seen, 'gone' | 'rule-did-not-run' | 'rule-removed' | 'passing'>, Reason>;

/** An issue that was there is closed, or stays what it was; one that was not is none of this report's business. */
const lost = { gone: 'gone', 'rule-did-not-run': 'rule-did-not-run', 'rule-removed': 'rule-removed' } as const;
const absent = { gone: 'none', 'rule-did-not-run': 'none', 'rule-removed': 'none' } as const;

const table: Record<Past, Record<Seen, Cell>> = {
  unseen: { ...filtered, ...absent, passing: 'new' },
  open: { ...filtered, ...lost, passing: 'new' },
  pending: { ...filtered, ...lost, passing: 'pending' },
  'pending-again': { ...filtered, ...lost, passing: 'pending' },
  'notified-waiting': { ...filtered, ...lost, passing: 'already-notified' },
  'notified-over': { ...filtered, ...lost, passing: 'cooldown-over' },
  'removed-waiting': { ...filtered, ...lost, passing: 'record-removed' },
  'removed-over': { ...filtered, ...lost, passing: 'record-removed' },
  'dead-waiting': { ...filtered, ...lost, passing: 'given-up' },
  'dead-over': { ...filtered, ...lost, passing: 'tried-again' },
  'dead-without-wait': { ...filtered, ...lost, passing: 'tried-again' },
  'unknown-waiting': { ...filtered, ...lost, passing: 'arrival-unknown' },
  'unknown-over': { ...filtered, ...lost, passing: 'tried-again' },
  'open-closed': { ...filtered, ...absent, passing: 'new' },
  'pending-closed': { ...filtered, ...absent, passing: 'pending' },
  'notified-closed-waiting': { ...filtered, ...absent, passing: 'already-notified' },
  'notified-closed-over': { ...filtered, ...absent, passing: 'recurred' },
  'removed-closed': { ...filtered, ...absent, passing: 'record-removed' },
  'dead-closed-waiting': { ...filtered, ...absent, passing: 'given-up' },
  'dead-closed-over': { ...filtered, ...absent, passing: 'tried-again' },
  'unknown-closed-waiting': { ...filtered, ...absent, passing: 'arrival-unknown' },
  'unknown-closed-over': { ...filtered, ...absent, passing: 'tried-again' },
  'open-silenced': { ...filtered, ...lost, passing: 'new' },
  'pending-silenced': { ...filtered, ...lost, passing: 'pending' },
  'notified-silenced': { ...filtered, ...lost, passing: 'acknowledgement-over' },
  'notified-while-silenced': { ...filtered, ...lost, passing: 'acknowledgement-over' },
  'removed-silenced': { ...filtered, ...lost, passing: 'record-removed' },
  'dead-silenced': { ...filtered, ...lost, passing: 'acknowledgement-over' },
  'unknown-silenced': { ...filtered, ...lost, passing: 'acknowledgement-over' },
  'notified-silenced-before': { ...filtered, ...lost, passing: 'acknowledgement-over' },
  'notified-since-silenced': { ...filtered, ...lost, passing: 'already-notified' },
  'notified-long-since-silenced': { ...filtered, ...lost, passing: 'cooldown-over' },
  'dead-silenced-before': { ...filtered, ...lost, passing: 'acknowledgement-over' },
  'dead-since-silenced': { ...filtered, ...lost, passing: 'given-up' },
  'unknown-since-silenced': { ...filtered, ...lost, passing: 'arrival-unknown' },
  'notified-silenced-closed': { ...filtered, ...absent, passing: 'acknowledgement-over' },
  'notified-since-silenced-closed': { ...filtered, ...absent, passing: 'already-notified' },
};

function past(state: LedgerState, clockMicros: bigint | null, closed = false): LedgerIssue {
  return { ...key, state, clockMicros, recorded: state === 'notified', closed };
}

/** `silenced`: an acknowledgement did when it was decided last; `before`, `since`: its clock started before or since one did last. */
function silencedPasts() {
  const by = (acknowledgementId: string | null, atMicros: bigint) => ({ silenced: { acknowledgementId, atMicros } });
  return {
    'open-silenced': { ...past('open', null), ...by('ack', now - 2n) },
    'pending-silenced': { ...past('pending', now - 5n), ...by('ack', now - 2n) },
    'notified-silenced': { ...past('notified', now - 5n), ...by('ack', now - 2n) },
    // Its message may have arrived before it was acknowledged, and was confirmed then.
    'notified-while-silenced': { ...past('notified', now - 1n), ...by('ack', now - 2n) },
    'removed-silenced': { ...past('removed', now - 5n), ...by('ack', now - 2n) },
    'dead-silenced': { ...past('dead', now - 5n), ...by('ack', now - 2n) },
    'unknown-silenced': { ...past('unknown', now - 5n), ...by('ack', now - 2n) },
    'notified-silenced-before': { ...past('notified', now - 5n), ...by(null, now - 2n) },
    'notified-since-silenced': { ...past('notified', now - 2n), ...by(null, now - 2n) },
    'notified-long-since-silenced': { ...past('notified', now - cooldownMicros), ...by(null, now - 5_000n) },
    'dead-silenced-before': { ...past('dead', now - 5n), ...by(null, now - 2n) },
    'dead-since-silenced': { ...past('dead', now - 1n), ...by(null, now - 2n) },
    'unknown-since-silenced': { ...past('unknown', now - 1n), ...by(null, now - 2n) },
    'notified-silenced-closed': { ...past('notified', now - 5n, true), ...by(null, now - 2n) },
    'notified-since-silenced-closed': { ...past('notified', now - 1n, true), ...by(null, now - 2n) },
  };
}

const acknowledgement = {
  ...{ id: 'ack', orgId: 1, cluster: null, component: key.component, errorKey: null },
  ...{ until: null, untilResolved: false, justification: 'known', by: 'ada' },
};

function silenceSeen({ acknowledged, disabled }: Observation): Silence | undefined {
  if (acknowledged !== undefined) return { reason: acknowledged, acknowledgement, endsMicros: now + 7n };
  return disabled && { reason: disabled, acknowledgement: undefined, endsMicros: null };
}

function situation(before: LedgerIssue | undefined, seen: Observation): ClusterSituation {
  return {
    reportIssues: seen.present ? [{ ...key, position: 4 }] : [],
    absence: () => seen.absence ?? 'gone',
    ledger: before === undefined ? [] : [before],
    allowed: seen.allowed ?? true,
    retired: seen.retired ?? false,
    keptFromTarget: seen.keptFromTarget ?? false,
    hasRecipient: seen.hasRecipient ?? true,
    silence: () => silenceSeen(seen),
    verdict: () => (seen.verdict === undefined ? passing : { kind: seen.verdict }),
    cooldownMicros,
    nowMicros: now,
  };
}

for (const [before, row] of Object.entries(table) as [Past, Record<Seen, Cell>][]) {
  test(`an issue that was ${before} is decided by what is seen of it`, () => {
    for (const [seen, expected] of Object.entries(row) as [Seen, Cell][]) {
      const decisions = decideCluster(situation(pasts[before], observations[seen]));
      assert.deepEqual(
        decisions.map((decision) => [decision.reason, decision.notify]),
        expected === 'none' ? [] : [[expected, expected in NOTIFY_REASONS]],
        `${before} × ${seen}`,
      );
    }
  });
}

test('only a report in which the rule ran closes an issue, and one that it says nothing of was not seen in it', () => {
  for (const absence of ['gone', 'rule-did-not-run', 'rule-removed'] as const) {
    const [decision] = decideCluster(situation(pasts['notified-waiting'], observations[absence]));
    assert.deepEqual([decision?.closed, decision?.seenBefore], [absence !== 'rule-did-not-run', true], absence);
  }
  const decided = { reason: 'rule-did-not-run', nextEligibleMicros: null };
  const unseen = { ...past('notified', now - 1n), decided };
  assert.deepEqual(
    decideCluster(situation(unseen, observations['rule-did-not-run'])).map(({ changed }) => changed),
    [false],
    'said once',
  );
  const [closed] = decideCluster(situation(unseen, observations.gone));
  assert.deepEqual([closed?.closed, closed?.seenBefore, closed?.changed], [true, false, true]);
  assert.equal(decideCluster(situation(pasts.open, observations.passing))[0]?.closed, false);
});

test('whatever reports say in which a rule did not run, its issue is decided as if they had not come', () => {
  const report = fc.constantFrom('present', 'gone', 'rule-did-not-run');
  const reports = fc.array(fc.record({ seen: report, step: fc.bigInt({ min: 1n, max: 700n }) }), { maxLength: 30 });
  const decided = (sequence: readonly { readonly seen: string; readonly at: bigint }[]) => {
    let before: LedgerIssue | undefined;
    const answers: string[] = [];
    for (const { seen, at } of sequence) {
      const observation = seen === 'present' ? observations.passing : observations[seen as 'gone' | 'rule-did-not-run'];
      const [decision] = decideCluster({ ...situation(before, observation), nowMicros: at });
      if (decision === undefined) continue;
      if (seen !== 'rule-did-not-run') answers.push(`${at} ${decision.reason}`);
      before = {
        ...key,
        state: decision.notify ? 'notified' : (before?.state ?? 'open'),
        clockMicros: decision.notify ? at : (before?.clockMicros ?? null),
        recorded: decision.notify || before?.recorded === true,
        closed: decision.closed,
        decided: decision,
      };
    }
    return answers;
  };
  fc.assert(
    fc.property(reports, (sequence) => {
      let at = 0n;
      const timed = sequence.map(({ seen, step }) => {
        at += step;
        return { seen, at };
      });
      assert.deepEqual(decided(timed), decided(timed.filter(({ seen }) => seen !== 'rule-did-not-run')));
    }),
  );
});

test('a rule that did not run is never taken for a removed one, and only a known catalogue removes rules', () => {
  const issue = (component: string) => ({ ...key, component });
  const didNotRun = new Set(['a.broken', 'a.broken_and_removed']);
  const absence = absenceIn(didNotRun, (module) => module.endsWith('removed'));
  assert.equal(absence(issue('a.broken.report')), 'rule-did-not-run');
  assert.equal(absence(issue('a.broken')), 'rule-did-not-run');
  assert.equal(absence(issue('a.broken_and_removed.report')), 'rule-did-not-run');
  assert.equal(absence(issue('a.removed.report')), 'rule-removed');
  assert.equal(absence(issue('a.rule.report')), 'gone');
});

test('a simulated cluster is kept from every target but a stand-in, a real one from none', () => {
  const simulated = `${SIMULATED_CLUSTER_PREFIX}123-8abc-0123456789ab`;
  const real = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';
  assert.deepEqual(
    [{}, { isStandIn: false }, { isStandIn: true }].map((target) => [
      isKeptFrom(target, simulated),
      isKeptFrom(target, real),
    ]),
    [
      [true, false],
      [true, false],
      [false, false],
    ],
  );
});

test('an answer that time will change says when', () => {
  for (const [name, start] of [
    ['notified', now - 3n],
    ['dead', now - 4n],
    ['unknown', now - 5n],
  ] as [LedgerState, bigint][]) {
    const [decision] = decideCluster(situation(past(name, start), observations.passing));
    assert.equal(decision?.nextEligibleMicros, start + cooldownMicros);
  }
  assert.equal(decideCluster(situation(pasts.pending, observations.passing))[0]?.nextEligibleMicros, null);
});

test('an acknowledgement ends the clock that runs while it holds and when it is over, and says when time ends it', () => {
  const decide = (before: LedgerIssue, seen: Observation) => decideCluster(situation(before, seen))[0]!;
  const silenced = decide(past('notified', now - 1n), observations['acknowledged-for-org']);
  assert.deepEqual(
    [silenced.acknowledgement, silenced.clockEnds, silenced.nextEligibleMicros],
    [acknowledgement, true, now + 7n],
  );
  const over = decide(pasts['notified-silenced'], observations.passing);
  assert.deepEqual([over.acknowledgement, over.clockEnds, over.nextEligibleMicros], [undefined, true, null]);
  for (const seen of [observations['disabled-by-cluster'], observations['below-threshold'], observations.gone]) {
    const other = decide(pasts['notified-silenced'], seen);
    assert.deepEqual([other.acknowledgement, other.clockEnds, other.changed], [undefined, false, true]);
  }
});

test('another acknowledgement of the same scope is written, the same one is not', () => {
  const decided = { reason: 'disabled-by-org', nextEligibleMicros: now + 7n };
  const changed = (acknowledgementId: string | null) =>
    decideCluster(
      situation(
        { ...past('notified', now - 5n), decided, silenced: { acknowledgementId, atMicros: now - 2n } },
        observations['acknowledged-for-org'],
      ),
    )[0]!.changed;
  assert.deepEqual([changed('ack'), changed('other'), changed(null)], [false, true, true]);
});

test('without a cooldown everything that passes is told each time, except what is on its way', () => {
  const decide = (before: LedgerIssue) =>
    decideCluster({ ...situation(before, observations.passing), cooldownMicros: undefined })[0]?.reason;
  assert.equal(decide(past('notified', now)), 'cooldown-over');
  assert.equal(decide(past('dead', now)), 'tried-again');
  assert.equal(decide(past('unknown', now)), 'tried-again');
  assert.equal(decide(past('pending', null)), 'pending');
});

test('F24: a clock that was started in the future still holds', () => {
  assert.equal(
    decideCluster(situation(past('notified', now + 99n), observations.passing))[0]?.reason,
    'already-notified',
  );
});

test('decisions come in report order, then what is newly gone', () => {
  const issue = (errorKey: string) => ({ ...key, errorKey });
  const decisions = decideCluster({
    ...situation(undefined, observations.gone),
    reportIssues: [
      { ...issue('B'), position: 0 },
      { ...issue('A'), position: 1 },
    ],
    ledger: [
      { ...issue('C'), state: 'open', clockMicros: null, recorded: false, closed: false },
      { ...issue('A'), state: 'notified', clockMicros: now, recorded: true, closed: false },
    ],
  });
  assert.deepEqual(
    decisions.map(({ issue: decided, reason, position }) => [decided.errorKey, reason, position]),
    [
      ['B', 'new', 0],
      ['A', 'already-notified', 1],
      ['C', 'gone', undefined],
    ],
  );
});

test('every reason has its own sentence, and an unknown one is shown as it is', () => {
  const sentences = [...Object.values(NOTIFY_REASONS), ...Object.values(SKIP_REASONS)];
  assert.equal(new Set(sentences).size, sentences.length);
  for (const sentence of sentences) assert.match(sentence, /^[A-Z][^.]*\.$/);
  assert.equal(reasonSentence('gone'), SKIP_REASONS.gone);
  assert.equal(reasonSentence('toString'), '(toString)');
  assert.deepEqual(
    ['resolved', 'gone', 'new'].map(currentReason),
    ['gone', 'gone', 'new'],
    'as older releases stored it',
  );
});

/** Plays reports against a ledger that records each notification at once; answers when which issue was told. */
function play(
  reports: readonly (readonly string[])[],
  stepMicros: bigint,
): { key: string; at: bigint; reason: string }[] {
  const ledger = new Map<string, LedgerIssue>();
  const told: { key: string; at: bigint; reason: string }[] = [];
  for (const [index, errorKeys] of reports.entries()) {
    const at = BigInt(index) * stepMicros;
    const decisions = decideCluster({
      ...situation(undefined, observations.gone),
      reportIssues: errorKeys.map((errorKey, position) => ({ ...key, errorKey, position })),
      ledger: [...ledger.values()],
      nowMicros: at,
    });
    for (const { issue, reason, notify, closed } of decisions) {
      const before = ledger.get(issue.errorKey);
      if (notify) told.push({ key: issue.errorKey, at, reason });
      ledger.set(issue.errorKey, {
        ...issue,
        state: notify ? 'notified' : (before?.state ?? 'open'),
        clockMicros: notify ? at : (before?.clockMicros ?? null),
        recorded: notify || (before?.recorded ?? false),
        closed,
      });
    }
  }
  return told;
}

test('G6: whatever the reports: no issue is told twice within its cooldown, and none that stays is forgotten', () => {
  const reports = fc.array(fc.uniqueArray(fc.constantFrom('A', 'B', 'C')), { maxLength: 30 });
  fc.assert(
    fc.property(reports, fc.bigInt({ min: 1n, max: 1_500n }), (sequence, step) => {
      const told = play(sequence, step);
      for (const errorKey of ['A', 'B', 'C'] as const) {
        const times = told.filter((entry) => entry.key === errorKey).map((entry) => entry.at);
        for (const [index, at] of times.entries()) {
          if (index > 0) assert.ok(at - times[index - 1]! >= cooldownMicros);
        }
        for (const [index, seen] of sequence.entries()) {
          if (!seen.includes(errorKey)) continue;
          const at = BigInt(index) * step;
          assert.ok(
            times.some((time) => time <= at && at - time < cooldownMicros),
            `${errorKey} at ${at} was not told`,
          );
        }
      }
    }),
  );
});

test('a new issue does not touch the clocks of the others', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 30 }), (withNews) => {
      const plain = play(
        withNews.map(() => ['A']),
        300n,
      );
      const mixed = play(
        withNews.map((news, index) => (news ? ['A', `N${index}`] : ['A'])),
        300n,
      );
      assert.deepEqual(
        mixed.filter((entry) => entry.key === 'A'),
        plain,
      );
    }),
  );
});

test('what the ledger already says is not told to it again', () => {
  const nextEligibleMicros = now - 1n + cooldownMicros;
  const decided = { reason: 'already-notified', nextEligibleMicros };
  const changedAfter = (before: LedgerIssue, seen: Observation = observations.passing) =>
    decideCluster(situation(before, seen)).map(({ changed }) => changed);
  const known = { ...past('notified', now - 1n), decided };
  assert.deepEqual(changedAfter(known), [false]);
  assert.deepEqual(changedAfter({ ...known, closed: true }), [true]);
  assert.deepEqual(changedAfter(known, observations.gone), [true]);
  assert.deepEqual(changedAfter(known, observations['below-threshold']), [true]);
  assert.deepEqual(changedAfter({ ...known, clockMicros: now - 2n }), [true]);
  assert.deepEqual(changedAfter({ ...known, clockMicros: now - cooldownMicros }), [true], 'it is told');
  assert.deepEqual(changedAfter(past('notified', now - 1n)), [true], 'nothing is known to be stored');
});

/** The names are stored and shown, so the sets must stay apart. */
test('a reason either notifies or does not', () => {
  const both = Object.keys(NOTIFY_REASONS).filter((name): name is NotifyReason => name in SKIP_REASONS);
  assert.deepEqual(both, []);
});
