/** What `ccx explain` says of an issue, over every state of the ledger and every reason: one sentence, and nothing beside it that it contradicts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IssueState } from '../../contracts/issue.ts';
import type { LedgerState } from './decide/decide-cluster.ts';
import { NOTIFY_REASONS, type Reason, reasonSentence, SKIP_REASONS } from './decide/reasons.ts';
import { explanationAsJson, formatExplanation } from './format-explanation.ts';
import type { ExplainedIssue, ExplainedTarget } from './store/explain.ts';

/** `itself`: the reason is about the report, the rule or the settings, and stands in every state. */
const rows: Record<Reason, Record<LedgerState, string> | 'itself'> = {
  new: byState(),
  'cooldown-over': byState(),
  recurred: byState(),
  'acknowledgement-over': byState(),
  'record-removed': byState(),
  'tried-again': byState(),
  'alert-active': 'itself',
  'alert-changed': 'itself',
  'already-notified': { ...byState(), open: 'already-notified', notified: 'already-notified' },
  pending: byState(),
  'given-up': byState(),
  'arrival-unknown': byState(),
  gone: 'itself',
  back: 'itself',
  'rule-did-not-run': 'itself',
  'rule-removed': 'itself',
  'below-threshold': 'itself',
  'filter-failed': 'itself',
  'filtered-by-tag': 'itself',
  'disabled-by-cluster': 'itself',
  'disabled-by-org': 'itself',
  'content-missing': 'itself',
  'cluster-moved': 'itself',
  'report-removed': 'itself',
  'cluster-retired': 'itself',
  'cluster-not-allowed': 'itself',
  'simulated-cluster': 'itself',
  'no-recipient': 'itself',
  'not-for-receiver': 'itself',
  'cluster-cap': 'itself',
  'not-composable': 'itself',
  'render-failed': 'itself',
};

/** What became of the notification is said, whatever the decision before it was. */
function byState(): Record<LedgerState, string> {
  return {
    open: 'due',
    pending: 'on-its-way',
    notified: 'notified',
    removed: 'record-removed',
    dead: 'given-up',
    unknown: 'arrival-unknown',
  };
}

const messageStates: Record<LedgerState, string | null> = {
  open: null,
  pending: 'pending',
  notified: 'delivered',
  removed: 'delivered',
  dead: 'dead',
  unknown: 'unknown',
};

function issueOf(change: Partial<ExplainedIssue> & Pick<ExplainedIssue, 'state' | 'last_reason'>): ExplainedIssue {
  const wasSent = change.state === 'notified' || change.state === 'removed';
  return {
    ...{
      event_type_id: 1,
      org_id: 1,
      type: 'rule',
      component: 'a.report',
      error_key: 'KEY',
      attempts: 1,
      counts: true,
    },
    ...{ first_seen_at: '2026-11-21 16:00:00', last_seen_at: '2026-11-21 16:00:00', decided_at: '2026-11-21 16:00:00' },
    ...{ issue_state: 'open', appeared_at: '2026-11-21 16:00:00', missed: 0, changed_at: '2026-11-21 16:00:00' },
    ...{ resolved_at: null, next_eligible_at: null, not_run_reason: null, error_code: null, error_text: null },
    acknowledgement: null,
    alertmanager_silence: null,
    last_notified_at: wasSent ? '2026-11-21 16:00:00' : null,
    notification_id: change.state === 'open' ? null : 'the-id',
    message_state: messageStates[change.state],
    next_attempt_at: change.state === 'pending' ? '2026-11-21 17:00:00' : null,
    ...change,
  };
}

const someTarget: ExplainedTarget = {
  ...{ event_type_id: 1, org_id: 1, report_updated_at: '2026-11-21 16:00:00', outcome: 'issues', render_error: null },
  ...{ next_due_at: null, decided_at: '2026-11-21 16:00:00', paused_until: null, pause_text: null },
  ...{ newest_report_at: '2026-11-21 16:00:00', waiting: 0, waiting_since: null },
};
const nothingElse = { clusters: [], history: [], historyLength: 0, receivers: new Map<number, string>() };

function linesOf(issue: ExplainedIssue): { readonly reason: string; readonly sent: string; readonly next: string } {
  const lines = formatExplanation('c', { ...nothingElse, targets: [someTarget], issues: [issue] })
    .split('\n')
    .slice(-4);
  return { reason: lines[0]!.trim(), sent: lines[2]!.trim(), next: lines[3]!.trim() };
}

for (const [reason, row] of Object.entries(rows) as [Reason, (typeof rows)[Reason]][]) {
  for (const state of Object.keys(messageStates) as LedgerState[]) {
    const name = row === 'itself' ? reason : row[state];
    test(`${reason}, ${state}: ${name}`, () => {
      const { reason: said, sent, next } = linesOf(issueOf({ state, last_reason: reason }));
      assert.equal(said, `${name}: ${reasonSentence(name)}`);
      assert.doesNotMatch(said, /It was not notified before/, 'nothing is said of the moment before it was notified');
      if (/^(notified|already-notified|record-removed):/.test(said) && state !== 'open')
        assert.match(sent, /^last sent 2026/);
      if (/^(on-its-way|given-up|due):/.test(said)) assert.match(sent, /^last sent never/);
      if (state === 'unknown') assert.match(sent, /^last sent perhaps/);
      if (name === 'on-its-way') assert.match(next, /it is on its way, next attempt 2026-11-21 17:00:00 UTC$/);
      if (name === 'due' || name === 'record-removed') assert.match(next, /in the next run/);
      if (row === 'itself' && state === 'pending' && reason !== 'rule-did-not-run') assert.match(next, /withdrawn$/);
    });
  }
}

test('a notification that may have arrived and is repeated says so, and that it was perhaps sent', () => {
  const at = { message_state: 'unknown', next_attempt_at: '2026-11-21 17:00:00' };
  const lines = linesOf(issueOf({ state: 'pending', last_reason: 'new', ...at }));
  assert.match(lines.reason, /^may-have-arrived: /);
  assert.match(lines.sent, /^last sent perhaps {2}\(the-id, unknown\)$/);
  assert.match(lines.next, /repeated under its id, next attempt 2026-11-21 17:00:00 UTC/);
  const again = linesOf(
    issueOf({ state: 'pending', last_reason: 'cooldown-over', last_notified_at: '2026-11-20 16:00:00', ...at }),
  );
  assert.match(again.sent, /^last sent 2026-11-20 16:00:00 UTC, and perhaps again/);
});

test('one that ran out of time is decided anew, and says so', () => {
  const lines = linesOf(
    issueOf({ state: 'dead', last_reason: 'new', error_code: 'RETRY_WINDOW_OVER', error_text: 'x' }),
  );
  assert.match(lines.reason, /^not-in-time: .*could not be delivered in time/);
  assert.match(lines.next, /in the next run/);
});

test('an issue whose message was withdrawn for the row of somebody else, or went out without it, is notified and not due', () => {
  for (const state of ['open', 'notified', 'removed', 'dead', 'unknown'] as const) {
    for (const message_state of ['withdrawn', null]) {
      const lines = linesOf(issueOf({ state, last_reason: 'already-notified', message_state, counts: false }));
      assert.match(lines.reason, /^already-notified: /, state);
      assert.match(lines.next, /when the cooldown of that ends/);
    }
  }
});

test('a row of reported that is gone is asked for again, whatever was decided', () => {
  const lines = linesOf(issueOf({ state: 'notified', last_reason: 'new', counts: false }));
  assert.match(lines.reason, /^record-removed: /);
  assert.match(lines.next, /at once/);
});

const seen: Record<IssueState, string> = {
  open: 'open, first seen 2026-11-21 16:00:00 UTC, again since 2026-11-22 16:00:00 UTC, last seen 2026-11-23 16:00:00 UTC',
  gone: 'gone since 2026-11-24 16:00:00 UTC (2 reports without it); first seen',
  resolved: 'resolved since 2026-11-24 16:00:00 UTC; first seen',
  'rule-removed': 'closed since 2026-11-24 16:00:00 UTC, as its rule was removed; first seen',
  'cluster-retired': 'closed since 2026-11-24 16:00:00 UTC, as its cluster was retired; first seen',
};
for (const [issue_state, text] of Object.entries(seen) as [IssueState, string][]) {
  test(`since when an issue is ${issue_state}, and when it was seen, is said`, () => {
    const at = {
      appeared_at: '2026-11-22 16:00:00',
      last_seen_at: '2026-11-23 16:00:00',
      changed_at: '2026-11-24 16:00:00',
    };
    const issue = issueOf({ state: 'notified', last_reason: 'gone', issue_state, missed: 2, ...at });
    const shown = formatExplanation('c', { ...nothingElse, targets: [someTarget], issues: [issue] });
    assert.ok(shown.includes(`\n    ${text}`), shown);
  });
}

test('the cluster is named, and its history comes last, oldest first, with what is left out', () => {
  const event = {
    at: '2026-11-21 16:00:00',
    event_type_id: null,
    notification_id: null,
    acknowledgement_id: null,
    detail: null,
  };
  const issue = { component: 'a.report', error_key: 'KEY' };
  const shown = formatExplanation('c', {
    ...{ targets: [someTarget], issues: [], historyLength: 9, receivers: new Map() },
    clusters: [
      {
        ...{ org_id: 7, name: 'ours', version: '4.17.1', state: 'stale', state_since: '2026-11-21 16:00:00' },
        last_report_at: '2026-11-14 16:00:00',
      },
    ],
    history: [
      { ...event, ...issue, event: 'appeared', detail: 'recurred' },
      { ...event, ...issue, event: 'notified', event_type_id: 2, notification_id: 'the-id' },
      { ...event, component: null, error_key: null, event: 'stale' },
    ],
  });
  assert.match(
    shown,
    /^cluster c\n {2}organization 7, "ours", stale since 2026-11-21 16:00:00 UTC, last report 2026-11-14 16:00:00 UTC, OpenShift 4.17.1\n/,
  );
  assert.ok(
    shown.endsWith(
      [
        '\n\nhistory; 6 more before: --history shows all',
        '  2026-11-21 16:00:00 UTC  appeared      KEY  a.report  again, after it was closed',
        '  2026-11-21 16:00:00 UTC  notified      KEY  a.report  Service Log  the-id',
        '  2026-11-21 16:00:00 UTC  stale         the cluster',
      ].join('\n'),
    ),
    shown,
  );
});

test('every reason has a sentence of its own', () => {
  const sentences = Object.values({ ...NOTIFY_REASONS, ...SKIP_REASONS });
  assert.equal(new Set(sentences).size, sentences.length);
});

test('a receiver is called by its name; what waits for it, and a pause that only a person ends, are said', () => {
  const target = { ...someTarget, event_type_id: 1_000, waiting: 2, waiting_since: '2026-11-21 17:00:00' };
  const held = { ...target, paused_until: '9999-12-31 00:00:00', pause_text: 'the receiver answers 410 Gone' };
  const receivers = new Map([[1_000, 'tickets']]);
  const shown = formatExplanation('c', { ...nothingElse, receivers, targets: [held], issues: [] });
  assert.match(shown, /^tickets$/m);
  assert.match(shown, /^ {2}2 messages about it waiting, the oldest due since 2026-11-21 17:00:00 UTC$/m);
  assert.match(shown, /^ {2}the target is paused until ccx receivers resume tickets: the receiver answers 410 Gone$/m);
  const [json] = (
    JSON.parse(explanationAsJson('c', { ...nothingElse, receivers, targets: [held], issues: [] })) as {
      readonly targets: readonly { readonly receiver: string }[];
    }
  ).targets;
  assert.equal(json!.receiver, 'tickets');
});
