/**
 * The steps of the notification database, read from `migrations/notification/`. Step 0 is the base schema; numbers, names and effects are
 * the reference's (notification-writer.md 5.4), so that old and new programs can take turns on one database.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { migrationsPath, splitStatements } from '../../database/sql-file.ts';

/** The newest version; also what `latest` means. */
export const NOTIFICATION_SCHEMA_VERSION = 8;

const stepNames = [
  '0000-base',
  '0001-event-targets',
  '0002-reported-event-type',
  '0003-event-target-rows',
  '0004-event-type-required',
  '0005-read-errors',
  '0006-read-errors-cascade',
  '0007-table-comments',
  '0008-reported-indexes',
];

export type Direction = 'up' | 'down';

/** Statements of step `number` in the given direction. */
export async function readStep(number: number, direction: Direction): Promise<string[]> {
  const name = stepNames[number];
  if (name === undefined) throw new Error(`there is no migration step ${number}`);
  return splitStatements(await readFile(join(migrationsPath('notification'), `${name}.${direction}.sql`), 'utf8'));
}

/** The steps between two versions in the order they run, e.g. 6 → 4: 6 down, 5 down. */
export function stepsBetween(from: number, to: number): { readonly number: number; readonly direction: Direction }[] {
  const steps: { number: number; direction: Direction }[] = [];
  for (let number = from + 1; number <= to; number += 1) steps.push({ number, direction: 'up' });
  for (let number = from; number > to; number -= 1) steps.push({ number, direction: 'down' });
  return steps;
}
