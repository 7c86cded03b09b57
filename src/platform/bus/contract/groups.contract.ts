/** The part of the bus contract about groups: who gets what, what a committed position means, and how a member waits. */
import assert from 'node:assert/strict';
import type { TopicPartition } from '../bus.ts';
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

export function describeGroups(context: ContractContext): void {
  contractCase(context, 'every group sees every record', async (bus) => {
    const topic = await createTopic(bus);
    await send(bus, numbered(topic, 0, 10));
    for (const consumer of [await subscribe(bus, topic), await subscribe(bus, topic)]) {
      assert.deepEqual(texts(await take(consumer, 10)), numbers(0, 10));
      await assertDrained(consumer);
    }
  });

  contractCase(context, 'members of one group share the partitions and no record goes to two of them', async (bus) => {
    const topic = await createTopic(bus, 4);
    const groupId = uniqueGroup();
    const first = await subscribe(bus, topic, { groupId });
    const second = await subscribe(bus, topic, { groupId });
    await pollUntil([first, second], () => first.assignment().length === 2 && second.assignment().length === 2);
    await send(
      bus,
      numbers(0, 80).map((value) => ({ topic, key: value, value })),
    );
    const seen: (string | null)[] = [];
    const perMember = [0, 0];
    while (seen.length < 80) {
      for (const [index, consumer] of [first, second].entries()) {
        const records = await consumer.poll({ recordsMax: 100, waitMs: 200 });
        perMember[index]! += records.length;
        seen.push(...texts(records));
      }
    }
    assert.deepEqual(
      seen.map(Number).sort((a, b) => a - b),
      numbers(0, 80).map(Number),
    );
    assert.ok(Math.min(...perMember) > 0);
  });

  contractCase(context, 'a member reads several topics', async (bus) => {
    const topics = [await createTopic(bus), await createTopic(bus, 2)];
    for (const topic of topics) await send(bus, numbered(topic, 0, 6));
    const consumer = await bus.createConsumer({ groupId: uniqueGroup(), topics, startAt: 'earliest' });
    const records = await take(consumer, 12);
    assert.deepEqual(new Set(records.map((record) => record.topic)), new Set(topics));
    assert.equal(consumer.assignment().length, 3);
  });

  contractCase(context, 'a busy partition does not starve the others', async (bus) => {
    const topic = await createTopic(bus, 2);
    const keys = numbers(0, 20);
    const left = (
      await send(
        bus,
        keys.map((key) => ({ topic, key, value: key })),
      )
    )
      .map(({ partition }, index) => ({ partition, key: keys[index]! }))
      .find(({ partition }) => partition === 0)!.key;
    await send(bus, numbered(topic, 0, 2_000, left));
    const consumer = await subscribe(bus, topic);
    const records = await take(consumer, 200);
    assert.ok(records.some((record) => record.partition === 1));
  });

  contractCase(context, 'a member gets no more than it asked for, and never the same record twice', async (bus) => {
    const topic = await createTopic(bus);
    await send(bus, numbered(topic, 0, 25));
    const consumer = await subscribe(bus, topic);
    const seen: (string | null)[] = [];
    while (seen.length < 25) {
      const records = await consumer.poll({ recordsMax: 4, waitMs: 1_000 });
      assert.ok(records.length <= 4);
      seen.push(...texts(records));
    }
    assert.deepEqual(seen, numbers(0, 25));
  });

  contractCase(context, 'what is committed is not delivered again, what is not is', async (bus) => {
    const topic = await createTopic(bus);
    const groupId = uniqueGroup();
    await send(bus, numbered(topic, 0, 10));
    const first = await subscribe(bus, topic, { groupId });
    const records = await take(first, 10);
    await commitAfter(first, records.slice(0, 4));
    await first.close();
    const second = await subscribe(bus, topic, { groupId });
    assert.deepEqual(texts(await take(second, 6)), numbers(4, 10));
  });

  contractCase(
    context,
    'a new group starts at the oldest record, or behind the newest, as it was told',
    async (bus) => {
      const topic = await createTopic(bus);
      await send(bus, numbered(topic, 0, 5));
      const earliest = await subscribe(bus, topic, { startAt: 'earliest' });
      const latest = await subscribe(bus, topic, { startAt: 'latest' });
      assert.deepEqual(texts(await take(earliest, 5)), numbers(0, 5));
      await pollUntil([latest], () => latest.assignment().length === 1);
      await assertDrained(latest);
      await send(bus, numbered(topic, 5, 8));
      assert.deepEqual(texts(await take(latest, 3)), numbers(5, 8));
    },
  );

  contractCase(
    context,
    'a group that started at the newest record skips nothing when it restarts before its first commit',
    async (bus) => {
      const topic = await createTopic(bus);
      const groupId = uniqueGroup();
      await send(bus, numbered(topic, 0, 5));
      const first = await subscribe(bus, topic, { groupId, startAt: 'latest' });
      await pollUntil([first], async () => (await bus.admin.lag(groupId, [topic]))[0]?.committed === 5n);
      await first.close();
      await send(bus, numbered(topic, 5, 8));
      const second = await subscribe(bus, topic, { groupId, startAt: 'latest' });
      assert.deepEqual(texts(await take(second, 3)), numbers(5, 8));
    },
  );

  contractCase(
    context,
    'a group that starts at the newest record has its positions when the consumer is there, for every partition',
    async (bus) => {
      const topic = await createTopic(bus, 4);
      await send(bus, numbered(topic, 0, 8));
      const groupId = uniqueGroup();
      await subscribe(bus, topic, { groupId, startAt: 'latest' });
      const committed = (await bus.admin.lag(groupId, [topic])).map((lag) => [lag.committed, lag.end]);
      assert.deepEqual(committed, Array(4).fill([2n, 2n]));
    },
  );

  contractCase(
    context,
    'members that start together at the newest record see none that is older, and all that come',
    async (bus) => {
      const topic = await createTopic(bus, 4);
      await send(bus, numbered(topic, 0, 40));
      const groupId = uniqueGroup();
      const members = await Promise.all([1, 2, 3].map(() => subscribe(bus, topic, { groupId, startAt: 'latest' })));
      await send(bus, numbered(topic, 40, 60));
      const seen = new Set<string | null>();
      const deadline = performance.now() + waitMsMax;
      while (seen.size < 20) {
        assert.ok(performance.now() < deadline, `only ${[...seen]}`);
        for (const member of members) {
          const records = await member.poll({ recordsMax: 100, waitMs: 20 });
          // Partitions move while members join: what is not committed is delivered again.
          for (const text of texts(records)) seen.add(text);
        }
      }
      assert.deepEqual([...seen].sort(), numbers(40, 60));
    },
  );

  contractCase(
    context,
    'a topic that is deleted and made again is read from its beginning, by a group that started at the newest record',
    async (bus) => {
      const topic = await createTopic(bus, 2);
      const groupId = uniqueGroup();
      await send(bus, numbered(topic, 0, 10));
      const consumer = await subscribe(bus, topic, { groupId, startAt: 'latest' });
      await send(bus, numbered(topic, 10, 16));
      await commitAfter(consumer, await take(consumer, 6));
      await bus.admin.deleteTopic(topic);
      await bus.admin.ensureTopics([{ name: topic, partitions: 2 }]);
      await send(bus, numbered(topic, 20, 30));
      const seen: (string | null)[] = [];
      const deadline = performance.now() + waitMsMax;
      while (seen.length < 10) {
        assert.ok(performance.now() < deadline, `only ${seen}`);
        // It may say that the topic is gone, until it sees the new one.
        seen.push(...texts(await consumer.poll({ recordsMax: 100, waitMs: 200 }).catch(() => [])));
      }
      assert.deepEqual(seen.sort(), numbers(20, 30));
    },
  );

  contractCase(
    context,
    'a topic that a group with positions begins to read is new to it: from its beginning, wherever groups start',
    async (bus) => {
      const [known, later] = [await createTopic(bus), await createTopic(bus)];
      const groupId = uniqueGroup();
      const first = await subscribe(bus, known, { groupId, startAt: 'latest' });
      await first.close();
      await send(bus, numbered(later, 0, 5));
      const second = await bus.createConsumer({ groupId, topics: [known, later], startAt: 'latest' });
      assert.deepEqual(texts(await take(second, 5)), numbers(0, 5));
    },
  );

  contractCase(context, 'lag tells start, end and what the group committed, for every partition', async (bus) => {
    const topic = await createTopic(bus, 2);
    const groupId = uniqueGroup();
    await send(bus, numbered(topic, 0, 6));
    const of = async () =>
      (await bus.admin.lag(groupId, [topic])).map(({ committed, start, end }) => [committed, start, end]);
    assert.deepEqual(await of(), [
      [null, 0n, 3n],
      [null, 0n, 3n],
    ]);
    const consumer = await subscribe(bus, topic, { groupId });
    const records = await take(consumer, 6);
    await commitAfter(
      consumer,
      records.filter((record) => record.partition === 1),
    );
    assert.deepEqual(await of(), [
      [null, 0n, 3n],
      [3n, 0n, 3n],
    ]);
  });

  contractCase(context, 'a paused partition keeps its records and its place in the group', async (bus) => {
    const topic = await createTopic(bus, 2);
    const groupId = uniqueGroup();
    const consumer = await subscribe(bus, topic, { groupId });
    await pollUntil([consumer], () => consumer.assignment().length === 2);
    const paused = { topic, partition: 0 };
    consumer.pause([paused]);
    await send(bus, numbered(topic, 0, 10));
    const others = await take(consumer, 5);
    assert.deepEqual(new Set(others.map((record) => record.partition)), new Set([1]));
    await assertDrained(consumer);
    await commitAfter(consumer, others);
    consumer.resume([paused]);
    const rest = await take(consumer, 5);
    assert.deepEqual(new Set(rest.map((record) => record.partition)), new Set([0]));
    await commitAfter(consumer, rest);
    assert.deepEqual(
      (await bus.admin.lag(groupId, [topic])).map(({ committed, end }) => end - committed!),
      [0n, 0n],
    );
  });

  contractCase(
    context,
    'a waiting poll answers as soon as a record comes, and with nothing when its time is over or it is aborted',
    async (bus) => {
      const topic = await createTopic(bus);
      const consumer = await subscribe(bus, topic);
      await pollUntil([consumer], () => consumer.assignment().length === 1);
      assert.deepEqual(await consumer.poll({ recordsMax: 1, waitMs: 50 }), []);

      const controller = new AbortController();
      const aborted = consumer.poll({ recordsMax: 1, waitMs: waitMsMax, signal: controller.signal });
      controller.abort();
      assert.deepEqual(await aborted, []);

      const startedMs = performance.now();
      const waiting = consumer.poll({ recordsMax: 1, waitMs: waitMsMax });
      await send(bus, [{ topic, value: 'now' }]);
      assert.deepEqual(texts(await waiting), ['now']);
      assert.ok(performance.now() - startedMs < waitMsMax / 2);
    },
  );

  contractCase(context, 'a position that this member never handed out is refused', async (bus) => {
    const topic = await createTopic(bus, 2);
    const groupId = uniqueGroup();
    await send(bus, numbered(topic, 0, 4));
    const consumer = await subscribe(bus, topic, { groupId });
    await take(consumer, 4);
    await rejectsWith(consumer.commit([{ topic, partition: 0, offset: 3n }]), 'BUS_FENCED');
    await rejectsWith(consumer.commit([{ topic, partition: 7, offset: 1n }]), 'BUS_FENCED');
    await rejectsWith(
      consumer.commit([
        { topic, partition: 0, offset: 2n },
        { topic, partition: 1, offset: 99n },
      ]),
      'BUS_FENCED',
    );
    assert.deepEqual(
      (await bus.admin.lag(groupId, [topic])).map(({ committed }) => committed),
      [2n, null],
      'the good position of a refused commit is stored',
    );
  });

  contractCase(
    context,
    'a member that joins gets its share, and what it takes over is told to who had it',
    async (bus) => {
      const topic = await createTopic(bus, 4);
      const groupId = uniqueGroup();
      const revoked: TopicPartition[] = [];
      await send(bus, numbered(topic, 0, 40));
      const first = await subscribe(bus, topic, { groupId, onRevoked: (partitions) => revoked.push(...partitions) });
      const early = await take(first, 40);
      const second = await subscribe(bus, topic, { groupId });
      const redelivered: (string | null)[] = [];
      const deadline = performance.now() + waitMsMax;
      while (second.assignment().length < 2 || first.assignment().length > 2 || redelivered.length < 20) {
        assert.ok(
          performance.now() < deadline,
          `${second.assignment().length} partitions, ${redelivered.length} records`,
        );
        await first.poll({ recordsMax: 100, waitMs: 20 });
        redelivered.push(...texts(await second.poll({ recordsMax: 100, waitMs: 20 })));
      }
      for (const { partition } of second.assignment()) {
        assert.ok(revoked.some((lost) => lost.topic === topic && lost.partition === partition));
        const due = texts(early.filter((record) => record.partition === partition));
        for (const text of due) assert.ok(redelivered.includes(text), `${text} was not delivered again`);
      }
      const lost = second.assignment()[0]!;
      await rejectsWith(first.commit([{ ...lost, offset: 10n }]), 'BUS_FENCED');
      await second.commit([{ ...lost, offset: 10n }]);
    },
  );

  contractCase(context, 'a member that leaves hands its partitions over without waiting for anything', async (bus) => {
    const topic = await createTopic(bus, 2);
    const groupId = uniqueGroup();
    const first = await subscribe(bus, topic, { groupId });
    const second = await subscribe(bus, topic, { groupId });
    await pollUntil([first, second], () => first.assignment().length === 1 && second.assignment().length === 1);
    await first.close();
    await send(bus, numbered(topic, 0, 10));
    assert.equal((await take(second, 10)).length, 10);
    assert.equal(second.assignment().length, 2);
  });

  contractCase(context, 'more members than partitions leave some idle, and one of those takes over', async (bus) => {
    const topic = await createTopic(bus);
    const groupId = uniqueGroup();
    const members = [await subscribe(bus, topic, { groupId }), await subscribe(bus, topic, { groupId })];
    await pollUntil(members, () => members.reduce((sum, member) => sum + member.assignment().length, 0) === 1);
    await send(bus, numbered(topic, 0, 3));
    const owner = members.find((member) => member.assignment().length === 1)!;
    const idle = members.find((member) => member !== owner)!;
    await take(owner, 3);
    await owner.close();
    assert.deepEqual(texts(await take(idle, 3)), numbers(0, 3));
  });

  contractCase(context, 'what is closed says so', async (bus) => {
    const topic = await createTopic(bus);
    const consumer = await subscribe(bus, topic);
    const producer = await bus.createProducer();
    const waiting = consumer.poll({ recordsMax: 1, waitMs: waitMsMax });
    await consumer.close();
    await consumer.close();
    assert.deepEqual(await waiting, []);
    await rejectsWith(consumer.poll({ recordsMax: 1, waitMs: 0 }), 'BUS_CLOSED');
    await rejectsWith(consumer.commit([{ topic, partition: 0, offset: 0n }]), 'BUS_CLOSED');
    await producer.close();
    await rejectsWith(producer.send([{ topic, value: 'late' }]), 'BUS_CLOSED');
    await bus.close();
    await rejectsWith(bus.createProducer(), 'BUS_CLOSED');
    await rejectsWith(bus.check(), 'BUS_CLOSED');
  });
}
