/** The data pipeline's fair shares on a real Kafka. */
import { after } from 'node:test';
import { openTestKafkaBus } from '../../../test/support/kafka.ts';
import type { Bus } from '../../platform/bus/bus.ts';
import { fairSharesContract } from './fair-shares.contract.ts';

let bus: Bus | undefined;

fairSharesContract(async () => {
  bus = await openTestKafkaBus();
  return bus;
});
after(() => bus?.close());
