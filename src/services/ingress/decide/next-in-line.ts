/**
 * Who gets a slot that has come free, of all who wait for one: somebody of the organization that has the fewest in use, and of several the
 * one that has waited longest. Nobody is kept out where nobody else waits. Used by `upload-slots.ts`.
 */

export interface Waiting {
  readonly orgId: string;
}

/** `waiting`: the longest wait first. Undefined where nobody waits. */
export function nextInLine<T extends Waiting>(waiting: Iterable<T>, slotsOf: (orgId: string) => number): T | undefined {
  let next: T | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const one of waiting) {
    const slots = slotsOf(one.orgId);
    if (slots >= fewest) continue;
    next = one;
    fewest = slots;
    if (slots === 0) break;
  }
  return next;
}
