/**
 * Hops 9 and 10: loads the reports that have a reason to be looked at, and decides every issue of them for every target that is due.
 * Everything but reading is `decide/`. Nothing is changed here: decisions count when the enqueue step has stored them with the messages.
 */

import { issueIdentity } from '../../../contracts/issue.ts';
import { moduleOfComponent } from '../../../contracts/rule-content.ts';
import { isReceiver } from '../../../contracts/tables.ts';
import {
  absenceIn,
  type ClusterSituation,
  decideCluster,
  type ForeignSentRow,
  isKeptFrom,
  type LedgerIssue,
  withForeignRows,
} from '../decide/decide-cluster.ts';
import { type ReadReport, readReport } from '../decide/read-report.ts';
import { withoutElements } from '../decide/report-slices.ts';
import { isInScope } from '../decide/verdicts.ts';
import {
  type DecidedCluster,
  type DecidedSet,
  type LoadedReport,
  type LoadedSet,
  type Run,
  type RunStore,
  type RunTarget,
  readSilences,
} from '../run.ts';
import { storableRisk, type TrackedReport } from '../store/issues.ts';
import { ledgerKey } from '../store/ledger.ts';
import type { RuleOfReport, StoredReport } from '../store/reports.ts';
import { timestampMicros, timestampText } from '../timestamps.ts';

/**
 * Hop 9: loads, set by set, the newest report of every cluster that has a reason to be looked at. Nothing is changed; a set that is not
 * finished is loaded again by the next run. What was notified before is read by the next step, behind the versions that this one reads.
 */
export async function* loadReports(run: Run, store: RunStore): AsyncGenerator<LoadedSet> {
  for await (const keys of timed(run, store.dueReports(run.recent))) {
    if (run.signal.aborted) return;
    const startedMs = run.clock.monotonicMs();
    const stored = await store.readReports(keys);
    run.events.operationTimed('read_report_for_cluster', startedMs);
    const nowMicros = run.time.nowMicros();
    const reports = stored.flatMap((report): LoadedReport[] => {
      const dueFor = run.targets.filter((runTarget) => isDue(report, runTarget, nowMicros));
      if (dueFor.length === 0) return [];
      return [{ ...report, dueFor }];
    });
    run.tally.reports += reports.length;
    for (const report of reports) run.events.reportLoaded(report, startedMs);
    if (reports.length > 0) yield { reports, startedMs };
  }
}

/** The comparison of the statement that chose the cluster, once more: another process may have decided it since. */
export function isDue(report: StoredReport, { target, policy }: RunTarget, nowMicros: bigint): boolean {
  const considered = report.considered.get(target.eventTargetId);
  if (considered === undefined) return true;
  return (
    considered.orgId !== report.orgId ||
    considered.policyHash !== policy.hash ||
    report.updatedAt > considered.reportUpdatedAt ||
    (considered.nextDueMicros !== undefined && considered.nextDueMicros <= nowMicros)
  );
}

/** The first set takes as long as the list of clusters. */
async function* timed<T>(run: Run, sets: AsyncGenerator<T>): AsyncGenerator<T> {
  const startedMs = run.clock.monotonicMs();
  let listed = false;
  try {
    for await (const set of sets) {
      if (!listed) run.events.operationTimed('read_cluster_list', startedMs);
      listed = true;
      yield set;
    }
  } catch (error) {
    if (!listed) run.events.clustersUnreadable();
    throw error;
  }
}

/** Hop 10. Reads the ledger and other writers' `sent` rows. */
export async function decideIssues(run: Run, store: RunStore, set: LoadedSet): Promise<DecidedSet> {
  const past = await readPast(run, store, set);
  const silence = await readSilences(run, store, set.reports);
  const reports = set.reports.map((report) => ({ report, read: readReport(report.text) }));
  const subjects = reports.flatMap(({ report, read }) => {
    const silenceIn: SilenceIn = (issue) => silence(report, issue);
    const shared = { report, read, filteredReport: withoutSilent(report, read, silenceIn), silence: silenceIn };
    return report.dueFor.map((runTarget) => ({ ...shared, runTarget, ledger: past.ledgerOf(runTarget, report) }));
  });
  const isRemoved = await store.readRemovedRules(subjects.flatMap(rulesOfLostIssues));
  const clusters = subjects.map((subject) => decideForTarget(run, subject, isRemoved));
  const tracked = reports.flatMap((one) => trackedReport(run, one));
  return { clusters, tracked, foreignRows: past.foreignRows, startedMs: set.startedMs };
}

/** None where its issues were compared with it before, for another target or by another process, or where it cannot be read. */
function trackedReport(
  run: Run,
  { report, read }: { report: LoadedReport; read: ReadReport },
): readonly TrackedReport[] {
  const { orgId, cluster, updatedAt, didNotRun, catalogue, issuesReportAt } = report;
  if (read.kind === 'unreadable' || (issuesReportAt !== undefined && issuesReportAt >= updatedAt)) return [];
  const issues = read.issues.map(({ position, ...issue }) => ({
    ...issue,
    totalRisk: storableRisk(run.totalRiskOf(issue)),
  }));
  return [{ orgId, cluster, updatedAt, didNotRun, catalogue, issues }];
}

type SilenceIn = ClusterSituation['silence'];

/** What is to be decided for one target. */
interface Subject {
  readonly report: LoadedReport;
  readonly read: ReadReport;
  readonly filteredReport: string | undefined;
  readonly runTarget: RunTarget;
  readonly silence: SilenceIn;
  readonly ledger: readonly LedgerIssue[];
}

/** Of issues that the report has lost; for most sets there are none, and no catalogue is read. */
function rulesOfLostIssues({ report: { catalogue }, read, ledger }: Subject): readonly RuleOfReport[] {
  if (read.kind !== 'read') return [];
  const held = new Set(read.issues.map(issueIdentity));
  return ledger
    .filter((issue) => !issue.closed && !held.has(issueIdentity(issue)))
    .map(({ component }) => ({ catalogue, module: moduleOfComponent(component) }));
}

async function readPast(run: Run, store: RunStore, set: LoadedSet) {
  const startedMs = run.clock.monotonicMs();
  const nowMicros = run.time.nowMicros();
  const wanted = set.reports.flatMap(({ dueFor, orgId, cluster }) =>
    dueFor.map(({ target: { eventTargetId }, policy: { cooldownMicros } }) => ({
      ...{ eventTargetId, orgId, cluster, cooldownMicros },
    })),
  );
  const within = wanted.flatMap(({ cooldownMicros, ...key }) =>
    cooldownMicros === undefined || isReceiver(key.eventTargetId)
      ? []
      : [{ ...key, since: timestampText(nowMicros - cooldownMicros) }],
  );
  try {
    const ledger = await store.readLedger(wanted.map(({ cooldownMicros, ...key }) => key));
    const unseen = within.length === 0 ? [] : await store.readUnseenSentRows(within);
    run.events.operationTimed('read_previously_reported', startedMs);
    run.events.foreignRowsImported(unseen.length);
    const foreignRows = unseen.map(({ report, ...row }): ForeignSentRow => {
      const read = readReport(report ?? undefined);
      // Imported without issues: a row that cannot be read is looked at once, and counts for nothing.
      if (read.kind === 'unreadable') run.events.foreignRowUnreadable(row, read.error);
      return { ...row, issues: read.kind === 'read' ? read.issues : [] };
    });
    const foreign = Map.groupBy(foreignRows, ledgerKey);
    return {
      foreignRows,
      ledgerOf({ target: { eventTargetId } }: RunTarget, { orgId, cluster }: LoadedReport): readonly LedgerIssue[] {
        const key = ledgerKey({ eventTargetId, orgId, cluster });
        const rows = (foreign.get(key) ?? []).map((row) => ({
          ...row,
          notifiedMicros: timestampMicros(row.notifiedAt),
        }));
        return withForeignRows(ledger.get(key) ?? [], rows);
      },
    };
  } catch (error) {
    run.events.reportedUnreadable();
    throw error;
  }
}

/** What `reported` gets in place of the report: who reads it back must not take a silent issue for a notified one. */
function withoutSilent(report: LoadedReport, read: ReadReport, silence: SilenceIn): string | undefined {
  if (read.kind === 'unreadable' || report.text === undefined) return undefined;
  const silent = read.elements.map((issue) => issue !== undefined && silence(issue) !== undefined);
  return silent.includes(true) ? withoutElements(report.text, (position) => silent[position] === true) : undefined;
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
    return { ...common, outcome: 'unreadable', unreadable: read.error, decisions: [] };
  }
  const allowed = run.isClusterAllowed(report.cluster);
  const outcome = !allowed ? 'not-allowed' : read.issues.length === 0 ? 'empty' : 'issues';
  // What is told levels is decided in its rounds, from the issues that this report is compared with.
  if (runTarget.target.alerts !== undefined) return { ...common, outcome, unreadable: undefined, decisions: [] };
  const { catalogue, didNotRun } = report;
  const decisions = decideCluster({
    reportIssues: read.issues,
    absence: absenceIn(didNotRun, (module) => isRemoved({ catalogue, module })),
    ledger: subject.ledger,
    allowed,
    retired: report.retired,
    keptFromTarget: isKeptFrom(runTarget.target, report.cluster),
    hasRecipient: runTarget.target.hasRecipient(report),
    inScope: isInScope(runTarget.policy.scope, report),
    silence: subject.silence,
    verdict: (issue) => verdicts.of(issue.component, issue.errorKey),
    cooldownMicros,
    nowMicros: run.time.nowMicros(),
  });
  return { ...common, outcome, unreadable: undefined, decisions };
}
