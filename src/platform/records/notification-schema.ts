/**
 * The shared tables of the reference: moved between versions 0 and 8 (`--migrate`, `--migration-info`), made, emptied and dropped.
 * Source: notification-writer.md 5.4. All operations share one transaction, one lock, one way to run and report a statement, one way to
 * tell an error. Nothing else takes the lock, so readers and writers of the tables are not held up by it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Connection, Database, Queryable } from '../database/database.ts';
import { sqlState } from '../database/database-error.ts';
import { requireTableRights } from '../database/missing-rights.ts';
import { endWithClient } from '../database/session.ts';
import { migrationsPath, splitStatements } from '../database/sql-file.ts';

/** The newest version; also what `latest` means. */
export const NOTIFICATION_SCHEMA_VERSION = 8;

interface SchemaOptions {
  /** Called before each statement with its text on one line; the drop-in writer logs it. */
  readonly onStatement?: (statement: string) => void;
  /** Called before each step of a migration. */
  readonly onStep?: (step: SchemaStep) => void;
  /** Called behind the last step of a migration, in its transaction. */
  readonly onMoved?: (tx: Connection) => Promise<void>;
  /**
   * Tables of schema `ccx`, qualified, that lose their meaning with what is cleared. They are emptied in the same transaction; those that
   * do not exist are left out.
   */
  readonly companionTables?: readonly string[];
}

interface SchemaTransaction {
  readonly connection: Connection;
  run(statement: string): Promise<void>;
  step(step: SchemaStep): Promise<void>;
}

/** Two programs that change the schema at the same time run one after the other. The number has no meaning beyond being ours. */
const schemaLock = 7_702_208;

/** Rejects with a `CcxError`: the texts follow the reference, notification-writer.md 5.4. */
async function inSchemaTransaction<T>(
  database: Database,
  options: SchemaOptions,
  work: (tx: SchemaTransaction) => Promise<T>,
): Promise<T> {
  try {
    return await database.transaction(async (connection) => {
      await requireTableRights(connection, options.companionTables ?? [], ['SELECT', 'DELETE']);
      await endWithClient(connection);
      await connection.query('SELECT pg_advisory_xact_lock($1)', [schemaLock]);
      const run = async (statement: string) => {
        options.onStatement?.(statement);
        await connection.query(statement);
      };
      return work({
        ...{ connection, run },
        async step(step) {
          options.onStep?.(step);
          for (const statement of await readStep(step.number, step.direction)) await run(statement);
        },
      });
    });
  } catch (error) {
    throw describeSchemaError(error);
  }
}

/** Whether a table is visible on the search path; asked of the catalog, because a failed statement would spoil the transaction. */
async function tableExists(connection: Connection, table: string): Promise<boolean> {
  const { rows } = await connection.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [table]);
  return rows[0]?.found === true;
}

async function emptyCompanions(tx: SchemaTransaction, options: SchemaOptions): Promise<void> {
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
        `nothing was changed: ${details.table ?? table} has rows that refer to what the step takes away; go to a version above it, or delete them first`,
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

/** Largest number that the reference takes for a version. */
const versionNumberMax = 4_294_967_295n;

/** The version that the shared tables have; undefined where nobody has made them. Takes no lock. */
export async function findNotificationVersion(queryable: Queryable): Promise<number | undefined> {
  const { rows: found } = await queryable.query<{ made: boolean }>(
    `SELECT to_regclass('migration_info') IS NOT NULL AS made`,
  );
  if (found[0]?.made !== true) return undefined;
  const { rows } = await queryable.query<{ version: number }>('SELECT version FROM migration_info LIMIT 1');
  return rows[0]?.version;
}

export function migrationInfo(database: Database) {
  return inSchemaTransaction(database, {}, async (tx) => ({
    current: await readVersion(tx),
    latest: NOTIFICATION_SCHEMA_VERSION,
  }));
}

/** All steps of one call in one transaction: either the target is reached or nothing changed. `target` is a number or `latest`. */
export async function migrate(database: Database, target: string, options: SchemaOptions = {}) {
  const to = parseTarget(target);
  return inSchemaTransaction(database, options, async (tx) => {
    const moved = await migrateIn(tx, to);
    await options.onMoved?.(tx.connection);
    return moved;
  });
}

async function migrateIn(tx: SchemaTransaction, to: number): Promise<{ readonly from: number; readonly to: number }> {
  const from = await readVersion(tx);
  if (from > NOTIFICATION_SCHEMA_VERSION) {
    throw migrationError(
      `the schema has version ${from}, ${availableRange()}`,
      'use the release that brought it there',
    );
  }
  for (const step of stepsBetween(from, to)) await tx.step(step);
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
  return schemaError(message, 'SCHEMA_VERSION', undefined, hint);
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
    await tx.step(baseStep('down'));
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
  await tx.step(baseStep('up'));
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
interface EnsuredSchema {
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

interface SchemaStep {
  readonly number: number;
  readonly direction: Direction;
  /** Of the file, without its ending. */
  readonly name: string;
}

/** The base schema, made or dropped. */
export function baseStep(direction: Direction): SchemaStep {
  return { number: 0, direction, name: stepNames[0]! };
}

/** Statements of step `number` in the given direction. */
export async function readStep(number: number, direction: Direction): Promise<string[]> {
  const name = stepNames[number];
  if (name === undefined) throw new Error(`there is no migration step ${number}`);
  return splitStatements(await readFile(join(migrationsPath('notification'), `${name}.${direction}.sql`), 'utf8'));
}

/** The steps between two versions in the order they run, e.g. 6 → 4: 6 down, 5 down. */
export function stepsBetween(from: number, to: number): SchemaStep[] {
  const steps: SchemaStep[] = [];
  const add = (number: number, direction: Direction) =>
    steps.push({ number, direction, name: stepNames[number] ?? '' });
  for (let number = from + 1; number <= to; number += 1) add(number, 'up');
  for (let number = from; number > to; number -= 1) add(number, 'down');
  return steps;
}
