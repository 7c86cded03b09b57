/** How long a server asks to wait: seconds or a date in `Retry-After`. */
import { retryAfterMsMax } from '../limits.ts';

/** Milliseconds from now, bounded; undefined when the header is absent or says nothing. */
export function retryAfterMs(header: string | null, now: Date): number | undefined {
  const text = header?.trim() ?? '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime();
  return text === '' || Number.isNaN(ms) ? undefined : Math.max(0, Math.min(retryAfterMsMax, ms));
}
