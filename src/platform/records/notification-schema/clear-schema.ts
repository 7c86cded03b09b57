/**
 * `--db-cleanup`, `--db-drop-tables` and `--truncate-old-reports`. What we keep in schema `ccx` about the cleared rows goes with them
 * (`companionTables`): a ledger that outlives `reported` would hold notifications back. Source: notification-writer.md 5.5 to 5.7.
 */
import type { Database } from '../../database/database.ts';
import { readStep } from './schema-steps.ts';
import { emptyCompanions, inSchemaTransaction, type SchemaOptions } from './schema-transaction.ts';

/** In the order of the reference; read_errors follows new_reports by its cascade, event_targets stays. */
const baseTables = ['migration_info', 'new_reports', 'reported', 'notification_types', 'states'];

/** Deletes all rows of the five base tables; all or nothing. Migrations need `initMigration` and a corrected version afterwards. */
export function cleanup(database: Database, options: SchemaOptions = {}): Promise<void> {
  return inSchemaTransaction(database, options, async (tx) => {
    for (const table of baseTables) await tx.run(`DELETE FROM ${table}`);
    await emptyCompanions(tx, options);
  });
}

/** Drops the five base tables, as they are at version 0; from version 5 on it fails because read_errors refers to new_reports. */
export function dropTables(database: Database, options: SchemaOptions = {}): Promise<void> {
  return inSchemaTransaction(database, options, async (tx) => {
    for (const statement of await readStep(0, 'down')) await tx.run(statement);
    await emptyCompanions(tx, options);
  });
}

/** Empties `reported`. */
export function truncateReported(database: Database, options: SchemaOptions = {}): Promise<void> {
  return inSchemaTransaction(database, options, async (tx) => {
    await tx.run('TRUNCATE TABLE reported');
    await emptyCompanions(tx, options);
  });
}
