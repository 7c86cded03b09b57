/** Which part of a file a `Range` header asks for. Several parts at once are answered with the whole, as the standard allows. */

export type RangeDecision =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly start: number; readonly endInclusive: number }
  | { readonly kind: 'unsatisfiable' };

export function decideRange(header: string | undefined, sizeBytes: number): RangeDecision {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return { kind: 'whole' };
  if (match[1] === '') {
    const last = Math.min(Number(match[2]), sizeBytes);
    return last === 0
      ? { kind: 'unsatisfiable' }
      : { kind: 'part', start: sizeBytes - last, endInclusive: sizeBytes - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1);
  // An end before its start makes no range at all; a start behind the file is one that cannot be given.
  if (match[2] !== '' && Number(match[2]) < start) return { kind: 'whole' };
  return start >= sizeBytes ? { kind: 'unsatisfiable' } : { kind: 'part', start, endInclusive: end };
}
