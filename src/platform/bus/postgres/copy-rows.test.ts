/** The binary format of COPY, by PostgreSQL's documentation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCopy } from './record-reader.ts';

const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const trailer = Buffer.from([0xff, 0xff]);

test('no rows are a header and a trailer', () => {
  assert.deepEqual(parseCopy(Buffer.concat([header, trailer])), []);
});

test('nulls, empty and filled fields are told apart', () => {
  const row = Buffer.from([0, 3, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, 7, 8]);
  assert.deepEqual(parseCopy(Buffer.concat([header, row, row, trailer])), [
    [null, Buffer.alloc(0), Buffer.from([7, 8])],
    [null, Buffer.alloc(0), Buffer.from([7, 8])],
  ]);
});
