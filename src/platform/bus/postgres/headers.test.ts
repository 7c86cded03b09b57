/** What goes in comes out, whatever the bytes are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeHeaders, encodeHeaders } from './storage.ts';

test('no headers take no space', () => {
  assert.equal(encodeHeaders([]), null);
  assert.deepEqual(decodeHeaders(null), []);
});

test('headers keep order, repeated names, empty values, values that are none and every byte', () => {
  const bytes = fc.uint8Array().map((array) => Buffer.from(array));
  const text = fc.string({ unit: 'grapheme' }).map((name) => Buffer.from(name));
  const header = fc.tuple(fc.oneof(text, bytes), fc.option(bytes));
  fc.assert(
    fc.property(fc.array(header, { minLength: 1, maxLength: 8 }), (headers) => {
      const decoded = decodeHeaders(encodeHeaders(headers));
      assert.deepEqual(
        decoded.map(({ name, nameBytes, value }) => [nameBytes ?? Buffer.from(name), value]),
        headers,
      );
    }),
  );
});

test('what earlier releases stored is read', () => {
  const stored = Buffer.from('0000000373766300000002' + '6f6b' + '0000000161' + '00000000', 'hex');
  assert.deepEqual(decodeHeaders(stored), [
    { name: 'svc', value: Buffer.from('ok') },
    { name: 'a', value: Buffer.alloc(0) },
  ]);
});
