/**
 * Sets of rows as one JSON parameter, read on the server by `json_to_recordset`: the statement's text does not depend on their number, and
 * neither does the number of parameters. Texts that PostgreSQL cannot hold are mended here. Used by every statement of this folder.
 */

export type RowValue = string | number | boolean | bigint | null | undefined;

/** `undefined` becomes NULL; a bigint becomes its digits. */
export function rowsJson(rows: readonly Readonly<Record<string, RowValue>>[]): string {
  return JSON.stringify(rows, (_key, value: unknown) =>
    typeof value === 'string' ? storableText(value) : typeof value === 'bigint' ? String(value) : (value ?? null),
  );
}

/** PostgreSQL has neither NUL nor lone surrogates in text. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}
