/** A dead letter is the record itself with a note, and it is not given up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busRecord } from '../../../../test/support/announcements.ts';
import { parseDeadLetterHeaders } from '../../../contracts/dead-letter.ts';
import { TOPIC_PIPELINE_DEAD_LETTERS, TOPIC_UPLOAD_ANNOUNCE } from '../../../contracts/topics.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { OutgoingRecord } from '../bus.ts';
import { deadLetterRecords } from './dead-letter-records.ts';

const refusal = {
  step: 'run-rules',
  error: new CcxError('the archive ends too early', {
    code: 'ARCHIVE_TRUNCATED',
    category: 'input',
    cause: new Error('unexpected end of file'),
  }),
  requestId: 'req-1',
};

async function deadLetter(
  record = busRecord('value', { partition: 3, offset: 42n, key: Buffer.from('key') }),
  answers = [() => Promise.resolve()],
) {
  const sent: OutgoingRecord[] = [];
  const sender = {
    send: (records: readonly OutgoingRecord[]) => {
      const answer = answers[Math.min(sent.length, answers.length - 1)]!;
      sent.push(...records);
      return answer();
    },
  };
  const target = {
    sender,
    topic: TOPIC_PIPELINE_DEAD_LETTERS,
    serviceName: 'ccx-data-pipeline',
    time: () => '2026-11-21T16:00:00.000Z',
  };
  return { outcome: await deadLetterRecords([{ record, ...refusal }], target, 100), sent };
}

test('key, value and headers are kept, and our headers say what happened', async () => {
  const { outcome, sent } = await deadLetter();
  assert.equal(outcome.kind, 'done');
  const letter = sent[0]!;
  assert.deepEqual(
    [letter.topic, String(letter.key), String(letter.value)],
    [TOPIC_PIPELINE_DEAD_LETTERS, 'key', 'value'],
  );
  assert.deepEqual(letter.headersBefore, [{ name: 'service', value: Buffer.from('openshift') }]);
  assert.deepEqual(
    parseDeadLetterHeaders((name) => letter.headers?.[name]),
    {
      code: 'ARCHIVE_TRUNCATED',
      reason: 'the archive ends too early: unexpected end of file',
      step: 'run-rules',
      service: 'ccx-data-pipeline',
      sourceTopic: TOPIC_UPLOAD_ANNOUNCE,
      sourcePartition: 3,
      sourceOffset: 42n,
      time: '2026-11-21T16:00:00.000Z',
      requestId: 'req-1',
    },
  );
});

test('a tombstone stays one', async () => {
  assert.equal((await deadLetter(busRecord(null))).sent[0]?.value, null);
});

test('while the bus is away it is tried again', async () => {
  const away = () =>
    Promise.reject(new CcxError('away', { code: 'BUS_UNREACHABLE', category: 'connection', retryable: true }));
  assert.equal((await deadLetter(undefined, [away])).outcome.kind, 'retry');
});

test('G3: a record that our headers make too large goes without its value, or all that is its own, which lies at its source', async () => {
  const tooLarge = () => Promise.reject(new CcxError('too large', { code: 'BUS_RECORD_TOO_LARGE', category: 'limit' }));
  const { outcome, sent } = await deadLetter(undefined, [tooLarge, tooLarge, () => Promise.resolve()]);
  assert.equal(outcome.kind, 'done');
  const leftOut = sent.map((letter) => parseDeadLetterHeaders((name) => letter.headers?.[name])?.leftOut);
  assert.deepEqual(leftOut, [undefined, 'value', 'record']);
  assert.deepEqual(
    sent.map(({ key, value, headersBefore }) => [String(key), String(value), headersBefore?.length]),
    [
      ['key', 'value', 1],
      ['key', 'null', 1],
      ['null', 'null', 0],
    ],
  );
  assert.equal((await deadLetter(undefined, [tooLarge])).outcome.kind, 'retry');
});
