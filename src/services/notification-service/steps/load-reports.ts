/**
 * Hop 9: loads, set by set, the newest report of every cluster that has a reason to be looked at. Nothing is changed; a set that is not
 * finished is loaded again by the next run. What was notified before is read by the next step, behind the versions that this one reads.
 */

import type { LoadedReport, LoadedSet, Run, RunTarget } from '../run.ts';
import { readReports, type StoredReport } from '../store/ledger.ts';
import { dueReports } from '../store/reports.ts';

export async function* loadReports(run: Run): AsyncGenerator<LoadedSet> {
  const eventTargetIds = run.targets.map(({ target }) => target.eventTargetId);
  for await (const keys of timed(run, dueReports(run))) {
    if (run.signal.aborted) return;
    const startedMs = run.clock.monotonicMs();
    const stored = await readReports(run.database, keys, { eventTargetIds, requestIdsKept: run.requestIdsKept });
    run.events.operationTimed('read_report_for_cluster', startedMs);
    const nowMicros = run.time.nowMicros();
    const reports = stored.flatMap((report): LoadedReport[] => {
      const due = run.targets.filter((runTarget) => isDue(report, runTarget, nowMicros));
      if (due.length === 0) return [];
      return [{ ...report, dueFor: new Set(due.map(({ target }) => target.eventTargetId)) }];
    });
    run.tally.reports += reports.length;
    for (const report of reports) run.events.reportLoaded(report, startedMs);
    if (reports.length > 0) yield { reports, startedMs };
  }
}

/** The comparison of the statement that chose the cluster, once more: another process may have decided it since. */
function isDue(report: StoredReport, { target, policy }: RunTarget, nowMicros: bigint): boolean {
  const considered = report.considered.get(target.eventTargetId);
  if (considered === undefined) return true;
  return (
    considered.orgId !== report.orgId ||
    considered.policyHash !== policy.hash ||
    report.updatedAt > considered.reportUpdatedAt ||
    (considered.nextDueMicros !== null && considered.nextDueMicros <= nowMicros)
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
