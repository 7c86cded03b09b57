/**
 * A Service Log entry as the stand-in keeps and answers it: the posted members checked and completed with the server's own.
 * Source: consumers.md 2.2, 2.6.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import { isJsonObject, type JsonObject } from '../../../encoding/json-text.ts';
import type { Clock } from '../../../platform/clock/clock.ts';

/** Service Log's own limits, as the reference's constants give them; bytes, the stricter reading. */
const summaryBytesMax = 255;
const descriptionBytesMax = 4000;

export const SERVICE_LOG_ROOT = '/api/service_logs/v1';

const severities = ['Debug', 'Info', 'Warning', 'Major', 'Critical', 'Low', 'Moderate', 'Important', 'Error', 'Fatal'];
const texts = [
  'cluster_uuid',
  'cluster_id',
  'subscription_id',
  'service_name',
  'severity',
  'log_type',
  'summary',
  'description',
  'username',
  'created_by',
  'event_stream_id',
  'timestamp',
] as const;

/** In the answer the members are in the order in which `storeEntry` writes them. */
export interface StoredEntry extends Readonly<Record<(typeof texts)[number], string>> {
  readonly id: string;
  readonly kind: 'ClusterLog';
  readonly href: string;
  readonly internal_only: boolean;
  readonly doc_references: readonly string[];
  /** Microseconds, UTC. */
  readonly created_at: string;
  readonly email: string;
}

export const SEARCH_COLUMNS: ReadonlySet<string> = new Set([...texts, 'id', 'internal_only', 'created_at']);

/** What a file holds may be anything. */
export function isStoredEntry(document: unknown): boolean {
  if (!isJsonObject(document)) return false;
  const isText = (name: string) => typeof document[name] === 'string';
  return ['id', 'created_at', ...texts].every(isText) && typeof document['internal_only'] === 'boolean';
}

interface StoreEntryOptions {
  readonly clock: Clock;
  /** Who authenticated, if the token tells. */
  readonly authenticatedAs: string | undefined;
  /** A server that does not take the client's stream id, to try the look-up by content. */
  readonly dropEventStreamId: boolean;
}

/** A posted body → the entry. Throws `ENTRY_INVALID` whose message names the member, as the real server's 400 does. */
export function storeEntry(body: unknown, options: StoreEntryOptions): StoredEntry {
  const posted = checkPosted(body);
  const text = (name: (typeof texts)[number], otherwise = '') => String(posted[name] ?? otherwise);
  const id = createKsuid(options.clock);
  const createdAt = microsecondTime(options.clock);
  const streamId = options.dropEventStreamId ? '' : text('event_stream_id');
  const references = posted['doc_references'];
  return {
    id,
    kind: 'ClusterLog',
    href: `${SERVICE_LOG_ROOT}/cluster_logs/${id}`,
    cluster_uuid: text('cluster_uuid'),
    cluster_id: text('cluster_id'),
    subscription_id: text('subscription_id'),
    service_name: text('service_name'),
    severity: text('severity') || 'Info',
    log_type: text('log_type') || 'General Notification',
    summary: text('summary'),
    description: text('description'),
    username: text('username'),
    created_by: options.authenticatedAs ?? text('created_by'),
    internal_only: posted['internal_only'] === true,
    event_stream_id: streamId === '' ? createKsuid(options.clock) : streamId,
    doc_references: Array.isArray(references) ? references.map(String) : [],
    timestamp: text('timestamp') || createdAt,
    created_at: createdAt,
    email: '',
  };
}

function checkPosted(body: unknown): JsonObject {
  if (!isJsonObject(body)) throw invalid('the body must be a JSON object');
  for (const name of texts) {
    const value = body[name];
    if (value !== undefined && value !== null && typeof value !== 'string') throw invalid(`${name} must be a text`);
  }
  for (const name of ['service_name', 'summary'] as const) if (!body[name]) throw invalid(`${name} is required`);
  if (!body['cluster_uuid'] && !body['cluster_id']) throw invalid('cluster_uuid or cluster_id is required');
  const tooLong = (name: 'summary' | 'description', bytesMax: number) => {
    if (Buffer.byteLength(String(body[name] ?? '')) > bytesMax) throw invalid(`${name} is longer than ${bytesMax}`);
  };
  tooLong('summary', summaryBytesMax);
  tooLong('description', descriptionBytesMax);
  if (texts.some((name) => String(body[name] ?? '').includes('\0'))) throw invalid('a text holds a NUL character');
  const severity = body['severity'];
  if (severity && !severities.includes(String(severity))) throw invalid('severity is not one of the known ones');
  const internal = body['internal_only'];
  if (internal !== undefined && internal !== null && typeof internal !== 'boolean')
    throw invalid('internal_only must be true or false');
  const timestamp = body['timestamp'];
  if (timestamp && Number.isNaN(Date.parse(String(timestamp)))) throw invalid('timestamp is not a time');
  return body;
}

function microsecondTime(clock: Clock): string {
  const micros = clock.nowMicros();
  const iso = new Date(Number(micros / 1000n)).toISOString();
  return `${iso.slice(0, -1)}${String(micros % 1000n).padStart(3, '0')}Z`;
}

function invalid(message: string): CcxError {
  return new CcxError(message, { code: 'ENTRY_INVALID', category: 'input' });
}

const ksuidAlphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Seconds since 1970 at which KSUID time begins. */
const ksuidEpochSeconds = 1_400_000_000;
const ksuidLength = 27;

/** In the form that Service Log gives its ids: 27 characters, base 62, sortable by the second; 32 bits of time, then 128 from a UUID. */
export function createKsuid(clock: Clock): string {
  const seconds = BigInt(Math.floor(clock.now().getTime() / 1000) - ksuidEpochSeconds);
  let value = (seconds << 128n) | BigInt(`0x${clock.uuid().replaceAll('-', '')}`);
  let text = '';
  for (let i = 0; i < ksuidLength; i += 1) {
    text = ksuidAlphabet[Number(value % 62n)] + text;
    value /= 62n;
  }
  return text;
}
