/** The way of a batch of status messages: read each, store them together, dead-letter what cannot be read. Called by the intake. */

import { parsePayloadStatus } from '../../contracts/payload-status.ts';
import { hopOfStatus, type TraceEvent } from '../../contracts/trace-event.ts';
import { CcxError, errorText } from '../../encoding/ccx-error.ts';
import { formatRfc3339 } from '../../encoding/rfc3339.ts';
import type { BusRecord } from '../../platform/bus/bus.ts';
import type { BatchControl } from '../../platform/bus/intake/batch-intake.ts';
import {
  type DeadLetterTarget,
  deadLetterRecords,
  type RefusedRecord,
} from '../../platform/bus/intake/dead-letter-records.ts';
import { done, retry, type StepAnswer, type StepAttempt } from '../../platform/bus/intake/step.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import { storeRows } from '../../platform/database/store-rows.ts';
import { recordTraceEvents } from '../../platform/records/trace-log.ts';
import type { TrackerEvents } from './telemetry.ts';

interface PipelineDependencies {
  readonly clock: Clock;
  readonly events: TrackerEvents;
  readonly database: Database;
  readonly deadLetters: Omit<DeadLetterTarget, 'time'>;
}

/** Resolves when every message of the batch is stored or dead-lettered; rejects when the service stops first. */
export async function processBatch(
  records: readonly BusRecord[],
  { clock, events, database, deadLetters }: PipelineDependencies,
  control: BatchControl,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  const read: { readonly record: BusRecord; readonly event: TraceEvent }[] = [];
  const refused: RefusedRecord[] = [];
  for (const record of records) {
    events.recordTaken();
    const event = parseStatus(record);
    if (event instanceof CcxError) refused.push({ record, requestId: '', step: 'parse-status', error: event });
    else read.push({ record, event });
  }

  const results = await control.untilDone('store-statuses', 'database', (attempt) =>
    storeStatuses(
      read.map(({ event }) => event),
      database,
      attempt,
    ),
  );
  results.forEach((error, index) => {
    const { record, event } = read[index]!;
    if (error === undefined) events.statusStored(event);
    else refused.push({ record, requestId: event.requestId, step: 'store-statuses', error });
  });

  if (refused.length > 0) {
    const target = { ...deadLetters, time: () => formatRfc3339(clock.nowMicros()) };
    await control.untilDone('dead-letter-records', 'bus', ({ retryMs }) => deadLetterRecords(refused, target, retryMs));
    for (const { record, step, error } of refused) events.messageDeadLettered(record, step, error);
  }
  events.batchFinished(records.length, clock.monotonicMs() - startedMs);
}

/** A status message as an event of the trace. Source: ingress.md A.8. */
function parseStatus(record: BusRecord): TraceEvent | CcxError {
  const parsed = parsePayloadStatus(record.value);
  if (parsed.kind === 'refused') return parsed.error;
  const { status } = parsed;
  return {
    requestId: status.requestId,
    service: status.service,
    status: status.status,
    at: formatRfc3339(status.date.micros),
    hop: hopOfStatus(status.service, status.status),
    detail: status.statusMessage,
    orgId: status.orgId,
    account: status.account,
    source: status.source,
    inventoryId: status.inventoryId,
    systemId: status.systemId,
  };
}

/** Answers for each event in the order given; undefined: stored, now or before. Codes: `STATUS_NOT_STORABLE` of an event; the database's, or `TRACKER_STORE_FAILED`, of a retry. */
async function storeStatuses(
  events: readonly TraceEvent[],
  database: Database,
  attempt: StepAttempt,
): Promise<StepAnswer<readonly (CcxError | undefined)[]>> {
  try {
    const results = await storeRows<TraceEvent, CcxError | undefined>(events, {
      attempt: attempt.number,
      store: async (part) => {
        await recordTraceEvents(database, part);
        return part.map(() => undefined);
      },
      refuse: (_event, cause) =>
        new CcxError('the database refuses the status', { code: 'STATUS_NOT_STORABLE', category: 'storage', cause }),
    });
    return done(results);
  } catch (cause) {
    const error =
      cause instanceof CcxError
        ? cause
        : new CcxError(`statuses cannot be stored: ${errorText(cause)}`, {
            code: 'TRACKER_STORE_FAILED',
            category: 'storage',
            retryable: true,
            cause,
          });
    return retry(error, attempt.retryMs);
  }
}
