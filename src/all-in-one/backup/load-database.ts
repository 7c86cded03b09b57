/**
 * The tables of a backup made in an empty database, as they were, and their rows. Tables come from our own migrations, up to where those
 * of the backup were, so that neither PostgreSQL's version nor its way of storing them matters; the next start brings them up. Called by
 * `restore-backup.ts`.
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { from as copyFrom } from 'pg-copy-streams';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createSegmentTable } from '../../platform/bus/postgres/storage.ts';
import { knowsCcxMigrations, migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Connection, Database } from '../../platform/database/database.ts';
import { sqlState } from '../../platform/database/database-error.ts';
import type { ByWhom } from '../../platform/records/audit.ts';
import {
  initDatabase,
  initMigration,
  migrate,
  NOTIFICATION_SCHEMA_VERSION,
} from '../../platform/records/notification-schema.ts';
import { recordAuditWhereKept } from '../../tools/database/database-tool.ts';
import { listSets } from '../../tools/database/schema-parts.ts';
import { type BackupContents, damaged, inMegabytes, tapOf } from './backup-folder.ts';
import { columnList, quoted, type TableName } from './snapshot.ts';

type BackupTable = BackupContents['tables'][number];

/** Before anything is made. Code: `BACKUP_NEWER`. */
export async function requireKnown({ shared_version, migrations, version }: BackupContents): Promise<void> {
  const sets = new Set(migrations.map(({ set }) => set));
  const ours = new Set(await listSets());
  let known = (shared_version ?? 0) <= NOTIFICATION_SCHEMA_VERSION;
  for (const set of sets) {
    const applied = migrations.filter((migration) => migration.set === set);
    known &&= ours.has(set) && (await knowsCcxMigrations(set, applied));
  }
  if (known) return;
  throw new CcxError(`the backup has tables that this program does not know: release ${version} wrote it`, {
    ...{ code: 'BACKUP_NEWER', category: 'input' },
    hint: 'restore it with the release that wrote it, or a newer one',
  });
}

/** Code: `RESTORE_DATABASE_USED`. */
export async function requireEmpty(database: Database): Promise<void> {
  const { rows } = await database.query<TableName>(`
    SELECT n.nspname AS schema, c.relname AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'ccx') AND c.relkind IN ('r', 'p') ORDER BY 1, 2 LIMIT 1`);
  if (rows[0] === undefined) return;
  throw new CcxError(`the database has tables already: ${rows[0].schema}.${rows[0].name}`, {
    ...{ code: 'RESTORE_DATABASE_USED', category: 'configuration' },
    hint: 'make an empty one (CREATE DATABASE …) and name it with --database',
  });
}

interface LoadOptions {
  readonly folder: string;
  readonly contents: BackupContents;
  readonly byWhom: ByWhom;
  readonly signal: AbortSignal;
  readonly step: (text: string) => void;
  readonly part: (text: string) => void;
}

/** All rows or none. Resolves to the tables of the backup that are none of ours, which are left out. Code: `BACKUP_DAMAGED`. */
export async function loadDatabase(database: Database, options: LoadOptions): Promise<readonly string[]> {
  const { contents, step, byWhom } = options;
  step('making the tables');
  await makeTables(database, contents);
  const left = await database.transaction(async (tx) => {
    await makePartitions(tx, contents);
    const present = await tablesPresent(tx);
    const isOurs = (table: BackupTable) => present.has(quoted(table));
    const ours = await inOrder(tx, contents.tables.filter(isOurs));
    if (ours.length > 0) await tx.query(`TRUNCATE ${ours.map(quoted).join(', ')}`);
    step(`loading ${ours.length} tables`);
    // They are for those who write; what is loaded was written.
    const guarded = await withTriggers(tx);
    for (const table of guarded) await tx.query(`ALTER TABLE ${quoted(table)} DISABLE TRIGGER USER`);
    let done = 0;
    for (const [index, table] of ours.entries()) {
      await loadTable(tx, table, options, (bytes) => {
        done += bytes;
        options.part(`${index} of ${ours.length} tables, ${inMegabytes(done)} loaded`);
      });
    }
    for (const { value, called, ...sequence } of contents.sequences)
      await tx.query('SELECT setval(to_regclass($1), $2::bigint, $3) WHERE to_regclass($1) IS NOT NULL', [
        quoted(sequence),
        value,
        called,
      ]);
    for (const table of guarded) await tx.query(`ALTER TABLE ${quoted(table)} ENABLE TRIGGER USER`);
    const { original, taken_at } = contents;
    await recordAuditWhereKept(tx, {
      ...{ ...byWhom, action: 'restore', subject: `${original.folder} on ${original.host}` },
      after: { taken_at, installation: original.id },
    });
    return contents.tables.filter((table) => !isOurs(table)).map(quoted);
  });
  step('collecting statistics');
  await database.query('ANALYZE');
  return left;
}

async function makeTables(database: Database, { shared_version, migrations }: BackupContents): Promise<void> {
  if (shared_version !== null) {
    await initMigration(database);
    await initDatabase(database);
    await migrate(database, String(shared_version));
  }
  for (const set of await listSets()) {
    const upTo = Math.max(0, ...migrations.filter((done) => done.set === set).map(({ number }) => number));
    if (upTo > 0) await migrateCcx(database, set, { upTo });
  }
}

/** What the program makes while it runs: segments of topics, and months. */
async function makePartitions(tx: Connection, { tables, partitions }: BackupContents): Promise<void> {
  const present = await tablesPresent(tx);
  for (const table of tables) {
    const [, topicId, segment] = (table.schema === 'ccx' && /^bus_records_(\d+)_(\d+)$/.exec(table.name)) || [];
    if (topicId === undefined || segment === undefined || present.has(quoted(table))) continue;
    await createSegmentTable(tx, BigInt(topicId), BigInt(segment));
  }
  for (const { parent, bound, ...partition } of partitions) {
    const whole = { schema: partition.schema, name: parent };
    if (present.has(quoted(partition)) || !present.has(quoted(whole))) continue;
    await tx.query(`CREATE TABLE ${quoted(partition)} PARTITION OF ${quoted(whole)} ${bound}`);
  }
}

async function tablesPresent(tx: Connection): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<TableName>(`
    SELECT n.nspname AS schema, c.relname AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'ccx') AND c.relkind IN ('r', 'p')`);
  return new Set(rows.map(quoted));
}

async function withTriggers(tx: Connection): Promise<readonly TableName[]> {
  const { rows } = await tx.query<TableName>(`
    SELECT DISTINCT n.nspname AS schema, c.relname AS name
      FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE NOT t.tgisinternal AND t.tgenabled = 'O' AND n.nspname IN ('public', 'ccx')`);
  return rows;
}

/** What a foreign key refers to comes before whatever refers. */
async function inOrder(tx: Connection, tables: readonly BackupTable[]): Promise<readonly BackupTable[]> {
  const { rows } = await tx.query<{ of: string; to: string }>(`
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS of,
           quote_ident(rn.nspname) || '.' || quote_ident(rc.relname) AS to
      FROM pg_constraint AS k
      JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_class AS rc ON rc.oid = k.confrelid JOIN pg_namespace AS rn ON rn.oid = rc.relnamespace
     WHERE k.contype = 'f' AND k.conrelid <> k.confrelid`);
  const plain = ({ schema, name }: TableName) => `${schema}.${name}`;
  const ordered: BackupTable[] = [];
  let rest = tables;
  while (rest.length > 0) {
    const waiting = new Set(rest.map(plain));
    const ready = rest.filter((table) => !rows.some(({ of, to }) => of === plain(table) && waiting.has(to)));
    // In a ring there is no order; the server says what it misses.
    const next = ready.length > 0 ? ready : rest;
    ordered.push(...next);
    rest = rest.filter((table) => !next.includes(table));
  }
  return ordered;
}

async function loadTable(
  tx: Connection,
  table: BackupTable,
  { folder, signal }: LoadOptions,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const rows = tx.client.query(copyFrom(`COPY ${quoted(table)} (${columnList(table.columns)}) FROM STDIN`));
  try {
    const tap = tapOf((chunk) => onBytes(chunk.length));
    await pipeline(createReadStream(join(folder, table.file)), tap, createZstdDecompress(), rows, { signal });
  } catch (cause) {
    const state = sqlState(cause);
    // Anything but the data: no room, a connection that broke, a signal.
    if (signal.aborted || (state !== undefined && !/^2[23]/.test(state))) throw cause;
    throw damaged(`${table.file} cannot be loaded into ${quoted(table)}`, cause);
  }
  if (rows.rowCount !== table.rows)
    throw damaged(`${table.file} has ${rows.rowCount} rows, ${table.rows} were written`);
}
