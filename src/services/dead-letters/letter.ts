/** One dead letter as people see it: where it lies, what was wrong with it, what was done about it, and its original bytes. */
import { DEAD_LETTER_HEADER_PREFIX, type DeadLetterInfo, parseDeadLetterHeaders } from '../../contracts/dead-letter.ts';
import { type BusRecord, headerText, type OutgoingRecord } from '../../platform/bus/bus.ts';

export type LetterState = 'open' | 'replayed' | 'discarded';

export interface Letter {
  /** `topic/partition/offset`: what the commands take. */
  readonly id: string;
  readonly record: BusRecord;
  /** Absent on letters of the reference services, which carry the value only. */
  readonly info: DeadLetterInfo | undefined;
  readonly state: LetterState;
}

export interface LetterPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

export function letterId(place: LetterPlace): string {
  return `${place.topic}/${place.partition}/${place.offset}`;
}

/** The inverse of `letterId`; undefined when the text is no letter's name. */
export function parseLetterId(text: string): LetterPlace | undefined {
  const match = /^([A-Za-z0-9._-]+)\/(\d{1,9})\/(\d{1,19})$/.exec(text);
  return match === null ? undefined : { topic: match[1]!, partition: Number(match[2]), offset: BigInt(match[3]!) };
}

export function toLetter(record: BusRecord, state: LetterState): Letter {
  return { id: letterId(record), record, info: parseDeadLetterHeaders((name) => headerText(record, name)), state };
}

/** The record as it was before it was put aside: same key, value and headers, back on its topic. Undefined when its source is unknown. */
export function originalRecord(letter: Letter): OutgoingRecord | undefined {
  if (letter.info === undefined || letter.info.sourceTopic === '') return undefined;
  const headers = letter.record.headers.filter((header) => !header.name.startsWith(DEAD_LETTER_HEADER_PREFIX));
  return {
    topic: letter.info.sourceTopic,
    key: letter.record.key,
    value: letter.record.value,
    headers: Object.fromEntries(headers.map((header) => [header.name, header.value.toString('utf8')])),
  };
}
