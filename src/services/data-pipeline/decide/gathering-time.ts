/** When an archive was gathered, as reports carry it: `YYYY-MM-DDTHH:MM:SSZ`, UTC. Source: data-pipeline.md 5.2. */

/** ISO 8601 as Python's `fromisoformat` takes it, as far as anybody writes it. */
const isoPattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;

/**
 * The announced time, or now where there is none or it cannot be read. An offset is converted; the reference drops it, and writes local
 * time for `now`. A time without offset is taken as UTC.
 */
export function gatheringTime(announced: unknown, now: Date): Date {
  const parsed = typeof announced === 'string' ? parseIsoTime(announced.trim()) : undefined;
  return toSecond(parsed ?? now);
}

export function formatGatheringTime(time: Date): string {
  return time.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** Undefined where the text is no time, or one that no calendar has. */
export function parseIsoTime(text: string): Date | undefined {
  const match = isoPattern.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0));
  if (year === undefined || month === undefined || day === undefined) return undefined;
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, month - 1, day);
  const isRealDay = midnight.getUTCFullYear() === year && midnight.getUTCMonth() === month - 1;
  if (!isRealDay || midnight.getUTCDate() !== day || hour! > 23 || minute! > 59 || second! > 59) return undefined;
  const offsetMinutes = parseOffset(match[7]);
  if (offsetMinutes === undefined) return undefined;
  const time = new Date(midnight.getTime() + ((hour! * 60 + minute! - offsetMinutes) * 60 + second!) * 1000);
  // Outside these years the published form would need more than four digits.
  return time.getUTCFullYear() >= 0 && time.getUTCFullYear() <= 9999 ? time : undefined;
}

/** Minutes east of UTC. */
function parseOffset(text: string | undefined): number | undefined {
  if (text === undefined || text.toUpperCase() === 'Z') return 0;
  const hours = Number(text.slice(1, 3));
  const minutes = Number(text.slice(3).replace(':', ''));
  if (hours > 23 || minutes > 59) return undefined;
  return (text.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function toSecond(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}
