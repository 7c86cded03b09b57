/** Puts refused messages into the writer's dead-letter topic, as they came, with the reason in headers; then their offset may move on. */
import { CcxError, errorText } from '../../../contracts/ccx-error.ts';
import { deadLetterHeaders } from '../../../contracts/dead-letter.ts';
import { done, type Outcome, retry } from '../../../contracts/outcome.ts';
import type { BusRecord, OutgoingRecord } from '../../../platform/bus/bus.ts';
import { backoffMs } from '../backoff.ts';
import type { RecordSender, StepAttempt } from '../ports.ts';
import type { ReportSubject } from '../report.ts';

export interface RefusedRecord {
  readonly record: BusRecord;
  readonly subject: ReportSubject;
  /** File name of the step that refused it. */
  readonly step: string;
  readonly error: CcxError;
}

export interface PutAsideTools {
  readonly sender: RecordSender;
  readonly topic: string;
  /** As in the header `x-ccx-service`. */
  readonly serviceName: string;
  /** RFC 3339. */
  readonly time: () => string;
}

/** Done when the bus has them durably; `retry` with the bus's code otherwise. */
export async function putAsideRecords(
  refused: readonly RefusedRecord[],
  tools: PutAsideTools,
  attempt: StepAttempt,
): Promise<Outcome<void>> {
  const letters = refused.map((one) => deadLetterOf(one, tools));
  try {
    await sendAll(letters, tools.sender);
    return done(undefined);
  } catch (cause) {
    const error = cause instanceof CcxError ? cause : unexpected(cause);
    return retry(error, backoffMs(attempt.number, attempt.random));
  }
}

/** One that fitted on the bus may be too large with our headers: it goes without its value, and the headers name where that still is. */
async function sendAll(letters: readonly OutgoingRecord[], sender: RecordSender): Promise<void> {
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

function deadLetterOf({ record, subject, step, error }: RefusedRecord, tools: PutAsideTools): OutgoingRecord {
  const original = Object.fromEntries(record.headers.map(({ name, value }) => [name, value.toString('utf8')]));
  return {
    topic: tools.topic,
    key: record.key,
    value: record.value,
    headers: {
      ...original,
      ...deadLetterHeaders({
        code: error.code,
        reason: errorText(error),
        step,
        service: tools.serviceName,
        sourceTopic: record.topic,
        sourcePartition: record.partition,
        sourceOffset: record.offset,
        time: tools.time(),
        ...(subject.requestId === '' ? {} : { requestId: subject.requestId }),
      }),
    },
  };
}
