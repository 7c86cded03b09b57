/** `--migrate` and `--migration-info`: moves the notification schema between versions 0 and 8. Source: notification-writer.md 5.4. */
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Database } from '../../database/database.ts';
import {
  emptyCompanions,
  inSchemaTransaction,
  NOTIFICATION_SCHEMA_VERSION,
  readStep,
  type SchemaOptions,
  type SchemaTransaction,
  stepsBetween,
  tableExists,
} from './schema-transaction.ts';

/** Largest number that the reference takes for a version. */
const versionNumberMax = 4_294_967_295n;

interface MigrationInfo {
  readonly current: number;
  readonly latest: number;
}

export function migrationInfo(database: Database): Promise<MigrationInfo> {
  return inSchemaTransaction(database, {}, async (tx) => ({
    current: await readVersion(tx),
    latest: NOTIFICATION_SCHEMA_VERSION,
  }));
}

interface MigrationResult {
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

async function migrateIn(tx: SchemaTransaction, to: number): Promise<MigrationResult> {
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
function parseTarget(target: string): number {
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
async function readVersion(tx: SchemaTransaction): Promise<number> {
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
    hint,
  });
}

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

/** Creates the base schema and its seed rows; does nothing when `states` has rows, even if other tables are missing. */
export function initDatabase(database: Database, options: SchemaOptions = {}): Promise<'created' | 'already-there'> {
  return inSchemaTransaction(database, options, initDatabaseIn);
}

async function initDatabaseIn(tx: SchemaTransaction): Promise<'created' | 'already-there'> {
  if ((await tableExists(tx.connection, 'states')) && (await countRows(tx, 'states')) > 0n) return 'already-there';
  for (const statement of await readStep(0, 'up')) await tx.run(statement);
  return 'created';
}

type InitMigrationResult =
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

async function initMigrationIn(tx: SchemaTransaction): Promise<InitMigrationResult> {
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

/**
 * The notification database ready for use: what an operator does with `--db-init-migration`, `--db-init` and `--migrate latest`, in one
 * transaction and safe when several processes start at once. Called by the all-in-one runner and by tests; the drop-in writer leaves it
 * to its flags, as operators of the reference expect.
 */
export interface EnsuredSchema {
  readonly from: number;
  readonly version: number;
  /** Set when a newer release has been here, as in a rolling update; its schema is left alone. */
  readonly warning?: string;
}

export function ensureNotificationSchema(database: Database, options: SchemaOptions = {}): Promise<EnsuredSchema> {
  return inSchemaTransaction(database, options, async (tx) => {
    const found = await initMigrationIn(tx);
    if (found.kind === 'already-there' && found.version > NOTIFICATION_SCHEMA_VERSION) {
      const warning = `the notification schema has version ${found.version}, newer than ${NOTIFICATION_SCHEMA_VERSION} which this release knows`;
      return { from: found.version, version: found.version, warning };
    }
    await initDatabaseIn(tx);
    const { from, to } = await migrateIn(tx, NOTIFICATION_SCHEMA_VERSION);
    return { from, version: to };
  });
}
