/**
 * What targets were notified of, and for how long that counts: kept from what a test saw arrive, from rows of `reported` and from what it
 * did itself. It knows nothing of how our service decides, so that the two can be compared. Used by `notification-history.ts`.
 */
interface Telling {
  /** Of the message; of a row that the reference wrote, the row. */
  readonly id: string;
  /** Target, cluster and error key. */
  readonly issue: string;
  /** What the clock said when it arrived last. */
  atMs: number;
  /** The same, moved along with each step of the clock back, so that from it on time has passed as it did. */
  earliestMs: number;
  /** Its `sent` row; undefined while nobody wrote one. */
  row: string | undefined;
  removed: boolean;
  /** The issue was acknowledged since, and that is over. */
  isOver: boolean;
  /** Nobody was told yet that the issue is resolved. */
  isOpen: boolean;
}

export type ToldIssues = ReturnType<typeof createToldIssues>;

export function createToldIssues() {
  const tellings: Telling[] = [];
  const put = (id: string, issue: string, atMs: number, row?: string) => {
    const known = tellings.find((telling) => telling.id === id && telling.issue === issue);
    if (known === undefined)
      tellings.push({
        id,
        issue,
        atMs,
        earliestMs: atMs,
        row,
        removed: false,
        isOver: false,
        isOpen: true,
      });
    else Object.assign(known, { atMs, earliestMs: atMs });
  };
  return {
    /** A message arrived, for the first time or again. */
    arrived: (id: string, issue: string, atMs: number): void => put(id, issue, atMs),
    /** The reference wrote a `sent` row, which counts for every issue of its report. */
    sentByReference: (row: string, issue: string, atMs: number): void => put(row, issue, atMs, row),
    /** A message said that the issue is resolved: whether there was one before that said that it is there. */
    resolved(issue: string): boolean {
      const open = tellings.filter((telling) => telling.issue === issue && telling.isOpen);
      for (const telling of open) telling.isOpen = false;
      return open.length > 0;
    },
    /** Our service wrote the `sent` row of a message. */
    recorded(id: string, row: string): void {
      for (const telling of tellings) if (telling.id === id) telling.row ??= row;
    },
    isRecorded: (id: string): boolean => tellings.some((telling) => telling.id === id && telling.row !== undefined),
    hasArrived: (id: string): boolean => tellings.some((telling) => telling.id === id),
    /** Rows that are not there do not count any more, whoever wrote or removed them. */
    rowsAre(present: ReadonlySet<string>): void {
      for (const telling of tellings)
        if (telling.row !== undefined && !present.has(telling.row)) telling.removed = true;
    },
    /** The end of an acknowledgement ends the cooldown of what it silenced. */
    acknowledgementOver(concerns: (issue: string) => boolean): void {
      for (const telling of tellings) if (concerns(telling.issue)) telling.isOver = true;
    },
    clockSetBack(byMs: number): void {
      for (const telling of tellings) telling.earliestMs -= byMs;
    },
    /** What certainly forbids another message about the issue now. */
    forbidding: (issue: string, how: { readonly nowMs: number; readonly cooldownMs: number }) =>
      tellings.filter(
        (telling) =>
          telling.issue === issue &&
          !telling.removed &&
          !telling.isOver &&
          telling.earliestMs + how.cooldownMs > how.nowMs,
      ),
    /** Whether a row may still count for the issue. */
    mayCount: (issue: string, how: { readonly nowMs: number; readonly cooldownMs: number }): boolean =>
      tellings.some(
        (telling) =>
          telling.issue === issue &&
          telling.row !== undefined &&
          !telling.removed &&
          telling.atMs + how.cooldownMs > how.nowMs,
      ),
  };
}
