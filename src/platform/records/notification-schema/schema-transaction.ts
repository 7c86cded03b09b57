/**
 * What all operations on the notification schema share: one transaction, one lock, one way to run and report a statement, one way to tell
 * an error. Nothing else takes the lock, so readers and writers of the tables are not held up by it.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Connection, Database } from '../../database/database.ts';
import { sqlState } from '../../database/database-error.ts';
import { requireTableRights } from '../../database/missing-rights.ts';
import { migrationsPath, splitStatements } from '../../database/sql-file.ts';

/** The newest version; also what `latest` means. */
export const NOTIFICATION_SCHEMA_VERSION = 8;

export interface SchemaOptions {
  /** Called before each statement with its text on one line; the drop-in writer logs it. */
  readonly onStatement?: (statement: string) => void;
  /**
   * Tables of schema `ccx`, qualified, that lose their meaning with what is cleared. They are emptied in the same transaction; those that
   * do not exist are left out.
   */
  readonly companionTables?: readonly string[];
}

export interface SchemaTransaction {
  readonly connection: Connection;
  run(statement: string): Promise<void>;
}

/** Two programs that change the schema at the same time run one after the other. The number has no meaning beyond being ours. */
const schemaLock = 7_702_208;

/** Rejects with a `CcxError`: the texts follow the reference, notification-writer.md 5.4. */
export async function inSchemaTransaction<T>(
  database: Database,
  options: SchemaOptions,
  work: (tx: SchemaTransaction) => Promise<T>,
): Promise<T> {
  try {
    return await database.transaction(async (connection) => {
      await requireTableRights(connection, options.companionTables ?? [], ['SELECT', 'DELETE']);
      await connection.query('SELECT pg_advisory_xact_lock($1)', [schemaLock]);
      return work({
        connection,
        async run(statement) {
          options.onStatement?.(statement);
          await connection.query(statement);
        },
      });
    });
  } catch (error) {
    throw describeSchemaError(error);
  }
}

/** Whether a table is visible on the search path; asked of the catalog, because a failed statement would spoil the transaction. */
export async function tableExists(connection: Connection, table: string): Promise<boolean> {
  const { rows } = await connection.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [table]);
  return rows[0]?.found === true;
}

export async function emptyCompanions(tx: SchemaTransaction, options: SchemaOptions): Promise<void> {
  for (const table of options.companionTables ?? []) {
    if (await tableExists(tx.connection, table)) await tx.run(`DELETE FROM ${table}`);
  }
}

function describeSchemaError(error: unknown): unknown {
  // Of a statement: which rights its tables want is known here only. What was asked for before names them itself.
  const refused = error instanceof CcxError && error.code === 'DATABASE_PERMISSION' && sqlState(error) !== undefined;
  if (error instanceof CcxError && !refused) return error;
  const state = sqlState(error);
  if (state === undefined || !(error instanceof Error)) return error;
  const details = error as Error & { table?: string; constraint?: string };
  const relation = /relation "([^"]+)"|table "([^"]+)"/.exec(error.message);
  const table = relation?.[1] ?? relation?.[2] ?? details.table ?? 'unknown';
  switch (state) {
    case '42P01':
      return schemaError(
        `no such table: ${table}`,
        'SCHEMA_NO_TABLE',
        error,
        'run --db-init-migration, then --db-init, then --migrate',
      );
    case '42P07':
      return schemaError(`table ${table} already exists`, 'SCHEMA_TABLE_EXISTS', error);
    case '23503':
      return schemaError(
        `operation violates foreign key "${details.constraint ?? 'unknown'}" on table "${details.table ?? table}"`,
        'SCHEMA_FOREIGN_KEY',
        error,
      );
    case '23505':
      return schemaError(
        error.message,
        'SCHEMA_DUPLICATE',
        error,
        'the tables are newer than migration_info says, as after --db-cleanup: set migration_info.version to what they are',
      );
    case '42501':
      return schemaError(
        error.message,
        'DATABASE_PERMISSION',
        error,
        'GRANT USAGE, CREATE ON SCHEMA public TO the user, who must also own the tables',
      );
    default:
      return schemaError(error.message, 'SCHEMA_FAILED', error);
  }
}

function schemaError(message: string, code: string, cause: unknown, hint?: string): CcxError {
  return new CcxError(message, { code, category: 'storage', cause, hint });
}

/**
 * The steps of the notification database, read from `migrations/notification/`. Step 0 is the base schema; numbers, names and effects are
 * the reference's (notification-writer.md 5.4), so that old and new programs can take turns on one database.
 */
const stepNames = [
  '0000-base',
  '0001-event-targets',
  '0002-reported-event-type',
  '0003-event-target-rows',
  '0004-event-type-required',
  '0005-read-errors',
  '0006-read-errors-cascade',
  '0007-table-comments',
  '0008-reported-indexes',
];

type Direction = 'up' | 'down';

/** Statements of step `number` in the given direction. */
export async function readStep(number: number, direction: Direction): Promise<string[]> {
  const name = stepNames[number];
  if (name === undefined) throw new Error(`there is no migration step ${number}`);
  return splitStatements(await readFile(join(migrationsPath('notification'), `${name}.${direction}.sql`), 'utf8'));
}

/** The steps between two versions in the order they run, e.g. 6 → 4: 6 down, 5 down. */
export function stepsBetween(from: number, to: number): { readonly number: number; readonly direction: Direction }[] {
  const steps: { number: number; direction: Direction }[] = [];
  for (let number = from + 1; number <= to; number += 1) steps.push({ number, direction: 'up' });
  for (let number = from; number > to; number -= 1) steps.push({ number, direction: 'down' });
  return steps;
}
