/**
 * The drop-in programs' operations on rows that are older than an age: listed, or deleted. The age is any interval that PostgreSQL
 * understands and is bound, not pasted; both clocks are the database's, in UTC. For `reported` it is the age of the report, not of the
 * notification, but what a cooldown counts by stays. Source: notification-writer.md 8, notification-service.md 14.
 */
import type { Logger } from 'pino';
import { COMPANIONS_OF_NEW_REPORTS } from '../../contracts/tables.ts';
import type { Database } from '../database/database.ts';
import { requireTableRights } from '../database/missing-rights.ts';
import { oldRowsOf } from '../records/cooldowns.ts';
import { oldRowFields, visitOldRows } from '../records/notification-schema/old-rows.ts';
import { forgetFactsWithoutReport } from '../records/report-facts.ts';

export type AgedTable = 'new_reports' | 'reported' | 'read_errors';

interface OldRecords {
  readonly database: Database;
  readonly log: Logger;
  readonly maxAge: string;
  /** Of the enabled targets, as this program would run with them. Absent: those that are known to the database. */
  readonly ownCooldowns?: readonly string[];
}

/** Published tests look for the messages and for the table's name in the statement. `now` is for the shown age only. */
export async function listOldRecords(
  table: AgedTable,
  { database, log, columns, now, ...age }: OldRecords & { readonly columns: string; readonly now: Date },
): Promise<void> {
  const { where, values } = await oldRowsOf(database, { table, ...age });
  const select = `SELECT ${columns} FROM ${table} WHERE ${where} ORDER BY updated_at`;
  log.info({ 'max age': age.maxAge, 'select statement': select }, 'PrintReportsForCleanup operation');
  await visitOldRows(database, { select, values }, (row) =>
    log.info(oldRowFields(row, now), `Old report from \`${table}\` table`),
  );
}

interface Cleaning extends OldRecords {
  /** What the log calls it. */
  readonly operation: string;
  /** What else goes with old reports. */
  readonly withReports?: () => Promise<void>;
}

/** What is kept in schema `ccx` about reports goes with them, if our tables are there. */
export async function deleteOldRecords(
  table: AgedTable,
  { database, log, operation, withReports, ...age }: Cleaning,
): Promise<void> {
  const { where, values, warning } = await oldRowsOf(database, { table, ...age });
  const statement = `DELETE FROM ${table} WHERE ${where}`;
  if (warning !== undefined) log.warn(warning);
  log.info({ 'max age': age.maxAge, 'delete statement': statement }, operation);
  if (table === 'new_reports') await requireTableRights(database, COMPANIONS_OF_NEW_REPORTS, ['SELECT', 'DELETE']);
  const { rowCount } = await database.query(statement, values);
  if (table === 'new_reports') {
    await forgetFactsWithoutReport(database);
    await withReports?.();
  }
  log.info({ 'Rows deleted': rowCount }, `Cleanup \`${table}\` finished`);
}
