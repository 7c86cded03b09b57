/** What a server says with Retry-After. Source: RFC 9110, 10.2.3. */

/** A Retry-After beyond this is taken for this; a one-shot run has ended long before. */
export const retryAfterMsMax = 3_600_000;

/** Milliseconds from now, bounded; undefined when the header is absent or says nothing. */
export function retryAfterMs(header: string | null, now: Date): number | undefined {
  const text = header?.trim() ?? '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime();
  return text === '' || Number.isNaN(ms) ? undefined : Math.max(0, Math.min(retryAfterMsMax, ms));
}
