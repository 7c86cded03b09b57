/**
 * `ccx db cleanup`: old rows of all tables that keep any, counted and then deleted in slices, so that it can run beside the services and
 * be interrupted. What a cooldown counts by, what waits to be sent and issues that are still there stay, whatever their age. Which rows
 * those are is decided where the services' own retention decides it.
 */
import { TABLE_ISSUE_EVENTS, TABLE_ISSUES, TABLE_STORED_MESSAGE, TABLE_TRACE } from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import { deleteOldRows, type OldRows, type SliceOptions } from '../../platform/database/delete-old-rows.ts';
import { requireTableRights } from '../../platform/database/missing-rights.ts';
import type { ByWhom } from '../../platform/records/audit.ts';
import { longestCooldown } from '../../platform/records/cooldowns.ts';
import { deleteOldEvents } from '../../platform/records/issue-event-months.ts';
import { oldNotifications } from '../../platform/records/old-notifications.ts';
import { deleteAgedRows, momentBefore, oldRowsOf } from '../../platform/records/old-rows.ts';
import { tableIsKept } from '../../platform/records/report-facts.ts';
import { recordAuditWhereKept } from './database-tool.ts';

/** In the order in which they are cleaned: what follows the rows of another table comes behind it; what goes with them anyway, before. */
export const cleanedTables = [
  'read_errors',
  'new_reports',
  'stored_message',
  'reported',
  'trace',
  'notification_outbox',
  'clusters',
  'issues',
  'issue_events',
  'notification_ledger',
  'notification_considered',
  'notification_sent_rows',
] as const;

type CleanedTable = (typeof cleanedTables)[number];

const sharedTables = ['new_reports', 'reported', 'read_errors'] as const;

interface Cleanable {
  readonly name: CleanedTable;
  readonly count: (options: SliceOptions) => Promise<number>;
  readonly delete: (options: SliceOptions) => Promise<number>;
}

interface CleanupPlan {
  /** Rows older than this are old; UTC. */
  readonly before: string;
  readonly tables: readonly Cleanable[];
  /** Tables that are not in this database. */
  readonly absent: readonly CleanedTable[];
  /** Said before anything is deleted. */
  readonly warning: string | undefined;
}

interface CleanupRequest {
  /** PostgreSQL interval with a unit: `90d`, `3 months`. */
  readonly olderThan: string;
  /** All of them where none is named. */
  readonly tables: readonly string[];
  readonly dryRun: boolean;
}

/**
 * What would be cleaned; counts nothing yet. Codes: `MAX_AGE_INVALID`, `CLEANUP_TABLE` for a table that is named and not there and where
 * none is, `DATABASE_PERMISSION` before anything is deleted.
 */
export async function planCleanup(database: Database, request: CleanupRequest): Promise<CleanupPlan> {
  const { olderThan } = request;
  requireUnit(olderThan);
  // Refuses what is no interval.
  const reported = await oldRowsOf(database, { table: 'reported', maxAge: olderThan });
  await requirePast(database, olderThan);
  const before = await momentBefore(database, olderThan);
  const own = await ownRows(database, before);
  const qualified = (name: CleanedTable) => {
    if (name === 'issue_events') return TABLE_ISSUE_EVENTS;
    return isShared(name) ? name : own[name].table;
  };
  const wanted = cleanedTables.filter((name) => request.tables.length === 0 || request.tables.includes(name));
  const { rows } = await database.query<{ there: boolean }>(
    'SELECT to_regclass(name) IS NOT NULL AS there FROM unnest($1::text[]) WITH ORDINALITY AS t (name, n) ORDER BY n',
    [wanted.map(qualified)],
  );
  const absent = wanted.filter((_, index) => rows[index]?.there !== true);
  if (request.tables.length > 0 && absent.length > 0) {
    throw new CcxError(`table ${absent.map(qualified).join(', ')} is not in this database`, {
      ...{ code: 'CLEANUP_TABLE', category: 'configuration' },
      hint: 'ccx db status says what is there; without --table, tables that are missing are passed over',
    });
  }
  const there = wanted.filter((name) => !absent.includes(name));
  if (there.length === 0) {
    throw new CcxError('none of the tables is in this database', {
      ...{ code: 'CLEANUP_TABLE', category: 'configuration' },
      hint: 'name the right database with --database or --data; ccx db status says what is there',
    });
  }
  const ours = there.filter((name) => !isShared(name)).map(qualified);
  await requireTableRights(database, ours, request.dryRun ? ['SELECT'] : ['SELECT', 'DELETE']);
  const tables = there.map(async (name): Promise<Cleanable> => {
    if (name === 'issue_events') return cleanableEvents(database, before);
    if (!isShared(name)) return cleanable(name, database, own[name]);
    const aged = name === 'reported' ? reported : await oldRowsOf(database, { table: name, maxAge: olderThan });
    return { ...cleanable(name, database, aged.slices), delete: (options) => deleteAgedRows(database, aged, options) };
  });
  const warning = there.includes('reported') ? reported.warning : undefined;
  return { before, tables: await Promise.all(tables), absent, warning };
}

function isShared(name: CleanedTable): name is (typeof sharedTables)[number] {
  return (sharedTables as readonly string[]).includes(name);
}

function cleanable(name: CleanedTable, database: Database, rows: OldRows): Cleanable {
  return {
    name,
    count: (options) => deleteOldRows(database, rows, { ...options, countOnly: true }),
    delete: (options) => deleteOldRows(database, rows, options),
  };
}

function cleanableEvents(database: Database, before: string): Cleanable {
  return {
    name: 'issue_events',
    count: (options) => deleteOldEvents(database, before, { ...options, countOnly: true }),
    delete: (options) => deleteOldEvents(database, before, options),
  };
}

/** Of the tables in schema `ccx`. */
async function ownRows(database: Database, before: string) {
  const { rows } = await database.query<{ since: string; earlier: string }>(
    `SELECT since::text, least(since, $2::timestamp)::text AS earlier
       FROM (SELECT (now() AT TIME ZONE 'UTC') - $1::interval AS since) AS cooldown`,
    [(await longestCooldown(database)) ?? '0', before],
  );
  const { since, earlier } = rows[0]!;
  return {
    stored_message: { table: TABLE_STORED_MESSAGE, age: 'updated_at', through: 'index', before } satisfies OldRows,
    trace: { table: TABLE_TRACE, age: 'recorded_at', through: 'index', before } satisfies OldRows,
    ...oldNotifications(
      { finishedBefore: earlier, seenBefore: before, forgottenBefore: earlier, cooldownSince: since },
      { issuesKept: await tableIsKept(database, TABLE_ISSUES, 'SELECT') },
    ),
  } as const;
}

/** PostgreSQL takes `90` for ninety seconds and `3m` for three minutes, which is not what a person means who deletes; `P3M` is three months. */
function requireUnit(olderThan: string): void {
  const age = JSON.stringify(olderThan);
  if (/^[\s\d.+-]*$/.test(olderThan)) throw ageInvalid(`the age ${age} has no unit`);
  if (!/^\s*p/i.test(olderThan) && /(^|[^a-z])m([^a-z]|$)/i.test(olderThan))
    throw ageInvalid(`the age ${age} may be minutes or months`);
}

async function requirePast(database: Database, olderThan: string): Promise<void> {
  const { rows } = await database.query<{ past: boolean }>(`SELECT $1::interval > interval '0' AS past`, [olderThan]);
  if (rows[0]?.past !== true) throw ageInvalid(`the age ${JSON.stringify(olderThan)} is none`);
}

function ageInvalid(message: string): CcxError {
  return new CcxError(message, {
    ...{ code: 'MAX_AGE_INVALID', category: 'configuration' },
    hint: 'write --older-than 90d, "6 weeks", "3 months" or "90 minutes"',
  });
}

export interface CleanedRows {
  readonly table: CleanedTable;
  /** Old when it was this table's turn. */
  readonly found: number;
  readonly deleted: number;
}

interface CleanupWork {
  readonly database: Database;
  readonly clock: Clock;
  readonly byWhom: ByWhom;
  readonly dryRun: boolean;
  /** Stops between two slices. */
  readonly signal: AbortSignal;
  /** Called for each table when it is done, or interrupted. */
  readonly onTable: (rows: CleanedRows) => void;
  /** Called behind each slice. */
  readonly onProgress: (rows: CleanedRows) => void;
}

/** One table after the other. Resolves to what was done, also when it was interrupted; the same call then goes on. */
export async function runCleanup({ tables, before }: CleanupPlan, work: CleanupWork): Promise<CleanedRows[]> {
  const { clock, signal } = work;
  const done: CleanedRows[] = [];
  for (const { name: table, ...rows } of tables) {
    const found = await rows.count({ clock, signal });
    if (signal.aborted) break;
    const onProgress = (deleted: number) => work.onProgress({ table, found, deleted });
    if (!work.dryRun && found > 0) await audit(work, { table, found, before });
    const deleted = work.dryRun ? 0 : await rows.delete({ clock, signal, onProgress });
    const cleaned = { table, found, deleted };
    done.push(cleaned);
    work.onTable(cleaned);
    if (signal.aborted) break;
  }
  return done;
}

/** Ahead of the deletion, which is many transactions: nothing is deleted without it. */
async function audit(
  { database, byWhom }: CleanupWork,
  { table, found, before }: { readonly table: string; readonly found: number; readonly before: string },
): Promise<void> {
  await database.transaction((tx) =>
    recordAuditWhereKept(tx, { ...byWhom, action: 'db cleanup', subject: table, after: { found, before } }),
  );
}
