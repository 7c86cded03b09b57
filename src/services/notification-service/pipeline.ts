/** The steps of one run in order, and nothing else: hops 9 to 12. Each works on a set while the one behind it works on the set before. */
import { besideOthers } from './deliver-beside.ts';
import { oneAhead } from './in-parallel.ts';
import type { ClaimedSet, DeliveredBatch, Run, RunStore } from './run.ts';
import { decideIssues, loadReports } from './steps/decide-issues.ts';
import { deliverAtOnce, deliverNotifications, recordOutcomes, writeUnsentRows } from './steps/deliver-notifications.ts';
import { lookAgain } from './steps/look-again.ts';
import { enqueueNotifications, renderNotifications } from './steps/render-notifications.ts';

export async function runPipeline(run: Run, store: RunStore): Promise<void> {
  // What can be sent at once is sent while the next set is decided, and recorded while the next one is sent.
  for await (const batch of oneAhead(sent(run, store))) await recordOutcomes(run, store, batch);
  // What waits in line, and what is to be tried again.
  const targets = run.targets.map((runTarget) =>
    besideOthers(run, runTarget, async () => {
      for await (const batch of deliverNotifications(run, store, runTarget, lookAgain))
        await recordOutcomes(run, store, batch);
      await writeUnsentRows(run, store, runTarget);
    }),
  );
  const outcomes = await Promise.allSettled(targets);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Those that were decided together are sent side by side. */
async function* sent(run: Run, store: RunStore): AsyncGenerator<DeliveredBatch> {
  for await (const claimed of oneAhead(decided(run, store))) {
    const batches = claimed.map((set) => deliverAtOnce(run, store, set));
    const ended = Promise.allSettled(batches);
    try {
      for (const batch of batches) yield await batch;
    } finally {
      await ended;
    }
  }
}

async function* decided(run: Run, store: RunStore): AsyncGenerator<readonly ClaimedSet[]> {
  for await (const loaded of oneAhead(loadReports(run, store))) {
    const set = await decideIssues(run, store, loaded);
    yield await enqueueNotifications(run, store, await renderNotifications(run, set));
  }
}
