/** The steps of one run in order, and nothing else: hops 9 to 12. */
import type { Run } from './run.ts';
import { decideIssues, loadReports } from './steps/decide-issues.ts';
import { deliverNotifications, recordOutcomes, writeUnsentRows } from './steps/deliver-notifications.ts';
import { lookAgain } from './steps/look-again.ts';
import { enqueueNotifications, renderNotifications } from './steps/render-notifications.ts';

export async function runPipeline(run: Run): Promise<void> {
  for await (const loaded of loadReports(run)) {
    const decided = await decideIssues(run, loaded);
    const rendered = await renderNotifications(run, decided);
    await enqueueNotifications(run, rendered);
  }
  const targets = run.targets.map(async (runTarget) => {
    for await (const batch of deliverNotifications(run, runTarget, lookAgain)) await recordOutcomes(run, batch);
    await writeUnsentRows(run, runTarget);
  });
  const outcomes = await Promise.allSettled(targets);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
