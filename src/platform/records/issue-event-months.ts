/**
 * `ccx.issue_events` by months: a partition for each, made before it begins by whoever owns the table, so that old events go as a whole
 * and no row is ever deleted. Where nobody may, as under roles without the right to create anything, the partition DEFAULT takes all, and
 * old rows are deleted in slices. Called by the notification service at its start and with its retention, and by `ccx db cleanup`.
 */
import { TABLE_ISSUE_EVENTS } from '../../contracts/tables.ts';
import type { Connection, Database } from '../database/database.ts';
import { sqlState } from '../database/database-error.ts';
import { deleteOldRows, type SliceOptions } from '../database/delete-old-rows.ts';

const defaultPartition = `${TABLE_ISSUE_EVENTS}_default`;
/**
 * A partition is added and dropped under locks that others may hold: then it is tried again with the next retention. Whoever comes
 * meanwhile stands behind it.
 */
const lockMsMax = 500;

interface Month {
  /** Of its table, with the schema. */
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/** `offset` months after the one of a moment, UTC. */
function monthOf(micros: bigint, offset: number): Month {
  const date = new Date(Number(micros / 1000n));
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + offset];
  const from = new Date(Date.UTC(year, month, 1)).toISOString().slice(0, 10);
  const to = new Date(Date.UTC(year, month + 1, 1)).toISOString().slice(0, 10);
  return { name: `${TABLE_ISSUE_EVENTS}_${from.slice(0, 7).replace('-', '_')}`, from, to };
}

/**
 * The partitions of this month and the next one, as far as they are missing and this role may make them. Resolves to the names of those
 * that were made. One whose events lie in DEFAULT already, because it could not be made in time, is never made: they stay there.
 */
export async function makeEventMonths(database: Database, nowMicros: bigint): Promise<string[]> {
  const months = [monthOf(nowMicros, 0), monthOf(nowMicros, 1)];
  const { rows } = await database.query<{ may: boolean; missing: readonly string[] }>(
    `SELECT pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(c.relnamespace, 'CREATE') AS may,
            ARRAY(SELECT name FROM unnest($2::text[]) AS name WHERE to_regclass(name) IS NULL) AS missing
       FROM pg_class AS c WHERE c.oid = to_regclass($1)`,
    [TABLE_ISSUE_EVENTS, months.map(({ name }) => name)],
  );
  const made: string[] = [];
  if (rows[0]?.may !== true) return made;
  for (const month of months.filter(({ name }) => rows[0]!.missing.includes(name))) {
    if (await liesInDefault(database, month)) continue;
    const done = await unlessInTheWay(() => database.transaction((tx) => makeMonth(tx, month)));
    if (done) made.push(month.name);
  }
  return made;
}

/** Asked before: a try would keep everybody from DEFAULT while the server looks through it, at every retention again. */
async function liesInDefault(database: Database, { from, to }: Month): Promise<boolean> {
  const { rowCount } = await database.query(
    `SELECT FROM ${defaultPartition} WHERE at >= $1::timestamp AND at < $2::timestamp LIMIT 1`,
    [from, to],
  );
  return rowCount > 0;
}

/** Made beside the table and then attached: that takes a lock which lets others read and write. */
async function makeMonth(tx: Connection, { name, from, to }: Month): Promise<void> {
  await tx.query(`SET LOCAL lock_timeout = ${lockMsMax}`);
  await tx.query(`CREATE TABLE ${name} (LIKE ${TABLE_ISSUE_EVENTS} INCLUDING ALL)`);
  await tx.query(
    `ALTER TABLE ${TABLE_ISSUE_EVENTS} ATTACH PARTITION ${name} FOR VALUES FROM ('${from} 00:00:00') TO ('${to} 00:00:00')`,
  );
}

/** Somebody else was faster, holds a lock or has taken the right away; events of the month are in DEFAULT. */
const inTheWay = ['42P07', '23505', '55P03', '40P01', '42501', '23514', '42P17'];

/** Resolves to false where the database says that it cannot be done now. */
async function unlessInTheWay(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (inTheWay.includes(sqlState(error) ?? '')) return false;
    throw error;
  }
}

interface Partition {
  readonly name: string;
  readonly owned: boolean;
  readonly deletable: boolean;
}

/**
 * Events of before a moment: months that ended before it as a whole where this role owns them, the others, and DEFAULT, in slices. A month
 * that somebody else owns and that this role may not delete from is that role's to drop. Resolves to how many events went, or would.
 */
export async function deleteOldEvents(database: Database, before: string, options: SliceOptions = {}): Promise<number> {
  const { rows } = await database.query<Partition>(
    `SELECT n.nspname || '.' || c.relname AS name, pg_has_role(c.relowner, 'USAGE') AS owned,
            has_table_privilege(c.oid, 'DELETE') AS deletable
       FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE i.inhparent = to_regclass($1) ORDER BY c.relname`,
    [TABLE_ISSUE_EVENTS],
  );
  let deleted = 0;
  for (const { name, owned, deletable } of rows) {
    if (options.signal?.aborted === true) break;
    const end = endOf(name);
    if (end === undefined && name !== defaultPartition) continue;
    if (end !== undefined && end > before) continue;
    if (end !== undefined && owned) {
      const count = await countRows(database, name);
      const dropped = options.countOnly === true || (await unlessInTheWay(() => dropMonth(database, name)));
      if (dropped) deleted += count;
    } else if (deletable) {
      const through = name === defaultPartition ? 'index' : 'blocks';
      deleted += await deleteOldRows(database, { table: name, age: 'at', through, before }, options);
    }
  }
  return deleted;
}

/** Undefined where it is no month's. */
function endOf(name: string): string | undefined {
  const match = /_(\d{4})_(\d\d)$/.exec(name);
  if (match === null) return undefined;
  const begin = BigInt(Date.UTC(Number(match[1]), Number(match[2]) - 1, 1)) * 1000n;
  return `${monthOf(begin, 1).from} 00:00:00`;
}

async function countRows(database: Database, table: string): Promise<number> {
  const { rows } = await database.query<{ count: number }>(`SELECT count(*)::float8 AS count FROM ${table}`);
  return rows[0]!.count;
}

async function dropMonth(database: Database, name: string): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query(`SET LOCAL lock_timeout = ${lockMsMax}`);
    await tx.query(`DROP TABLE ${name}`);
  });
}
