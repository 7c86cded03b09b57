/**
 * How column values arrive in JavaScript, per connection and not in the driver's global table: timestamps, dates and intervals stay
 * PostgreSQL's text, because a Date cuts microseconds and reads zoneless text in local time; int8 becomes bigint, because a number
 * loses offsets past 2^53. Everything else is the driver's default (int4 number, numeric text, bytea Buffer, json parsed).
 */
import pg from 'pg';

const asText = (value: string): string => value;
const asBigInt = (value: string): bigint => BigInt(value);

const oidInt8 = 20;
const oidInt8Array = 1016;
const oidTextArray: number = 1009;

/** date, time, timestamp, timestamptz, interval, timetz. */
const textOids = [1082, 1083, 1114, 1184, 1186, 1266];
/** The array types of the above. */
const textArrayOids = [1182, 1183, 1115, 1185, 1187, 1270];

type TextParser = (value: string) => unknown;
type TextArray = readonly (string | null | TextArray)[];

/** The driver's parser of text[], which leaves elements alone. */
const parseTextArray = pg.types.getTypeParser(oidTextArray, 'text') as (value: string) => TextArray;

function eachElement(array: TextArray, convert: (value: string) => unknown): unknown[] {
  return array.map((item) =>
    item === null ? null : typeof item === 'string' ? convert(item) : eachElement(item, convert),
  );
}

const parsers: ReadonlyMap<number, TextParser> = new Map<number, TextParser>([
  [oidInt8, asBigInt],
  [oidInt8Array, (value) => eachElement(parseTextArray(value), asBigInt)],
  ...textOids.map((oid): [number, TextParser] => [oid, asText]),
  ...textArrayOids.map((oid): [number, TextParser] => [oid, parseTextArray]),
]);

/** For `types` of a driver configuration. */
export const rowTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    (format ?? 'text') === 'text' && parsers.has(oid)
      ? parsers.get(oid)
      : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};
