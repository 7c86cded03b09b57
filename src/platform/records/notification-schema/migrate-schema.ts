/** `--migrate` and `--migration-info`: moves the notification schema between versions 0 and 8. Source: notification-writer.md 5.4. */
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Database } from '../../database/database.ts';
import { NOTIFICATION_SCHEMA_VERSION, readStep, stepsBetween } from './schema-steps.ts';
import { inSchemaTransaction, type SchemaOptions, type SchemaTransaction, tableExists } from './schema-transaction.ts';

/** Largest number that the reference takes for a version. */
const versionNumberMax = 4_294_967_295n;

export interface MigrationInfo {
  readonly current: number;
  readonly latest: number;
}

export function migrationInfo(database: Database): Promise<MigrationInfo> {
  return inSchemaTransaction(database, {}, async (tx) => ({
    current: await readVersion(tx),
    latest: NOTIFICATION_SCHEMA_VERSION,
  }));
}

export interface MigrationResult {
  readonly from: number;
  readonly to: number;
}

/** All steps of one call in one transaction: either the target is reached or nothing changed. `target` is a number or `latest`. */
export async function migrate(
  database: Database,
  target: string,
  options: SchemaOptions = {},
): Promise<MigrationResult> {
  const to = parseTarget(target);
  return inSchemaTransaction(database, options, (tx) => migrateIn(tx, to));
}

export async function migrateIn(tx: SchemaTransaction, to: number): Promise<MigrationResult> {
  const from = await readVersion(tx);
  if (from > NOTIFICATION_SCHEMA_VERSION) {
    throw migrationError(
      `the schema has version ${from}, ${availableRange()}`,
      'use the release that brought it there',
    );
  }
  for (const { number, direction } of stepsBetween(from, to)) {
    for (const statement of await readStep(number, direction)) await tx.run(statement);
  }
  if (from !== to) await writeVersion(tx, to);
  return { from, to };
}

/**
 * The reference takes any other text for 0 and downgrades without a word, which destroys data (Q12); here it is an error.
 */
export function parseTarget(target: string): number {
  const text = target.trim();
  if (text === 'latest') return NOTIFICATION_SCHEMA_VERSION;
  if (!/^[+-]?\d+$/.test(text)) {
    throw migrationError(
      `invalid target version "${target}", ${availableRange()}`,
      'give a number or "latest" to --migrate',
    );
  }
  const number = BigInt(text.replace(/^\+/, ''));
  if (number < 0n || number > versionNumberMax) throw migrationError(`version out of range: ${number}`);
  if (number > BigInt(NOTIFICATION_SCHEMA_VERSION)) {
    throw migrationError(`invalid target version (available version range is 0-${NOTIFICATION_SCHEMA_VERSION})`);
  }
  return Number(number);
}

/** Exactly one row is expected. */
export async function readVersion(tx: SchemaTransaction): Promise<number> {
  if (!(await tableExists(tx.connection, 'migration_info'))) {
    throw migrationError('no such table: migration_info', 'run --db-init-migration first');
  }
  const { rows } = await tx.connection.query<{ version: number }>('SELECT version FROM migration_info');
  if (rows.length !== 1) {
    throw migrationError(
      `migration info table contain ${rows.length} rows`,
      rows.length === 0 ? 'run --db-init-migration first' : 'leave the one row that holds the version',
    );
  }
  return rows[0]!.version;
}

async function writeVersion(tx: SchemaTransaction, version: number): Promise<void> {
  const { rowCount } = await tx.connection.query('UPDATE migration_info SET version = $1', [version]);
  if (rowCount !== 1) throw migrationError(`unexpected number of affected rows in table migration_info: ${rowCount}`);
}

function availableRange(): string {
  return `the available version range is 0-${NOTIFICATION_SCHEMA_VERSION}`;
}

function migrationError(message: string, hint?: string): CcxError {
  return new CcxError(message, {
    code: 'SCHEMA_VERSION',
    category: 'storage',
    ...(hint === undefined ? {} : { hint }),
  });
}
