/** What a dead letter keeps and a replay brings back, asked of either bus: called by `dead-letters.pg.test.ts` and `dead-letters.kafka.test.ts`. */
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { createTestDatabase } from '../../../test/support/postgres.ts';
import { deadLetterHeaders } from '../../contracts/dead-letter.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Bus, BusRecord, OutgoingRecord } from '../../platform/bus/bus.ts';
import { recordBytesMaxDefault } from '../../platform/bus/bus-options.ts';
import { foreignHeaders } from '../../platform/bus/contract/bus-harness.contract.ts';
import { deadLetterRecords } from '../../platform/bus/intake/dead-letter-records.ts';
import type { Database } from '../../platform/database/database.ts';
import { openDeadLetters } from './service.ts';

type Own = Pick<OutgoingRecord, 'key' | 'value' | 'headersBefore'>;

const noText = Buffer.from([0xff, 0x00, 0xc3]);
const records: readonly (readonly [string, Own])[] = [
  ['headers of every kind', { key: 'k', value: 'v', headersBefore: foreignHeaders() }],
  ['no headers, no key', { key: null, value: 'v' }],
  ['an empty key and an empty value', { key: '', value: '' }],
  ['a key and a value that are no text', { key: noText, value: noText }],
  ['a tombstone', { key: 'k', value: null, headersBefore: [{ name: 'a', value: null }] }],
  ['a value that only our headers make too large', { key: 'k', value: 'v'.repeat(recordBytesMaxDefault - 10) }],
  [
    'a header that only our headers make too large',
    { key: 'k', value: 'v', headersBefore: [{ name: 'a', value: Buffer.alloc(recordBytesMaxDefault - 10, 'h') }] },
  ],
];

export function describeDeadLetters(name: string, openBus: (database: Database) => Promise<Bus>): void {
  async function withDeadLetters(work: (tools: Tools) => Promise<void>): Promise<void> {
    const { database, drop } = await createTestDatabase();
    const bus = await openBus(database);
    const [source, target] = [`letters-${randomUUID()}`, `dead-${randomUUID()}`];
    try {
      await bus.admin.ensureTopics([source, target].map((topic) => ({ name: topic, partitions: 1 })));
      await work({ database, bus, source, target });
    } finally {
      await bus.close();
      await drop();
    }
  }

  for (const [what, own] of records) {
    test(`${name}: a replay brings ${what} back byte for byte`, async () => {
      await withDeadLetters(async (tools) => {
        const original = await sendAndRead(tools, own);
        await makeLetter(tools, original);
        await replayOnly(tools);
        const back = (await readAll(tools, tools.source))[1]!;
        assert.deepEqual(described(back), described(original));
      });
    });
  }

  test(`${name}: a dead letter of an earlier release is listed and replayed, without what is called like our headers`, async () => {
    await withDeadLetters(async (tools) => {
      const { bus, source, target } = tools;
      const info = { code: 'X', reason: 'why', step: 's', service: 'x', sourceTopic: source, sourcePartition: 0 };
      const headers = deadLetterHeaders({ ...info, sourceOffset: 7n, time: '2026-11-21T16:00:00Z' });
      const producer = await bus.createProducer();
      await producer.send([{ topic: target, key: 'k', value: 'v', headers: { service: 'openshift', ...headers } }]);
      await producer.close();
      await replayOnly(tools);
      const [back] = await readAll(tools, source);
      assert.deepEqual(back?.headers, [{ name: 'service', value: Buffer.from('openshift') }]);
    });
  });

  test(`${name}: a dead letter that was too large for its record cannot be replayed once that is gone, and says so`, async () => {
    await withDeadLetters(async (tools) => {
      const original = await sendAndRead(tools, { key: null, value: 'v'.repeat(recordBytesMaxDefault - 10) });
      await makeLetter(tools, { ...original, offset: original.offset + 5n });
      await assert.rejects(replayOnly(tools), { code: 'DEAD_LETTER_SOURCE_GONE' });
    });
  });
}

/** Short, because a comparison of megabytes that fails is written out. */
function described({ key, value, headers }: BusRecord): unknown {
  const hex = (bytes: Buffer | null | undefined) =>
    bytes === null || bytes === undefined
      ? bytes
      : bytes.length < 100
        ? bytes.toString('hex')
        : createHash('sha256').update(bytes).digest('hex');
  const own = headers.map((header) => [header.name, hex(header.nameBytes), hex(header.value)]);
  return { key: hex(key), value: hex(value), headers: own };
}

interface Tools {
  readonly database: Database;
  readonly bus: Bus;
  /** Where the record comes from. */
  readonly source: string;
  /** Where its dead letter goes. */
  readonly target: string;
}

async function sendAndRead(tools: Tools, own: Own): Promise<BusRecord> {
  const producer = await tools.bus.createProducer();
  await producer.send([{ topic: tools.source, ...own }]);
  await producer.close();
  return (await readAll(tools, tools.source))[0]!;
}

async function readAll({ bus }: Tools, topic: string): Promise<readonly BusRecord[]> {
  return await bus.admin.read({ topic, partition: 0, offset: 0n }, 10);
}

async function makeLetter({ bus, target }: Tools, record: BusRecord): Promise<void> {
  const producer = await bus.createProducer();
  const error = new CcxError('no', { code: 'X', category: 'input' });
  const to = { sender: producer, topic: target, serviceName: 'x', time: () => '2026-11-21T16:00:00Z' };
  const outcome = await deadLetterRecords([{ record, step: 's', error, requestId: '' }], to, 1);
  assert.equal(outcome.kind, 'done');
  await producer.close();
}

async function replayOnly({ bus, database, target }: Tools): Promise<void> {
  const deadLetters = await openDeadLetters({ bus, database, topics: [target] });
  const listed = await deadLetters.list()[Symbol.asyncIterator]().next();
  await deadLetters.replay(listed.value!.id, { actor: 'ada', origin: 'test' });
}
