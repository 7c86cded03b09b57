/** Letters and replays on a real Kafka. */
import { testKafkaBrokers } from '../../../test/support/kafka.ts';
import { createKafkaBus } from '../../platform/bus/kafka/kafka-bus.ts';
import { plaintext } from '../../platform/bus/kafka/kafka-security.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { describeDeadLetters } from './dead-letters.contract.ts';

describeDeadLetters('Kafka', async () =>
  createKafkaBus({
    brokers: await testKafkaBrokers(),
    clientId: 'letters',
    security: plaintext,
    clock: createSystemClock(),
  }),
);
