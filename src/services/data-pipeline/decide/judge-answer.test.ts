/** Every status has a meaning, and only 200 is an archive. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeAnswer } from './is-allowed-link.ts';

test('200 brings an archive; trouble of the server and haste of ours may pass; everything else never will', () => {
  const passing = new Set([408, 425, 429]);
  for (let status = 200; status < 600; status += 1) {
    const expected = status === 200 ? 'archive' : status >= 500 || passing.has(status) ? 'try-again' : 'never';
    assert.equal(judgeAnswer(status), expected, String(status));
  }
});
