/**
 * Buses and databases by name, so that a benchmark runs on each and says which are missing here: `embedded` is what an installation without
 * anything else has, `kafka` and `debian` are what the hosted services use.
 */
import { missingForKafka } from '../../scripts/kafka/kafka-jars.ts';
import { type KafkaCluster, startKafka } from '../../scripts/kafka/start-kafka.ts';
import { createKafkaBus } from '../../src/platform/bus/kafka/kafka-bus.ts';
import { plaintext } from '../../src/platform/bus/kafka/kafka-security.ts';
import { createPostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import type { Clock } from '../../src/platform/clock/clock.ts';
import { systemPostgresPrograms } from '../../test/support/system-postgres.ts';
import type { BenchEngines } from './benchmark.ts';

export interface RunEngines extends BenchEngines {
  stop(): Promise<void>;
}

interface EnginesOptions {
  readonly clock: Clock;
  /** A server takes longer to start than all quick benchmarks together: none is started. */
  readonly quick: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function createEngines({ clock, quick, env }: EnginesOptions): RunEngines {
  let cluster: Promise<KafkaCluster> | undefined;
  const kafka = async () => {
    cluster ??= startKafka({ wellCompiled: true });
    return (await cluster).addresses;
  };
  return {
    missing(engine) {
      if (engine === 'embedded') return undefined;
      if (quick && env['CCX_REQUIRE_KAFKA'] !== '1') return 'a quick run starts none, unless CCX_REQUIRE_KAFKA=1';
      if (engine === 'debian')
        return systemPostgresPrograms() === undefined ? 'postgresql is not installed' : undefined;
      const missing = missingForKafka();
      return missing.length === 0 ? undefined : `${missing.join(' and ')} is missing`;
    },
    kafka,
    async openBus(engine, database) {
      if (engine === 'embedded') return await createPostgresBus({ database, clock });
      return createKafkaBus({ brokers: await kafka(), clientId: 'bench', security: plaintext, clock });
    },
    async stop() {
      await (await cluster)?.stop();
    },
  };
}
