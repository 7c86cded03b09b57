/** SQL files of `migrations/`: where they are and how they are cut into statements. Used by both migration runners. */
import { fileURLToPath } from 'node:url';

/** Absolute path below the repository's `migrations/`. */
export function migrationsPath(folder: string): string {
  return fileURLToPath(new URL(`../../../migrations/${folder}`, import.meta.url));
}

/**
 * Statements in order, without comments and final semicolons, white space folded. Good for our own files only: a statement ends with a
 * semicolon at the end of a line, and comments have lines of their own.
 */
export function splitStatements(sql: string): string[] {
  return sql
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('--'))
    .join('\n')
    .split(/;\s*(?:\n|$)/)
    .map((statement) => statement.replace(/\s+/g, ' ').trim())
    .filter((statement) => statement !== '');
}
