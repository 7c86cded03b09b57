/**
 * Dead-letters refused records: as they came, byte for byte, with the reason in headers behind their own. Called before their offsets move
 * on, so that a record is always either processed, dead-lettered or still due. Reading them is the business of `tools/dead-letters`.
 */

import {
  type DeadLetterInfo,
  type DeadLetterLeftOut,
  deadLetterHeadersBehind,
} from '../../../contracts/dead-letter.ts';
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import type { BusRecord, OutgoingRecord, RecordSender } from '../bus.ts';
import { done, retry, type StepAnswer } from './step.ts';

export interface RefusedRecord {
  readonly record: BusRecord;
  /** File name of the step that refused it. */
  readonly step: string;
  readonly error: CcxError;
  /** Empty when the record has none. */
  readonly requestId: string;
}

export interface DeadLetterTarget {
  readonly sender: RecordSender;
  readonly topic: string;
  /** As in the header `x-ccx-service`. */
  readonly serviceName: string;
  /** RFC 3339, now. */
  readonly time: () => string;
}

/** Done when the bus has them durably; `retry` after `retryMs` with the bus's code otherwise. */
export async function deadLetterRecords(
  refused: readonly RefusedRecord[],
  target: DeadLetterTarget,
  retryMs: number,
): Promise<StepAnswer<void>> {
  const deadLetters = refused.map((one) => deadLetterForms(one, target));
  try {
    await sendAll(deadLetters, target);
    return done(undefined);
  } catch (cause) {
    return retry(busFailure(cause), retryMs);
  }
}

async function sendAll(deadLetters: readonly DeadLetterForms[], { sender }: DeadLetterTarget): Promise<void> {
  if (deadLetters.length > 1) {
    try {
      await sender.send(deadLetters.map(([whole]) => whole));
      return;
    } catch (error) {
      if (!isRefusedRecord(error)) throw error;
    }
  }
  for (const forms of deadLetters) await sendFirstThatFits(forms, sender);
}

async function sendFirstThatFits(forms: readonly OutgoingRecord[], sender: RecordSender): Promise<void> {
  for (const [index, form] of forms.entries()) {
    try {
      await sender.send([form]);
      return;
    } catch (error) {
      if (!isRefusedRecord(error) || index === forms.length - 1) throw error;
    }
  }
}

/**
 * Only a record that no bus would take is at fault itself. Everything else, a missing topic included, is tried again without end: the
 * dead-letter topic lies on the same bus, and a record that is not acknowledged is not lost.
 */
export function isRefusedRecord(error: unknown): error is CcxError {
  return error instanceof CcxError && (error.category === 'limit' || error.category === 'input');
}

export function busFailure(cause: unknown): CcxError {
  if (cause instanceof CcxError) return cause;
  return new CcxError('the bus failed', { code: 'BUS_FAILED', category: 'connection', retryable: true, cause });
}

/**
 * One that fitted on the bus may be too large with our headers: it goes without its value then, and without anything of its own where
 * its headers are what is large. Ours name where it still is.
 */
type DeadLetterForms = readonly [whole: OutgoingRecord, ...smaller: OutgoingRecord[]];

function deadLetterForms(
  { record, requestId, step, error }: RefusedRecord,
  target: Omit<DeadLetterTarget, 'sender'>,
): DeadLetterForms {
  const info: DeadLetterInfo = {
    code: error.code,
    reason: errorText(error),
    step,
    service: target.serviceName,
    sourceTopic: record.topic,
    sourcePartition: record.partition,
    sourceOffset: record.offset,
    time: target.time(),
    requestId: requestId === '' ? undefined : requestId,
  };
  const form = (own: Pick<BusRecord, 'key' | 'value' | 'headers'>, leftOut?: DeadLetterLeftOut): OutgoingRecord => ({
    topic: target.topic,
    key: own.key,
    value: own.value,
    headersBefore: own.headers,
    headers: deadLetterHeadersBehind({ ...info, leftOut }, own.headers.length),
  });
  const { key, headers } = record;
  return [
    form(record),
    form({ key, headers, value: null }, 'value'),
    form({ key: null, headers: [], value: null }, 'record'),
  ];
}
