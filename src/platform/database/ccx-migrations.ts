/**
 * Our own tables in schema `ccx`: numbered SQL files of `migrations/ccx/<set>/`, one set per service, each file applied once in a
 * transaction of its own under an advisory lock and recorded with its checksum in `ccx.migration`. Every service calls this at start, so
 * several processes may do so at once, and an older release may meet a newer schema during a rolling update. There is no way down:
 * files only ever add. The shared tables in `public` are `notification-schema.ts`'s business.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Connection, Database, Queryable } from './database.ts';
import { sqlState } from './database-error.ts';
import { describeMissingRights } from './missing-rights.ts';
import { endWithClient } from './session.ts';
import { migrationsPath } from './sql-file.ts';

interface CcxMigrationResult {
  /** Numbers applied by this call, in order; empty when there was nothing to do. */
  readonly applied: readonly number[];
  /** The highest number in the database afterwards; 0 when the set is empty. */
  readonly version: number;
  /** Set when the database is ahead of this release. */
  readonly warning?: string;
}

interface CcxMigrationOptions {
  readonly folder?: string;
  /** Files of higher numbers are not there, for whoever makes tables as they were. */
  readonly upTo?: number;
  /** Called before a file is applied, with its name. */
  readonly onFile?: (name: string) => void;
}

interface MigrationFile {
  readonly number: number;
  readonly name: string;
  readonly sha256: string;
  readonly sql: string;
}

type AppliedMigration = Omit<MigrationFile, 'sql'>;

/** First key of the advisory lock; the second is the set's. */
const lockClass = 7_702;

/**
 * Codes: `CCX_MIGRATION_FILES` (numbering of the files), `CCX_MIGRATION_CHANGED` (an applied file was edited), `CCX_MIGRATION_GAP` (the
 * database lacks a number below another), `CCX_MIGRATION_FAILED`, `DATABASE_PERMISSION` (the hint is the GRANT to run).
 */
export async function migrateCcx(
  database: Database,
  set: string,
  { folder = migrationsPath(`ccx/${set}`), upTo = Number.POSITIVE_INFINITY, onFile }: CcxMigrationOptions = {},
): Promise<CcxMigrationResult> {
  const files = (await readMigrationFiles(folder, set)).filter(({ number }) => number <= upTo);
  try {
    // Without anything to do, the right to read one table is enough.
    const before = (await tableExists(database)) ? await readApplied(database, set) : [];
    checkApplied(set, files, before);
    const applied: number[] = [];
    for (const file of files.filter(({ number }) => !before.some((done) => done.number === number))) {
      onFile?.(file.name);
      if (await applyOne(database, set, file)) applied.push(file.number);
    }
    const last = Math.max(0, ...files.map(({ number }) => number), ...before.map(({ number }) => number));
    const newest = files.at(-1)?.number ?? 0;
    if (last === newest) return { applied, version: last };
    const warning = `schema ccx, set ${set}, is at ${last}; this release knows ${newest}: a newer release has been here`;
    return { applied, version: last, warning };
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    throw await describeMissingRights(database, error);
  }
}

interface CcxMigrationState {
  /** Highest number in the database; 0 where the set was never brought up. */
  readonly version: number;
  /** Highest number that this release has. */
  readonly needed: number;
  /** Names of the files that `migrateCcx` would apply, in order. */
  readonly missing: readonly string[];
}

/** What `migrateCcx` would find; changes nothing. Rejects with its codes for files that do not fit what was applied. */
export async function readCcxMigrations(queryable: Queryable, set: string): Promise<CcxMigrationState> {
  const files = await readMigrationFiles(migrationsPath(`ccx/${set}`), set);
  const applied = (await tableExists(queryable)) ? await readApplied(queryable, set) : [];
  checkApplied(set, files, applied);
  return {
    version: Math.max(0, ...applied.map(({ number }) => number)),
    needed: files.length,
    missing: files.filter(({ number }) => !applied.some((done) => done.number === number)).map(({ name }) => name),
  };
}

/** Whether this release can make a set as it is somewhere else: not where that is ahead of it, or was made by other files. */
export async function knowsCcxMigrations(
  set: string,
  applied: readonly Pick<AppliedMigration, 'number' | 'sha256'>[],
): Promise<boolean> {
  const files = await readMigrationFiles(migrationsPath(`ccx/${set}`), set);
  return applied.every(({ number, sha256 }) => files.some((file) => file.number === number && file.sha256 === sha256));
}

/** True when this call applied it, false when another process was faster. */
function applyOne(database: Database, set: string, file: MigrationFile): Promise<boolean> {
  return database.transaction(async (tx) => {
    await endWithClient(tx);
    await tx.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [lockClass, set]);
    await ensureTable(tx);
    const done = await readApplied(tx, set);
    if (done.some(({ number }) => number === file.number)) return false;
    try {
      await tx.query(file.sql);
    } catch (cause) {
      if (cause instanceof CcxError || sqlState(cause) === '42501') throw cause;
      throw new CcxError(`migration ${file.name} of set ${set} failed: ${(cause as Error).message}`, {
        code: 'CCX_MIGRATION_FAILED',
        category: 'storage',
        cause,
      });
    }
    await tx.query('INSERT INTO ccx.migration ("set", number, name, sha256) VALUES ($1, $2, $3, $4)', [
      set,
      file.number,
      file.name,
      file.sha256,
    ]);
    return true;
  });
}

async function tableExists(queryable: Queryable): Promise<boolean> {
  const { rows } = await queryable.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'ccx' AND tablename = 'migration') AS found`,
  );
  return rows[0]?.found === true;
}

/** Asks the catalog first: CREATE … IF NOT EXISTS wants the right to create even when there is nothing to create. */
async function ensureTable(tx: Connection): Promise<void> {
  if (await tableExists(tx)) return;
  // One lock for all sets, because all of them create these two.
  await tx.query('SELECT pg_advisory_xact_lock($1, 0)', [lockClass]);
  const { rows } = await tx.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'ccx') AS found`,
  );
  if (rows[0]?.found !== true) await tx.query('CREATE SCHEMA ccx');
  await tx.query(`
    CREATE TABLE IF NOT EXISTS ccx.migration (
      "set"      text NOT NULL,
      number     integer NOT NULL,
      name       text NOT NULL,
      sha256     text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      PRIMARY KEY ("set", number)
    )`);
  await tx.query(`COMMENT ON TABLE ccx.migration IS 'which files of migrations/ccx were applied, and their checksums'`);
}

async function readApplied(queryable: Queryable, set: string): Promise<AppliedMigration[]> {
  const { rows } = await queryable.query<AppliedMigration>(
    'SELECT number, name, sha256 FROM ccx.migration WHERE "set" = $1 ORDER BY number',
    [set],
  );
  return rows;
}

function checkApplied(set: string, files: readonly MigrationFile[], applied: readonly AppliedMigration[]): void {
  applied.forEach(({ number, name, sha256 }, index) => {
    if (number !== index + 1) {
      throw new CcxError(`schema ccx, set ${set}, has migration ${name} but not number ${index + 1}`, {
        code: 'CCX_MIGRATION_GAP',
        category: 'storage',
        hint: `restore the missing row of ccx.migration, or apply migration ${index + 1} of set ${set} by hand and add its row`,
      });
    }
    const file = files.find((candidate) => candidate.number === number);
    if (file !== undefined && file.sha256 !== sha256) {
      throw new CcxError(`migration ${file.name} of set ${set} is not the file that was applied to this database`, {
        code: 'CCX_MIGRATION_CHANGED',
        category: 'storage',
        hint: `restore the file as it was released and put the change into a new one with the next number`,
      });
    }
  });
}

async function readMigrationFiles(folder: string, set: string): Promise<MigrationFile[]> {
  if (!/^[a-z][a-z0-9-]*$/.test(set)) throw filesError(`"${set}" is not the name of a set`);
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  } catch (cause) {
    throw filesError(`the migrations of set ${set} cannot be read from ${folder}`, cause);
  }
  const files: MigrationFile[] = [];
  for (const name of names) {
    const number = Number(/^(\d{4})-[a-z0-9-]+\.sql$/.exec(name)?.[1]);
    if (number !== files.length + 1) {
      const expected = String(files.length + 1).padStart(4, '0');
      throw filesError(
        `migration file ${set}/${name} should be ${expected}-<name>.sql: numbers start at 0001 and have no gap`,
      );
    }
    // Line ends of a checkout must not count as a change.
    const sql = (await readFile(join(folder, name), 'utf8')).replaceAll('\r\n', '\n');
    files.push({ number, name, sha256: createHash('sha256').update(sql).digest('hex'), sql });
  }
  return files;
}

function filesError(message: string, cause?: unknown): CcxError {
  return new CcxError(message, { code: 'CCX_MIGRATION_FILES', category: 'internal', cause });
}
