/** JSON that a column of type jsonb takes, whatever somebody put into the value. Used by records that must not fail for their content. */

/** Escapes of NUL and of half characters, which jsonb refuses, in keys too; and every other escape, so that none is misread. */
const escapes = /\\(u0000|ud[89a-f][0-9a-f]{2}|.)/g;

/** Undefined is null, a big number is text, and what PostgreSQL cannot hold is U+FFFD. */
export function storableJson(value: unknown): string {
  const text = JSON.stringify(value ?? null, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
  return text.replaceAll(escapes, (found, code: string) => (code.length > 1 ? '\ufffd' : found));
}
