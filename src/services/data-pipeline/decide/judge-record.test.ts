/**
 * Rows 3 to 5 of the decision table of data-pipeline.md 2.2 at their edges, by their numbers (all rows: `pipeline.test.ts`); organization and
 * account as the reference's language reads integers, within what readers take.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  accountNumber,
  judgeRecord,
  orgIdNumber,
  type RecordFacts,
  type RecordPolicy,
  type RecordVerdict,
} from './judge-record.ts';

const now = new Date('2026-11-21T16:00:00Z');
const filtering: RecordPolicy = { platformService: 'openshift', recordAgeMsMax: 7_200_000 };
const legacy: RecordPolicy = { platformService: '', recordAgeMsMax: 0 };
const fresh = now.getTime() - 1000;

const rows: readonly [string, Partial<RecordFacts>, RecordPolicy, RecordVerdict][] = [
  ['no row: a record of our service is taken', {}, filtering, 'accepted'],
  [
    'row 3: a record without headers is dropped while the filter is on',
    { headers: 0, service: undefined },
    filtering,
    'no-headers',
  ],
  ['row 3: without a filter no header is needed', { headers: 0, service: undefined }, legacy, 'accepted'],
  [
    'row 4: headers without the service are those of another service',
    { service: undefined },
    filtering,
    'other-service',
  ],
  ['row 4: another service is dropped', { service: 'advisor' }, filtering, 'other-service'],
  ['row 4: the service is compared as it is written', { service: 'OpenShift' }, filtering, 'other-service'],
  ['row 4: without a filter every service is taken', { service: 'advisor' }, legacy, 'accepted'],
  [
    'row 4 before row 5: the service is looked at before the age',
    { service: 'advisor', timestampMs: 1 },
    filtering,
    'other-service',
  ],
  [
    'row 5: a record of exactly the age limit is taken',
    { timestampMs: now.getTime() - 7_200_000 },
    filtering,
    'accepted',
  ],
  ['row 5: one millisecond more is too old', { timestampMs: now.getTime() - 7_200_001 }, filtering, 'too-old'],
  [
    'row 5: without an age limit nothing is too old',
    { timestampMs: 1 },
    { ...filtering, recordAgeMsMax: 0 },
    'accepted',
  ],
  ['row 5: a record of unknown age is taken', { timestampMs: -1 }, filtering, 'accepted'],
  ['row 5: a record from the future is taken', { timestampMs: now.getTime() + 60_000 }, filtering, 'accepted'],
];

for (const [title, facts, policy, verdict] of rows) {
  test(title, () => {
    const record: RecordFacts = { headers: 1, service: 'openshift', timestampMs: fresh, ...facts };
    assert.equal(judgeRecord(record, policy, now), verdict);
  });
}

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
