/**
 * What time it is for decisions, leases and the rows we write: the database server's clock, asked once per run, so that processes on
 * machines whose clocks differ agree on cooldowns and leases; or the process's own clock, in tests. Source: architecture.md 7.
 */
import type { Clock } from '../../platform/clock/clock.ts';
import type { Queryable } from '../../platform/database/database.ts';
import { dateOfMicros } from './timestamps.ts';

export interface TimeSource {
  /** Microseconds since the epoch; strictly increasing within this process, also when the server's clock steps back. */
  nowMicros(): bigint;
  now(): Date;
  /** Asks the server again. */
  synchronize(queryable: Queryable): Promise<void>;
}

export function createTimeSource(clock: Clock, source: 'database' | 'clock'): TimeSource {
  let offsetMicros = 0n;
  let last = 0n;
  const nowMicros = () => {
    const micros = clock.nowMicros() + offsetMicros;
    last = micros > last ? micros : last + 1n;
    return last;
  };
  return {
    nowMicros,
    now: () => dateOfMicros(nowMicros()),
    async synchronize(queryable) {
      if (source === 'clock') return;
      const before = clock.nowMicros();
      const { rows } = await queryable.query<{ now: bigint }>(
        'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now',
      );
      const after = clock.nowMicros();
      offsetMicros = rows[0]!.now - (before + after) / 2n;
    },
  };
}
