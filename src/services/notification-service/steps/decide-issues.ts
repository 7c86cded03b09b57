/**
 * Hop 10: decides every issue of a set for every target that is due. Reads the ledger and other writers' `sent` rows; everything else is
 * `decide/`. Nothing is changed here: decisions count when the enqueue step has stored them together with the messages.
 */

import { issueIdentity } from '../../../contracts/issue.ts';
import { moduleOfComponent } from '../../../contracts/rule-content.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { absenceIn, decideCluster, type LedgerIssue, takeInForeign } from '../decide/decide-cluster.ts';
import { type DisabledRules, disabledBy, isClusterAllowed } from '../decide/disabled-rules.ts';
import { type ReadReport, readReport, reportBytesMax } from '../decide/read-report.ts';
import { withoutElements } from '../decide/report-slices.ts';
import type { DecidedCluster, DecidedSet, ForeignSentRow, LoadedReport, LoadedSet, Run, RunTarget } from '../run.ts';
import { ledgerKey, type RuleOfReport, readLedger, readRemovedRules, readUnseenSentRows } from '../store/ledger.ts';
import { timestampMicros, timestampText } from '../timestamps.ts';

export async function decideIssues(run: Run, set: LoadedSet): Promise<DecidedSet> {
  const past = await readPast(run, set);
  const disabledRules = await run.disabledRules();
  const subjects = set.reports.flatMap((report) => {
    const read = readText(report);
    const shared = { report, read, filteredReport: withoutDisabled(report, read, disabledRules), disabledRules };
    return run.targets
      .filter(({ target }) => report.dueFor.has(target.eventTargetId))
      .map((runTarget) => ({ ...shared, runTarget, ledger: past.ledgerOf(runTarget, report) }));
  });
  const isRemoved = await readRemovedRules(run.database, subjects.flatMap(rulesOfLostIssues));
  const clusters = subjects.map((subject) => decideForTarget(run, subject, isRemoved));
  return { clusters, foreignRows: past.foreignRows, startedMs: set.startedMs };
}

/** What is to be decided for one target. */
interface Subject {
  readonly report: LoadedReport;
  readonly read: ReadReport;
  readonly filteredReport: string | undefined;
  readonly runTarget: RunTarget;
  readonly disabledRules: DisabledRules;
  readonly ledger: readonly LedgerIssue[];
}

/** Of issues that the report has lost; for most sets there are none, and no catalogue is read. */
function rulesOfLostIssues({ report: { catalogue }, read, ledger }: Subject): readonly RuleOfReport[] {
  if (read.kind !== 'read') return [];
  const held = new Set(read.issues.map(issueIdentity));
  return ledger
    .filter((issue) => !issue.resolved && !held.has(issueIdentity(issue)))
    .map(({ component }) => ({ catalogue, module: moduleOfComponent(component) }));
}

interface Past {
  readonly foreignRows: readonly ForeignSentRow[];
  readonly ledgerOf: (runTarget: RunTarget, report: LoadedReport) => readonly LedgerIssue[];
}

async function readPast(run: Run, set: LoadedSet): Promise<Past> {
  const startedMs = run.clock.monotonicMs();
  const nowMicros = run.time.nowMicros();
  const wanted = set.reports.flatMap((report) =>
    run.targets
      .filter(({ target }) => report.dueFor.has(target.eventTargetId))
      .map(({ target, policy }) => ({
        eventTargetId: target.eventTargetId,
        orgId: report.orgId,
        cluster: report.cluster,
        cooldownMicros: policy.cooldownMicros,
      })),
  );
  const within = wanted.flatMap(({ cooldownMicros, ...key }) =>
    cooldownMicros === undefined ? [] : [{ ...key, since: timestampText(nowMicros - cooldownMicros) }],
  );
  try {
    const ledger = await readLedger(run.database, wanted);
    const unseen = within.length === 0 ? [] : await readUnseenSentRows(run.database, within);
    run.events.operationTimed('read_previously_reported', startedMs);
    run.events.foreignRowsTakenIn(unseen.length);
    const foreignRows = unseen.map(({ report, ...row }): ForeignSentRow => {
      const read = report === undefined ? tooLarge() : readReport(report);
      // Taken in without issues: a row that cannot be read is looked at once, and counts for nothing.
      if (read.kind === 'unreadable') run.events.foreignRowUnreadable(row, read.error);
      return { ...row, issues: read.kind === 'read' ? read.issues : [] };
    });
    const foreign = Map.groupBy(foreignRows, (row) => ledgerKey(row.eventTargetId, row.orgId, row.cluster));
    return {
      foreignRows,
      ledgerOf(runTarget, report) {
        const key = ledgerKey(runTarget.target.eventTargetId, report.orgId, report.cluster);
        const rows = (foreign.get(key) ?? []).map((row) => ({
          ...row,
          notifiedMicros: timestampMicros(row.notifiedAt),
        }));
        return takeInForeign(ledger.get(key) ?? [], rows);
      },
    };
  } catch (error) {
    run.events.reportedUnreadable();
    throw error;
  }
}

function readText(report: LoadedReport): ReadReport {
  return report.text === undefined ? tooLarge() : readReport(report.text);
}

function tooLarge(): ReadReport {
  const error = new CcxError(`the stored report is larger than ${reportBytesMax} bytes`, {
    code: 'REPORT_TOO_LARGE',
    category: 'limit',
  });
  return { kind: 'unreadable', error };
}

/** What `reported` gets in place of the report: who reads it back must not take a disabled issue for a notified one. */
function withoutDisabled(report: LoadedReport, read: ReadReport, rules: DisabledRules): string | undefined {
  if (read.kind === 'unreadable' || report.text === undefined) return undefined;
  const disabled = read.elements.map((issue) => issue !== undefined && disabledBy(rules, report, issue) !== undefined);
  return disabled.includes(true) ? withoutElements(report.text, (position) => disabled[position] === true) : undefined;
}

function decideForTarget(run: Run, subject: Subject, isRemoved: (rule: RuleOfReport) => boolean): DecidedCluster {
  const { report, read, runTarget, filteredReport } = subject;
  const { verdicts, cooldownMicros } = runTarget.policy;
  const considered = report.considered.get(runTarget.target.eventTargetId);
  const common = {
    runTarget,
    report,
    previousVersion: considered?.version ?? 0n,
    isNewReport:
      considered === undefined || considered.orgId !== report.orgId || report.updatedAt > considered.reportUpdatedAt,
    filteredReport,
  };
  if (read.kind === 'unreadable') {
    return { ...common, outcome: 'unreadable', unreadable: read.error, reportIssues: [], decisions: [] };
  }
  const allowed = isClusterAllowed(run.clusters, report.cluster);
  const { catalogue, didNotRun } = report;
  const decisions = decideCluster({
    reportIssues: read.issues,
    absence: absenceIn({ didNotRun, isRemoved: (module) => isRemoved({ catalogue, module }) }),
    ledger: subject.ledger,
    allowed,
    hasRecipient: runTarget.target.hasRecipient(report),
    disabled: (issue) => disabledBy(subject.disabledRules, report, issue),
    verdict: (issue) => verdicts.of(issue.component, issue.errorKey),
    cooldownMicros,
    nowMicros: run.time.nowMicros(),
  });
  const outcome = !allowed ? 'not-allowed' : read.issues.length === 0 ? 'empty' : 'issues';
  return { ...common, outcome, unreadable: undefined, reportIssues: read.issues, decisions };
}
