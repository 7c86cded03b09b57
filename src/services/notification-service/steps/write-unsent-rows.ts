/**
 * The end of a one-shot run: every cluster with issues that got no row in `reported` from this run gets one, `error` where a message of it
 * did not go out and `same` where there was nothing to tell, in sets inside the server. Following, new reports got theirs when they were
 * decided. Source: notification-service.md 11.1.
 */
import { unsentRowsMax } from '../limits.ts';
import type { RunTarget } from '../run.ts';
import type { Run } from '../run-context.ts';
import { countDue } from '../store/outbox.ts';
import { insertUnsentPage } from '../store/reported-rows.ts';

export async function writeUnsentRows(run: Run, runTarget: RunTarget): Promise<void> {
  if (run.settings.mode !== 'once') return;
  const { target } = runTarget;
  if ((await countDue(run, runTarget)) > 0) run.tally.undeliveredTo.add(target.name);
  const written = { same: 0, error: 0 };
  let after: string | undefined = '';
  while (after !== undefined && !run.signal.aborted) {
    const page = await insertUnsentPage(run.database, run, {
      eventTargetId: target.eventTargetId,
      after,
      rowsMax: unsentRowsMax,
    });
    written.same += page.same;
    written.error += page.error;
    after = page.next;
  }
  run.tally.same += written.same;
  run.tally.error += written.error;
  run.events.unsentRowsWritten(target, written);
}
