/** The steps of one run in order, and nothing else: hops 9 to 12. */
import type { Run, RunStore } from './run.ts';
import { decideIssues, loadReports } from './steps/decide-issues.ts';
import { deliverNotifications, recordOutcomes, writeUnsentRows } from './steps/deliver-notifications.ts';
import { lookAgain } from './steps/look-again.ts';
import { enqueueNotifications, renderNotifications } from './steps/render-notifications.ts';

export async function runPipeline(run: Run, store: RunStore): Promise<void> {
  for await (const loaded of loadReports(run, store)) {
    const decided = await decideIssues(run, store, loaded);
    const rendered = await renderNotifications(run, decided);
    await enqueueNotifications(run, store, rendered);
  }
  const targets = run.targets.map(async (runTarget) => {
    for await (const batch of deliverNotifications(run, store, runTarget, lookAgain))
      await recordOutcomes(run, store, batch);
    await writeUnsentRows(run, store, runTarget);
  });
  const outcomes = await Promise.allSettled(targets);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
