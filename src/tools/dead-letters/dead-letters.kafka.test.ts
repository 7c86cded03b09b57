/** Letters and replays on a real Kafka. */
import { openTestKafkaBus } from '../../../test/support/kafka.ts';
import { describeDeadLetters } from './dead-letters.contract.ts';

describeDeadLetters('Kafka', () => openTestKafkaBus());
