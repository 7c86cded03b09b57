/**
 * The drop-in programs' operations on rows that are older than an age: listed, or deleted; which rows those are is in
 * `records/old-rows.ts`. Source: notification-writer.md 8, notification-service.md 14.
 */
import type { Logger } from 'pino';
import type { Clock } from '../clock/clock.ts';
import type { Database } from '../database/database.ts';
import { type AgedTable, deleteAgedRows, oldRowsOf } from '../records/old-rows.ts';

/** By the names of both programs' flags. */
export const oldRecordOperations = {
  'print-new-reports-for-cleanup': { table: 'new_reports', deletes: false },
  'new-reports-cleanup': { table: 'new_reports', deletes: true },
  'print-old-reports-for-cleanup': { table: 'reported', deletes: false },
  'old-reports-cleanup': { table: 'reported', deletes: true },
  'print-read-errors-for-cleanup': { table: 'read_errors', deletes: false },
  'read-errors-cleanup': { table: 'read_errors', deletes: true },
} as const satisfies Record<string, { readonly table: AgedTable; readonly deletes: boolean }>;

interface OldRecords {
  readonly database: Database;
  readonly log: Logger;
  readonly clock: Clock;
  readonly maxAge: string;
  /** Of the enabled targets, as this program would run with them. Absent: those that are known to the database. */
  readonly ownCooldowns?: readonly string[];
  /** What is selected of a row that is listed. */
  readonly columnsOf: (table: AgedTable) => string;
  /** What the log calls a deletion. */
  readonly cleanup: string;
  /** What else goes with old reports. */
  readonly withReports?: () => Promise<void>;
}

/**
 * Published tests look for the messages and for the table's name in the statement, which says what goes; it goes in slices. What is kept
 * in schema `ccx` about reports that are deleted goes with them, if our tables are there.
 */
export async function handleOldRecords(operation: keyof typeof oldRecordOperations, old: OldRecords): Promise<void> {
  const { database, log, maxAge } = old;
  const { table, deletes } = oldRecordOperations[operation];
  const rows = await oldRowsOf(database, { ...old, table });
  const { where, values, warning } = rows;
  if (!deletes) {
    const select = `SELECT ${old.columnsOf(table)} FROM ${table} WHERE ${where} ORDER BY updated_at`;
    log.info({ 'max age': maxAge, 'select statement': select }, 'PrintReportsForCleanup operation');
    const now = old.clock.now();
    return await visitOldRows(database, { select, values }, (row) =>
      log.info(oldRowFields(row, now), `Old report from \`${table}\` table`),
    );
  }
  const statement = `DELETE FROM ${table} WHERE ${where}`;
  if (warning !== undefined) log.warn(warning);
  log.info({ 'max age': maxAge, 'delete statement': statement }, old.cleanup);
  let toldMs = old.clock.monotonicMs();
  const deleted = await deleteAgedRows(database, rows, {
    onProgress(soFar) {
      if (old.clock.monotonicMs() - toldMs < progressEveryMs) return;
      toldMs = old.clock.monotonicMs();
      log.info({ 'Rows deleted': soFar }, `Cleanup \`${table}\` goes on`);
    },
  });
  if (table === 'new_reports') await old.withReports?.();
  log.info({ 'Rows deleted': deleted }, `Cleanup \`${table}\` finished`);
}

/** A deletion that takes a while says so; one that does not says what the reference says, and no more. */
const progressEveryMs = 10_000;

/** Rows of a listing that are fetched at once. */
const oldRowsPerRead = 1_000;
const dayMs = 86_400_000;

interface OldRow {
  readonly org_id: number;
  readonly account_number: number;
  readonly cluster: string;
  readonly updated_at: string;
}

/** Calls `visit` for each row that `select` finds; holds a portion of the table, not the table. */
async function visitOldRows(
  database: Database,
  { select, values }: { readonly select: string; readonly values: readonly string[] },
  visit: (row: OldRow) => void,
): Promise<void> {
  await database.transaction(
    async (tx) => {
      await tx.query(`DECLARE old_rows NO SCROLL CURSOR FOR ${select}`, [...values]);
      for (;;) {
        const { rows } = await tx.query<OldRow>(`FETCH ${oldRowsPerRead} FROM old_rows`);
        for (const row of rows) visit(row);
        if (rows.length < oldRowsPerRead) return;
      }
    },
    { readOnly: true },
  );
}

/** The fields that the reference logs of such a row; the age in days, begun ones counted. */
function oldRowFields(row: OldRow, now: Date) {
  const updatedAt = `${row.updated_at.replace(' ', 'T').replace(/\.\d+$/, '')}Z`;
  return {
    'Organization ID': row.org_id,
    'Account number': row.account_number,
    'Cluster name': row.cluster,
    'Updated at': updatedAt,
    Age: Math.ceil((now.getTime() - new Date(updatedAt).getTime()) / dayMs),
  };
}
