/** The end of hop 10: stores the decisions of a set and their messages in one transaction. From here on a crash loses nothing and repeats nothing. */
import type { RenderedSet } from '../run.ts';
import type { Run } from '../run-context.ts';
import { writeDecisions } from '../store/write-decisions.ts';

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
