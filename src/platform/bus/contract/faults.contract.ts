/** The part of the bus contract about things going wrong: members that die or hang, slow producers, topics that are made again, a server that is away. */
import assert from 'node:assert/strict';
import type { BusRecord, Consumer } from '../bus.ts';
import {
  assertDrained,
  type ContractContext,
  commitAfter,
  contractCase,
  createTopic,
  numbered,
  numbers,
  pollUntil,
  rejectsWith,
  send,
  subscribe,
  take,
  texts,
  uniqueGroup,
  waitMsMax,
} from './bus-harness.contract.ts';

export function describeFaults(context: ContractContext): void {
  contractCase(
    context,
    'after a crash what was not committed is delivered again, to whoever starts next',
    async (bus) => {
      const topic = await createTopic(bus);
      const groupId = uniqueGroup();
      await send(bus, numbered(topic, 0, 10));
      const faulty = await context.harness().openFaultyBus();
      const victim = await subscribe(faulty.bus, topic, { groupId });
      const records = await take(victim, 10);
      await commitAfter(victim, records.slice(0, 3));
      faulty.cut();
      const next = await subscribe(bus, topic, { groupId });
      assert.deepEqual(texts(await take(next, 7)), numbers(3, 10));
      await closeBroken(faulty.bus);
      faulty.restore();
    },
  );

  contractCase(context, 'the partitions of a member that dies go to those that live', async (bus) => {
    const topic = await createTopic(bus, 4);
    const groupId = uniqueGroup();
    const survivor = await subscribe(bus, topic, { groupId });
    const faulty = await context.harness().openFaultyBus();
    const victim = await subscribe(faulty.bus, topic, { groupId });
    await pollUntil([survivor, victim], () => victim.assignment().length === 2 && survivor.assignment().length === 2);
    faulty.cut();
    await send(bus, numbered(topic, 0, 40));
    const seen = new Set<string | null>();
    const deadline = performance.now() + waitMsMax;
    while (seen.size < 40) {
      assert.ok(performance.now() < deadline, `only ${seen.size} records came`);
      for (const text of texts(await survivor.poll({ recordsMax: 100, waitMs: 200 }))) seen.add(text);
    }
    assert.equal(survivor.assignment().length, 4);
    await closeBroken(faulty.bus);
    faulty.restore();
  });

  contractCase(
    context,
    'a member that hangs past its lease is fenced: it commits nothing and gets its share anew',
    async (bus) => {
      const topic = await createTopic(bus);
      const groupId = uniqueGroup();
      await send(bus, numbered(topic, 0, 6));
      const faulty = await context.harness().openFaultyBus();
      const revoked: number[] = [];
      const hanging = await subscribe(faulty.bus, topic, {
        groupId,
        onRevoked: (partitions) => revoked.push(...partitions.map(({ partition }) => partition)),
      });
      const stale = await take(hanging, 6);
      faulty.freeze();
      const other = await subscribe(bus, topic, { groupId });
      const again = await take(other, 6);
      assert.deepEqual(texts(again), numbers(0, 6));
      await commitAfter(other, again.slice(0, 5));
      faulty.restore();
      await rejectsWith(commitUntilAnswered(hanging, stale), 'BUS_FENCED');
      assert.equal((await bus.admin.lag(groupId, [topic]))[0]?.committed, 5n);
      await other.close();
      assert.deepEqual(texts(await takeThroughErrors(hanging, 1)), ['5']);
      assert.ok(revoked.includes(0));
      await faulty.bus.close();
    },
  );

  contractCase(
    context,
    'members that come and go lose nothing, and each partition is first seen in order',
    async (bus) => {
      const topic = await createTopic(bus, 3);
      const groupId = uniqueGroup();
      const total = 600;
      const firstSeen: BusRecord[] = [];
      const seen = new Set<string>();
      const work = async (consumer: Consumer, polls: number) => {
        for (let round = 0; round < polls && seen.size < total; round += 1) {
          const records = await consumer.poll({ recordsMax: 20, waitMs: 100 });
          for (const record of records) {
            const place = `${record.partition}/${record.offset}`;
            if (!seen.has(place)) firstSeen.push(record);
            seen.add(place);
          }
          // A fenced commit is part of the game: somebody else has the work.
          await commitAfter(consumer, records).catch((error: { code?: string }) =>
            assert.equal(error.code, 'BUS_FENCED'),
          );
        }
      };
      const sending = (async () => {
        const producer = await bus.createProducer();
        for (let at = 0; at < total; at += 20) {
          await producer.send(numbers(at, at + 20).map((value) => ({ topic, key: value, value })));
        }
      })();
      const deadline = performance.now() + waitMsMax;
      const constant = await subscribe(bus, topic, { groupId });
      while (seen.size < total) {
        assert.ok(performance.now() < deadline, `only ${seen.size} of ${total} records came`);
        const guest = await subscribe(bus, topic, { groupId });
        await Promise.all([work(constant, 5), work(guest, 3)]);
        await guest.close();
      }
      await sending;
      for (const partition of [0, 1, 2]) {
        const offsets = firstSeen.filter((record) => record.partition === partition).map(({ offset }) => offset);
        assert.deepEqual(
          offsets,
          [...offsets].sort((a, b) => (a < b ? -1 : 1)),
        );
      }
    },
  );

  contractCase(context, 'a producer that takes its time is never overtaken', async (bus) => {
    const topic = await createTopic(bus);
    const consumer = await subscribe(bus, topic);
    await send(bus, numbered(topic, 0, 2));
    const slow = await context.harness().holdTransaction!(topic, 'slow');
    const fast = send(bus, [{ topic, value: 'fast' }]);
    assert.deepEqual(texts(await take(consumer, 2)), ['0', '1']);
    await assertDrained(consumer);
    assert.equal((await bus.admin.lag('nobody', [topic]))[0]?.end, 2n);
    await slow.commit();
    assert.equal((await fast)[0]?.offset, 3n);
    assert.deepEqual(texts(await take(consumer, 2)), ['slow', 'fast']);
  });

  contractCase(context, 'a producer that rolls back leaves no gap', async (bus) => {
    const topic = await createTopic(bus);
    const slow = await context.harness().holdTransaction!(topic, 'never');
    const next = send(bus, [{ topic, value: 'next' }]);
    await slow.rollback();
    assert.equal((await next)[0]?.offset, 0n);
    assert.deepEqual(texts(await take(await subscribe(bus, topic), 1)), ['next']);
  });

  contractCase(
    context,
    'old positions do not hide the records of a topic that was deleted and made again',
    async (bus) => {
      const topic = await createTopic(bus);
      const groupId = uniqueGroup();
      await send(bus, numbered(topic, 0, 10));
      const revoked: string[] = [];
      const consumer = await subscribe(bus, topic, {
        groupId,
        onRevoked: (partitions) => revoked.push(...partitions.map((partition) => partition.topic)),
      });
      const old = await take(consumer, 10);
      await commitAfter(consumer, old.slice(0, 8));
      await bus.admin.deleteTopic(topic);
      await bus.admin.ensureTopics([{ name: topic, partitions: 1 }]);
      await sendThroughErrors(() => send(bus, numbered(topic, 100, 112)));
      assert.deepEqual(texts(await takeThroughErrors(consumer, 12)), numbers(100, 112));
      assert.deepEqual(revoked, [topic]);
      const newcomer = await subscribe(bus, topic, { groupId: uniqueGroup() });
      assert.deepEqual(texts(await take(newcomer, 12)), numbers(100, 112));
    },
  );

  contractCase(context, 'a stopped group finds the records of a topic that was made again meanwhile', async (bus) => {
    const topic = await createTopic(bus);
    const groupId = uniqueGroup();
    await send(bus, numbered(topic, 0, 10));
    const before = await subscribe(bus, topic, { groupId });
    await commitAfter(before, await take(before, 10));
    await before.close();
    await bus.admin.deleteTopic(topic);
    await bus.admin.ensureTopics([{ name: topic, partitions: 1 }]);
    await sendThroughErrors(() => send(bus, numbered(topic, 100, 112)));
    assert.deepEqual(texts(await take(await subscribe(bus, topic, { groupId }), 12)), numbers(100, 112));
  });

  contractCase(
    context,
    'a server that is away is told by check and by every call, and afterwards all goes on',
    async (bus) => {
      const topic = await createTopic(bus);
      const groupId = uniqueGroup();
      await send(bus, numbered(topic, 0, 3));
      const faulty = await context.harness().openFaultyBus();
      await faulty.bus.check();
      const consumer = await subscribe(faulty.bus, topic, { groupId });
      await commitAfter(consumer, await take(consumer, 3));
      faulty.cut();
      await rejectsWith(faulty.bus.check(), 'BUS_UNREACHABLE');
      await rejectsWith(send(faulty.bus, [{ topic, value: 'lost' }]), 'BUS_UNREACHABLE');
      faulty.restore();
      await sendThroughErrors(() => faulty.bus.check());
      await sendThroughErrors(() => send(faulty.bus, numbered(topic, 3, 6)));
      const rest = await takeThroughErrors(consumer, 3);
      assert.deepEqual(texts(rest).slice(-3), numbers(3, 6));
      await faulty.bus.close();
    },
  );
}

/** A bus without a server still ends, in bounded time. */
async function closeBroken(bus: { close(): Promise<void> }): Promise<void> {
  const startedMs = performance.now();
  await bus.close();
  assert.ok(performance.now() - startedMs < waitMsMax / 2, 'closing took too long');
}

/** Tries again while the way back to the server is not there yet. */
async function sendThroughErrors<T>(run: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + waitMsMax;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      const passing = ['BUS_UNREACHABLE', 'BUS_TOPIC_UNKNOWN'].includes((error as { code?: string }).code ?? '');
      if (!passing || performance.now() > deadline) throw error;
    }
  }
}

/** As services do: a poll that fails is tried again, and a record that comes twice is the same record. */
async function takeThroughErrors(consumer: Consumer, count: number): Promise<BusRecord[]> {
  const records = new Map<string, BusRecord>();
  const deadline = performance.now() + waitMsMax;
  while (records.size < count) {
    assert.ok(performance.now() < deadline, `only ${records.size} of ${count} records came`);
    const page = await sendThroughErrors(() => consumer.poll({ recordsMax: count, waitMs: 500 }));
    for (const record of page) records.set(`${record.partition}/${record.offset}`, record);
  }
  return [...records.values()];
}

async function commitUntilAnswered(consumer: Consumer, records: readonly BusRecord[]): Promise<void> {
  await sendThroughErrors(() => commitAfter(consumer, records));
}
