/** Organization and account are read as the reference's language reads integers, within what readers take. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountNumber, orgIdNumber } from './judge-record.ts';

test('texts that are whole numbers are organizations', () => {
  const readable = {
    '11789772': 11789772,
    '000001': 1,
    ' 12 ': 12,
    '+5': 5,
    '1_000': 1000,
    '4294967295': 4_294_967_295,
  };
  for (const [text, number] of Object.entries(readable)) assert.equal(orgIdNumber(text), number, text);
});

test('everything else is none, and one past what readers take is none', () => {
  for (const text of ['', ' ', '-1', '1.0', '1e3', '0x10', '1__0', '_1', 'org', '4294967296', '9'.repeat(400)]) {
    assert.equal(orgIdNumber(text), undefined, text);
  }
});

test('an unknown account is 0', () => {
  assert.deepEqual([undefined, '', 'unknown', '-3', '0', '10'].map(accountNumber), [0, 0, 0, 0, 0, 10]);
});
