/**
 * Rows that are older than an age: printed or deleted. The age is any interval that PostgreSQL understands and is bound, not pasted; for
 * `reported` it is the age of the report, not of the notification, as in the reference. What the ledger held by a row that is gone is
 * noticed by the next run. Source: notification-service.md 14.
 */
import { TABLE_NEW_REPORTS, type TABLE_REPORTED } from '../../../contracts/tables.ts';
import type { Database } from '../../../platform/database/database.ts';
import type { Telemetry } from '../../../platform/telemetry/telemetry.ts';
import { printedRowsMax } from '../limits.ts';

export type AgedTable = typeof TABLE_NEW_REPORTS | typeof TABLE_REPORTED;

export interface OldReportTools {
  readonly database: Database;
  readonly log: Telemetry['log'];
  readonly maxAge: string;
  /** For the printed age; the choice of rows is the database's. */
  readonly now: Date;
}

interface PrintedRow {
  readonly org_id: number;
  readonly account_number: number;
  readonly cluster: string;
  readonly updated_at: string;
}

const isOld = 'updated_at < NOW() - $1::INTERVAL';
const dayMs = 86_400_000;

/** Published tests look for the messages and for the table's name in the statement. */
export async function printOldReports(table: AgedTable, { database, log, maxAge, now }: OldReportTools): Promise<void> {
  const offset = table === TABLE_NEW_REPORTS ? 'kafka_offset' : '0 AS kafka_offset';
  const select = `SELECT org_id, account_number, cluster, updated_at, ${offset} FROM ${table} WHERE ${isOld} ORDER BY updated_at`;
  log.info({ 'max age': maxAge, 'select statement': select }, 'PrintReportsForCleanup operation');
  await database.transaction(
    async (tx) => {
      await tx.query(`DECLARE old_reports NO SCROLL CURSOR FOR ${select}`, [maxAge]);
      for (;;) {
        const { rows } = await tx.query<PrintedRow>(`FETCH ${printedRowsMax} FROM old_reports`);
        for (const row of rows) log.info(fieldsOf(row, now), `Old report from \`${table}\` table`);
        if (rows.length < printedRowsMax) return;
      }
    },
    { readOnly: true },
  );
}

function fieldsOf(row: PrintedRow, now: Date) {
  const updatedAt = `${row.updated_at.replace(' ', 'T').replace(/\.\d+$/, '')}Z`;
  return {
    'Organization ID': row.org_id,
    'Account number': row.account_number,
    'Cluster name': row.cluster,
    'Updated at': updatedAt,
    Age: Math.ceil((now.getTime() - new Date(updatedAt).getTime()) / dayMs),
  };
}

export async function deleteOldReports(table: AgedTable, { database, log, maxAge }: OldReportTools): Promise<void> {
  const statement = `DELETE FROM ${table} WHERE ${isOld}`;
  log.info({ 'max age': maxAge, 'delete statement': statement }, 'Cleanup operation for all organizations');
  const { rowCount } = await database.query(statement, [maxAge]);
  log.info({ 'Rows deleted': rowCount }, `Cleanup \`${table}\` finished`);
}
