/**
 * One moment of the database, held still while it is read, beside services that go on: a transaction in which every table is as it was.
 * What would drop a table meanwhile, or stand in front of everybody while it waits for us, is held off. Used by `take-backup.ts`.
 */
import { constants, createZstdCompress } from 'node:zlib';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { CcxError } from '../../encoding/ccx-error.ts';
import { holdRetention } from '../../platform/bus/postgres/retention.ts';
import type { Connection, Database } from '../../platform/database/database.ts';
import { sqlState } from '../../platform/database/database-error.ts';
import { type BackupContents, type BackupFile, writeFileOfBackup } from './backup-folder.ts';

/** Somebody makes or drops tables all the time, or holds one: then a person has to look. */
const attemptsMax = 10;
const lockMsMax = 60_000;

export type TableName = Pick<BackupContents['tables'][number], 'schema' | 'name'>;

interface SnapshotTable extends TableName {
  readonly columns: readonly string[];
  /** On the disk, without indexes. */
  readonly bytes: number;
}

export interface Snapshot {
  readonly tx: Connection;
  readonly tables: readonly SnapshotTable[];
}

/** Which tables there were before the snapshot is not what it holds: another try. */
const moved = Symbol('moved');

/**
 * `before` runs when everything is ready, right before the moment, `work` behind it. The transaction reads only. Code:
 * `BACKUP_TABLES_MOVE`.
 */
export async function withSnapshot<T>(
  database: Database,
  steps: {
    readonly before: () => Promise<void>;
    readonly work: (snapshot: Snapshot) => Promise<T>;
    /** Ends also a statement that waits for somebody. */
    readonly signal: AbortSignal;
  },
): Promise<T> {
  return await database.transaction(async (holder) => {
    await holdRetention(holder);
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      const result = await database
        .transaction(
          async (tx) => {
            steps.signal.throwIfAborted();
            steps.signal.addEventListener('abort', () => cancel(holder, tx.client.processID));
            // Neither takes the snapshot: the first SELECT does.
            await tx.query(`SET LOCAL lock_timeout = ${lockMsMax}`);
            const named = (await listNames(holder)).map(quoted);
            if (named.length > 0) await tx.query(`LOCK TABLE ${named.join(', ')} IN ACCESS SHARE MODE`);
            await steps.before();
            if ((await listNames(tx)).map(quoted).join() !== named.join()) return moved;
            return await steps.work({ tx, tables: await listTables(tx) });
          },
          { isolation: 'repeatable read', readOnly: true },
        )
        .catch((error: unknown) => {
          // Dropped between the list and the lock.
          if (sqlState(error) === '42P01' && attempt < attemptsMax) return moved;
          throw error;
        });
      if (result !== moved) return result as T;
    }
    throw new CcxError(
      'tables are made and dropped all the time: there is no moment at which the database holds still',
      {
        ...{ code: 'BACKUP_TABLES_MOVE', category: 'storage', retryable: true },
        hint: 'try again when nobody migrates the database',
      },
    );
  });
}

/** By another connection, since its own is busy. */
function cancel(holder: Connection, pid: number | null): void {
  holder.query('SELECT pg_cancel_backend($1)', [pid]).catch(() => undefined);
}

export function quoted({ schema, name }: TableName): string {
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`;
}

export function columnList(columns: readonly string[]): string {
  return columns.map((column) => pg.escapeIdentifier(column)).join(', ');
}

/** A table's rows as the server writes them in text, compressed, into a new file. */
export async function dumpTable(
  { tx }: Snapshot,
  table: SnapshotTable,
  how: { readonly path: string; readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void },
): Promise<Pick<BackupFile, 'bytes' | 'sha256'> & { readonly rows: number }> {
  const sql = `COPY (SELECT ${columnList(table.columns)} FROM ${quoted(table)}) TO STDOUT`;
  const rows = tx.client.query(copyTo(sql));
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  const written = await writeFileOfBackup(how.path, [rows, compress], how);
  // The server says how many there were behind the last of them; another statement comes behind that.
  await tx.query('SELECT');
  return { ...written, rows: rows.rowCount };
}

/** Partitions are not among them: their rows are those of the table that they belong to. */
const ofOurTables = `
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname IN ('public', 'ccx') AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
 ORDER BY n.nspname, c.relname`;

/** Opens no table, so that it waits for nobody. */
async function listNames(connection: Connection): Promise<TableName[]> {
  const { rows } = await connection.query<TableName>(`SELECT n.nspname AS schema, c.relname AS name ${ofOurTables}`);
  return rows;
}

async function listTables(connection: Connection): Promise<SnapshotTable[]> {
  const { rows } = await connection.query<SnapshotTable>(`
    SELECT n.nspname AS schema, c.relname AS name,
           ARRAY(SELECT a.attname::text FROM pg_attribute AS a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                  ORDER BY a.attnum) AS columns,
           (SELECT coalesce(sum(pg_table_size(relid)), 0) FROM pg_partition_tree(c.oid))::float8
             + pg_table_size(c.oid)::float8 AS bytes
      ${ofOurTables}`);
  return rows;
}

/** What of the tables is no row. */
export async function readShape({
  tx,
}: Snapshot): Promise<
  Pick<BackupContents, 'postgres' | 'shared_version' | 'migrations' | 'partitions' | 'sequences' | 'database_bytes'>
> {
  const one = async <Row extends object>(sql: string) => (await tx.query<Row>(sql)).rows[0]!;
  const { postgres, bytes, shared, ccx } = await one<{
    postgres: string;
    bytes: number;
    shared: boolean;
    ccx: boolean;
  }>(`SELECT current_setting('server_version') AS postgres, pg_database_size(current_database())::float8 AS bytes,
             to_regclass('public.migration_info') IS NOT NULL AS shared, to_regclass('ccx.migration') IS NOT NULL AS ccx`);
  const { rows: versions } = shared
    ? await tx.query<{ version: number }>('SELECT version FROM public.migration_info')
    : { rows: [] };
  const { rows: migrations } = ccx
    ? await tx.query<BackupContents['migrations'][number]>(
        'SELECT "set", number, sha256 FROM ccx.migration ORDER BY "set", number',
      )
    : { rows: [] };
  const { rows: partitions } = await tx.query<BackupContents['partitions'][number]>(`
    SELECT n.nspname AS schema, c.relname AS name, p.relname AS parent, pg_get_expr(c.relpartbound, c.oid) AS bound
      FROM pg_class AS c JOIN pg_inherits AS i ON i.inhrelid = c.oid JOIN pg_class AS p ON p.oid = i.inhparent
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'ccx') AND c.relispartition AND c.relkind = 'r'
     ORDER BY c.relname`);
  return {
    ...{ postgres, database_bytes: bytes, migrations, partitions },
    shared_version: versions[0]?.version ?? null,
    sequences: await readSequences(tx),
  };
}

/** As they are now, which is at or behind what the snapshot's rows have used. */
async function readSequences(tx: Connection): Promise<BackupContents['sequences']> {
  const { rows } = await tx.query<TableName>(`
    SELECT n.nspname AS schema, c.relname AS name
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'ccx') AND c.relkind = 'S' ORDER BY n.nspname, c.relname`);
  const sequences: BackupContents['sequences'] = [];
  for (const { schema, name } of rows) {
    const { rows: states } = await tx.query<{ value: string; called: boolean }>(
      `SELECT last_value::text AS value, is_called AS called FROM ${quoted({ schema, name })}`,
    );
    sequences.push({ schema, name, ...states[0]! });
  }
  return sequences;
}
