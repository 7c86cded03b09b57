/**
 * Rows that are older than an age: printed or deleted. The age is any interval that PostgreSQL understands and is bound, not pasted; for
 * `reported` it is the age of the report, not of the notification, as in the reference. What the ledger held by a row that is gone is
 * noticed by the next run. Source: notification-service.md 14.
 */
import { COMPANIONS_OF_NEW_REPORTS, TABLE_NEW_REPORTS, type TABLE_REPORTED } from '../../../contracts/tables.ts';
import type { Database } from '../../../platform/database/database.ts';
import { requireTableRights } from '../../../platform/database/missing-rights.ts';
import { IS_OLD, oldRowFields, visitOldRows } from '../../../platform/database/notification-schema/old-rows.ts';
import { forgetFactsWithoutReport } from '../../../platform/records/report-facts.ts';
import type { Telemetry } from '../../../platform/telemetry/telemetry.ts';

export type AgedTable = typeof TABLE_NEW_REPORTS | typeof TABLE_REPORTED;

export interface OldReportTools {
  readonly database: Database;
  readonly log: Telemetry['log'];
  readonly maxAge: string;
  /** For the printed age; the choice of rows is the database's. */
  readonly now: Date;
}

/** Published tests look for the messages and for the table's name in the statement. */
export async function printOldReports(table: AgedTable, { database, log, maxAge, now }: OldReportTools): Promise<void> {
  const offset = table === TABLE_NEW_REPORTS ? 'kafka_offset' : '0 AS kafka_offset';
  const select = `SELECT org_id, account_number, cluster, updated_at, ${offset} FROM ${table} WHERE ${IS_OLD} ORDER BY updated_at`;
  log.info({ 'max age': maxAge, 'select statement': select }, 'PrintReportsForCleanup operation');
  await visitOldRows(database, { select, maxAge }, (row) =>
    log.info(oldRowFields(row, now), `Old report from \`${table}\` table`),
  );
}

export async function deleteOldReports(table: AgedTable, { database, log, maxAge }: OldReportTools): Promise<void> {
  const statement = `DELETE FROM ${table} WHERE ${IS_OLD}`;
  log.info({ 'max age': maxAge, 'delete statement': statement }, 'Cleanup operation for all organizations');
  if (table === TABLE_NEW_REPORTS) await requireTableRights(database, COMPANIONS_OF_NEW_REPORTS, ['SELECT', 'DELETE']);
  const { rowCount } = await database.query(statement, [maxAge]);
  if (table === TABLE_NEW_REPORTS) await forgetFactsWithoutReport(database);
  log.info({ 'Rows deleted': rowCount }, `Cleanup \`${table}\` finished`);
}
