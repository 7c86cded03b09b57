/**
 * A transaction that is done again when the database says that trying again can help: a conflict with another process, a lost connection, a
 * commit without an answer. Only for work that notices what it already did. Used by every write of this service.
 */
import type { Clock } from '../../../platform/clock/clock.ts';
import type { Connection, Database, Planning } from '../../../platform/database/database.ts';
import { isRetryableDatabaseError } from '../../../platform/database/database-error.ts';

/** A transaction that met a conflict or a lost connection is done again this often; each is safe to repeat. */
const transactionTriesMax = 5;
/** Pause before such a repetition, multiplied by its number. */
const transactionRetryMs = 100;

/**
 * Sets of rows as one JSON parameter, read on the server by `json_to_recordset`: the statement's text does not depend on their number, and
 * neither does the number of parameters. Texts that PostgreSQL cannot hold are mended here. Used by every statement of this folder.
 */
type RowValue = string | number | boolean | bigint | null | undefined;

/** `undefined` becomes NULL; a bigint becomes its digits. */
export function rowsJson(rows: readonly Readonly<Record<string, RowValue>>[]): string {
  const text = rows.some(hasBigint) ? undefined : JSON.stringify(rows);
  if (text !== undefined && !unstorable.test(text)) return text;
  return JSON.stringify(rows, (_key, value: unknown) =>
    typeof value === 'string' ? storableText(value) : typeof value === 'bigint' ? String(value) : value,
  );
}

function hasBigint(row: Readonly<Record<string, RowValue>>): boolean {
  for (const name in row) if (typeof row[name] === 'bigint') return true;
  return false;
}

/** How JSON writes NUL and lone surrogates, which PostgreSQL does not hold; a text that only looks like it does no harm. */
const unstorable = /\\u(?:0000|d[89a-f])/i;

/** PostgreSQL has neither NUL nor lone surrogates in text. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

/** What the statements of a run work with: where they run, the clock that waits between two tries, and the moments that they write. */
export interface StoreAccess {
  readonly database: Database;
  readonly clock: Clock;
  /** Strictly increasing, so that no two rows get the same. */
  readonly nowMicros: () => bigint;
}

type Statement = (access: never, ...rest: never[]) => unknown;
type Bound<Statements> = {
  readonly [Name in keyof Statements]: Statements[Name] extends (access: never, ...rest: infer Rest) => infer Answer
    ? (...rest: Rest) => Answer
    : never;
};

/** The same functions without their first parameter: who calls them sees neither a database nor SQL. */
export function bindStatements<Access, Statements extends Readonly<Record<string, Statement>>>(
  access: Access,
  statements: Statements,
): Bound<Statements> {
  const bound = Object.entries(statements).map(([name, statement]) => [
    name,
    (...rest: never[]) => statement(access as never, ...rest),
  ]);
  return Object.fromEntries(bound) as Bound<Statements>;
}

/**
 * Of a small set planning is most of what a statement costs the server, so that its plan is kept; a large one is planned by its size. For
 * statements that read their tables by the keys of a set's rows.
 */
export function planOf(rows: number): Planning {
  return { plan: rows <= keptPlanRowsMax ? 'kept' : 'anew' };
}

const keptPlanRowsMax = 50;

export async function transact<T>(
  how: Pick<StoreAccess, 'database' | 'clock'>,
  work: (tx: Connection) => Promise<T>,
  planning: Planning = {},
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await how.database.transaction(work, planning);
    } catch (error) {
      if (tries >= transactionTriesMax || !isRetryableDatabaseError(error)) throw error;
      await how.clock.sleep(transactionRetryMs * tries);
    }
  }
}
