/** One dead letter as people see it: where it lies, what was wrong with it, what was done about it, and its original bytes. */
import { isUtf8 } from 'node:buffer';
import { type DeadLetterInfo, originalHeadersOf, parseDeadLetterHeaders } from '../../contracts/dead-letter.ts';
import { type BusRecord, headerText, type OutgoingRecord, type Position } from '../../platform/bus/bus.ts';
import type { Database } from '../../platform/database/database.ts';
import type { ByWhom } from '../../platform/records/audit.ts';

export type DeadLetterState = 'open' | 'replayed' | 'discarded';

/** Why it was dead-lettered, where and when (RFC 3339). */
type DeadLetterReason = Pick<DeadLetterInfo, 'code' | 'reason' | 'step' | 'service' | 'time' | 'requestId'>;

export interface DeadLetter {
  /** `topic/partition/offset` or `notifications/id`: what the commands take. */
  readonly id: string;
  readonly state: DeadLetterState;
  /** Absent on dead letters of the reference services, which carry the value only. */
  readonly info: DeadLetterReason | undefined;
  /** What else is known of it, by name, in the order in which it is shown. */
  readonly facts: Readonly<Record<string, string>>;
  /** RFC 3339; when it was dead-lettered. */
  readonly time: string;
  readonly value: Buffer;
}

/** A dead letter on a dead-letter topic. */
export interface TopicDeadLetter extends DeadLetter {
  readonly record: BusRecord;
  readonly info: DeadLetterInfo | undefined;
}

export function deadLetterId(place: Position): string {
  return `${place.topic}/${place.partition}/${place.offset}`;
}

/** The inverse of `deadLetterId`; undefined when the text is no such dead letter's name. */
export function parseDeadLetterId(text: string): Position | undefined {
  const match = /^([A-Za-z0-9._-]+)\/(\d{1,9})\/(\d{1,19})$/.exec(text);
  return match === null ? undefined : { topic: match[1]!, partition: Number(match[2]), offset: BigInt(match[3]!) };
}

export function toDeadLetter(record: BusRecord, state: DeadLetterState): TopicDeadLetter {
  const info = parseDeadLetterHeaders((name) => headerText(record, name));
  const source = info === undefined ? '-' : `${info.sourceTopic}/${info.sourcePartition}/${info.sourceOffset}`;
  return {
    ...{ id: deadLetterId(record), record, info, state },
    facts: { 'came from': source, ...factsOf(record, info) },
    time: info?.time ?? new Date(record.timestampMs).toISOString(),
    value: record.value ?? Buffer.alloc(0),
  };
}

function factsOf({ key, value, headers }: BusRecord, info: DeadLetterInfo | undefined): Record<string, string> {
  const own = originalHeadersOf(headers).map((header) => `${header.name}=${shown(header.value)}`);
  return {
    key: shown(key),
    ...(own.length === 0 ? {} : { headers: own.join(', ') }),
    ...(info?.leftOut !== undefined
      ? { value: 'too large for a dead letter; it is where it came from' }
      : value === null
        ? { value: 'none (a tombstone)' }
        : {}),
  };
}

/** Nothing, empty and bytes that are no text are told apart. */
function shown(bytes: Buffer | null): string {
  if (bytes === null) return '-';
  if (bytes.length === 0) return '(empty)';
  return isUtf8(bytes) ? bytes.toString('utf8') : `0x${bytes.toString('hex')}`;
}

/**
 * The record as it was before it was dead-lettered: same key, value and headers, byte for byte, back on its topic. Undefined when its source
 * is unknown; of a dead letter from which something was left out only its source has the record.
 */
export function originalRecord({ info, record }: TopicDeadLetter): OutgoingRecord | undefined {
  if (info === undefined || info.sourceTopic === '') return undefined;
  return {
    topic: info.sourceTopic,
    key: record.key,
    value: record.value,
    headersBefore: originalHeadersOf(record.headers),
  };
}

/** Of notifications that were given up, or of which nobody knows whether they arrived; they stay in the notification service's outbox. */
export interface DeadNotifications {
  /** Ids are `notifications/<id of the notification>`; oldest first. */
  list(options: { readonly handledToo: boolean }): AsyncIterable<DeadLetter>;
  /** Undefined when there is none, or the notification is not dead. */
  find(id: string): Promise<DeadLetter | undefined>;
  /** Has it sent once more under a new id; false when it was before. */
  retry(id: string, byWhom: ByWhom): Promise<boolean>;
  discard(id: string, byWhom: ByWhom): Promise<void>;
}

/** Undefined where no notification service of ours has worked on the database. */
export type OpenDeadNotifications = (database: Database) => Promise<DeadNotifications | undefined>;
