/** Organization and account as the numbers that reports carry, from the texts of an identity. Source: data-pipeline.md 5.2. */

/** What the writer's columns and the aggregator take. */
const numberMax = 4_294_967_295;

/** Undefined where the text is no such number; a report without an organization cannot be published. */
export function orgIdNumber(text: string): number | undefined {
  return wholeNumber(text);
}

/** 0 when unknown: readers require the member. */
export function accountNumber(text: string | undefined): number {
  return wholeNumber(text ?? '') ?? 0;
}

/** As Python's `int` reads text: blanks around, a plus sign, leading zeros and single underscores are allowed. */
function wholeNumber(text: string): number | undefined {
  const match = /^\s*\+?(\d+(?:_\d+)*)\s*$/.exec(text);
  if (match === null) return undefined;
  const value = Number(match[1]!.replaceAll('_', ''));
  return value <= numberMax ? value : undefined;
}
