/**
 * Deletes old rows of a table in slices, each a transaction of its own that looks at a bounded number of rows, so that nobody waits for it,
 * no lock lasts and the server can clean up behind it. Used by every retention by age. What is interrupted goes on with the next call:
 * the rows that are left are those that were not reached.
 *
 * One DELETE for all of them would hold its locks and its snapshot to its end, write its log in one burst, and begin anew when it is
 * interrupted. A DELETE with a LIMIT would read again, slice by slice, what the slices before it deleted or kept; here a slice begins
 * where the last one ended. Figures are in bench/README.md, "Retention".
 */
import { type Clock, createSystemClock } from '../clock/clock.ts';
import type { Connection, Database } from './database.ts';
import { isRetryableDatabaseError } from './database-error.ts';

/** Rows that one statement looks at, at most. */
export const sliceRowsMax = 5_000;
/** The first slice is small: what a row costs is not known yet. Deleting a report reads all of `read_errors`, which has no index for it. */
const sliceRowsFirst = 64;
/** A slice that took longer makes the next one smaller, one that took less than half of it makes it larger. */
const sliceMsWanted = 200;

const sliceTriesMax = 5;
/** Pause before a slice is done again, multiplied by the number of times. */
const sliceRetryMs = 100;

/** Where there is no index, slices are ranges of blocks; of this many rows each, as far as the sizes are concerned. */
const rowsPerBlock = 20;

export interface OldRows {
  readonly table: string;
  /** The column by which a row is old: a timestamp without zone. */
  readonly age: string;
  /** `index`: there is an index that begins with the column. `blocks`: there is none, and the whole table is looked at. */
  readonly through: 'index' | 'blocks';
  /** Rows whose age is below this are old; absent: all. Only an index knows which of them are the oldest. */
  readonly before?: string;
  /** The condition of an index that does not hold all rows; others are not looked at. */
  readonly within?: string;
  /** A condition on the row, called `t`, that goes; what does not fulfil it stays. `values` are its parameters. */
  readonly where?: string;
  readonly values?: readonly unknown[];
  /** Rows of other tables that go in the same statement: those that have the same values in columns of these names. */
  readonly companions?: readonly Companion[];
  readonly rowsMax?: number;
}

export interface Companion {
  readonly table: string;
  /** Columns of both tables; the companion has an index that begins with them. */
  readonly key: readonly string[];
}

export interface SliceOptions {
  /** Counts what would go, in the same slices, and deletes nothing. */
  readonly countOnly?: boolean;
  /** Called behind each slice with the rows that went so far. */
  readonly onProgress?: ((rows: number) => void) | undefined;
  /** Stops between two slices. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
}

/** Resolves to how many rows went. What went before it rejects is gone. */
export async function deleteOldRows(database: Database, old: OldRows, options: SliceOptions = {}): Promise<number> {
  const { rowsMax = Number.MAX_SAFE_INTEGER } = old;
  const { signal, onProgress, clock = createSystemClock() } = options;
  const countOnly = options.countOnly === true;
  const slices = old.through === 'index' ? indexSlices(old, countOnly) : await blockSlices(database, old, countOnly);
  let rows = 0;
  let size = sliceRowsFirst;
  while (rows < rowsMax && signal?.aborted !== true) {
    const startedMs = clock.monotonicMs();
    const wanted = Math.min(size, rowsMax - rows);
    const slice = await takeSlice(database, clock, (tx) => slices(tx, wanted));
    size = nextSize(size, clock.monotonicMs() - startedMs);
    rows += slice.found;
    onProgress?.(rows);
    if (slice.last) break;
  }
  return rows;
}

interface Slice {
  /** Rows that went, or would go. */
  readonly found: number;
  /** Nothing is left behind it. */
  readonly last: boolean;
}

type TakeSlice = (tx: Connection, rowsMax: number) => Promise<Slice>;

/** Done again after a conflict with somebody or a lost connection: it looks at what is there. */
async function takeSlice(database: Database, clock: Clock, take: (tx: Connection) => Promise<Slice>): Promise<Slice> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await database.transaction(take);
    } catch (error) {
      if (tries >= sliceTriesMax || !isRetryableDatabaseError(error)) throw error;
      await clock.sleep(sliceRetryMs * tries);
    }
  }
}

function nextSize(size: number, tookMs: number): number {
  if (tookMs > sliceMsWanted) return Math.max(1, Math.floor((size * sliceMsWanted) / tookMs));
  return tookMs < sliceMsWanted / 2 ? Math.min(size * 2, sliceRowsMax) : size;
}

/**
 * In the order of the index, from the age at which the last slice ended. Many rows may have that age: those of them that stayed come first
 * again, in the same order, and are passed over by their number.
 */
function indexSlices(old: OldRows, countOnly: boolean): TakeSlice {
  const { table, age, before, within = 'true', where = 'true', values = [] } = old;
  const start = `$${values.length + 1}::timestamp`;
  const isOld = before === undefined ? `(${within})` : `(${within}) AND t.${age} < $${values.length + 2}::timestamp`;
  let from = '-infinity';
  let stayed = 0;
  return async (tx, rowsMax) => {
    await planByIndex(tx);
    const { rows } = await tx.query<{ seen: number; found: number; end: string | null; stayed: number }>(
      `WITH page AS MATERIALIZED (
         SELECT t.ctid AS place, t.${age} AS age, (${where}) AS goes FROM ${table} AS t
          WHERE t.${age} >= ${start} AND ${isOld} ORDER BY t.${age} OFFSET ${stayed} LIMIT ${rowsMax}),
       ${countOnly ? 'gone AS (SELECT age FROM page WHERE goes)' : deletionOf(old, `${isOld} AND (${where})`)},
       at_end AS (SELECT max(age) AS age FROM page)
       SELECT (SELECT count(*)::int FROM page) AS seen, (SELECT count(*)::int FROM gone) AS found,
              (SELECT age::text FROM at_end) AS "end",
              (SELECT count(*)::int FROM page WHERE age = (SELECT age FROM at_end))
              - ${countOnly ? '0' : '(SELECT count(*)::int FROM gone WHERE age = (SELECT age FROM at_end))'} AS stayed`,
      [...values, from, ...(before === undefined ? [] : [before])],
    );
    const slice = rows[0]!;
    if (slice.end !== null) {
      stayed = slice.end === from ? stayed + slice.stayed : slice.stayed;
      from = slice.end;
    }
    return { found: slice.found, last: slice.seen < rowsMax };
  };
}

/**
 * From the first block of the table to the one that was the last at the beginning: what comes later is not old. PostgreSQL 13 cannot read a
 * range of blocks without reading the table, so there all of it is one slice.
 */
async function blockSlices(database: Database, old: OldRows, countOnly: boolean): Promise<TakeSlice> {
  const { table, age, before, where = 'true', values = [] } = old;
  const { rows } = await database.query<{ blocks: number; ranges: boolean }>(
    `SELECT (pg_relation_size($1::regclass) / current_setting('block_size')::int)::float8 AS blocks,
            current_setting('server_version_num')::int >= 140000 AS ranges`,
    [table],
  );
  const { blocks, ranges } = rows[0]!;
  const isOld = before === undefined ? 'true' : `t.${age} < $${values.length + 1}::timestamp`;
  const goes = `${isOld} AND (${where})`;
  let from = 0;
  return async (tx, rowsMax) => {
    const to = ranges ? Math.min(from + Math.max(1, Math.floor(rowsMax / rowsPerBlock)), blocks) : blocks;
    await planByIndex(tx);
    const answer = await tx.query<{ found: number }>(
      `WITH page AS MATERIALIZED (
         SELECT t.ctid AS place, t.${age} AS age, true AS goes FROM ${table} AS t
          WHERE t.ctid >= '(${from},0)'::tid AND t.ctid < '(${to},0)'::tid AND ${goes}),
       ${countOnly ? 'gone AS (SELECT age FROM page)' : deletionOf(old, goes)}
       SELECT count(*)::int AS found FROM gone`,
      [...values, ...(before === undefined ? [] : [before])],
    );
    from = to;
    return { found: answer.rows[0]!.found, last: to >= blocks };
  };
}

/** The rest of the WITH clause. The condition again: a row that somebody changed meanwhile is judged by what it is now. */
function deletionOf({ table, age, companions = [] }: OldRows, where: string): string {
  const columns = new Set([age, ...companions.flatMap(({ key }) => key)]);
  const returned = [...columns].map((column) => `t.${column}${column === age ? ' AS age' : ''}`);
  const deletion = `gone AS (
         DELETE FROM ${table} AS t WHERE t.ctid = ANY(ARRAY(SELECT place FROM page WHERE goes)) AND ${where} RETURNING ${returned.join(', ')})`;
  const others = companions.map(({ table: other, key }, index) => {
    const same = key.map((column) => `c.${column} = g.${column === age ? 'age' : column}`);
    return `companion_${index} AS (DELETE FROM ${other} AS c USING gone AS g WHERE ${same.join(' AND ')})`;
  });
  return [deletion, ...others].join(',\n       ');
}

/** Where the server has no statistics yet, it would rather read and sort a table than follow the index for a few rows. Ends with the slice. */
async function planByIndex(tx: Connection): Promise<void> {
  await tx.query(
    `SELECT set_config(name, 'off', true) FROM unnest(ARRAY['enable_seqscan', 'enable_bitmapscan', 'enable_sort']) AS name`,
  );
}
