/**
 * Moments as the services write them to each other: RFC 3339 as Go's `time.Parse` reads it, which is looser than the standard in some
 * places and stricter in others, and RFC 3339 in UTC as Go formats it. Microseconds are bigints, because PostgreSQL keeps microseconds
 * and a JavaScript Date does not. Source: notification-writer.md 3.5, 4.3.
 */

export interface Moment {
  /** Microseconds since the epoch, cut. */
  readonly micros: bigint;
  /** The moment in UTC with nine digits, so that two spellings of one moment are equal and a nanosecond makes a difference. */
  readonly canonical: string;
}

// One-digit hours, a comma before the fraction and any number of digits are Go's; so are zones up to 24:60.
const pattern = /^(\d{4})-(\d\d)-(\d\d)T(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

const nanoDigits = 9;

/** Undefined for anything that is not such a time, the empty text included. */
export function parseRfc3339(text: string): Moment | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const number = (group: number) => Number(match[group] ?? 0);
  const [year, month, day] = [number(1), number(2), number(3)];
  const [hour, minute, second] = [number(4), number(5), number(6)];
  const [zoneHour, zoneMinute] = [number(9), number(10)];
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59 || zoneHour > 24 || zoneMinute > 60) return undefined;

  const nanos = (match[7] ?? '').slice(0, nanoDigits).padEnd(nanoDigits, '0');
  if (zoneHour === 0 && zoneMinute === 0) {
    // Nearly every time is in UTC, and says itself what it is in UTC.
    const seconds = BigInt(daysSinceEpoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second);
    const written = match[4]!.length === 2 ? text.slice(0, 19) : `${text.slice(0, 11)}0${text.slice(11, 18)}`;
    return { micros: seconds * 1_000_000n + BigInt(nanos.slice(0, 6)), canonical: `${written}.${nanos}Z` };
  }
  const local = new Date(0);
  // Not Date.UTC: it takes the years 0 to 99 for 1900 to 1999.
  local.setUTCFullYear(year, month - 1, day);
  local.setUTCHours(hour, minute, second);
  const offsetMs = (zoneHour * 60 + zoneMinute) * 60_000 * (match[8] === '-' ? -1 : 1);
  const moment = new Date(local.getTime() - offsetMs);
  return {
    micros: BigInt(moment.getTime()) * 1000n + BigInt(nanos.slice(0, 6)),
    canonical: moment.toISOString().replace(/\.\d+Z$/, `.${nanos}Z`),
  };
}

/** Of the Gregorian calendar, which goes on before it began. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  // Years begin in March, so that the day that comes and goes is the last one.
  const years = month > 2 ? year : year - 1;
  const era = Math.floor(years / 400);
  const yearOfEra = years - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** What was written last: thousands of times in a row lie within one second. */
let lastSeconds = { sinceEpoch: 0n, text: '1970-01-01T00:00:00' };

/** `2026-11-21T16:15:49.824983Z`: UTC, up to six fractional digits, trailing zeros trimmed. */
export function formatRfc3339(micros: bigint): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const sinceEpoch = (micros - fraction) / 1_000_000n;
  if (lastSeconds.sinceEpoch !== sinceEpoch) {
    lastSeconds = { sinceEpoch, text: new Date(Number(sinceEpoch) * 1000).toISOString().slice(0, -5) };
  }
  const seconds = lastSeconds.text;
  const digits = String(fraction).padStart(6, '0').replace(/0+$/, '');
  return digits === '' ? `${seconds}Z` : `${seconds}.${digits}Z`;
}
