/**
 * An outgoing record as bytes, checked before anything is sent: `send` is all or error, so one record that no bus would take must be
 * found before the first is stored. Used by the producers of both adapters.
 */
import { isUtf8 } from 'node:buffer';
import type { OutgoingRecord, RecordHeader, SettleRecord } from './bus.ts';
import { recordTooLarge } from './bus-errors.ts';

/** Name and value as they travel. */
export type HeaderBytes = readonly [name: Buffer, value: Buffer | null];

export interface PreparedRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly HeaderBytes[];
  /** Key, value, names and values of headers. */
  readonly bytes: number;
}

/** Throws `BUS_RECORD_TOO_LARGE` past `bytesMax`. */
export function prepareRecord(record: OutgoingRecord, bytesMax: number): PreparedRecord {
  const key = toBuffer(record.key);
  const value = toBuffer(record.value);
  const headers = [
    ...(record.headersBefore ?? []).map(bytesOfHeader),
    ...Object.entries(record.headers ?? {}).map(([name, text]) => bytesOfHeader({ name, value: Buffer.from(text) })),
  ];
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, text] of headers) bytes += name.length + (text?.length ?? 0);
  if (bytes > bytesMax) throw recordTooLarge(record.topic, bytes, bytesMax);
  return { topic: record.topic, key, value, headers, bytes };
}

/** With their places in `records`; what no bus would take is settled here. */
export function prepareEach(
  records: readonly OutgoingRecord[],
  bytesMax: number,
  settle: SettleRecord,
): { readonly index: number; readonly record: PreparedRecord }[] {
  return records.flatMap((record, index) => {
    try {
      return [{ index, record: prepareRecord(record, bytesMax) }];
    } catch (error) {
      settle(index, error as Error);
      return [];
    }
  });
}

function bytesOfHeader({ name, nameBytes, value }: RecordHeader): HeaderBytes {
  return [nameBytes ?? Buffer.from(name, 'utf8'), value];
}

/** The header that was sent as these bytes. */
export function headerOfBytes([name, value]: HeaderBytes): RecordHeader {
  return { name: name.toString('utf8'), ...(isUtf8(name) ? {} : { nameBytes: name }), value };
}

function toBuffer(data: string | Buffer | null | undefined): Buffer | null {
  if (data === null || data === undefined) return null;
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
}
