/**
 * The one place that knows which adapter stands behind the bus. Called by composition roots and commands with the role's settings; an
 * adapter is loaded only where it is used.
 */
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';
import type { Database } from '../database/database.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Bus } from './bus.ts';
import type { BusSettings } from './bus-options.ts';

interface BusDependencies {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Needed by `bus.kind = postgres`; stays open when the bus is closed. */
  readonly database?: Database;
  /** There may be nothing to send: Kafka's client is loaded when there is. */
  readonly mayBeIdle?: boolean;
}

/** Rejects with `BUS_UNREACHABLE` (retryable) while the database is away; a Kafka bus opens without its brokers and says so in `check()`. */
export async function openBus(settings: BusSettings, dependencies: BusDependencies): Promise<Bus> {
  const { clock, telemetry, database, mayBeIdle = false } = dependencies;
  if (settings.kind === 'kafka') {
    const { kind: _, ...options } = settings;
    if (mayBeIdle) {
      const { createLateKafkaBus } = await import('./kafka/late-kafka-bus.ts');
      return createLateKafkaBus({ ...options, clock, telemetry });
    }
    const { createKafkaBus } = await import('./kafka/kafka-bus.ts');
    return createKafkaBus({ ...options, clock, telemetry });
  }
  if (database === undefined) {
    throw new CcxError('bus.kind = postgres needs a database, and this role has none', {
      code: 'BUS_KIND',
      category: 'configuration',
      hint: 'set bus.kind = kafka and bus.brokers, or configure the database',
    });
  }
  const { createPostgresBus } = await import('./postgres/postgres-bus.ts');
  const { kind: _, ...options } = settings;
  return await createPostgresBus({ ...options, database, clock, telemetry });
}
