/** The embedded bus passes the bus contract, on a real PostgreSQL. */

import { createTestDatabase } from '../../../../test/support/postgres.ts';
import { startTcpProxy } from '../../../../test/support/tcp-proxy.ts';
import { createSystemClock } from '../../clock/clock.ts';
import { connectDatabase } from '../../database/connect-database.ts';
import { describeBusContract } from '../bus.contract.ts';
import type { BusHarness, HeldTransaction } from '../contract/bus-harness.contract.ts';
import { appendRecords } from './append.ts';
import { createPostgresBus, type PostgresBus } from './postgres-bus.ts';
import { TopicDirectory } from './storage.ts';

/** Short, so that cases about dying members do not take long; a loaded machine still renews in time. */
const leaseMs = 3_000;

describeBusContract('PostgreSQL', async (): Promise<BusHarness> => {
  const test = await createTestDatabase();
  const clock = createSystemClock();
  const open = async (url: string): Promise<PostgresBus> => {
    const database = connectDatabase({ url, applicationName: 'bus contract' });
    const bus = await createPostgresBus({ database, clock, leaseMs, pollEveryMs: 100 });
    return Object.assign(bus, { close: closeWith(bus, database) });
  };
  const { hostname, port } = new URL(test.url);
  const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  const proxied = new URL(test.url);
  proxied.port = String(proxy.port);

  return {
    openBus: () => open(test.url),
    openFaultyBus: async () => ({ ...proxy, bus: await open(proxied.toString()) }),
    async holdTransaction(topic, value): Promise<HeldTransaction> {
      const { topicId } = (await new TopicDirectory(test.database).resolve([topic])).get(topic)!;
      const taken = Promise.withResolvers<void>();
      const end = Promise.withResolvers<void>();
      const record = {
        topic,
        topicId,
        partition: 0,
        key: null,
        headers: [],
        value: Buffer.from(value),
        bytes: value.length,
      };
      const held = test.database.transaction(async (tx) => {
        await appendRecords(tx, [record], 0);
        taken.resolve();
        await end.promise;
      });
      await Promise.race([taken.promise, held]);
      return {
        async commit() {
          end.resolve();
          await held;
        },
        async rollback() {
          end.reject(new Error('rolled back on purpose'));
          await held.catch(() => undefined);
        },
      };
    },
    async close() {
      await proxy.close();
      await test.drop();
    },
  };
});

/** In production the database outlives the bus; here each bus has one of its own. */
function closeWith(bus: PostgresBus, database: { close(): Promise<void> }): () => Promise<void> {
  const close = bus.close.bind(bus);
  return async () => {
    await close();
    await database.close();
  };
}
