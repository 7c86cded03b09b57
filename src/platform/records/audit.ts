/**
 * Table `ccx.audit`: what people changed. Whoever changes something for a person, a command, the read API or the console, writes a row here
 * in the transaction of the change, so that neither is there without the other; machines that do their work write none. The table is in set
 * `records` of our migrations, which those commands bring up before they change anything. Read by `ccx audit list`.
 */
import { hostname, userInfo } from 'node:os';
import type { Command } from 'commander';
import { TABLE_AUDIT } from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { cutUtf8 } from '../../encoding/cut-utf8.ts';
import type { Connection, Database, Queryable } from '../database/database.ts';
import { sqlState } from '../database/database-error.ts';
import { deleteOldRows } from '../database/delete-old-rows.ts';
import { storableJson } from '../database/storable-json.ts';
import { tableIsKept } from './report-facts.ts';

/** Long enough for a question about last year. */
const auditKept = '400 days';
/** Names, addresses, actions, subjects. */
const auditWordBytesMax = 1_024;
const auditReasonBytesMax = 4_096;
/** Of `before` and of `after`; what is larger is left out, and its size is said. */
const auditValueBytesMax = 64 * 1024;
/** What one statement writes. */
const entriesAtOnceMax = 1_000;

/** Who changes something, from where, and why. */
export interface ByWhom {
  readonly actor: string;
  /** `command line on HOST`, or the address that a request came from. */
  readonly origin: string;
  readonly reason?: string | undefined;
}

export interface AuditEntry extends ByWhom {
  /** In the words of its command: `clusters move`. */
  readonly action: string;
  /** The UUID of a cluster, `notifications/ID`, `TOPIC/PARTITION/OFFSET`. */
  readonly subject: string;
  /** Anything that JSON holds, without secrets; absent: there was nothing. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/** As it was read back. */
export interface AuditRow {
  /** Grows with every row. */
  readonly id: bigint;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly actor: string;
  readonly origin: string;
  readonly action: string;
  readonly subject: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly reason: string | null;
}

/** `--by` and, where the command has no better word for it, `--reason`. */
export function addAuditOptions(command: Command, { withReason = true } = {}): Command {
  command.option('--by <name>', 'who wants it, for ccx audit list (default: the login name)');
  return withReason ? command.option('--reason <text>', 'why, for ccx audit list') : command;
}

/** Whoever runs this command line. */
export function byWhomOf(command: Command): ByWhom {
  const { by, reason } = command.opts<{ by?: string; reason?: string }>();
  return { actor: by || loginName(), origin: `command line on ${hostname()}`, reason };
}

/** In a container a user may have a number and no name. */
function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

/**
 * Writes what was changed, in the transaction that changes it. Texts and values are made fit for the table, so that no entry can fail the
 * change it belongs to. Rejects where the table is missing or may not be written: then nothing is changed.
 */
export async function recordAudit(tx: Connection, entries: AuditEntry | readonly AuditEntry[]): Promise<void> {
  const rows = [entries].flat().map((entry) => ({
    actor: storable(entry.actor, auditWordBytesMax),
    origin: storable(entry.origin, auditWordBytesMax),
    action: storable(entry.action, auditWordBytesMax),
    subject: storable(entry.subject, auditWordBytesMax),
    before: storableValue(entry.before),
    after: storableValue(entry.after),
    reason: entry.reason === undefined || entry.reason === '' ? null : storable(entry.reason, auditReasonBytesMax),
  }));
  for (let start = 0; start < rows.length; start += entriesAtOnceMax)
    await tx.query(
      `INSERT INTO ${TABLE_AUDIT} (actor, origin, action, subject, before, after, reason)
       SELECT actor, origin, action, subject, before, after, reason
         FROM json_to_recordset($1) AS entry (actor text, origin text, action text, subject text, before jsonb, after jsonb, reason text)`,
      [JSON.stringify(rows.slice(start, start + entriesAtOnceMax))],
    );
}

/** PostgreSQL's texts cannot hold NUL, nor half a character. */
function storable(text: string, bytesMax: number): string {
  return cutUtf8(text.toWellFormed().replaceAll('\0', '\ufffd'), bytesMax);
}

/** Parsed again, because it travels in a document with the other columns. */
function storableValue(value: unknown): unknown {
  const text = storableJson(value);
  const bytes = Buffer.byteLength(text);
  return bytes > auditValueBytesMax ? { leftOut: `${bytes} bytes` } : JSON.parse(text);
}

interface AuditQuery {
  /** RFC 3339, or an interval before now as PostgreSQL reads one: `7 days`. */
  readonly since?: string | undefined;
  /** Part of a subject. */
  readonly subject?: string | undefined;
  readonly rowsMax: number;
}

/** Newest first. Codes: `AUDIT_SINCE` for what is neither a time nor an interval, `AUDIT_NO_TABLE` where nothing of ours has run. */
export async function readAudit(queryable: Queryable, { since, subject, rowsMax }: AuditQuery): Promise<AuditRow[]> {
  if (!(await tableIsKept(queryable, TABLE_AUDIT, 'SELECT'))) {
    throw new CcxError(`there is no table ${TABLE_AUDIT} in this database, or no right to read it`, {
      code: 'AUDIT_NO_TABLE',
      category: 'storage',
      hint: 'name the right database with --database or --data; ccx db init makes the table, ccx db grants prints the rights',
    });
  }
  const { rows } = await queryable.query<AuditRow>(
    `SELECT id, replace(at::text, ' ', 'T') || 'Z' AS at, actor, origin, action, subject, before, after, reason
       FROM ${TABLE_AUDIT}
      WHERE ($1::timestamp IS NULL OR at >= $1::timestamp) AND ($2::text IS NULL OR position($2 IN subject) > 0)
      ORDER BY at DESC, id DESC LIMIT $3`,
    [since === undefined ? null : await momentOf(queryable, since), subject ?? null, rowsMax],
  );
  return rows;
}

/** Resolves to a timestamp in UTC. */
async function momentOf(queryable: Queryable, since: string): Promise<string> {
  const text = since.trim();
  const expression = /^\d{4}-/.test(text)
    ? `$1::timestamptz AT TIME ZONE 'UTC'`
    : `(clock_timestamp() AT TIME ZONE 'UTC') - $1::interval`;
  try {
    const { rows } = await queryable.query<{ at: string }>(`SELECT (${expression})::text AS at`, [text]);
    return rows[0]!.at;
  } catch (cause) {
    if (!(sqlState(cause) ?? '').startsWith('22')) throw cause;
    throw new CcxError(`${JSON.stringify(since)} is neither a time nor an interval`, {
      ...{ code: 'AUDIT_SINCE', category: 'input', cause },
      hint: 'write 2026-11-21, 2026-11-21T16:00:00Z or "7 days"',
    });
  }
}

/** Rows older than 400 days, oldest first, in slices. Called by every retention that runs; 0 where the table is not there or not ours to clean. */
export async function pruneAudit(
  database: Database,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<number> {
  if (!(await tableIsKept(database, TABLE_AUDIT, 'DELETE'))) return 0;
  const before = await momentOf(database, auditKept);
  return await deleteOldRows(database, { table: TABLE_AUDIT, age: 'at', through: 'index', before }, options);
}
