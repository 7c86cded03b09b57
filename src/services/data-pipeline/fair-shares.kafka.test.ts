/** The data pipeline's fair shares on a real Kafka. */
import { after } from 'node:test';
import { testKafkaBrokers } from '../../../test/support/kafka.ts';
import type { Bus } from '../../platform/bus/bus.ts';
import { parseKafkaSecurity } from '../../platform/bus/kafka/kafka-security.ts';
import { openBus } from '../../platform/bus/open-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { fairSharesContract } from './fair-shares.contract.ts';

let bus: Bus | undefined;

fairSharesContract(async () => {
  bus = await openBus(
    {
      kind: 'kafka',
      brokers: await testKafkaBrokers(),
      clientId: 'fair-shares',
      security: parseKafkaSecurity({ protocol: 'PLAINTEXT' }),
    },
    { clock: createSystemClock(), telemetry: createSilentTelemetry('bus') },
  );
  return bus;
});
after(() => bus?.close());
