/**
 * An outgoing record as bytes, checked before anything is sent: `send` is all or error, so one record that no bus would take must be
 * found before the first is stored. Used by the producers of both adapters.
 */
import type { OutgoingRecord } from './bus.ts';
import { recordTooLarge } from './bus-errors.ts';

export interface PreparedRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: string, value: Buffer])[];
  /** Key, value, names and values of headers. */
  readonly bytes: number;
}

/** Throws `BUS_RECORD_TOO_LARGE` past `bytesMax`. */
export function prepareRecord(record: OutgoingRecord, bytesMax: number): PreparedRecord {
  const key = toBuffer(record.key);
  const value = toBuffer(record.value);
  const headers: [string, Buffer][] = [];
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, text] of Object.entries(record.headers ?? {})) {
    const header = Buffer.from(text, 'utf8');
    headers.push([name, header]);
    bytes += Buffer.byteLength(name, 'utf8') + header.length;
  }
  if (bytes > bytesMax) throw recordTooLarge(record.topic, bytes, bytesMax);
  return { topic: record.topic, key, value, headers, bytes };
}

function toBuffer(data: string | Buffer | null | undefined): Buffer | null {
  if (data === null || data === undefined) return null;
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
}
