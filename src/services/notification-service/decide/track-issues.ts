/**
 * What a report says of the issues of its cluster, whatever the targets: which appeared, which are gone, which are resolved because so many
 * reports in a row were without them, which were closed because their rule left the catalogue. Pure; called once per report by
 * `store/issues.ts`, which writes what changed and nothing else. A report over which a rule did not run counts neither way for its issues,
 * and one that cannot be read for none. Source: records.md, "Gone and resolved".
 */

import { type Issue, type IssueEventName, type IssueState, issueIdentity } from '../../../contracts/issue.ts';
import type { Absence } from './decide-cluster.ts';

/** A row of `ccx.issues`; times of reports as PostgreSQL writes them. */
export interface KnownIssue extends Issue {
  readonly state: IssueState;
  /** Null where the rule content does not know it. */
  readonly totalRisk: number | null;
  readonly appearedAt: string;
  /** Null: with the newest report that was compared. */
  readonly lastSeenAt: string | null;
  readonly missed: number;
  readonly changedAt: string;
}

export interface HeldIssue extends Issue {
  readonly totalRisk: number | null;
}

interface IssuesOfReport {
  readonly reportAt: string;
  /** The report that the issues were compared with before; undefined: none. */
  readonly previousReportAt: string | undefined;
  readonly issues: readonly HeldIssue[];
  /** What it means that the report does not hold one. */
  readonly absence: (issue: Issue) => Absence;
  readonly known: readonly KnownIssue[];
  /** Reports in a row without an issue that make it resolved; at least 1. */
  readonly resolvedAfter: number;
}

interface IssueEvent {
  readonly issue: Issue;
  readonly event: Extract<IssueEventName, 'appeared' | 'gone' | 'resolved' | 'rule-removed'>;
  /** Of one that appeared and was known: `back` before it was resolved, `recurred` after it was closed. */
  readonly detail: 'back' | 'recurred' | null;
}

interface Step {
  /** The row as it is to be; undefined: as it was. */
  readonly row?: KnownIssue | undefined;
  readonly events?: readonly Pick<IssueEvent, 'event' | 'detail'>[];
}

const nothing: Step = {};

/** Rows that change, events in the order in which they happened, and the open issues with their risks. */
export function trackIssues(report: IssuesOfReport) {
  const remembered = new Map(report.known.map((issue) => [issueIdentity(issue), issue]));
  const changed: KnownIssue[] = [];
  const events: IssueEvent[] = [];
  const open: HeldIssue[] = [];
  const take = ({ type, component, errorKey }: Issue, before: KnownIssue | undefined, step: Step) => {
    const issue = { type, component, errorKey };
    if (step.row !== undefined) changed.push(step.row);
    for (const event of step.events ?? []) events.push({ issue, ...event });
    const now = step.row ?? before;
    if (now?.state === 'open') open.push({ ...issue, totalRisk: now.totalRisk });
  };
  for (const issue of report.issues) {
    const before = remembered.get(issueIdentity(issue));
    remembered.delete(issueIdentity(issue));
    take(issue, before, held(report, issue, before));
  }
  for (const before of remembered.values()) take(before, before, lost(report, before));
  return { changed, events, open };
}

function held({ reportAt }: IssuesOfReport, issue: HeldIssue, before: KnownIssue | undefined): Step {
  const seen = { state: 'open', lastSeenAt: null, missed: 0, changedAt: reportAt } as const;
  if (before === undefined) {
    const { type, component, errorKey, totalRisk } = issue;
    return {
      row: { type, component, errorKey, totalRisk, appearedAt: reportAt, ...seen },
      events: [{ event: 'appeared', detail: null }],
    };
  }
  const totalRisk = issue.totalRisk ?? before.totalRisk;
  switch (before.state) {
    case 'open':
      if (totalRisk === before.totalRisk && before.lastSeenAt === null) return nothing;
      return { row: { ...before, totalRisk, lastSeenAt: null } };
    case 'gone':
      return { row: { ...before, totalRisk, ...seen }, events: [{ event: 'appeared', detail: 'back' }] };
    case 'resolved':
    case 'rule-removed':
    case 'cluster-retired':
      return {
        row: { ...before, totalRisk, ...seen, appearedAt: reportAt },
        events: [{ event: 'appeared', detail: 'recurred' }],
      };
  }
}

function lost({ reportAt, previousReportAt, absence, resolvedAfter }: IssuesOfReport, before: KnownIssue): Step {
  if (before.state !== 'open' && before.state !== 'gone') return nothing;
  const lastSeenAt = before.lastSeenAt ?? previousReportAt ?? before.changedAt;
  switch (absence(before)) {
    case 'rule-did-not-run':
      return before.lastSeenAt === null ? { row: { ...before, lastSeenAt } } : nothing;
    case 'rule-removed':
      return {
        row: { ...before, state: 'rule-removed', lastSeenAt, changedAt: reportAt },
        events: [{ event: 'rule-removed', detail: null }],
      };
    case 'gone': {
      const missed = before.missed + 1;
      const gone = before.state === 'open' ? [{ event: 'gone', detail: null } as const] : [];
      if (missed >= resolvedAfter) {
        return {
          row: { ...before, state: 'resolved', lastSeenAt, missed, changedAt: reportAt },
          events: [...gone, { event: 'resolved', detail: null }],
        };
      }
      const changedAt = before.state === 'open' ? reportAt : before.changedAt;
      return { row: { ...before, state: 'gone', lastSeenAt, missed, changedAt }, events: gone };
    }
  }
}
