/**
 * Rows that are older than an age: listed or deleted, table by table. The age is any interval that PostgreSQL understands and is bound, not
 * pasted; both clocks are the database's, in UTC. Source: notification-writer.md 8.
 */
import { COMPANIONS_OF_NEW_REPORTS } from '../../../contracts/tables.ts';
import type { Database } from '../../../platform/database/database.ts';
import { requireTableRights } from '../../../platform/database/missing-rights.ts';
import { oldRowsOf } from '../../../platform/records/cooldowns.ts';
import { oldRowFields, visitOldRows } from '../../../platform/records/notification-schema/old-rows.ts';
import { forgetFactsWithoutReport } from '../../../platform/records/report-facts.ts';
import type { Telemetry } from '../../../platform/telemetry/telemetry.ts';
import { cleanStoredMessages } from '../retention.ts';

export type AgedTable = 'new_reports' | 'reported' | 'read_errors';

export interface OldRecordTools {
  readonly database: Database;
  readonly log: Telemetry['log'];
  readonly maxAge: string;
  /** For the shown age; the choice of rows is the database's. */
  readonly now: Date;
}

export async function listOldRecords(table: AgedTable, { database, log, maxAge, now }: OldRecordTools): Promise<void> {
  const account = table === 'read_errors' ? '0 AS account_number' : 'account_number';
  const { where, values } = await oldRowsOf(database, { table, maxAge });
  const select = `SELECT org_id, ${account}, cluster, updated_at FROM ${table} WHERE ${where} ORDER BY updated_at`;
  log.info({ 'max age': maxAge, 'select statement': select }, 'PrintReportsForCleanup operation');
  await visitOldRows(database, { select, values }, (row) =>
    log.info(oldRowFields(row, now), `Old report from \`${table}\` table`),
  );
}

/** What is kept in schema `ccx` about reports goes with them, if our tables are there. What a cooldown counts by stays. */
export async function deleteOldRecords(table: AgedTable, { database, log, maxAge }: OldRecordTools): Promise<void> {
  const { where, values, warning } = await oldRowsOf(database, { table, maxAge });
  const statement = `DELETE FROM ${table} WHERE ${where}`;
  if (warning !== undefined) log.warn(warning);
  log.info({ 'max age': maxAge, 'delete statement': statement }, 'Cleanup operation');
  if (table === 'new_reports') await requireTableRights(database, COMPANIONS_OF_NEW_REPORTS, ['SELECT', 'DELETE']);
  const { rowCount } = await database.query(statement, values);
  if (table === 'new_reports') await cleanCompanions(database, maxAge);
  log.info({ 'Rows deleted': rowCount }, `Cleanup \`${table}\` finished`);
}

async function cleanCompanions(database: Database, maxAge: string): Promise<void> {
  await forgetFactsWithoutReport(database);
  const { rows } = await database.query<{ found: boolean }>(
    `SELECT to_regclass('ccx.stored_message') IS NOT NULL AS found`,
  );
  if (rows[0]?.found === true) await cleanStoredMessages(database, maxAge);
}
