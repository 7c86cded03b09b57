/** What goes in comes out, whatever the bytes are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeHeaders, encodeHeaders } from './header-encoding.ts';

test('no headers take no space', () => {
  assert.equal(encodeHeaders([]), null);
  assert.deepEqual(decodeHeaders(null), []);
});

test('headers keep order, repeated names, empty values and every byte', () => {
  const header = fc.tuple(
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(fc.array(header, { minLength: 1, maxLength: 8 }), (headers) => {
      const decoded = decodeHeaders(encodeHeaders(headers));
      assert.deepEqual(
        decoded.map(({ name, value }) => [name, Buffer.from(value)]),
        headers,
      );
    }),
  );
});
