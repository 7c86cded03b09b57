/**
 * What the two stand-in receivers got, as they kept it in an installation's folder: every message in order of arrival, repetitions included,
 * told by what its own links say it is about. Read by `evidence.ts`.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReceivedNotification } from '../../src/all-in-one/stand-ins/notification-backend/fake-notification-backend.ts';
import type { StoredEntry } from '../../src/all-in-one/stand-ins/service-log/stored-entry.ts';
import { parseNotificationMessage } from '../../src/contracts/notification-message.ts';
import { parseServiceLogEntry } from '../../src/contracts/service-log-entry.ts';
import { TARGET_NOTIFICATIONS_BACKEND, TARGET_SERVICE_LOG } from '../../src/contracts/tables.ts';
import { HEADER_MESSAGE_ID } from '../../src/contracts/topics.ts';
import { type BusRecord, headerText } from '../../src/platform/bus/bus.ts';

export interface WireMessage {
  readonly target: number;
  readonly id: string;
  readonly cluster: string;
  /** Error keys, as its links name them. */
  readonly issues: readonly string[];
  readonly body: string;
}

export interface Received {
  /** Every message that reached a stand-in. */
  readonly wire: readonly WireMessage[];
  /** What a stand-in would not take, or a reader of its messages stumbles over. */
  readonly refused: readonly string[];
}

/** What lies on the topic of the notification backend, as its readers see it. */
export function readNotifications(records: readonly BusRecord[]): Received {
  const bodies = records.map((record) => ({
    id: headerText(record, HEADER_MESSAGE_ID) ?? '',
    body: String(record.value),
  }));
  const parsed = bodies.map(parseNotification);
  return { wire: parsed.flatMap(({ wire }) => wire), refused: parsed.flatMap(({ refused }) => refused) };
}

export async function readReceived(folder: string): Promise<Received> {
  const backend = readBackend(await readLines<ReceivedNotification>(folder, 'notification-backend.jsonl'));
  const serviceLog = readServiceLog(await readLines<StoredEntry>(folder, 'service-log.jsonl'));
  return { wire: [...backend.wire, ...serviceLog.wire], refused: [...backend.refused, ...serviceLog.refused] };
}

async function readLines<T>(folder: string, name: string): Promise<T[]> {
  const text = await readFile(join(folder, 'receivers', name), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

function readBackend(received: readonly ReceivedNotification[]): Received {
  const wire: WireMessage[] = [];
  const refused: string[] = [];
  for (const { id = '', outcome, note, body } of received) {
    if (outcome === 'refused' || note !== undefined) refused.push(`notification ${id}: ${outcome}, ${note}`);
    const parsed = parseNotification({ id, body });
    wire.push(...parsed.wire);
    refused.push(...parsed.refused);
  }
  return { wire, refused };
}

function parseNotification({ id, body }: { readonly id: string; readonly body: string }): Received {
  try {
    const message = parseNotificationMessage(body);
    const issues = message.events.map(({ payload }) => payload.rule_url.split('/').at(-1)!);
    const cluster = message.context.display_name;
    return { wire: [{ target: TARGET_NOTIFICATIONS_BACKEND, id, cluster, issues, body }], refused: [] };
  } catch (error) {
    return { wire: [], refused: [`notification ${id}: ${String(error)}`] };
  }
}

export function readServiceLog(entries: readonly StoredEntry[]): Received {
  const wire: WireMessage[] = [];
  const refused: string[] = [];
  for (const entry of entries) {
    const { event_stream_id: id, cluster_uuid: cluster, description } = entry;
    const issue = /\|([A-Z0-9_]+)\)\.?$/.exec(description)?.[1];
    if (issue === undefined) refused.push(`entry ${id} does not say what it is about: ${description}`);
    wire.push({
      target: TARGET_SERVICE_LOG,
      id,
      cluster,
      issues: issue === undefined ? [] : [issue],
      body: description,
    });
    try {
      parseServiceLogEntry(JSON.stringify(postedPart(entry)));
    } catch (error) {
      refused.push(`entry ${id}: ${String(error)}`);
    }
  }
  return { wire, refused };
}

/** The members that the service posts; the others are the server's. */
const postedMembers = [
  'cluster_uuid',
  'description',
  'service_name',
  'severity',
  'summary',
  'created_by',
  'username',
  'event_stream_id',
] as const;

function postedPart(entry: StoredEntry): Readonly<Record<string, unknown>> {
  return Object.fromEntries(postedMembers.map((name) => [name, entry[name]]));
}
