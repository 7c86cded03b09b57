/** `--db-init` and `--db-init-migration`: the base schema and the table that holds its version. Source: notification-writer.md 5.2, 5.3. */
import type { Database } from '../../database/database.ts';
import { readStep } from './schema-steps.ts';
import { inSchemaTransaction, type SchemaOptions, type SchemaTransaction, tableExists } from './schema-transaction.ts';

/** Creates the base schema and its seed rows; does nothing when `states` has rows, even if other tables are missing. */
export function initDatabase(database: Database, options: SchemaOptions = {}): Promise<'created' | 'already-there'> {
  return inSchemaTransaction(database, options, initDatabaseIn);
}

export async function initDatabaseIn(tx: SchemaTransaction): Promise<'created' | 'already-there'> {
  if ((await tableExists(tx.connection, 'states')) && (await countRows(tx, 'states')) > 0n) return 'already-there';
  for (const statement of await readStep(0, 'up')) await tx.run(statement);
  return 'created';
}

export type InitMigrationResult =
  | { readonly kind: 'created' }
  /** The version that was found; nothing was changed. */
  | { readonly kind: 'already-there'; readonly version: number };

/**
 * Creates `migration_info` at version 0 unless it holds a version. An emptied table (after a cleanup) starts again at 0 although the
 * tables may be newer: the reference does the same, and `migrate` then fails at step 3 and says so.
 */
export function initMigration(database: Database, options: SchemaOptions = {}): Promise<InitMigrationResult> {
  return inSchemaTransaction(database, options, initMigrationIn);
}

export async function initMigrationIn(tx: SchemaTransaction): Promise<InitMigrationResult> {
  if (await tableExists(tx.connection, 'migration_info')) {
    const { rows } = await tx.connection.query<{ version: number }>('SELECT version FROM migration_info LIMIT 1');
    const version = rows[0]?.version;
    if (version !== undefined && version >= 0) return { kind: 'already-there', version };
  }
  await tx.run('DROP TABLE IF EXISTS migration_info');
  await tx.run('CREATE TABLE migration_info (version integer NOT NULL)');
  await tx.run('INSERT INTO migration_info (version) VALUES (0)');
  return { kind: 'created' };
}

async function countRows(tx: SchemaTransaction, table: 'states'): Promise<bigint> {
  const { rows } = await tx.connection.query<{ count: bigint }>(`SELECT count(*) AS count FROM ${table}`);
  return rows[0]?.count ?? 0n;
}
