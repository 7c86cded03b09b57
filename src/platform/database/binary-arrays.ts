/**
 * PostgreSQL arrays in the server's binary format, for `unnest($1::text[], …)`: a batch of any size is one prepared statement with one
 * parameter per column, texts travel as they are, and nothing is quoted, escaped or parsed on either side. The driver sends a Buffer as a
 * binary parameter. Used by the stores that write batches; why, with figures, is in docs/decisions/0004-batches-as-binary-arrays.md.
 */

/** Element types by their object identifiers, which are fixed in the server's catalog. */
const OID_BOOL = 16;
const OID_BYTEA = 17;
const OID_INT8 = 20;
const OID_INT2 = 21;
const OID_INT4 = 23;
const OID_TEXT = 25;
const OID_TIMESTAMP = 1114;
const OID_UUID = 2950;

const headerBytes = 20;
const lengthBytes = 4;
const nullLength = -1;

/** `text[]`. Buffers are taken as UTF-8 as they are, so that large texts are copied once; the server refuses what is not UTF-8. */
export function textArray(items: readonly (string | Buffer | null | undefined)[]): Buffer {
  return bytesArray(
    OID_TEXT,
    items.map((item) => (typeof item === 'string' ? Buffer.from(item, 'utf8') : item)),
  );
}

/** `bytea[]`. */
export function byteaArray(items: readonly (Buffer | null)[]): Buffer {
  return bytesArray(OID_BYTEA, items);
}

/** `uuid[]`, each in its 16 bytes. */
export function uuidArray(items: readonly (Buffer | null)[]): Buffer {
  return bytesArray(OID_UUID, items);
}

/** `smallint[]`. */
export function smallintArray(items: readonly (number | null | undefined)[]): Buffer {
  return arrayOf(
    OID_INT2,
    items,
    () => 2,
    (target, item, at) => void target.writeInt16BE(item, at),
  );
}

/** `integer[]`. */
export function integerArray(items: readonly (number | null | undefined)[]): Buffer {
  return arrayOf(
    OID_INT4,
    items,
    () => 4,
    (target, item, at) => void target.writeInt32BE(item, at),
  );
}

/** `boolean[]`. */
export function booleanArray(items: readonly (boolean | null | undefined)[]): Buffer {
  return arrayOf(
    OID_BOOL,
    items,
    () => 1,
    (target, item, at) => void target.writeUInt8(item ? 1 : 0, at),
  );
}

/** `bigint[]`. */
export function bigintArray(items: readonly (bigint | null | undefined)[]): Buffer {
  return arrayOf(
    OID_INT8,
    items,
    () => 8,
    (target, item, at) => void target.writeBigInt64BE(item, at),
  );
}

/** Microseconds from 1970 to 2000, where the server's timestamps begin. */
const serverEpochMicros = 946_684_800_000_000n;

/** `timestamp[]` from microseconds since 1970: exact, where a JavaScript Date would cut them. */
export function timestampArray(items: readonly (bigint | null | undefined)[]): Buffer {
  return arrayOf(
    OID_TIMESTAMP,
    items,
    () => 8,
    (target, item, at) => {
      target.writeBigInt64BE(item - serverEpochMicros, at);
    },
  );
}

function bytesArray(elementOid: number, items: readonly (Buffer | null | undefined)[]): Buffer {
  const bytesOf = (item: Buffer) => item.length;
  return arrayOf(elementOid, items, bytesOf, (target, item, at) => void item.copy(target, at));
}

/** One dimension that starts at 1; an empty array has no dimension at all, but the server takes this form too. */
function arrayOf<T>(
  elementOid: number,
  items: readonly (T | null | undefined)[],
  bytesOf: (item: T) => number,
  write: (target: Buffer, item: T, at: number) => void,
): Buffer {
  let bytes = headerBytes + items.length * lengthBytes;
  let nulls = 0;
  for (const item of items) {
    if (item === null || item === undefined) nulls = 1;
    else bytes += bytesOf(item);
  }
  const target = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const field of [1, nulls, elementOid, items.length, 1]) at = target.writeInt32BE(field, at);
  for (const item of items) {
    if (item === null || item === undefined) {
      at = target.writeInt32BE(nullLength, at);
      continue;
    }
    const length = bytesOf(item);
    at = target.writeInt32BE(length, at);
    write(target, item, at);
    at += length;
  }
  return target;
}
