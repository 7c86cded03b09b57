/**
 * Rows that are older than an age: printed or deleted. The age is any interval that PostgreSQL understands and is bound, not pasted; for
 * `reported` it is the age of the report, not of the notification, as in the reference, but what a cooldown counts by stays. What the
 * ledger held by a row that is gone is noticed by the next run. Source: notification-service.md 14.
 */
import { COMPANIONS_OF_NEW_REPORTS, TABLE_NEW_REPORTS, type TABLE_REPORTED } from '../../../contracts/tables.ts';
import type { Database } from '../../../platform/database/database.ts';
import { requireTableRights } from '../../../platform/database/missing-rights.ts';
import { oldRowsOf } from '../../../platform/records/cooldowns.ts';
import { oldRowFields, visitOldRows } from '../../../platform/records/notification-schema/old-rows.ts';
import { forgetFactsWithoutReport } from '../../../platform/records/report-facts.ts';
import type { Telemetry } from '../../../platform/telemetry/telemetry.ts';

export type AgedTable = typeof TABLE_NEW_REPORTS | typeof TABLE_REPORTED;

export interface OldReportTools {
  readonly database: Database;
  readonly log: Telemetry['log'];
  readonly maxAge: string;
  /** Of the enabled targets, as this program would run with them. */
  readonly cooldowns: readonly string[];
  /** For the printed age; the choice of rows is the database's. */
  readonly now: Date;
}

/** Published tests look for the messages and for the table's name in the statement. */
export async function printOldReports(table: AgedTable, { database, log, now, ...age }: OldReportTools): Promise<void> {
  const offset = table === TABLE_NEW_REPORTS ? 'kafka_offset' : '0 AS kafka_offset';
  const { where, values } = await oldRowsOf(database, { table, maxAge: age.maxAge, ownCooldowns: age.cooldowns });
  const select = `SELECT org_id, account_number, cluster, updated_at, ${offset} FROM ${table} WHERE ${where} ORDER BY updated_at`;
  log.info({ 'max age': age.maxAge, 'select statement': select }, 'PrintReportsForCleanup operation');
  await visitOldRows(database, { select, values }, (row) =>
    log.info(oldRowFields(row, now), `Old report from \`${table}\` table`),
  );
}

export async function deleteOldReports(table: AgedTable, { database, log, ...age }: OldReportTools): Promise<void> {
  const { where, values, warning } = await oldRowsOf(database, {
    ...{ table, maxAge: age.maxAge, ownCooldowns: age.cooldowns },
  });
  const statement = `DELETE FROM ${table} WHERE ${where}`;
  if (warning !== undefined) log.warn(warning);
  log.info({ 'max age': age.maxAge, 'delete statement': statement }, 'Cleanup operation for all organizations');
  if (table === TABLE_NEW_REPORTS) await requireTableRights(database, COMPANIONS_OF_NEW_REPORTS, ['SELECT', 'DELETE']);
  const { rowCount } = await database.query(statement, values);
  if (table === TABLE_NEW_REPORTS) await forgetFactsWithoutReport(database);
  log.info({ 'Rows deleted': rowCount }, `Cleanup \`${table}\` finished`);
}
