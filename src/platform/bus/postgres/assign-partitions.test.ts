/** The assignment is complete, fair and the same for everybody who computes it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assignPartitions } from './membership.ts';

test('two members share three partitions, the older one has the odd one', () => {
  const members = [
    { memberId: 'old', topics: ['t'] },
    { memberId: 'new', topics: ['t'] },
  ];
  const assigned = assignPartitions(members, new Map([['t', 3]]));
  assert.deepEqual(Object.fromEntries(assigned), { 't/0': 'old', 't/1': 'new', 't/2': 'old' });
});

test('topics with one partition each spread over the members', () => {
  const members = ['a', 'b'].map((memberId) => ({ memberId, topics: ['x', 'y'] }));
  const assigned = assignPartitions(
    members,
    new Map([
      ['y', 1],
      ['x', 1],
    ]),
  );
  assert.deepEqual(Object.fromEntries(assigned), { 'x/0': 'a', 'y/0': 'b' });
});

test('a topic that nobody reads is nobodys', () => {
  assert.equal(assignPartitions([{ memberId: 'a', topics: ['x'] }], new Map([['y', 2]])).size, 0);
});

const names = ['q', 'r', 's', 't'];
const membersArbitrary = fc
  .array(fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }), { minLength: 1, maxLength: 6 })
  .map((lists) => lists.map((topics, index) => ({ memberId: `m${index}`, topics })));
const topicsArbitrary = fc
  .array(fc.integer({ min: 1, max: 9 }), { minLength: names.length, maxLength: names.length })
  .map((counts) => new Map(counts.map((partitions, index) => [names[index]!, partitions])));

test('every subscribed partition has one owner who subscribes to it, whatever order the topics come in', () => {
  fc.assert(
    fc.property(membersArbitrary, topicsArbitrary, (members, topics) => {
      const assigned = assignPartitions(members, topics);
      assert.deepEqual(assignPartitions(members, new Map([...topics].reverse())), assigned);
      for (const [name, partitions] of topics) {
        const readers = members.filter((member) => member.topics.includes(name)).map((member) => member.memberId);
        for (let partition = 0; partition < partitions; partition += 1) {
          const owner = assigned.get(`${name}/${partition}`);
          if (readers.length === 0) assert.equal(owner, undefined);
          else assert.ok(owner !== undefined && readers.includes(owner));
        }
      }
    }),
  );
});

test('members with the same topics differ by one partition at most', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), topicsArbitrary, (count, topics) => {
      const members = Array.from({ length: count }, (_, index) => ({ memberId: `m${index}`, topics: names }));
      const loads = members.map(
        ({ memberId }) => [...assignPartitions(members, topics).values()].filter((owner) => owner === memberId).length,
      );
      assert.ok(Math.max(...loads) - Math.min(...loads) <= 1);
    }),
  );
});
