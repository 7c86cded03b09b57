/**
 * Timestamps of the notification database as microseconds and as text. Its columns have no zone and mean UTC; a JavaScript Date would cut
 * the last three digits and the row would not be found again. Used by the service's store and steps. Source: notification-service.md 20.1.
 */

const pattern = /^(\d{4,})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/;

/** `2026-11-21 16:00:00.000001` */
export function timestampText(micros: bigint): string {
  const milliseconds = Number(micros / 1000n);
  const rest = String(micros % 1000n).padStart(3, '0');
  return `${new Date(milliseconds).toISOString().replace('T', ' ').slice(0, -1)}${rest}`;
}

/** Microseconds since the epoch of a text that PostgreSQL wrote. Anything else is a bug of the statement that read it. */
export function timestampMicros(text: string): bigint {
  const match = pattern.exec(text);
  if (match === null) throw new Error(`not a timestamp of the notification database: ${text}`);
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const milliseconds = Date.UTC(year, month - 1, day, hour, minute, second);
  return BigInt(milliseconds) * 1000n + BigInt((match[7] ?? '').padEnd(6, '0'));
}

/** RFC 3339 with microseconds, for traces. */
export function isoText(micros: bigint): string {
  return `${timestampText(micros).replace(' ', 'T')}Z`;
}

export function dateOfMicros(micros: bigint): Date {
  return new Date(Number(micros / 1000n));
}

export function microsOfMs(milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds * 1000));
}
