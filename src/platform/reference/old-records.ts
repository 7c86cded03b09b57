/**
 * The drop-in programs' operations on rows that are older than an age: listed, or deleted. The age is any interval that PostgreSQL
 * understands and is bound, not pasted; both clocks are the database's, in UTC. For `reported` it is the age of the report, not of the
 * notification, but what a cooldown counts by stays. Source: notification-writer.md 8, notification-service.md 14.
 */
import type { Logger } from 'pino';
import { COMPANIONS_OF_NEW_REPORTS } from '../../contracts/tables.ts';
import type { Clock } from '../clock/clock.ts';
import type { Database } from '../database/database.ts';
import { requireTableRights } from '../database/missing-rights.ts';
import { oldRowsOf } from '../records/cooldowns.ts';
import { forgetFactsWithoutReport } from '../records/report-facts.ts';

type AgedTable = 'new_reports' | 'reported' | 'read_errors';

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
 * Published tests look for the messages and for the table's name in the statement. What is kept in schema `ccx` about reports that are
 * deleted goes with them, if our tables are there.
 */
export async function handleOldRecords(operation: keyof typeof oldRecordOperations, old: OldRecords): Promise<void> {
  const { database, log, maxAge } = old;
  const { table, deletes } = oldRecordOperations[operation];
  const { where, values, warning } = await oldRowsOf(database, { ...old, table });
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
  if (table === 'new_reports') await requireTableRights(database, COMPANIONS_OF_NEW_REPORTS, ['SELECT', 'DELETE']);
  const { rowCount } = await database.query(statement, values);
  if (table === 'new_reports') {
    await forgetFactsWithoutReport(database);
    await old.withReports?.();
  }
  log.info({ 'Rows deleted': rowCount }, `Cleanup \`${table}\` finished`);
}

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
