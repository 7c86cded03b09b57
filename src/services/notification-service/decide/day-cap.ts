/**
 * The cap of a target on the issues of one cluster in one UTC day: which of those that are due go out today. Pure; called when
 * messages are composed, and right before they go out for the first time. Source: consumers.md 4.4 R9.
 */

/** What is told at any hour: total risk 4, critical. */
const neverHeldBackRisk = 4;
const dayMicros = 86_400_000_000n;

export interface RankedIssue {
  /** Key of the issue within its cluster. */
  readonly identity: string;
  readonly totalRisk: number;
}

/**
 * Identities of those that may go out, where `room` more may (negative: more than that did). The highest total risk first, in the given
 * order where it is the same; what is never held back takes room, too.
 */
export function allotDay(issues: readonly RankedIssue[], room: number): ReadonlySet<string> {
  const ranked = issues.toSorted((left, right) => right.totalRisk - left.totalRisk);
  return new Set(ranked.filter((issue, place) => mayNotWait(issue) || place < room).map(({ identity }) => identity));
}

/** Those that are due, day by day: what would go out today, tomorrow and so on, if nothing else did. `cap` is at least 1. */
export function inDays(issues: readonly RankedIssue[], cap: number): readonly ReadonlySet<string>[] {
  const days: ReadonlySet<string>[] = [];
  for (let rest = issues; rest.length > 0; ) {
    const day = allotDay(rest, cap);
    days.push(day);
    rest = rest.filter(({ identity }) => !day.has(identity));
  }
  return days;
}

export function mayNotWait({ totalRisk }: Pick<RankedIssue, 'totalRisk'>): boolean {
  return totalRisk >= neverHeldBackRisk;
}

/** The UTC day of a moment: its first moment, and that of the next day. */
export function utcDayOf(micros: bigint): { readonly startMicros: bigint; readonly endMicros: bigint } {
  const startMicros = micros - (micros % dayMicros);
  return { startMicros, endMicros: startMicros + dayMicros };
}
