/**
 * Which rows of the shared tables are old, and what goes with them. Used by both drop-in programs' clean-up flags and by `ccx db cleanup`.
 * The age is any interval that PostgreSQL understands and is bound, not pasted; both clocks are the database's, in UTC. For `reported`
 * it is the age of the report, not of the notification, but what a cooldown counts by stays.
 */
import {
  COMPANIONS_OF_NEW_REPORTS,
  STATE_SENT,
  TABLE_NEW_REPORTS,
  TABLE_READ_ERRORS,
  TABLE_REPORTED,
  TABLE_STORED_MESSAGE,
} from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Database, Queryable } from '../database/database.ts';
import { sqlState } from '../database/database-error.ts';
import { deleteOldRows, type OldRows, type SliceOptions } from '../database/delete-old-rows.ts';
import { requireTableRights } from '../database/missing-rights.ts';
import { longestCooldown, warningOf } from './cooldowns.ts';
import { companionsOfReports } from './report-facts.ts';

export type AgedTable = typeof TABLE_NEW_REPORTS | typeof TABLE_REPORTED | typeof TABLE_READ_ERRORS;

interface AgedRows {
  readonly table: AgedTable;
  /** For the WHERE clause of a statement over all of them, with `values` as its parameters. */
  readonly where: string;
  readonly values: readonly string[];
  /** The same rows, for slices. */
  readonly slices: OldRows;
  /** Set where rows of that age are kept for a cooldown: to be said before anything is deleted. */
  readonly warning: string | undefined;
}

/** To be used with the age as the statement's first parameter. */
const isOld = 'updated_at < NOW() - $1::INTERVAL';

/** The rows of a shared table that are older than an age and that no cooldown counts by. Code: `MAX_AGE_INVALID`. */
export async function oldRowsOf(
  queryable: Queryable,
  what: { readonly table: AgedTable; readonly maxAge: string; readonly ownCooldowns?: readonly string[] },
): Promise<AgedRows> {
  const { table, maxAge } = what;
  await requireInterval(queryable, maxAge);
  const slices: OldRows = {
    table,
    age: 'updated_at',
    through: table === TABLE_READ_ERRORS ? 'blocks' : 'index',
    before: await momentBefore(queryable, maxAge),
  };
  const cooldown = table === TABLE_REPORTED ? await longestCooldown(queryable, what.ownCooldowns) : undefined;
  if (cooldown === undefined) return { table, where: isOld, values: [maxAge], slices, warning: undefined };
  const countsSince = (since: string) => `NOT (state = ${STATE_SENT} AND notified_at > ${since})`;
  return {
    table,
    where: `${isOld} AND ${countsSince('NOW() - $2::INTERVAL')}`,
    values: [maxAge, cooldown],
    slices: {
      ...slices,
      where: countsSince('$1::timestamp'),
      values: [await momentBefore(queryable, cooldown)],
    },
    warning: await warningOf(queryable, maxAge, cooldown),
  };
}

async function requireInterval(queryable: Queryable, maxAge: string): Promise<void> {
  try {
    // Subtracted as well: there is no moment a million years ago.
    await queryable.query('SELECT now() - $1::interval', [maxAge]);
  } catch (cause) {
    if (!(sqlState(cause) ?? '').startsWith('22')) throw cause;
    throw new CcxError(`the age ${JSON.stringify(maxAge)} is not an interval`, {
      ...{ code: 'MAX_AGE_INVALID', category: 'configuration', cause },
      hint: 'change --older-than or --max-age, or cleaner.max_age where it is not given, to a PostgreSQL interval such as "90 days"',
    });
  }
}

/** Settled once, so that a deletion that takes a while has an end. */
export async function momentBefore(queryable: Queryable, interval: string): Promise<string> {
  const { rows } = await queryable.query<{ moment: string }>(
    `SELECT ((now() AT TIME ZONE 'UTC') - $1::interval)::text AS moment`,
    [interval],
  );
  return rows[0]!.moment;
}

/**
 * Resolves to how many rows of the shared table went. What is kept in schema `ccx` about reports that are deleted goes with them, if our
 * tables are there; the right to do so is asked for before anything is deleted.
 */
export async function deleteAgedRows(
  database: Database,
  { table, slices }: AgedRows,
  options: SliceOptions = {},
): Promise<number> {
  if (table !== TABLE_NEW_REPORTS) return deleteOldRows(database, slices, options);
  await requireTableRights(database, COMPANIONS_OF_NEW_REPORTS, ['SELECT', 'DELETE']);
  return deleteOldReports(database, slices, options);
}

/**
 * Rows of `new_reports` with their facts. Each takes its read errors along by a cascade, which looks through all of those, because they
 * have no index for it; so the errors of old reports go first, in one look. Resolves to how many reports went.
 */
export async function deleteOldReports(
  database: Database,
  reports: OldRows,
  options: SliceOptions = {},
): Promise<number> {
  const { before, rowsMax } = reports;
  const { rows } = await database.query<{ cascades: boolean }>(
    `SELECT EXISTS (
       SELECT FROM pg_constraint
        WHERE conrelid = to_regclass($1) AND confrelid = to_regclass($2) AND confdeltype = 'c'
          AND has_table_privilege(conrelid, 'SELECT') AND has_table_privilege(conrelid, 'DELETE')) AS cascades`,
    [TABLE_READ_ERRORS, TABLE_NEW_REPORTS],
  );
  if (rows[0]!.cascades) {
    const errors = { table: TABLE_READ_ERRORS, age: 'updated_at', through: 'blocks', before, rowsMax } as const;
    await deleteOldRows(database, errors, { ...options, onProgress: undefined });
  }
  return deleteOldRows(database, { ...reports, companions: await companionsOfReports(database) }, options);
}

/** The writer's record of what it stored, as far as it is older than the age. Resolves to how many rows went. */
export async function deleteStoredMessages(
  database: Database,
  maxAge: string,
  options: SliceOptions = {},
): Promise<number> {
  const before = await momentBefore(database, maxAge);
  return deleteOldRows(database, { table: TABLE_STORED_MESSAGE, age: 'updated_at', through: 'index', before }, options);
}
