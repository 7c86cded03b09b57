/**
 * A record that could not be processed, kept with its original value, key and headers plus the headers below.
 * Produced by: every consumer → consumed by: `ccx dead-letters`, people. Source: data-pipeline.md 2.5 (value only in the reference).
 */
import { cutUtf8 } from '../encoding/cut-utf8.ts';

/** What all of them begin with. A replay takes off what stands behind the original headers; of older dead letters, all that begin so. */
const DEAD_LETTER_HEADER_PREFIX = 'x-ccx-';
const DEAD_LETTER_HEADER_CODE = 'x-ccx-error-code';
/** Text of the error on one line, at most 1024 bytes. */
export const DEAD_LETTER_HEADER_REASON = 'x-ccx-error-reason';
/** File name of the step that refused it. */
const DEAD_LETTER_HEADER_STEP = 'x-ccx-step';
const DEAD_LETTER_HEADER_SERVICE = 'x-ccx-service';
const DEAD_LETTER_HEADER_SOURCE_TOPIC = 'x-ccx-source-topic';
const DEAD_LETTER_HEADER_SOURCE_PARTITION = 'x-ccx-source-partition';
export const DEAD_LETTER_HEADER_SOURCE_OFFSET = 'x-ccx-source-offset';
/** RFC 3339, when it was dead-lettered. */
const DEAD_LETTER_HEADER_TIME = 'x-ccx-time';
export const DEAD_LETTER_HEADER_REQUEST_ID = 'x-ccx-request-id';

/** How many headers, from the first on, are the record's own. The last header of a dead letter; older ones have none. */
const DEAD_LETTER_HEADER_ORIGINAL_HEADERS = 'x-ccx-original-headers';
/** What our headers made too large for the bus, and is only where the record came from. */
const DEAD_LETTER_HEADER_LEFT_OUT = 'x-ccx-left-out';

/** `record`: value, key and headers. */
export type DeadLetterLeftOut = 'value' | 'record';

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
  readonly leftOut?: DeadLetterLeftOut;
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
  if (info.leftOut !== undefined) headers[DEAD_LETTER_HEADER_LEFT_OUT] = info.leftOut;
  return headers;
}

/** What `deadLetterHeaders` says, behind the headers of the record: in a dead letter as it is sent. */
export function deadLetterHeadersBehind(info: DeadLetterInfo, originalHeaders: number): Record<string, string> {
  return { ...deadLetterHeaders(info), [DEAD_LETTER_HEADER_ORIGINAL_HEADERS]: String(originalHeaders) };
}

/** The headers that the record had before it became a dead letter. */
export function originalHeadersOf<Header extends { readonly name: string; readonly value: Buffer | null }>(
  headers: readonly Header[],
): readonly Header[] {
  const last = headers.at(-1);
  if (last?.name === DEAD_LETTER_HEADER_ORIGINAL_HEADERS) {
    const count = last.value?.toString('utf8') ?? '';
    if (/^\d{1,9}$/.test(count) && Number(count) < headers.length) return headers.slice(0, Number(count));
  }
  return headers.filter(({ name }) => !name.startsWith(DEAD_LETTER_HEADER_PREFIX));
}

/** The dead-letter headers of a record, or undefined when it has none (a reader of the reference's topics meets such). */
export function parseDeadLetterHeaders(header: (name: string) => string | undefined): DeadLetterInfo | undefined {
  const code = header(DEAD_LETTER_HEADER_CODE);
  const partition = header(DEAD_LETTER_HEADER_SOURCE_PARTITION) ?? '';
  const offset = header(DEAD_LETTER_HEADER_SOURCE_OFFSET) ?? '';
  if (code === undefined || !/^\d{1,9}$/.test(partition) || !/^\d{1,19}$/.test(offset)) return undefined;
  const requestId = header(DEAD_LETTER_HEADER_REQUEST_ID);
  const leftOut = header(DEAD_LETTER_HEADER_LEFT_OUT);
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
    ...(leftOut === 'value' || leftOut === 'record' ? { leftOut } : {}),
  };
}

/** Control characters (a NUL would be refused by some stores, a line break would forge a log line) become blanks. */
function oneLine(text: string): string {
  return text.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
}
