/**
 * Reads a message as the notifications backend does, with the strictest rules that any reader of the topic is known to apply. Written from
 * consumers.md 1.2 to 1.7 and apart from the producer's own check on purpose: a mistake in one must not hide in the other.
 */
import { isJsonObject, type JsonObject } from '../../../encoding/json-text.ts';

export interface Action {
  readonly id: string | undefined;
  readonly bundle: string;
  readonly application: string;
  readonly eventType: string;
  /** Milliseconds since 1970; without a zone it is UTC. */
  readonly timestampMs: number;
  readonly orgId: string;
  readonly context: JsonObject;
  readonly payloads: readonly JsonObject[];
}

/** What the backend would drop; the text says why. */
export class RefusedMessage extends Error {}

const namePattern = /^[a-z][a-z_0-9-]*$/;
const anyUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const isoDateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?$/;
const severities = ['CRITICAL', 'IMPORTANT', 'MODERATE', 'LOW', 'NONE', 'UNDEFINED'];

/** Throws `RefusedMessage`. */
export function readAction(text: string): Action {
  const message = objectOf(parse(text), 'the message');
  const name = (member: string) => {
    const value = message[member];
    if (typeof value !== 'string' || !namePattern.test(value)) throw new RefusedMessage(`${member} is no name`);
    return value;
  };
  const { id, timestamp, org_id: orgId, account_id: accountId, severity, events } = message;
  if (id !== undefined && (typeof id !== 'string' || !anyUuid.test(id))) throw new RefusedMessage('id is no UUID');
  const timestampMs = readTime(timestamp, 'timestamp');
  if (typeof orgId !== 'string' || !/^[1-9]\d{0,49}$/.test(orgId))
    throw new RefusedMessage('org_id is no positive number');
  if (accountId !== undefined && (typeof accountId !== 'string' || !/^\d{1,50}$/.test(accountId)))
    throw new RefusedMessage('account_id is no number');
  if (severity !== undefined && !severities.includes(String(severity).toUpperCase()))
    throw new RefusedMessage('severity is not one of the known ones');
  if (!Array.isArray(events) || events.length === 0) throw new RefusedMessage('events is no list with an event');
  const payloads = events.map((event: unknown, index) => {
    const { metadata, payload } = objectOf(event, `events[${index}]`);
    objectOf(metadata, `events[${index}].metadata`);
    const read = objectOf(payload, `events[${index}].payload`);
    if (Object.keys(read).length === 0) throw new RefusedMessage(`events[${index}].payload is empty`);
    return read;
  });
  return {
    id,
    bundle: name('bundle'),
    application: name('application'),
    eventType: name('event_type'),
    timestampMs,
    orgId,
    context: objectOf(message['context'], 'context'),
    payloads,
  };
}

/** `ISO_DATE_TIME`; throws `RefusedMessage`. */
export function readTime(value: unknown, name: string): number {
  const text = typeof value === 'string' && isoDateTime.test(value) ? value : '';
  const ms = Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`);
  if (Number.isNaN(ms)) throw new RefusedMessage(`${name} is no ISO date and time`);
  return ms;
}

function objectOf(value: unknown, name: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw new RefusedMessage(`${name} is no object`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RefusedMessage('it is no JSON');
  }
}
