/** A broker that takes less at once than we would send: it refuses a whole batch, and only the record at fault is to fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestKafka } from '../../../../test/support/kafka.ts';
import type { CcxError } from '../../../encoding/ccx-error.ts';
import { createSystemClock } from '../../clock/clock.ts';
import { subscribe, take, texts } from '../contract/bus-harness.contract.ts';
import { createKafkaBus } from './kafka-bus.ts';
import { plaintext } from './kafka-security.ts';

test('where batches are refused for their size, smaller ones are sent in order, and the record that is too large fails alone', async () => {
  const cluster = await startTestKafka({ properties: { 'message.max.bytes': '20000' } });
  const brokers = cluster.addresses;
  const bus = createKafkaBus({ brokers, clientId: 'small-batches', security: plaintext, clock: createSystemClock() });
  try {
    const topic = 'small-batches';
    await bus.admin.ensureTopics([{ name: topic, partitions: 1 }]);
    const values = Array.from({ length: 100 }, (_, number) => `${number}:`.padEnd(1_000, 'x'));
    const records = values.toSpliced(40, 0, 'y'.repeat(30_000)).map((value) => ({ topic, key: 'k', value }));
    const codes: string[] = [];
    const producer = await bus.createProducer();
    await producer.sendEach(records, (index, outcome) => {
      codes[index] = outcome instanceof Error ? (outcome as CcxError).code : 'stored';
    });
    assert.deepEqual(
      codes,
      records.map(({ value }) => (value.startsWith('y') ? 'BUS_RECORD_TOO_LARGE' : 'stored')),
    );
    assert.deepEqual(texts(await take(await subscribe(bus, topic), values.length)), values);
    await assert.rejects(producer.send(records), { code: 'BUS_RECORD_TOO_LARGE' });
  } finally {
    await bus.close();
    await cluster.stop();
  }
});
