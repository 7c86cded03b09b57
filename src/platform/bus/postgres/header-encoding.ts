/**
 * Headers of a record as one bytea. Not jsonb or text[]: a header's value is bytes, and PostgreSQL's text cannot hold NUL.
 * Per header: u32 length of the name, the name in UTF-8, u32 length of the value, the value; big-endian.
 */
import type { RecordHeader } from '../bus.ts';

const lengthBytes = 4;

/** Null for no headers, which most records have. */
export function encodeHeaders(headers: readonly (readonly [name: string, value: Buffer])[]): Buffer | null {
  if (headers.length === 0) return null;
  const parts: Buffer[] = [];
  for (const [name, value] of headers) {
    const nameBytes = Buffer.from(name, 'utf8');
    parts.push(lengthOf(nameBytes), nameBytes, lengthOf(value), value);
  }
  return Buffer.concat(parts);
}

export function decodeHeaders(encoded: Buffer | null): RecordHeader[] {
  const headers: RecordHeader[] = [];
  if (encoded === null) return headers;
  let at = 0;
  const next = (): Buffer => {
    const length = encoded.readUInt32BE(at);
    const start = at + lengthBytes;
    at = start + length;
    return encoded.subarray(start, at);
  };
  while (at < encoded.length) {
    const name = next().toString('utf8');
    headers.push({ name, value: next() });
  }
  return headers;
}

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(bytes.length);
  return length;
}
