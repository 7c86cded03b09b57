/**
 * A consumer in a process of its own, for tests that kill it: `<database url> <group> <topic> <name>`. For every record it writes a row
 * into `effects` and then commits, as a service does; it stops when it is killed.
 */

import { createPostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';

const [url = '', groupId = '', topic = '', name = ''] = readProcessInput().args;
const database = connectDatabase({ url, applicationName: name });
const bus = await createPostgresBus({ database, clock: createSystemClock(), leaseMs: 2_000, pollEveryMs: 100 });
const consumer = await bus.createConsumer({ groupId, topics: [topic], startAt: 'earliest' });

for (;;) {
  for (const record of await consumer.poll({ recordsMax: 10, waitMs: 1_000 })) {
    await database.query('INSERT INTO effects (consumer, value) VALUES ($1, $2)', [name, record.value?.toString()]);
    const { partition, offset } = record;
    await consumer.commit([{ topic, partition, offset: offset + 1n }]).catch((error: { code?: string }) => {
      if (error.code !== 'BUS_FENCED') throw error;
    });
  }
}
