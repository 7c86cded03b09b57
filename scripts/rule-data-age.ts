/** How old the facts are that rules rest on and that change with the world: version ranges, dates of support. Each says when it was looked up. */

/** Half a year: two minor releases. */
export const ruleDataDaysMax = 180;

const dayMs = 86_400_000;
const day = /^\d{4}-\d{2}-\d{2}$/;

export interface RuleDataAge {
  /** File and, where it holds several, which of its entries: `affected-versions.yaml rules.bug_1766907`. */
  readonly what: string;
  /** Whole days since it was looked up; undefined when it does not say, or says a day that is none. */
  readonly days: number | undefined;
}

/** The age of every part of a parsed data file that has a `date`; of a file without any, one without days. */
export function ruleDataAges(file: string, document: unknown, now: Date): readonly RuleDataAge[] {
  const ages = datesIn(document, []).map(({ path, date }) => ({
    what: [file, path.join('.')].filter((part) => part !== '').join(' '),
    days: day.test(date) ? daysSince(date, now) : undefined,
  }));
  return ages.length === 0 ? [{ what: file, days: undefined }] : ages;
}

export function isOutdated({ days }: RuleDataAge): boolean {
  return days === undefined || days > ruleDataDaysMax;
}

function datesIn(value: unknown, path: readonly string[]): { path: readonly string[]; date: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === 'date' ? [{ path, date: String(member) }] : datesIn(member, [...path, name]),
  );
}

function daysSince(date: string, now: Date): number | undefined {
  const days = Math.floor((now.getTime() - Date.parse(`${date}T00:00:00Z`)) / dayMs);
  return Number.isNaN(days) ? undefined : days;
}
