/** The Kafka adapter passes the bus contract, on a real broker. */
import { startFaultyKafka } from '../../../../test/support/kafka.ts';
import { createSystemClock } from '../../clock/clock.ts';
import { describeBusContract } from '../bus.contract.ts';
import type { BusHarness } from '../contract/bus-harness.contract.ts';
import { createKafkaBus } from './kafka-bus.ts';
import { plaintext } from './kafka-security.ts';

/** Short, so that cases about dying members do not take long; a loaded machine still sends its heartbeats in time. */
const sessionMs = 3_000;
const deliveryMsMax = 5_000;

const noOpenTransactions =
  'a Kafka broker gives an offset when it appends, so no producer can hold one while others go on; ' +
  'transactions of other systems are covered in readable-records.test.ts and brokers.kafka.test.ts';

describeBusContract('Kafka', async (): Promise<BusHarness> => {
  const clock = createSystemClock();
  const { cluster, proxy, proxiedBrokers } = await startFaultyKafka();
  const open = (brokers: readonly string[]) =>
    createKafkaBus({ brokers, clientId: 'bus-contract', security: plaintext, clock, sessionMs, deliveryMsMax });
  return {
    openBus: async () => open(cluster.addresses),
    openFaultyBus: async () => ({ ...proxy, bus: open(proxiedBrokers) }),
    notApplicable: {
      'a producer that takes its time is never overtaken': noOpenTransactions,
      'a producer that rolls back leaves no gap': noOpenTransactions,
    },
    async close() {
      await proxy.close();
      await cluster.stop();
    },
  };
});
