/** Long texts of an archive, shortened for a rule's details. */

/** At most `charactersMax` UTF-16 units, the last of which is an ellipsis where something was cut. Never cuts a surrogate pair. */
export function cutText(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const end = Math.max(charactersMax - 1, 0);
  const splitsPair = /[\uD800-\uDBFF]/.test(text[end - 1] ?? '');
  return `${text.slice(0, splitsPair ? end - 1 : end)}…`;
}
