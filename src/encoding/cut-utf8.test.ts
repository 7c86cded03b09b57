/** Properties of the byte cut that Service Log texts and dead-letter reasons rely on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutUtf8 } from './cut-utf8.ts';

const anyText = fc.string({ unit: 'binary' });

test('a cut text is a prefix of whole code points within the limit, and one more would not fit', () => {
  fc.assert(
    fc.property(anyText, fc.nat({ max: 40 }), (text, bytesMax) => {
      const cut = cutUtf8(text, bytesMax);
      assert.ok(Buffer.byteLength(cut) <= bytesMax);
      assert.ok(text.startsWith(cut));
      assert.ok(cut.isWellFormed());
      const next = [...text.slice(cut.length)][0];
      if (next !== undefined) assert.ok(Buffer.byteLength(cut + next) > bytesMax);
    }),
  );
});

test('a four-byte character across the limit is left out whole', () => {
  assert.equal(cutUtf8(`${'a'.repeat(254)}😀`, 255), 'a'.repeat(254));
  assert.equal(cutUtf8(`${'a'.repeat(251)}😀`, 255), `${'a'.repeat(251)}😀`);
});

test('a text that fits is returned as it is', () => {
  assert.equal(cutUtf8('é', 2), 'é');
  assert.equal(cutUtf8('é', 1), '');
  assert.equal(cutUtf8('', 0), '');
});
