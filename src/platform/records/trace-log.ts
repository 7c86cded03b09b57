/**
 * Table `ccx.trace`: what happened to each request, as the services tell it. Written by the payload tracker (from the status topic) and,
 * inside the transactions of their own effects, by the notification writer and the notification service; read by `ccx trace` and by
 * ingress's `/track`. Telling the same event twice is telling it once, so that redelivered work needs no care.
 * The tables come from `migrateCcx(database, 'trace')`, which every caller runs at start.
 */
import { storedRequestId } from '../../contracts/identifiers.ts';
import { TABLE_TRACE } from '../../contracts/tables.ts';
import type { TraceEvent } from '../../contracts/trace-event.ts';
import { cutUtf8 } from '../../encoding/cut-utf8.ts';
import { parseRfc3339 } from '../../encoding/rfc3339.ts';
import { smallintArray, textArray, timestampArray } from '../database/binary-arrays.ts';
import type { Database, Queryable } from '../database/database.ts';
import { deleteOldRows } from '../database/delete-old-rows.ts';

/** Service, status, organization and the like; part of an index key. */
const traceWordBytesMax = 255;
/** Error texts and other explanations, for people. */
export const traceDetailBytesMax = 2048;
/** A request has a few dozen events; a thousand of them is somebody who sends everything under one id. */
export const traceReadRowsMax = 1000;

/** An event as it was read back. */
export interface RecordedTraceEvent extends TraceEvent {
  /** Grows with every row. */
  readonly id: bigint;
  /** When the table took it: RFC 3339, UTC. */
  readonly recordedAt: string;
}

const insertText = `
  INSERT INTO ${TABLE_TRACE} (request_id, service, status, happened_at, hop, detail, org_id, account, cluster, source, inventory_id, system_id)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamp[], $5::smallint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
  ON CONFLICT DO NOTHING`;

/**
 * Stores events in one round trip, in the caller's transaction if it has one. Texts are made fit for the table, so that no event can
 * fail the transaction it rides in; an event without a request id or a readable time is left out.
 */
export async function recordTraceEvents(queryable: Queryable, events: readonly TraceEvent[]): Promise<void> {
  const rows: { readonly event: TraceEvent; readonly micros: bigint }[] = [];
  for (const event of events) {
    const micros = parseRfc3339(event.at)?.micros;
    if (event.requestId !== '' && micros !== undefined && isStorable(micros)) rows.push({ event, micros });
  }
  if (rows.length === 0) return;
  // In order of the key: two processes that tell overlapping batches then wait for each other in one direction only.
  rows.sort((left, right) => compare(left.event, right.event));
  const word = (value: (event: TraceEvent) => string | undefined, bytesMax = traceWordBytesMax) =>
    textArray(rows.map(({ event }) => storableText(value(event), bytesMax)));
  await queryable.query(insertText, [
    textArray(rows.map(({ event }) => storedRequestId(event.requestId))),
    word((event) => event.service),
    word((event) => event.status),
    timestampArray(rows.map(({ micros }) => micros)),
    smallintArray(rows.map(({ event }) => event.hop)),
    word((event) => event.detail, traceDetailBytesMax),
    word((event) => event.orgId),
    word((event) => event.account),
    word((event) => event.cluster),
    word((event) => event.source),
    word((event) => event.inventoryId),
    word((event) => event.systemId),
  ]);
}

/**
 * What is known of a request, oldest first. An id that is a UUID is found in both spellings, with hyphens and without, because the
 * operator, people and ingress write it differently. At most `traceReadRowsMax` events, the oldest ones.
 */
export async function readTrace(queryable: Queryable, requestId: string): Promise<readonly RecordedTraceEvent[]> {
  const { rows } = await queryable.query(
    `SELECT id, request_id AS "requestId", service, status, ${rfc3339Of('happened_at')} AS at, hop, detail, org_id AS "orgId", account, cluster,
            source, inventory_id AS "inventoryId", system_id AS "systemId", ${rfc3339Of('recorded_at')} AS "recordedAt"
       FROM ${TABLE_TRACE} WHERE request_id = ANY($1::text[]) ORDER BY happened_at, hop, id LIMIT ${traceReadRowsMax}`,
    [textArray(spellings(requestId))],
  );
  const present = (row: object) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
  return rows.map((row) => present(row) as unknown as RecordedTraceEvent);
}

const uuidForms = /^(?:urn:uuid:|\{)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/i;

function spellings(requestId: string): string[] {
  const given = storedRequestId(requestId);
  const groups = uuidForms
    .exec(requestId)
    ?.slice(1)
    .map((group) => group.toLowerCase());
  return groups === undefined ? [given] : [...new Set([given, groups.join(''), groups.join('-')])];
}

/** SQL text: PostgreSQL's own of a timestamp in UTC is `2026-11-21 16:15:49.824983`. */
function rfc3339Of(column: string): string {
  return `replace(${column}::text, ' ', 'T') || 'Z'`;
}

/** The server's timestamps begin in 4713 BC, but years outside 1 … 9999 have no RFC 3339 text. */
const firstMicros = -62_135_596_800_000_000n;
const lastMicros = 253_402_300_799_999_999n;

function isStorable(micros: bigint): boolean {
  return micros >= firstMicros && micros <= lastMicros;
}

/** PostgreSQL's texts cannot hold NUL; keys of an index have a limit. */
function storableText(text: string | undefined, bytesMax: number): string | undefined {
  if (text === undefined) return undefined;
  return cutUtf8(text.toWellFormed().replaceAll('\0', '\ufffd'), bytesMax);
}

function compare(left: TraceEvent, right: TraceEvent): number {
  if (left.requestId !== right.requestId) return left.requestId < right.requestId ? -1 : 1;
  return left.at < right.at ? -1 : left.at === right.at ? 0 : 1;
}

/**
 * Keeps `ccx.trace` within its bounds of age and number, oldest events first. Run by the payload tracker every few minutes; several
 * at once do no harm. Age is judged by the database's clock and by when an event was recorded, not by when somebody says it happened.
 * The signal stops it between two statements. Resolves to the number of events removed.
 */
export async function pruneTrace(
  database: Database,
  bounds: { readonly ageMs: number; readonly rowsMax: number; readonly signal?: AbortSignal },
): Promise<number> {
  const events = { table: TABLE_TRACE, age: 'recorded_at', through: 'index' } as const;
  const { rows } = await database.query<{ before: string }>(
    `SELECT ((clock_timestamp() AT TIME ZONE 'UTC') - $1 * interval '1 millisecond')::text AS before`,
    [bounds.ageMs],
  );
  const old = await deleteOldRows(database, { ...events, before: rows[0]!.before }, bounds);
  const surplus = (await estimateRows(database)) - old - bounds.rowsMax;
  return surplus <= 0 ? old : old + (await deleteOldRows(database, { ...events, rowsMax: surplus }, bounds));
}

/** The server's own running count, which lags by about a second: counting millions of rows every few minutes would cost more than it tells. */
async function estimateRows(queryable: Queryable): Promise<number> {
  const { rows } = await queryable.query<{ rows: bigint }>(
    'SELECT n_live_tup AS rows FROM pg_stat_all_tables WHERE relid = $1::regclass',
    [TABLE_TRACE],
  );
  return Number(rows[0]?.rows ?? 0n);
}
