/**
 * Table `ccx.trace`: what happened to each request, as the services tell it. Written by the payload tracker (from the status topic) and,
 * inside the transactions of their own effects, by the notification writer and the notification service; read by `ccx trace` and by
 * ingress's `/track`. Hops 7 and 8 of a report are no rows of their own: they are read from its facts, in `ccx.report_facts`. Telling the same event twice is telling it once, so that redelivered work needs no care.
 * The tables come from `migrateCcx(database, 'trace')`, which every caller runs at start.
 */
import { storedRequestId } from '../../contracts/identifiers.ts';
import { STATUS_SERVICE_WRITER } from '../../contracts/payload-status.ts';
import { TABLE_REPORT_FACTS, TABLE_TRACE } from '../../contracts/tables.ts';
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
  /** Grows with every row; 0 of what is no row of its own. */
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
  const ofReports = (await factsAreTraced(queryable)) ? hopsOfReports : '';
  const { rows } = await queryable.query(
    `SELECT id, request_id AS "requestId", service, status, ${rfc3339Of('happened_at')} AS at, hop, detail, org_id AS "orgId", account, cluster,
            source, inventory_id AS "inventoryId", system_id AS "systemId", ${rfc3339Of('recorded_at')} AS "recordedAt"
       FROM (SELECT * FROM (SELECT id, ${traceColumns} FROM ${TABLE_TRACE} WHERE request_id = ANY($1::text[])
                             ORDER BY happened_at, hop, id LIMIT ${traceReadRowsMax}) AS told ${ofReports}) AS events
      ORDER BY happened_at, hop, id LIMIT ${traceReadRowsMax}`,
    [textArray(requestIdSpellings(requestId))],
  );
  const present = (row: object) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
  return rows.map((row) => present(row) as unknown as RecordedTraceEvent);
}

const traceColumns =
  'request_id, service, status, happened_at, hop, detail, org_id, account, cluster, source, inventory_id, system_id, recorded_at';

/** In the order of the columns above, behind `id`. What an earlier release stored has rows of its own, and no `stored_at`. */
const hopsOfReports = `
  UNION ALL
  (SELECT 0::bigint, f.request_id, '${STATUS_SERVICE_WRITER}', hops.status, hops.happened_at, hops.hop::smallint, hops.detail, f.org_id::text,
          NULL, rtrim(f.cluster), NULL, NULL, NULL, f.stored_at
     FROM ${TABLE_REPORT_FACTS} AS f,
          LATERAL (VALUES ('report-parsed', 7, f.updated_at, NULL),
                          ('report-stored', 8, f.stored_at, 'updated_at ' || f.updated_at::text)) AS hops (status, hop, happened_at, detail)
    WHERE f.request_id = ANY($1::text[]) AND f.request_id <> '' AND f.stored_at IS NOT NULL
    ORDER BY hops.happened_at LIMIT ${traceReadRowsMax})`;

/** A tracker may have a database of its own, or a role that may not read what is said of reports; an earlier release made the table without them. */
async function factsAreTraced(queryable: Queryable): Promise<boolean> {
  const { rows } = await queryable.query<{ traced: boolean }>(
    `SELECT EXISTS (
       SELECT FROM pg_namespace AS n JOIN pg_class AS c ON c.relnamespace = n.oid
         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'stored_at'
        WHERE n.nspname || '.' || c.relname = $1 AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')) AS traced`,
    [TABLE_REPORT_FACTS],
  );
  return rows[0]!.traced;
}

const uuidForms = /^(?:urn:uuid:|\{)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/i;

/** How an id is kept that is asked for: a UUID with hyphens and without. */
export function requestIdSpellings(requestId: string): string[] {
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
