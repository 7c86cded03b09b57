/**
 * Stores a batch of reports in one transaction, together with what the trace tells of them. A database that is away, or not as it should
 * be, is waited for; a report that the database refuses for what it holds is found by halving the batch, and the others are stored.
 */
import { CcxError, errorText } from '../../../contracts/ccx-error.ts';
import { done, type Outcome, retry } from '../../../contracts/outcome.ts';
import type { TraceEvent } from '../../../contracts/trace-event.ts';
import type { StepAttempt } from '../../../platform/bus/batch-intake.ts';
import type { Database } from '../../../platform/database/database.ts';
import { isRetryableDatabaseError, sqlState } from '../../../platform/database/database-error.ts';
import { recordTraceEvents } from '../../../platform/telemetry/trace-log.ts';
import { conflictAttemptsMax } from '../limits.ts';
import type { ReportRow } from '../report.ts';
import { type StoredReport, storeReports as storeRows } from '../store.ts';

export type StoreResult =
  | StoredReport
  /** The database will never take this row. */
  | { readonly kind: 'refused'; readonly error: CcxError };

export interface StoreTools {
  readonly database: Database;
  /** What the trace tells of a row, by its number in the batch; rides in the same transaction. */
  readonly traceOf: (index: number, result: StoredReport) => readonly TraceEvent[];
}

/** Answers for each row in the order given. Codes: `REPORT_NOT_STORABLE` of a row; those of the database, or `WRITER_STORE_FAILED`, of a retry. */
export async function storeReports(
  rows: readonly ReportRow[],
  tools: StoreTools,
  attempt: StepAttempt,
): Promise<Outcome<readonly StoreResult[]>> {
  const numbered = rows.map((row, index) => ({ row, index }));
  try {
    return done(await storeOrSplit(numbered, tools, attempt));
  } catch (cause) {
    return retry(storeError(cause), attempt.retryMs);
  }
}

interface NumberedRow {
  readonly row: ReportRow;
  readonly index: number;
}

async function storeOrSplit(
  rows: readonly NumberedRow[],
  tools: StoreTools,
  attempt: StepAttempt,
): Promise<readonly StoreResult[]> {
  if (rows.length === 0) return [];
  try {
    return await tools.database.transaction(async (tx) => {
      const results = await storeRows(
        tx,
        rows.map(({ row }) => row),
      );
      await recordTraceEvents(
        tx,
        results.flatMap((result, at) => tools.traceOf(rows[at]!.index, result)),
      );
      return results;
    });
  } catch (error) {
    if (!isFaultOfTheRow(error, attempt.number)) throw error;
    if (rows.length === 1) return [{ kind: 'refused', error: notStorable(error) }];
    // The left half first: rows of one cluster keep their order.
    const middle = Math.ceil(rows.length / 2);
    const left = await storeOrSplit(rows.slice(0, middle), tools, attempt);
    return [...left, ...(await storeOrSplit(rows.slice(middle), tools, attempt))];
  }
}

/**
 * Data exceptions, violated constraints, limits of one row, a trigger that says no. Everything else (a missing table, a missing right,
 * a lost connection, a bug) would be the same for every row, so nothing may be put aside for it.
 */
function isFaultOfTheRow(error: unknown, attempts: number): boolean {
  const state = sqlState(error);
  if (state === undefined || isRetryableDatabaseError(error)) return false;
  // Another writer took the same microsecond of the same cluster; the next attempt sees its row and steps aside.
  if (state === '23505' && attempts <= conflictAttemptsMax) return false;
  return /^(22|23|54)/.test(state) || state === 'P0001';
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
    ...(missing ? { hint: 'bring the schema up with ccx-notification-writer --migrate latest' } : {}),
  });
}
