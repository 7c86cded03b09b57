/**
 * What reports say of an issue as a table: every state that it can be in × everything that a report can say of it. Leaving out a cell does
 * not compile. Then the properties that hold whatever reports come.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IssueState } from '../../../contracts/issue.ts';
import type { Absence } from './decide-cluster.ts';
import { type KnownIssue, trackIssues } from './track-issues.ts';

const key = { type: 'rule', component: 'a.rule.report', errorKey: 'KEY' };
/** Reports by number, so that their texts are in order of time. */
const at = (report: number) => `2026-11-21 16:00:00.${String(report).padStart(6, '0')}`;
const resolvedAfter = 3;

/** It appeared with report 2, and the issues were compared with report 5 last. */
function known(state: IssueState, change: Partial<KnownIssue> = {}): KnownIssue {
  const lastSeenAt = state === 'open' ? null : at(3);
  return { ...key, state, totalRisk: 3, appearedAt: at(2), lastSeenAt, missed: 0, changedAt: at(4), ...change };
}

const pasts = {
  unknown: undefined,
  open: known('open'),
  'open, its rule did not run over report 5': known('open', { lastSeenAt: at(4) }),
  gone: known('gone', { missed: 1 }),
  'gone in all but the last report': known('gone', { missed: resolvedAfter - 1 }),
  resolved: known('resolved', { missed: resolvedAfter }),
  'rule-removed': known('rule-removed'),
  'cluster-retired': known('cluster-retired'),
} as const satisfies Record<string, KnownIssue | undefined>;

type Sight = 'held' | Absence;
const sights = ['held', 'gone', 'rule-did-not-run', 'rule-removed'] as const satisfies readonly Sight[];

/** `state, reports missed, report of appearing, seen last, report of the change | events`; `-` where nothing is written. */
const table: Record<keyof typeof pasts, Record<Sight, string>> = {
  unknown: { held: 'open 0 6 now 6 | appeared', gone: '-', 'rule-did-not-run': '-', 'rule-removed': '-' },
  open: {
    held: '-',
    gone: 'gone 1 2 5 6 | gone',
    'rule-did-not-run': 'open 0 2 5 4 |',
    'rule-removed': 'rule-removed 0 2 5 6 | rule-removed',
  },
  'open, its rule did not run over report 5': {
    held: 'open 0 2 now 4 |',
    gone: 'gone 1 2 4 6 | gone',
    'rule-did-not-run': '-',
    'rule-removed': 'rule-removed 0 2 4 6 | rule-removed',
  },
  gone: {
    held: 'open 0 2 now 6 | appeared back',
    gone: 'gone 2 2 3 4 |',
    'rule-did-not-run': '-',
    'rule-removed': 'rule-removed 1 2 3 6 | rule-removed',
  },
  'gone in all but the last report': {
    held: 'open 0 2 now 6 | appeared back',
    gone: 'resolved 3 2 3 6 | resolved',
    'rule-did-not-run': '-',
    'rule-removed': 'rule-removed 2 2 3 6 | rule-removed',
  },
  resolved: closed(),
  'rule-removed': closed(),
  'cluster-retired': closed(),
};

function closed(): Record<Sight, string> {
  return { held: 'open 0 6 now 6 | appeared recurred', gone: '-', 'rule-did-not-run': '-', 'rule-removed': '-' };
}

function track(before: readonly KnownIssue[], sight: Sight, change: Partial<Parameters<typeof trackIssues>[0]> = {}) {
  return trackIssues({
    ...{ reportAt: at(6), previousReportAt: at(5), resolvedAfter, known: before },
    issues: sight === 'held' ? [{ ...key, totalRisk: 3 }] : [],
    absence: () => (sight === 'held' ? 'gone' : sight),
    ...change,
  });
}

function described({ changed, events }: ReturnType<typeof trackIssues>): string {
  const [row] = changed;
  if (row === undefined) {
    assert.deepEqual(events, []);
    return '-';
  }
  const report = (moment: string | null) => (moment === null ? 'now' : Number(moment.slice(-6)));
  const { state, missed, appearedAt, lastSeenAt, changedAt } = row;
  const happened = events.map(({ event, detail }) => [event, detail].filter((text) => text !== null).join(' '));
  const columns = [state, missed, report(appearedAt), report(lastSeenAt), report(changedAt)].join(' ');
  return [columns, happened.join(', ')].join(' | ').trimEnd();
}

for (const [past, row] of Object.entries(table) as [keyof typeof pasts, Record<Sight, string>][]) {
  test(`of an issue that is ${past} a report is written as far as it changes something`, () => {
    const before = pasts[past];
    for (const sight of sights) {
      const answer = track(before === undefined ? [] : [before], sight);
      assert.equal(described(answer), row[sight], sight);
      const isOpen = (answer.changed[0] ?? before)?.state === 'open';
      assert.deepEqual(answer.open, isOpen ? [{ ...key, totalRisk: 3 }] : [], sight);
    }
  });
}

test('where the first report without it resolves an issue, it is gone and resolved', () => {
  const answer = track([known('open')], 'gone', { resolvedAfter: 1 });
  assert.equal(described(answer), 'resolved 1 2 5 6 | gone, resolved');
});

test('a smaller number of reports than were missed resolves with the next one', () => {
  assert.equal(
    described(track([known('gone', { missed: 4 })], 'gone', { resolvedAfter: 2 })),
    'resolved 5 2 3 6 | resolved',
  );
});

test('a total risk that changed is written and nothing happened; one that the content lost is kept', () => {
  const risk = (totalRisk: number | null) => track([known('open')], 'held', { issues: [{ ...key, totalRisk }] });
  assert.deepEqual([risk(4).changed, risk(4).events], [[known('open', { totalRisk: 4 })], []]);
  assert.deepEqual(risk(null).changed, []);
  assert.deepEqual(risk(null).open, [{ ...key, totalRisk: 3 }]);
});

test('issues do not touch each other', () => {
  const named = (errorKey: string) => ({ ...key, errorKey });
  const answer = trackIssues({
    ...{ reportAt: at(6), previousReportAt: at(5), resolvedAfter },
    issues: [
      { ...named('A'), totalRisk: 1 },
      { ...named('B'), totalRisk: null },
    ],
    known: [
      { ...known('open'), ...named('C') },
      { ...known('open'), ...named('B') },
      { ...known('open'), ...named('D') },
    ],
    absence: ({ errorKey }) => (errorKey === 'C' ? 'gone' : 'rule-did-not-run'),
  });
  assert.deepEqual(
    answer.events.map(({ issue, event }) => [issue.errorKey, event]),
    [
      ['A', 'appeared'],
      ['C', 'gone'],
    ],
  );
  assert.deepEqual(
    answer.open.map(({ errorKey, totalRisk }) => [errorKey, totalRisk]),
    [
      ['A', 1],
      ['B', 3],
      ['D', 3],
    ],
  );
});

/** Plays reports against what the ones before left; answers the issue after each, and everything that happened. */
function play(seen: readonly Sight[], after: number) {
  let issue: KnownIssue | undefined;
  let previousReportAt: string | undefined;
  const states: (KnownIssue | undefined)[] = [];
  const events: { readonly event: string; readonly report: number }[] = [];
  for (const [report, sight] of seen.entries()) {
    const answer = track(issue === undefined ? [] : [issue], sight, {
      ...{ reportAt: at(report), previousReportAt, resolvedAfter: after },
    });
    issue = answer.changed[0] ?? issue;
    previousReportAt = at(report);
    states.push(issue);
    events.push(...answer.events.map(({ event }) => ({ event, report })));
  }
  return { states, events };
}

const reports = fc.array(fc.constantFrom<Sight>(...sights), { maxLength: 40 });
const anyAfter = fc.integer({ min: 1, max: 5 });

test('whatever reports come, an issue is resolved exactly when so many that count were without it in a row', () => {
  fc.assert(
    fc.property(reports, anyAfter, (seen, after) => {
      const { states } = play(seen, after);
      let missed: number | undefined;
      for (const [report, sight] of seen.entries()) {
        if (sight === 'held') missed = 0;
        else if (sight === 'rule-removed') missed = missed !== undefined && missed < after ? undefined : missed;
        else if (sight === 'gone' && missed !== undefined) missed += 1;
        assert.equal(states[report]?.state === 'resolved', missed !== undefined && missed >= after, `report ${report}`);
        assert.equal(states[report]?.state === 'gone', missed !== undefined && missed > 0 && missed < after);
      }
    }),
  );
});

test('whatever reports come, events and rows say the same, and no event comes twice without its end', () => {
  fc.assert(
    fc.property(reports, anyAfter, (seen, after) => {
      const { states, events } = play(seen, after);
      let state = 'closed';
      for (const { event } of events) {
        const allowed: Record<string, readonly string[]> = {
          appeared: ['closed', 'gone'],
          gone: ['open'],
          resolved: ['gone'],
          'rule-removed': ['open', 'gone'],
        };
        assert.ok(allowed[event]?.includes(state), `${event} of an issue that is ${state}`);
        state = event === 'appeared' ? 'open' : event === 'gone' ? 'gone' : 'closed';
      }
      const last = states.at(-1)?.state ?? 'closed';
      assert.equal(state, last === 'open' || last === 'gone' ? last : 'closed');
    }),
  );
});

test('whatever reports come, the issue was seen last with the report that held it last', () => {
  fc.assert(
    fc.property(reports, anyAfter, (seen, after) => {
      const { states } = play(seen, after);
      for (const [report, issue] of states.entries()) {
        if (issue === undefined) continue;
        assert.equal(issue.lastSeenAt ?? at(report), at(seen.lastIndexOf('held', report)));
      }
    }),
  );
});

test('whatever reports come, one over which the rule did not run might as well not have', () => {
  fc.assert(
    fc.property(reports, anyAfter, (seen, after) => {
      const rest = seen.filter((sight) => sight !== 'rule-did-not-run');
      const names = ({ events }: ReturnType<typeof play>) => events.map(({ event }) => event);
      assert.deepEqual(names(play(seen, after)), names(play(rest, after)));
    }),
  );
});

test('a report like the one before writes nothing', () => {
  fc.assert(
    fc.property(reports, anyAfter, (seen, after) => {
      const { states } = play([...seen, 'held', 'held'], after);
      assert.equal(states.at(-1), states.at(-2));
    }),
  );
});
