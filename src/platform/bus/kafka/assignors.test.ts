/** Both assignors against what Kafka's documentation promises, and the format that carries their result. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Assignor,
  assignors,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from './consumer-protocol.ts';

const short = (assignor: string, members: Record<string, string[]>, counts: Record<string, number>) => {
  const assigned = assignors.get(assignor)!(
    Object.entries(members).map(([memberId, topics]) => ({ memberId, topics })),
    new Map(Object.entries(counts)),
  );
  return Object.fromEntries(
    [...assigned].map(([member, partitions]) => [
      member,
      partitions.map(({ topic, partition }) => `${topic}${partition}`),
    ]),
  );
};

test("range gives neighbours per topic, as in Kafka's documentation", () => {
  assert.deepEqual(short('range', { C1: ['t', 'u'], C0: ['t', 'u'] }, { t: 3, u: 3 }), {
    C0: ['t0', 't1', 'u0', 'u1'],
    C1: ['t2', 'u2'],
  });
});

test("roundrobin deals all partitions in turn, as in Kafka's documentation", () => {
  assert.deepEqual(short('roundrobin', { C1: ['t', 'u'], C0: ['t', 'u'] }, { t: 3, u: 3 }), {
    C0: ['t0', 't2', 'u1'],
    C1: ['t1', 'u0', 'u2'],
  });
  const uneven = short('roundrobin', { C0: ['a'], C1: ['a', 'b'], C2: ['a', 'b', 'c'] }, { a: 1, b: 2, c: 3 });
  assert.deepEqual(uneven, { C0: ['a0'], C1: ['b0'], C2: ['b1', 'c0', 'c1', 'c2'] });
});

const names = ['q', 'r', 's'];
const members = fc.array(fc.subarray(names), { minLength: 1, maxLength: 5 });
const counts = fc.tuple(fc.nat(7), fc.nat(7), fc.nat(7));

for (const [name, assignor] of assignors as ReadonlyMap<string, Assignor>) {
  test(`${name} gives every read partition to one reader and the rest to nobody`, () => {
    fc.assert(
      fc.property(members, counts, (topicLists, partitionCounts) => {
        const group = topicLists.map((topics, index) => ({ memberId: `m${index}`, topics }));
        const existing = new Map(names.map((topic, index) => [topic, partitionCounts[index]!]));
        const assigned = assignor(group, existing);
        assert.deepEqual([...assigned.keys()].sort(), group.map(({ memberId }) => memberId).sort());
        const owners = new Map<string, string[]>();
        for (const [memberId, partitions] of assigned) {
          for (const { topic, partition } of partitions) {
            assert.ok(group.find((member) => member.memberId === memberId)?.topics.includes(topic));
            owners.set(`${topic}/${partition}`, [...(owners.get(`${topic}/${partition}`) ?? []), memberId]);
          }
        }
        const expected = names
          .filter((topic) => group.some((member) => member.topics.includes(topic)))
          .reduce((sum, topic) => sum + existing.get(topic)!, 0);
        assert.equal(owners.size, expected);
        for (const list of owners.values()) assert.equal(list.length, 1);
      }),
    );
  });
}

test('subscriptions and assignments survive their encoding', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ maxLength: 40 }), { maxLength: 5 }), fc.nat(20), (topics, count) => {
      assert.deepEqual(decodeSubscription(encodeSubscription(topics)), topics);
      const partitions = topics.flatMap((topic) =>
        Array.from({ length: count }, (_, partition) => ({ topic, partition })),
      );
      assert.deepEqual(decodeAssignment(encodeAssignment(partitions)), partitions);
    }),
  );
});

test('a member of a later version is understood, and one without partitions too', () => {
  const later = Buffer.concat([
    Buffer.from([0, 3]),
    encodeSubscription(['t']).subarray(2),
    Buffer.from([0, 0, 0, 0, 1, 2]),
  ]);
  assert.deepEqual(decodeSubscription(later), ['t']);
  assert.deepEqual(decodeAssignment(Buffer.alloc(0)), []);
});

test('what is no subscription or assignment is an error with a code, whatever the bytes are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
      for (const decode of [decodeSubscription, decodeAssignment]) {
        try {
          decode(Buffer.from(bytes));
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'BUS_GROUP_PROTOCOL');
        }
      }
    }),
  );
});

test('a name that leads back over what was read already is an error, and not a thousand names', () => {
  // Version 0, a thousand items, and a name of -2 bytes that each of them would read again.
  const bytes = Buffer.from([0, 0, 0, 0, 3, 232, 255, 254, 0, 0, 0, 0]);
  for (const decode of [decodeSubscription, decodeAssignment]) {
    assert.throws(() => decode(bytes), { code: 'BUS_GROUP_PROTOCOL' });
  }
});
