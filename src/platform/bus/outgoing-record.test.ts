/** What counts towards the limit of a record, at the limit and one past it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prepareRecord } from './outgoing-record.ts';

const record = { topic: 't', key: 'kk', value: 'ä', headers: { hé: 'v' } };

test('key, value, and names and values of headers count in bytes', () => {
  assert.equal(prepareRecord(record, 8).bytes, 2 + 2 + 3 + 1);
});

test('a record one byte past the limit is refused', () => {
  assert.throws(() => prepareRecord(record, 7), { code: 'BUS_RECORD_TOO_LARGE' });
});

test('empty is not absent, and absent is null', () => {
  assert.deepEqual(prepareRecord({ topic: 't', key: '', value: '' }, 8).key, Buffer.alloc(0));
  const tombstone = prepareRecord({ topic: 't', value: null }, 8);
  assert.deepEqual([tombstone.key, tombstone.value, tombstone.bytes], [null, null, 0]);
});
