/**
 * Rows that are older than an age: listed or deleted, table by table. The age is any interval that PostgreSQL understands and is bound, not
 * pasted; both clocks are the database's, in UTC. Source: notification-writer.md 8.
 */
import type { Database } from '../../../platform/database/database.ts';
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

interface ListedRow {
  readonly org_id: number;
  readonly account_number: number;
  readonly cluster: string;
  readonly updated_at: string;
}

const isOld = 'updated_at < NOW() - $1::INTERVAL';
const dayMs = 86_400_000;
/** Rows fetched at once: a listing holds a portion of the table, not the table. */
const portionRows = 1_000;

export async function listOldRecords(table: AgedTable, { database, log, maxAge, now }: OldRecordTools): Promise<void> {
  const account = table === 'read_errors' ? '0 AS account_number' : 'account_number';
  const select = `SELECT org_id, ${account}, cluster, updated_at FROM ${table} WHERE ${isOld} ORDER BY updated_at`;
  log.info({ 'max age': maxAge, 'select statement': select }, `Listing old records of ${table}`);
  await database.transaction(
    async (tx) => {
      await tx.query(`DECLARE old_records NO SCROLL CURSOR FOR ${select}`, [maxAge]);
      for (;;) {
        const { rows } = await tx.query<ListedRow>(`FETCH ${portionRows} FROM old_records`);
        for (const row of rows) log.info(fieldsOf(row, now), `Old report from \`${table}\` table`);
        if (rows.length < portionRows) return;
      }
    },
    { readOnly: true },
  );
}

function fieldsOf(row: ListedRow, now: Date) {
  const updatedAt = `${row.updated_at.replace(' ', 'T').replace(/\.\d+$/, '')}Z`;
  return {
    'Organization ID': row.org_id,
    'Account number': row.account_number,
    'Cluster name': row.cluster,
    'Updated at': updatedAt,
    Age: Math.ceil((now.getTime() - new Date(updatedAt).getTime()) / dayMs),
  };
}

/** What is kept in schema `ccx` about reports goes with them, if our tables are there. */
export async function deleteOldRecords(table: AgedTable, { database, log, maxAge }: OldRecordTools): Promise<void> {
  const statement = `DELETE FROM ${table} WHERE ${isOld}`;
  log.info({ 'max age': maxAge, 'delete statement': statement }, `Cleaning old records of ${table}`);
  const { rowCount } = await database.query(statement, [maxAge]);
  if (table === 'new_reports') await cleanCompanions(database, maxAge);
  log.info({ 'Rows deleted': rowCount }, `Old records of ${table} cleaned`);
}

async function cleanCompanions(database: Database, maxAge: string): Promise<void> {
  const { rows } = await database.query<{ found: boolean }>(
    `SELECT to_regclass('ccx.stored_message') IS NOT NULL AS found`,
  );
  if (rows[0]?.found === true) await cleanStoredMessages(database, maxAge);
}
