/** Identifiers: what a UUID is, and how a request id is kept that a table could not hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSimulatedCluster, isUuid, isUuid4, SIMULATED_CLUSTER_PREFIX, storedRequestId } from './identifiers.ts';

test('UUIDs are hyphenated, in any case; version 4 has its nibble', () => {
  assert.equal(isUuid('5D5892d3-1f74-1ccf-91af-548dfc9767aa'), true);
  assert.equal(isUuid4('5D5892d3-1f74-1ccf-91af-548dfc9767aa'), false);
  assert.equal(isUuid4('5d5892d3-1f74-4ccf-91af-548dfc9767aa'), true);
  for (const text of [
    '',
    '5d5892d31f744ccf91af548dfc9767aa',
    '{5d5892d3-1f74-4ccf-91af-548dfc9767aa}',
    '5d5892d3-1f74-4ccf-91af-548dfc9767aa\n',
  ])
    assert.equal(isUuid(text), false, text);
});

test('simulated clusters are told by how their ids begin, in any case, and no UUID of version 4 begins so', () => {
  const simulated = `${SIMULATED_CLUSTER_PREFIX}123-8abc-0123456789ab`;
  assert.ok(isUuid(simulated) && isSimulatedCluster(simulated) && isSimulatedCluster(simulated.toUpperCase()));
  fc.assert(fc.property(fc.uuid({ version: 4 }), (id) => !isSimulatedCluster(id)));
  for (const other of ['', 'facade00', `x${simulated}`, simulated.replace('-8', '-4')])
    assert.equal(isSimulatedCluster(other), false, other);
});

test('a request id of 255 bytes is kept as it is, a longer one and one with a NUL as a digest', () => {
  assert.equal(storedRequestId('a'.repeat(255)), 'a'.repeat(255));
  assert.equal(storedRequestId(`${'é'.repeat(127)}a`), `${'é'.repeat(127)}a`);
  for (const text of ['a'.repeat(256), 'é'.repeat(128), 'a\0b'])
    assert.match(storedRequestId(text), /^sha256:[0-9a-f]{64}$/);
});

test('different ids stay different, and what is kept fits a table', () => {
  const id = fc.oneof(fc.string(), fc.string({ minLength: 250, maxLength: 300 }), fc.constantFrom('\0', '\0\0'));
  fc.assert(
    fc.property(id, id, (left, right) => {
      const [first, second] = [storedRequestId(left), storedRequestId(right)];
      assert.equal(first === second, left === right);
      assert.ok(Buffer.byteLength(first) <= 255 && !first.includes('\0'));
    }),
  );
});
