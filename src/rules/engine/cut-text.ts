/** Long texts of an archive, shortened for a rule's details. */

/** Messages in details are cut to this, so that a cluster on which much is wrong still fits into the limit of details. */
export const messageCharactersMax = 1_000;
/** At most `charactersMax` UTF-16 units, the last of which is an ellipsis where something was cut. Never cuts a surrogate pair. */
export function cutText(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const end = Math.max(charactersMax - 1, 0);
  const splitsPair = /[\uD800-\uDBFF]/.test(text[end - 1] ?? '');
  return `${text.slice(0, splitsPair ? end - 1 : end)}…`;
}
