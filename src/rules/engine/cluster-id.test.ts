/** The cluster's id as archives hold it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readClusterId } from './evaluate-archive.ts';

const id = 'c25da893-5ba1-4229-9432-c8ec9334c4a0';
const read = (text: string) => readClusterId(new Map([['config/id', Buffer.from(text)]]));

test('the first 36 characters are the id, whatever follows', () => {
  assert.equal(read(id), id);
  assert.equal(read(`${id}\n`), id);
  assert.equal(read(id.toUpperCase()), id.toUpperCase());
});

test('what is no UUID is no id', () => {
  for (const text of ['', 'cluster', ` ${id}`, id.slice(1), '<CLUSTER_ID>', '\u0000'.repeat(36)]) {
    assert.equal(read(text), undefined, JSON.stringify(text));
  }
  assert.equal(readClusterId(new Map()), undefined);
});
