/**
 * Headers of a record as one bytea. Not jsonb or text[]: a header's value is bytes, and PostgreSQL's text cannot hold NUL.
 * Per header: u32 length of the name, the name, u32 length of the value, the value; big-endian. No value at all, which is not an empty
 * one, has the length 2^32 - 1, as no value of a record can have.
 */
import type { RecordHeader } from '../bus.ts';
import { type HeaderBytes, headerOfBytes } from '../outgoing-record.ts';

const lengthBytes = 4;
const lengthOfNull = 0xff_ff_ff_ff;

/** Null for no headers, which most records have. */
export function encodeHeaders(headers: readonly HeaderBytes[]): Buffer | null {
  if (headers.length === 0) return null;
  return Buffer.concat(headers.flatMap(([name, value]) => [...encode(name), ...encode(value)]));
}

export function decodeHeaders(encoded: Buffer | null): RecordHeader[] {
  const headers: RecordHeader[] = [];
  if (encoded === null) return headers;
  let at = 0;
  const next = (): Buffer | null => {
    const length = encoded.readUInt32BE(at);
    const start = at + lengthBytes;
    at = length === lengthOfNull ? start : start + length;
    return length === lengthOfNull ? null : encoded.subarray(start, at);
  };
  while (at < encoded.length) {
    const name = next() ?? Buffer.alloc(0);
    headers.push(headerOfBytes([name, next()]));
  }
  return headers;
}

function encode(bytes: Buffer | null): readonly Buffer[] {
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(bytes?.length ?? lengthOfNull);
  return bytes === null ? [length] : [length, bytes];
}
