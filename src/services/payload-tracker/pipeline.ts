/** The way of a batch of status messages: read each, store them together, put aside what cannot be read. Called by the intake. */

import type { TraceEvent } from '../../contracts/trace-event.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { formatRfc3339 } from '../../encoding/rfc3339.ts';
import type { BatchControl } from '../../platform/bus/batch-intake.ts';
import type { BusRecord } from '../../platform/bus/bus.ts';
import type { PutAsideTarget, RefusedRecord } from '../../platform/bus/put-aside.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import type { TrackerEvents } from './events.ts';
import { parseStatus } from './steps/parse-status.ts';
import { putAsideRecords } from './steps/put-aside-records.ts';
import { storeStatuses } from './steps/store-statuses.ts';

export interface PipelineTools {
  readonly clock: Clock;
  readonly events: TrackerEvents;
  readonly database: Database;
  readonly putAside: Omit<PutAsideTarget, 'time'>;
}

/** Resolves when every message of the batch is stored or put aside; rejects when the service stops first. */
export async function processBatch(
  records: readonly BusRecord[],
  { clock, events, database, putAside }: PipelineTools,
  control: BatchControl,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  const read: { readonly record: BusRecord; readonly event: TraceEvent }[] = [];
  const refused: RefusedRecord[] = [];
  for (const record of records) {
    events.recordTaken();
    const outcome = parseStatus(record);
    if (outcome.kind === 'done') read.push({ record, event: outcome.value });
    else refused.push({ record, requestId: '', step: 'parse-status', error: errorOf(outcome) });
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
    const target = { ...putAside, time: () => formatRfc3339(clock.nowMicros()) };
    await control.untilDone('put-aside-records', 'bus', (attempt) => putAsideRecords(refused, target, attempt));
    for (const { record, step, error } of refused) events.messageDeadLettered(record, step, error);
  }
  events.batchFinished(records.length, clock.monotonicMs() - startedMs);
}

/** Reading either has a value or refuses. */
function errorOf(outcome: { readonly kind: string; readonly error?: CcxError }): CcxError {
  return (
    outcome.error ?? new CcxError(`reading answered ${outcome.kind}`, { code: 'INTERNAL_ERROR', category: 'internal' })
  );
}
