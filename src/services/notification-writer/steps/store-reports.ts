/**
 * Stores a batch of reports in one transaction, together with what the trace says of them. A database that is away, or not as it should
 * be, is waited for; a report that the database refuses for what it holds is found by halving the batch, and the others are stored.
 */

import type { TraceEvent } from '../../../contracts/trace-event.ts';
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import { done, retry, type StepAnswer, type StepAttempt } from '../../../platform/bus/intake/step.ts';
import type { Database } from '../../../platform/database/database.ts';
import { sqlState } from '../../../platform/database/database-error.ts';
import { storeRows } from '../../../platform/database/store-rows.ts';
import { recordTraceEvents } from '../../../platform/records/trace-log.ts';
import type { ReportRow } from '../report.ts';
import { type InsertedReport, insertReportBatch } from '../store.ts';

export type StoreResult =
  | InsertedReport
  /** The database will never take this row. */
  | { readonly kind: 'refused'; readonly error: CcxError };

/**
 * Answers for each row in the order given. Codes: `REPORT_NOT_STORABLE` of a row; those of the database, or `WRITER_STORE_FAILED`, of a
 * retry. `traceOf`: what the trace says of a row, by its number in the batch; rides in the same transaction.
 */
export async function storeReports(
  rows: readonly ReportRow[],
  database: Database,
  traceOf: (index: number, result: InsertedReport) => readonly TraceEvent[],
  attempt: StepAttempt,
): Promise<StepAnswer<readonly StoreResult[]>> {
  const numbered = rows.map((row, index) => ({ row, index }));
  try {
    const results = await storeRows<(typeof numbered)[number], StoreResult>(numbered, {
      attempt: attempt.number,
      refuse: (_row, cause) => ({ kind: 'refused', error: notStorable(cause) }),
      store: (part) =>
        database.transaction(async (tx) => {
          const stored = await insertReportBatch(
            tx,
            part.map(({ row }) => row),
          );
          await recordTraceEvents(
            tx,
            stored.flatMap((result, at) => traceOf(part[at]!.index, result)),
          );
          return stored;
        }),
    });
    return done(results);
  } catch (cause) {
    return retry(storeError(cause), attempt.retryMs);
  }
}

function notStorable(cause: unknown): CcxError {
  return new CcxError('the database refuses the report', { code: 'REPORT_NOT_STORABLE', category: 'storage', cause });
}

function storeError(cause: unknown): CcxError {
  if (cause instanceof CcxError) return cause;
  const missing = sqlState(cause) === '42P01';
  return new CcxError(`reports cannot be stored: ${errorText(cause)}`, {
    code: missing ? 'WRITER_NO_TABLE' : 'WRITER_STORE_FAILED',
    category: 'storage',
    retryable: true,
    cause,
    hint: missing ? 'bring the schema up with ccx-notification-writer --migrate latest' : undefined,
  });
}
