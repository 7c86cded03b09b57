/** How long texts are shortened for the details of a finding. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutText } from './rule.ts';

test('a text of the limit is left as it is, one character more is cut with an ellipsis', () => {
  assert.equal(cutText('x'.repeat(10), 10), 'x'.repeat(10));
  assert.equal(cutText('x'.repeat(11), 10), `${'x'.repeat(9)}…`);
});

test('a character of two units is kept or left out, never halved', () => {
  assert.equal(cutText('ab😀cdef', 5), 'ab😀…');
  assert.equal(cutText('abc😀def', 5), 'abc…');
});
