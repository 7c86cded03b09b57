/** Dead-letter headers say what happened, whatever the input was, and are read back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  DEAD_LETTER_HEADER_REASON,
  DEAD_LETTER_HEADER_REQUEST_ID,
  DEAD_LETTER_HEADER_SOURCE_OFFSET,
  type DeadLetterInfo,
  deadLetterHeaders,
  deadLetterHeadersBehind,
  originalHeadersOf,
  parseDeadLetterHeaders,
} from './dead-letter.ts';

const example: DeadLetterInfo = {
  code: 'ARCHIVE_TRUNCATED',
  reason: 'the archive ends too early: in the gzip data',
  step: 'run-rules',
  service: 'ccx-data-pipeline',
  sourceTopic: 'platform.upload.announce',
  sourcePartition: 3,
  sourceOffset: 9_007_199_254_740_993n,
  time: '2026-11-21T16:00:00.000Z',
  requestId: '3nl2vda87ld6e3s25jlk7n2dna',
};

function readBack(headers: Readonly<Record<string, string>>): DeadLetterInfo | undefined {
  return parseDeadLetterHeaders((name) => headers[name]);
}

test('what is written is read back, offsets beyond 2^53 included', () => {
  assert.deepEqual(readBack(deadLetterHeaders(example)), example);
});

test('a message without a request id has no such header', () => {
  const { requestId: _, ...anonymous } = example;
  const headers = deadLetterHeaders(anonymous);
  assert.equal(DEAD_LETTER_HEADER_REQUEST_ID in headers, false);
  assert.deepEqual(readBack(headers), anonymous);
});

test('a reason is one line of at most 1024 bytes, cut between characters', () => {
  const longest = deadLetterHeaders({ ...example, reason: 'x'.repeat(1024) })[DEAD_LETTER_HEADER_REASON]!;
  assert.equal(Buffer.byteLength(longest), 1024);
  const onePast = deadLetterHeaders({ ...example, reason: `${'x'.repeat(1023)}é` })[DEAD_LETTER_HEADER_REASON]!;
  assert.equal(onePast, 'x'.repeat(1023));
  const hostile = deadLetterHeaders({ ...example, reason: 'a\u0000b\r\nlevel=error forged\u2028' });
  assert.equal(hostile[DEAD_LETTER_HEADER_REASON], 'a b level=error forged ');
});

test('no text makes headers with control characters or broken surrogates', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (reason, requestId) => {
      for (const value of Object.values(deadLetterHeaders({ ...example, reason, requestId }))) {
        assert.ok(value.isWellFormed());
        assert.doesNotMatch(value, /[\u0000-\u001f]/);
        assert.ok(Buffer.byteLength(value) <= 1024);
      }
    }),
    { numRuns: 40 },
  );
});

test('a record of the reference, without headers, is not taken for one of ours; neither is a damaged one', () => {
  assert.equal(readBack({}), undefined);
  const headers = deadLetterHeaders(example);
  for (const offset of ['', '-1', '1e3', 'latest']) {
    assert.equal(readBack({ ...headers, [DEAD_LETTER_HEADER_SOURCE_OFFSET]: offset }), undefined);
  }
});

const headersOf = (texts: Readonly<Record<string, string>>) =>
  Object.entries(texts).map(([name, text]) => ({ name, value: Buffer.from(text) }));

test('the headers before ours are the record’s own, whatever their names; of an older letter, those that are not called like ours', () => {
  const own = headersOf({ service: 'openshift', 'x-ccx-step': 'not ours', 'x-ccx-original-headers': '1' });
  const letter = [...own, ...headersOf(deadLetterHeadersBehind(example, own.length))];
  assert.deepEqual(originalHeadersOf(letter), own);
  assert.deepEqual(originalHeadersOf([...own, ...headersOf(deadLetterHeaders(example))]), own.slice(0, 1));
  assert.deepEqual(originalHeadersOf(headersOf({ 'x-ccx-original-headers': '7' })), [], 'a number that cannot be');
});

test('what was left out is said', () => {
  for (const leftOut of ['value', 'record'] as const) {
    assert.deepEqual(readBack(deadLetterHeadersBehind({ ...example, leftOut }, 2)), { ...example, leftOut });
  }
  assert.deepEqual(readBack({ ...deadLetterHeaders(example), 'x-ccx-left-out': 'nonsense' }), example);
});
