/**
 * Timestamps of the notification database as microseconds and as text. Its columns have no zone and mean UTC; a JavaScript Date would cut
 * the last three digits and the row would not be found again. Used by the service's store and steps. Source: notification-service.md 20.1.
 */
import { type Clock, nextMicros } from '../../platform/clock/clock.ts';
import type { Queryable } from '../../platform/database/database.ts';

/** Two looks at the clock that differ by more than time has passed: somebody set it, or the machine was suspended. */
export const clockStepMsMin = 2_000;

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

/** Of a column that may be null, or of a row that may not be there. */
export function microsOrUndefined(text: string | null | undefined): bigint | undefined {
  return text === null || text === undefined ? undefined : timestampMicros(text);
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

/**
 * What time it is for decisions, leases and the rows we write: the database server's clock, asked at each run, so that processes on
 * machines whose clocks differ agree on cooldowns and leases; or the process's own clock, in tests. In between only the monotonic clock
 * counts. A step of the server's clock is followed and answered, in both directions. Source: architecture.md 7.
 */
export type TimeSource = ReturnType<typeof createTimeSource>;

export function createTimeSource(clock: Clock, source: 'database' | 'clock') {
  /** What the clock says, less what the monotonic one says: stays as it is unless somebody sets the clock or suspends this machine. */
  let offsetMicros: bigint | undefined;
  let last = 0n;
  const monotonic = () => microsOfMs(clock.monotonicMs());
  const nowMicros = () => {
    const micros = source === 'clock' || offsetMicros === undefined ? clock.nowMicros() : monotonic() + offsetMicros;
    last = nextMicros(last, micros);
    return last;
  };
  return {
    /** Microseconds since the epoch; strictly increasing within this process but for steps back, which `synchronize` answers. */
    nowMicros,
    now: () => dateOfMicros(nowMicros()),
    /**
     * Asks again, `serverMicros` or a statement with a like answer. Resolves to the step since the last time: 0 for none, negative when the
     * clock was set back.
     */
    async synchronize(ask: () => Promise<bigint>): Promise<bigint> {
      const before = monotonic();
      const answer = await ask();
      const now = source === 'clock' ? clock.nowMicros() : answer;
      const after = monotonic();
      const previous = offsetMicros;
      offsetMicros = now - (before + after) / 2n;
      const step = previous === undefined ? 0n : offsetMicros - previous;
      const size = step < 0n ? -step : step;
      // The answer may be as old as the question.
      return size > microsOfMs(clockStepMsMin) + (after - before) ? step : 0n;
    },
  };
}

/** What time it is for the server. */
export async function serverMicros(queryable: Queryable): Promise<bigint> {
  const { rows } = await queryable.query<{ now: bigint }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now',
  );
  return rows[0]!.now;
}
