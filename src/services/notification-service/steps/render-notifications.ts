/**
 * Still hop 10: lets each target put the due issues of a cluster into words, before anything is stored. What cannot be rendered stays due
 * and is named so; the rest of the cluster, and the other clusters, go on.
 */

import { issueIdentity } from '../../../contracts/issue.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { settleDecisions } from '../decide/decide-cluster.ts';
import { detailsByPosition } from '../decide/report-slices.ts';
import { inParallel } from '../in-parallel.ts';
import type { DueCluster, DueIssue, OutgoingNotification } from '../ports.ts';
import type { DecidedCluster, DecidedSet, LoadedReport, RenderedCluster, RenderedSet, Run } from '../run.ts';
import { writeDecisions } from '../store/decisions.ts';

export async function renderNotifications(run: Run, set: DecidedSet): Promise<RenderedSet> {
  const clusters: RenderedCluster[] = set.clusters.map((cluster) => rendered(cluster, [], undefined));
  const due = [...clusters.keys()].filter((index) => clusters[index]!.decisions.some(({ notify }) => notify));
  await inParallel(due, run.settings.delivery.concurrency, async (index) => {
    clusters[index] = await renderCluster(run, set.clusters[index]!);
  });
  return { ...set, clusters };
}

async function renderCluster(run: Run, cluster: DecidedCluster): Promise<RenderedCluster> {
  const { target } = cluster.runTarget;
  const dueCluster = dueClusterOf(run, cluster);
  try {
    const messages = await target.compose(dueCluster, { now: run.time.now(), uuid: () => run.clock.uuid() });
    const renderError = missing(dueCluster, messages);
    if (renderError !== undefined)
      run.events.renderFailed({ target: target.name, cluster: dueCluster.cluster }, renderError);
    return rendered(cluster, messages, renderError);
  } catch (cause) {
    const renderError =
      cause instanceof CcxError
        ? cause
        : new CcxError('rendering failed', { code: 'RENDER_FAILED', category: 'internal', retryable: true, cause });
    run.events.renderFailed({ target: target.name, cluster: dueCluster.cluster }, renderError);
    return rendered(cluster, [], renderError);
  }
}

function rendered(
  cluster: DecidedCluster,
  messages: readonly OutgoingNotification[],
  renderError: CcxError | undefined,
): RenderedCluster {
  return { ...cluster, decisions: settleDecisions(cluster.decisions, messages, renderError), messages, renderError };
}

/** The issues of a cluster that are to be notified, with what composing needs of the report and of the rule content. */
export function dueClusterOf(
  run: Run,
  {
    report,
    decisions,
    runTarget,
  }: Pick<DecidedCluster, 'decisions' | 'runTarget'> & { readonly report: Omit<LoadedReport, 'dueFor'> },
): DueCluster {
  const due = decisions.filter(({ notify }) => notify);
  const positions = new Set(due.flatMap(({ position }) => position ?? []));
  const details = detailsByPosition(report.text ?? '', positions);
  const issues = due.flatMap(({ issue, position }): DueIssue[] => {
    const verdict = runTarget.policy.verdicts.of(issue.component, issue.errorKey);
    if (verdict.kind !== 'pass') return [];
    const { totalRisk, rule, content } = verdict;
    if (runTarget.target.name === 'service-log' && (totalRisk < 1 || totalRisk > 4)) {
      run.events.riskWithoutSeverity(totalRisk);
    }
    return [{ ...issue, details: details.get(position ?? -1) ?? 'null', totalRisk, rule, content }];
  });
  const { orgId, accountNumber, cluster, updatedAt, requestId } = report;
  return { orgId, accountNumber, cluster, reportUpdatedAt: updatedAt, requestId, issues };
}

/** An issue that no message tells of was not rendered, whatever the target's reason. */
function missing(cluster: DueCluster, messages: readonly OutgoingNotification[]): CcxError | undefined {
  const told = new Set(messages.flatMap((message) => message.issues.map(issueIdentity)));
  const untold = cluster.issues.filter((issue) => !told.has(issueIdentity(issue)));
  if (untold.length === 0) return undefined;
  const names = untold.slice(0, 5).map(({ component, errorKey }) => `${component} ${errorKey}`);
  return new CcxError(
    `${untold.length} of ${cluster.issues.length} due issues were not rendered: ${names.join(', ')}`,
    {
      code: 'RENDER_INCOMPLETE',
      category: 'delivery',
      retryable: true,
    },
  );
}

/** The end of hop 10: stores the decisions of a set and their messages in one transaction. From here on a crash loses nothing and repeats nothing. */
export async function enqueueNotifications(run: Run, set: RenderedSet): Promise<void> {
  const written = await writeDecisions(run, set);
  for (const cluster of written) {
    run.events.clusterDecided(cluster, set.startedMs);
    for (const { reason } of cluster.decisions) {
      run.tally.decisions[reason] = (run.tally.decisions[reason] ?? 0) + 1;
    }
    run.tally.enqueued += cluster.messages.length;
    if (cluster.renderError !== undefined) run.tally.undeliveredTo.add(cluster.runTarget.target.name);
  }
  if (run.settings.mode === 'follow') {
    const quiet = written.filter(
      ({ isNewReport, outcome, messages, renderError }) =>
        isNewReport && outcome === 'issues' && messages.length === 0 && renderError === undefined,
    );
    run.events.newReportsWithoutNews(quiet.length);
  }
  const left = set.clusters.length - written.length;
  run.tally.leftToOthers += left;
  run.events.clustersLeftToOthers(left);
}
