/**
 * A record that could not be processed, kept with its original value, key and headers plus the headers below.
 * Produced by: every consumer → consumed by: `ccx dead-letters`, people. Source: data-pipeline.md 2.5 (value only in the reference).
 */
import { cutUtf8 } from './cut-utf8.ts';

/** What all of them begin with: a replay takes them off again. */
export const DEAD_LETTER_HEADER_PREFIX = 'x-ccx-';
export const DEAD_LETTER_HEADER_CODE = 'x-ccx-error-code';
/** Text of the error on one line, at most 1024 bytes. */
export const DEAD_LETTER_HEADER_REASON = 'x-ccx-error-reason';
/** File name of the step that refused it. */
export const DEAD_LETTER_HEADER_STEP = 'x-ccx-step';
export const DEAD_LETTER_HEADER_SERVICE = 'x-ccx-service';
export const DEAD_LETTER_HEADER_SOURCE_TOPIC = 'x-ccx-source-topic';
export const DEAD_LETTER_HEADER_SOURCE_PARTITION = 'x-ccx-source-partition';
export const DEAD_LETTER_HEADER_SOURCE_OFFSET = 'x-ccx-source-offset';
/** RFC 3339, when it was put aside. */
export const DEAD_LETTER_HEADER_TIME = 'x-ccx-time';
export const DEAD_LETTER_HEADER_REQUEST_ID = 'x-ccx-request-id';

export interface DeadLetterInfo {
  readonly code: string;
  readonly reason: string;
  readonly step: string;
  readonly service: string;
  readonly sourceTopic: string;
  readonly sourcePartition: number;
  readonly sourceOffset: bigint;
  readonly time: string;
  readonly requestId?: string;
}

const reasonBytesMax = 1024;
/** Request ids are 32 or 36 characters; what claims to be one may be anything. */
const requestIdBytesMax = 256;

/** The texts may quote hostile input, so they are made one line of plain characters before they are cut. */
export function deadLetterHeaders(info: DeadLetterInfo): Record<string, string> {
  const headers: Record<string, string> = {
    [DEAD_LETTER_HEADER_CODE]: info.code,
    [DEAD_LETTER_HEADER_REASON]: cutUtf8(oneLine(info.reason), reasonBytesMax),
    [DEAD_LETTER_HEADER_STEP]: info.step,
    [DEAD_LETTER_HEADER_SERVICE]: info.service,
    [DEAD_LETTER_HEADER_SOURCE_TOPIC]: info.sourceTopic,
    [DEAD_LETTER_HEADER_SOURCE_PARTITION]: String(info.sourcePartition),
    [DEAD_LETTER_HEADER_SOURCE_OFFSET]: String(info.sourceOffset),
    [DEAD_LETTER_HEADER_TIME]: info.time,
  };
  if (info.requestId !== undefined) {
    headers[DEAD_LETTER_HEADER_REQUEST_ID] = cutUtf8(oneLine(info.requestId), requestIdBytesMax);
  }
  return headers;
}

/** The dead-letter headers of a record, or undefined when it has none (a reader of the reference's topics meets such). */
export function parseDeadLetterHeaders(header: (name: string) => string | undefined): DeadLetterInfo | undefined {
  const code = header(DEAD_LETTER_HEADER_CODE);
  const partition = header(DEAD_LETTER_HEADER_SOURCE_PARTITION) ?? '';
  const offset = header(DEAD_LETTER_HEADER_SOURCE_OFFSET) ?? '';
  if (code === undefined || !/^\d{1,9}$/.test(partition) || !/^\d{1,19}$/.test(offset)) return undefined;
  const requestId = header(DEAD_LETTER_HEADER_REQUEST_ID);
  return {
    code,
    reason: header(DEAD_LETTER_HEADER_REASON) ?? '',
    step: header(DEAD_LETTER_HEADER_STEP) ?? '',
    service: header(DEAD_LETTER_HEADER_SERVICE) ?? '',
    sourceTopic: header(DEAD_LETTER_HEADER_SOURCE_TOPIC) ?? '',
    sourcePartition: Number(partition),
    sourceOffset: BigInt(offset),
    time: header(DEAD_LETTER_HEADER_TIME) ?? '',
    ...(requestId === undefined ? {} : { requestId }),
  };
}

/** Control characters (a NUL would be refused by some stores, a line break would forge a log line) become blanks. */
function oneLine(text: string): string {
  return text.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
}
