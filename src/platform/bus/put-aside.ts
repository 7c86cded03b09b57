/**
 * Refused records into a dead-letter topic: as they came, with the reason in headers. Called before their offsets move on, so that a record
 * is always either processed, kept there or still due. Reading them is `services/dead-letters`'s business.
 */
import { CcxError, errorText } from '../../contracts/ccx-error.ts';
import { deadLetterHeaders } from '../../contracts/dead-letter.ts';
import { done, type Outcome, retry } from '../../contracts/outcome.ts';
import type { BusRecord, OutgoingRecord, Producer } from './bus.ts';

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
  const letters = refused.map((one) => deadLetterOf(one, target));
  try {
    await sendAll(letters, target);
    return done(undefined);
  } catch (cause) {
    return retry(cause instanceof CcxError ? cause : unexpected(cause), retryMs);
  }
}

/** One that fitted on the bus may be too large with our headers: it goes without its value, and the headers name where that still is. */
async function sendAll(letters: readonly OutgoingRecord[], { sender }: PutAsideTarget): Promise<void> {
  try {
    await sender.send(letters);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    for (const letter of letters) {
      await sender.send([letter]).catch((reason: unknown) => {
        if (!isTooLarge(reason)) throw reason;
        return sender.send([{ ...letter, value: null }]);
      });
    }
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof CcxError && error.category === 'limit';
}

function unexpected(cause: unknown): CcxError {
  return new CcxError('the bus failed', { code: 'BUS_FAILED', category: 'connection', retryable: true, cause });
}

function deadLetterOf({ record, requestId, step, error }: RefusedRecord, target: PutAsideTarget): OutgoingRecord {
  const original = Object.fromEntries(record.headers.map(({ name, value }) => [name, value.toString('utf8')]));
  return {
    topic: target.topic,
    key: record.key,
    value: record.value,
    headers: {
      ...original,
      ...deadLetterHeaders({
        code: error.code,
        reason: errorText(error),
        step,
        service: target.serviceName,
        sourceTopic: record.topic,
        sourcePartition: record.partition,
        sourceOffset: record.offset,
        time: target.time(),
        ...(requestId === '' ? {} : { requestId }),
      }),
    },
  };
}
