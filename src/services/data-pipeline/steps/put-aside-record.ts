/**
 * The end of an announcement that cannot be processed: its record, unchanged, in the dead-letter topic, with headers that say why. Tried
 * until the bus has taken it, since only then its offset may be committed. Source: data-pipeline.md 2.5.
 */
import { type CcxError, errorText } from '../../../contracts/ccx-error.ts';
import { type DeadLetterInfo, deadLetterHeaders } from '../../../contracts/dead-letter.ts';
import type { Outcome } from '../../../contracts/outcome.ts';
import { retry } from '../../../contracts/outcome.ts';
import type { BusRecord, OutgoingRecord } from '../../../platform/bus/bus.ts';
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
  const deadLetter = deadLetterOf(record, reason, tools);
  const sent = await sendOutcome(() => tools.sender.send([deadLetter]), attempt.number, tools.random);
  if (sent.kind !== 'dead-letter') return sent;
  // The record itself fitted on the bus; with our headers it is a little too large. They name where it can still be found.
  const withoutValue = { ...deadLetter, value: null };
  const again = await sendOutcome(() => tools.sender.send([withoutValue]), attempt.number, tools.random);
  return again.kind === 'dead-letter' ? retry(again.error, backoffMs(attempt.number, tools.random())) : again;
}

function deadLetterOf(record: BusRecord, reason: PutAsideReason, tools: PutAsideTools): OutgoingRecord {
  const info: DeadLetterInfo = {
    code: reason.error.code,
    reason: errorText(reason.error),
    step: reason.step,
    service: tools.service,
    sourceTopic: record.topic,
    sourcePartition: record.partition,
    sourceOffset: record.offset,
    time: reason.now.toISOString(),
    ...(reason.requestId === null ? {} : { requestId: reason.requestId }),
  };
  const original = Object.fromEntries(record.headers.map(({ name, value }) => [name, value.toString('utf8')]));
  return {
    topic: tools.topic,
    key: record.key,
    value: record.value,
    headers: { ...original, ...deadLetterHeaders(info) },
  };
}
