/**
 * Stores a batch of reports, together with what the trace says of those that were stored before. A database that is away, or not as it should
 * be, is waited for; a report that the database refuses for what it holds is found by halving the batch, and the others are stored.
 */

import type { TraceEvent } from '../../../contracts/trace-event.ts';
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import { done, retry, type StepAnswer, type StepAttempt } from '../../../platform/bus/intake/step.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { Database } from '../../../platform/database/database.ts';
import { sqlState } from '../../../platform/database/database-error.ts';
import { storeRows } from '../../../platform/database/store-rows.ts';
import { recordTraceEvents } from '../../../platform/records/trace-log.ts';
import type { ReportRow } from '../report.ts';
import { hasLz4, type InsertedReport, insertReportBatch } from '../store.ts';

export type StoreResult =
  | InsertedReport
  /** The database will never take this row. */
  | { readonly kind: 'refused'; readonly error: CcxError };

interface StoreDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly compression: ServerCompression;
  readonly traced: boolean;
  /** What the trace says of a row that was stored before, by its number in the batch; rides in the transaction that found it. */
  readonly traceOf: (index: number, result: InsertedReport) => readonly TraceEvent[];
}

/**
 * Answers for each row in the order given. Codes: `REPORT_NOT_STORABLE` of a row; those of the database, or `WRITER_STORE_FAILED`, of a
 * retry.
 */
export async function storeReports(
  rows: readonly ReportRow[],
  { database, clock, compression, traced, traceOf }: StoreDependencies,
  attempt: StepAttempt,
): Promise<StepAnswer<readonly StoreResult[]>> {
  const numbered = rows.map((row, index) => ({ row, index }));
  try {
    const lz4 = numbered.length > 0 && (await compression.hasLz4(database));
    const results = await storeRows<(typeof numbered)[number], StoreResult>(numbered, {
      attempt: attempt.number,
      refuse: (_row, cause) => ({ kind: 'refused', error: notStorable(cause) }),
      store: (part) =>
        insertReportBatch(
          database,
          part.map(({ row }) => row),
          {
            ...{ lz4, traced, nowMicros: clock.nowMicros() },
            onRepeats: (tx, stored) =>
              recordTraceEvents(
                tx,
                stored.flatMap((result, at) => traceOf(part[at]!.index, result)),
              ),
          },
        ).catch((error: unknown) => {
          throw compression.isRefused(error) ? storeError(error) : error;
        }),
    });
    return done(results);
  } catch (cause) {
    return retry(storeError(cause), attempt.retryMs);
  }
}

/** What the server can: asked once, and again when one that answers later cannot. */
export class ServerCompression {
  #known: boolean | undefined;

  async hasLz4(database: Database): Promise<boolean> {
    this.#known ??= await hasLz4(database);
    return this.#known;
  }

  /** Whether it failed for want of it: no row's fault. */
  isRefused(error: unknown): boolean {
    if (sqlState(error) !== invalidParameterValue || !errorText(error).includes('default_toast_compression'))
      return false;
    this.#known = undefined;
    return true;
  }
}

const invalidParameterValue = '22023';

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
