/**
 * The end of an announcement that cannot be processed: its record, unchanged, in the dead-letter topic, with headers that say why. Tried
 * until the bus has taken it, since only then its offset may be committed. Source: data-pipeline.md 2.5.
 */

import type { Outcome } from '../../../contracts/outcome.ts';
import { retry } from '../../../contracts/outcome.ts';
import type { CcxError } from '../../../encoding/ccx-error.ts';
import type { BusRecord } from '../../../platform/bus/bus.ts';
import { deadLetterForms } from '../../../platform/bus/intake/dead-letter-records.ts';
import { backoffMs } from '../backoff.ts';
import type { RecordSender, StepAttempt } from '../ports.ts';
import { sendOutcome } from '../send-outcome.ts';

export interface PutAsideTools {
  readonly sender: RecordSender;
  readonly topic: string;
  readonly service: string;
  readonly random: () => number;
}

export interface PutAsideReason {
  readonly step: string;
  readonly error: CcxError;
  readonly requestId: string | null;
  readonly now: Date;
}

export async function putAsideRecord(
  record: BusRecord,
  reason: PutAsideReason,
  tools: PutAsideTools,
  attempt: StepAttempt,
): Promise<Outcome<unknown>> {
  const { step, error, requestId, now } = reason;
  const { topic, service: serviceName } = tools;
  const target = { topic, serviceName, time: () => now.toISOString() };
  let failure = error;
  for (const form of deadLetterForms({ record, step, error, requestId: requestId ?? '' }, target)) {
    const sent = await sendOutcome(() => tools.sender.send([form]), attempt.number, tools.random);
    if (sent.kind !== 'dead-letter') return sent;
    failure = sent.error;
  }
  return retry(failure, backoffMs(attempt.number, tools.random()));
}
