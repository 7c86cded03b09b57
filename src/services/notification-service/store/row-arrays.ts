/**
 * Sets of rows as one array parameter per column, read on the server by `unnest`: of the statements of a run those that write a row for each
 * cluster. Half the work of JSON on both sides (docs/decisions/0004). Used by the writing statements of this folder; the rest sends JSON.
 */
import {
  bigintArray,
  booleanArray,
  integerArray,
  smallintArray,
  textArray,
  timestampArray,
} from '../../../platform/database/binary-arrays.ts';
import { storableText } from './transact.ts';

type Cell = string | number | boolean | bigint | null | undefined;
type ColumnType =
  | 'text'
  | 'bpchar'
  | 'uuid'
  | 'json'
  | 'int'
  | 'smallint'
  | 'bigint'
  | 'boolean'
  | 'timestamp'
  | 'micros';

/**
 * Adds a parameter for each column to `values`, and answers what stands behind FROM. `columns` are names with types, separated by commas; a
 * row without one has NULL there. `timestamp` is PostgreSQL's text, `micros` are microseconds since 1970; both are timestamps on the server.
 */
export function unnest(
  alias: string,
  values: unknown[],
  columns: string,
  rows: readonly Readonly<Record<string, Cell>>[],
): string {
  const named = columns.split(',').map((column) => column.trim().split(' ') as [string, ColumnType]);
  const arrays = named.map(([name, type]) => {
    const place = values.push(arrayOf[type](rows.map((row) => row[name])));
    return `$${place}::${castOf[type]}`;
  });
  return `unnest(${arrays.join(', ')}) AS ${alias}(${named.map(([name]) => `"${name}"`).join(', ')})`;
}

const texts = (cells: readonly Cell[]) =>
  textArray(cells.map((cell) => (cell == null ? null : storable(String(cell)))));

/** Lone surrogates do not survive the encoding; NUL would. */
function storable(text: string): string {
  return text.includes('\0') ? storableText(text) : text;
}

const arrayOf: Readonly<Record<ColumnType, (cells: readonly Cell[]) => Buffer>> = {
  text: texts,
  bpchar: texts,
  uuid: texts,
  json: texts,
  timestamp: texts,
  int: (cells) => integerArray(cells as readonly (number | null | undefined)[]),
  smallint: (cells) => smallintArray(cells as readonly (number | null | undefined)[]),
  bigint: (cells) => bigintArray(cells as readonly (bigint | null | undefined)[]),
  boolean: (cells) => booleanArray(cells as readonly (boolean | null | undefined)[]),
  micros: (cells) => timestampArray(cells as readonly (bigint | null | undefined)[]),
};

const castOf: Readonly<Record<ColumnType, string>> = {
  text: 'text[]',
  bpchar: 'text[]::bpchar[]',
  uuid: 'text[]::uuid[]',
  json: 'text[]::json[]',
  timestamp: 'text[]::timestamp[]',
  int: 'int[]',
  smallint: 'smallint[]',
  bigint: 'bigint[]',
  boolean: 'boolean[]',
  micros: 'timestamp[]',
};
