/**
 * Table `ccx.roles`: which roles run where, in which version and how they are. Every role that has a database keeps its row up, from
 * `openRole` or from the all-in-one process; read by `ccx roles`. Nothing goes by it, so nothing depends on it: a database that is away or
 * a right that is missing costs the role one line of the log, and it tries again.
 */
import { hostname } from 'node:os';
import { TABLE_ROLES } from '../../contracts/tables.ts';
import { CcxError, errorFields } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';
import { within } from '../clock/deadline.ts';
import { migrateCcx } from '../database/ccx-migrations.ts';
import type { Connection, Database, Queryable } from '../database/database.ts';
import { deleteOldRows } from '../database/delete-old-rows.ts';
import { storableJson } from '../database/storable-json.ts';
import { readinessMsMax } from '../lifecycle/health.ts';
import type { Readiness, RunningService } from '../lifecycle/lifecycle.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { tableIsKept } from './report-facts.ts';

const recordEveryMs = 10_000;
/** Three records in a row are missing. */
export const staleAfterMs = 30_000;
const recordsKept = '7 days';
const pruneEveryMs = 3_600_000;
/** One record; a connection that does not answer is thrown away with it. */
const writeMsMax = 5_000;
/** Of the last record, before the process ends. */
const lastWriteMsMax = 1_000;
/** Of `state`, as JSON. */
const stateBytesMax = 64 * 1024;

interface RoleRecordOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Telemetry['log'];
  /** As on the command line: `writer`. */
  readonly role: string;
  readonly version: string;
  /** Settings in force, secrets masked. */
  readonly settings: readonly { readonly key: string; readonly value: string; readonly origin: string }[];
  /** Of the configuration. */
  readonly warnings: readonly string[];
  readonly service: Pick<RunningService, 'readiness' | 'state'>;
}

/** Writes the row now and every 10 seconds. Answers with its stop function, after which the row says that the role was stopped. Neither rejects; it may be called twice. */
export function keepRoleRecord(options: RoleRecordOptions): () => Promise<void> {
  const { database, clock, log } = options;
  const startedMs = clock.monotonicMs();
  const instance = clock.uuid();
  let isMigrated = false;
  let isTroubled = false;
  let isKept = false;
  let written = '';
  let prunedMs = Number.NEGATIVE_INFINITY;

  async function write(): Promise<void> {
    const state = stateText(await describeState(options));
    if (!isMigrated) await migrateCcx(database, 'records');
    isMigrated = true;
    const row = { ...options, instance, ageMs: clock.monotonicMs() - startedMs, state };
    // In a transaction a connection that does not answer is thrown away. What did not change is not written again.
    await database.transaction((tx) =>
      within(store(tx, row, state !== written), { clock, ms: writeMsMax }, () => {
        throw new CcxError(`no answer within ${writeMsMax} ms`, { code: 'ROLE_RECORD_LATE', category: 'connection' });
      }),
    );
    written = state;
    isKept = true;
    if (clock.monotonicMs() - prunedMs < pruneEveryMs) return;
    prunedMs = clock.monotonicMs();
    // The others do it where this one may not.
    if (await tableIsKept(database, TABLE_ROLES, 'DELETE')) await pruneRoles(database);
  }

  async function writeOrWarn(): Promise<void> {
    try {
      await write();
      if (isTroubled) log.info('ccx roles shows this process again');
      isTroubled = false;
    } catch (error) {
      isKept = false;
      if (!isTroubled)
        log.warn(
          { ...errorFields(error), hint: error instanceof CcxError ? error.hint : undefined },
          'ccx roles does not show this process, which works all the same; trying again',
        );
      isTroubled = true;
    }
  }

  let writing = writeOrWarn();
  const stopTimer = clock.every(recordEveryMs, () => {
    writing = writing.then(writeOrWarn);
    return writing;
  });
  const end = async () => {
    await writing;
    if (!isKept) return;
    await database.query(
      `UPDATE ${TABLE_ROLES} SET last_seen_at = ${now}, state = state || '{"stopped": true}' WHERE instance = $1`,
      [instance],
    );
  };
  let stopping: Promise<void> | undefined;
  return () => {
    stopTimer();
    stopping ??= within(
      end().catch(() => undefined),
      { clock, ms: lastWriteMsMax },
      () => undefined,
    );
    return stopping;
  };
}

const now = `(clock_timestamp() AT TIME ZONE 'UTC')`;

async function store(
  tx: Connection,
  row: RoleRecordOptions & { readonly instance: string; readonly ageMs: number; readonly state: string },
  isChanged: boolean,
): Promise<void> {
  if (!isChanged) {
    const { rowCount } = await tx.query(`UPDATE ${TABLE_ROLES} SET last_seen_at = ${now} WHERE instance = $1`, [
      row.instance,
    ]);
    if (rowCount > 0) return;
  }
  await tx.query(
    `INSERT INTO ${TABLE_ROLES} (instance, role, version, host, pid, started_at, last_seen_at, state)
     VALUES ($1, $2, $3, $4, $5, ${now} - $6 * interval '1 millisecond', ${now}, $7::jsonb)
     ON CONFLICT (instance) DO UPDATE SET last_seen_at = excluded.last_seen_at, state = excluded.state`,
    [row.instance, row.role, row.version, hostname(), process.pid, Math.round(row.ageMs), row.state],
  );
}

async function describeState(options: RoleRecordOptions): Promise<Record<string, unknown>> {
  const { service, clock, settings, warnings } = options;
  const ask = <T>(answer: Promise<T>, otherwise: T) =>
    within(
      answer.catch(() => otherwise),
      { clock, ms: readinessMsMax },
      () => otherwise,
    );
  const [readiness, own] = await Promise.all([
    ask<Readiness>(service.readiness(), { ready: false, reasons: ['readiness: no answer'] }),
    ask(service.state?.() ?? Promise.resolve({}), {}),
  ]);
  return { ...own, ...readiness, warnings, settings };
}

/** JSON within the limit: of what is too large the largest parts are left out, and their sizes are said. */
function stateText(state: Record<string, unknown>): string {
  const parts = Object.entries(state)
    .map(([key, value]) => ({ key, text: storableJson(value) }))
    .toSorted((left, right) => Buffer.byteLength(right.text) - Buffer.byteLength(left.text));
  const kept: Record<string, string> = Object.fromEntries(parts.map(({ key, text }) => [key, text]));
  const whole = () => `{${Object.entries(kept).map(([key, text]) => `${JSON.stringify(key)}:${text}`)}}`;
  for (const { key, text } of parts) {
    if (Buffer.byteLength(whole()) <= stateBytesMax) break;
    kept[key] = JSON.stringify({ leftOut: `${Buffer.byteLength(text)} bytes` });
  }
  return whole();
}

/** Resolves to the number of rows that went. */
export async function pruneRoles(database: Database): Promise<number> {
  const where = `t.last_seen_at < ${now} - interval '${recordsKept}'`;
  return await deleteOldRows(database, { table: TABLE_ROLES, age: 'last_seen_at', through: 'blocks', where });
}

/** As it was read back. */
export interface RoleRecord {
  readonly instance: string;
  readonly role: string;
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  /** RFC 3339, UTC. */
  readonly startedAt: string;
  readonly lastSeenAt: string;
  /** By the clock of the database. */
  readonly unseenSeconds: number;
  readonly state: Readonly<Record<string, unknown>>;
}

/** Those seen last; processes that die at once and again may leave many. */
const readRowsMax = 1_000;

/** By role, newest start first. Code `ROLES_NO_TABLE` where nothing of ours has run. */
export async function readRoles(queryable: Queryable): Promise<RoleRecord[]> {
  if (!(await tableIsKept(queryable, TABLE_ROLES, 'SELECT'))) {
    throw new CcxError(`there is no table ${TABLE_ROLES} in this database, or no right to read it`, {
      code: 'ROLES_NO_TABLE',
      category: 'storage',
      hint: 'name the right database with --database or --data; ccx db init makes the table, ccx db grants prints the rights',
    });
  }
  const { rows } = await queryable.query<RoleRecord>(
    `SELECT instance, role, version, host, pid, replace(started_at::text, ' ', 'T') || 'Z' AS "startedAt",
            replace(last_seen_at::text, ' ', 'T') || 'Z' AS "lastSeenAt",
            extract(epoch FROM ${now} - last_seen_at)::float8 AS "unseenSeconds", state
       FROM (SELECT * FROM ${TABLE_ROLES} ORDER BY last_seen_at DESC LIMIT ${readRowsMax}) AS seen
      ORDER BY role, started_at DESC, instance`,
  );
  return rows;
}
