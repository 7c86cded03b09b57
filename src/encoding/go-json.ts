/**
 * JSON text as Go's encoder writes it, so that bodies equal the reference's byte for byte. Used for what leaves the notification service
 * and for what the template renderer reads. Source: notification-service.md 9.2.
 */

const escapes: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** Compact JSON with `<`, `>`, `&`, U+2028 and U+2029 escaped and lone surrogates replaced by U+FFFD. */
export function stringifyLikeGo(value: unknown): string {
  const text = JSON.stringify(value, (_key, member) => (typeof member === 'string' ? member.toWellFormed() : member));
  return text.replace(/[<>&\u2028\u2029]/g, (character) => escapes[character]!);
}
