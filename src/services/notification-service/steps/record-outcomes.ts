/**
 * Hop 12: stores what became of a batch in one transaction: outbox, `reported`, ledger. Until then a crash means that the same messages are
 * tried again, under the same ids.
 */
import type { DeliveredBatch, DeliveredMessage } from '../run.ts';
import type { Run } from '../run-context.ts';
import { writeOutcomes } from '../store/outcomes.ts';

export async function recordOutcomes(run: Run, batch: DeliveredBatch): Promise<void> {
  const { target } = batch.runTarget;
  const startedMs = run.clock.monotonicMs();
  const written = await writeOutcomes(run, batch);
  run.events.outcomeTakenOver(target, batch.messages.length - written.messages.length);
  run.events.clustersRecorded(target, written.sentRows, startedMs);
  for (const delivered of written.messages) {
    const { message, outcome } = delivered;
    if (outcome.kind === 'dead' || outcome.kind === 'listed') {
      run.tally.dead += 1;
      run.tally.undeliveredTo.add(target.name);
    }
    if (outcome.kind === 'withdrawn') run.tally.withdrawn += 1;
    run.events.outcomeRecorded(target, message, { outcome, leftOver: isLeftOver(run, delivered), startedMs });
  }
}

/** Failed for good, or until the next one-shot run. */
function isLeftOver(run: Run, { outcome }: DeliveredMessage): boolean {
  if (outcome.kind === 'dead' || outcome.kind === 'listed') return true;
  return (
    run.settings.mode === 'once' && outcome.kind === 'later' && outcome.nextAttemptMicros > outcome.runDeadlineMicros
  );
}
