/** Stores a batch of events in one transaction; a database that is away is waited for. The same event told again changes nothing. */

import { done, type Outcome, retry } from '../../../contracts/outcome.ts';
import type { TraceEvent } from '../../../contracts/trace-event.ts';
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import type { StepAttempt } from '../../../platform/bus/batch-intake.ts';
import type { Database } from '../../../platform/database/database.ts';
import { storeRows } from '../../../platform/database/store-rows.ts';
import { recordTraceEvents } from '../../../platform/records/trace-log.ts';

/** Undefined: stored, now or before. */
export type StatusStored = CcxError | undefined;

/** Answers for each event in the order given. Codes: `STATUS_NOT_STORABLE` of an event; the database's, or `TRACKER_STORE_FAILED`, of a retry. */
export async function storeStatuses(
  events: readonly TraceEvent[],
  database: Database,
  attempt: StepAttempt,
): Promise<Outcome<readonly StatusStored[]>> {
  try {
    const results = await storeRows<TraceEvent, StatusStored>(events, {
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
