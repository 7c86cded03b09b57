/**
 * Refused records into a dead-letter topic: as they came, byte for byte, with the reason in headers behind their own. Called before their offsets move on, so that a record
 * is always either processed, kept there or still due. Reading them is `services/dead-letters`'s business.
 */

import {
  type DeadLetterInfo,
  type DeadLetterLeftOut,
  deadLetterHeadersBehind,
} from '../../../contracts/dead-letter.ts';
import { done, type Outcome, retry } from '../../../contracts/outcome.ts';
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import type { BusRecord, OutgoingRecord, Producer } from '../bus.ts';

export interface RefusedRecord {
  readonly record: BusRecord;
  /** File name of the step that refused it. */
  readonly step: string;
  readonly error: CcxError;
  /** Empty when the record has none. */
  readonly requestId: string;
}

export interface PutAsideTarget {
  readonly sender: Pick<Producer, 'send'>;
  readonly topic: string;
  /** As in the header `x-ccx-service`. */
  readonly serviceName: string;
  /** RFC 3339, now. */
  readonly time: () => string;
}

/** Done when the bus has them durably; `retry` after `retryMs` with the bus's code otherwise. */
export async function putAside(
  refused: readonly RefusedRecord[],
  target: PutAsideTarget,
  retryMs: number,
): Promise<Outcome<void>> {
  const letters = refused.map((one) => deadLetterForms(one, target));
  try {
    await sendAll(letters, target);
    return done(undefined);
  } catch (cause) {
    return retry(cause instanceof CcxError ? cause : unexpected(cause), retryMs);
  }
}

async function sendAll(letters: readonly DeadLetterForms[], { sender }: PutAsideTarget): Promise<void> {
  try {
    await sender.send(letters.map(([whole]) => whole));
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    for (const forms of letters) await sendFirstThatFits(forms, sender);
  }
}

async function sendFirstThatFits(forms: readonly OutgoingRecord[], sender: PutAsideTarget['sender']): Promise<void> {
  for (const [index, form] of forms.entries()) {
    try {
      await sender.send([form]);
      return;
    } catch (error) {
      if (!isTooLarge(error) || index === forms.length - 1) throw error;
    }
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof CcxError && error.category === 'limit';
}

function unexpected(cause: unknown): CcxError {
  return new CcxError('the bus failed', { code: 'BUS_FAILED', category: 'connection', retryable: true, cause });
}

/**
 * One that fitted on the bus may be too large with our headers: it goes without its value then, and without anything of its own where
 * its headers are what is large. Ours name where it still is.
 */
export type DeadLetterForms = readonly [whole: OutgoingRecord, ...smaller: OutgoingRecord[]];

export function deadLetterForms(
  { record, requestId, step, error }: RefusedRecord,
  target: Omit<PutAsideTarget, 'sender'>,
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
    ...(requestId === '' ? {} : { requestId }),
  };
  const form = (own: Pick<BusRecord, 'key' | 'value' | 'headers'>, leftOut?: DeadLetterLeftOut): OutgoingRecord => ({
    topic: target.topic,
    key: own.key,
    value: own.value,
    headersBefore: own.headers,
    headers: deadLetterHeadersBehind({ ...info, ...(leftOut === undefined ? {} : { leftOut }) }, own.headers.length),
  });
  const { key, headers } = record;
  return [
    form(record),
    form({ key, headers, value: null }, 'value'),
    form({ key: null, headers: [], value: null }, 'record'),
  ];
}
