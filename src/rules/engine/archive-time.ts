/** Times that an archive names, against the time at which it was gathered. Both come from the cluster, so its clock may be wrong. */
import { parseRfc3339 } from '../../encoding/rfc3339.ts';

/** No time has so many characters; what is longer is not looked at. */
const timeCharactersMax = 64;

/** Milliseconds since the epoch of an RFC 3339 text; undefined for anything else. */
export function timeOf(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || text.length > timeCharactersMax) return undefined;
  const moment = parseRfc3339(text);
  return moment === undefined ? undefined : Number(moment.micros / 1000n);
}

/** Whether what began at that time has lasted so long; no, where the time is missing or none. */
export function hasLasted(since: string | null | undefined, ms: number, now: Date): boolean {
  const began = timeOf(since);
  return began !== undefined && now.getTime() - began >= ms;
}
