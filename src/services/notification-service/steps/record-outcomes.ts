/**
 * Hop 12: what the outcomes of a batch mean, stored in one transaction: outbox, `reported`, ledger. Until then a crash means that the same
 * messages are tried again, under the same ids.
 */

import { settleOutcome } from '../decide/settle-outcome.ts';
import type { DeliveredBatch } from '../run.ts';
import type { Run } from '../run-context.ts';
import { writeOutcomes } from '../store/outcomes.ts';

export async function recordOutcomes(run: Run, { runTarget, leaseToken, messages }: DeliveredBatch): Promise<void> {
  const { target, policy } = runTarget;
  const startedMs = run.clock.monotonicMs();
  const nowMicros = run.time.nowMicros();
  const context = { nowMicros, cooldownMicros: policy.cooldownMicros, oneShot: run.settings.mode === 'once' };
  const settled = messages.map((delivered) => ({
    ...delivered,
    settlement: settleOutcome(delivered.outcome, delivered.message, context),
  }));
  const written = await writeOutcomes(run, { runTarget, leaseToken, messages: settled, nowMicros });
  run.events.outcomeTakenOver(target, messages.length - written.messages.length);
  run.events.clustersRecorded(target, written.sentRows, startedMs);
  for (const { message, settlement } of written.messages) {
    const { givenUp, finishedAs } = settlement.tally;
    if (givenUp) {
      run.tally.dead += 1;
      run.tally.undeliveredTo.add(target.name);
    }
    if (finishedAs === 'withdrawn') run.tally.withdrawn += 1;
    run.events.outcomeRecorded(target, message, { settlement, startedMs });
  }
}
