/** Records of others are dropped, unreadable ones are dead-lettered with the reference's text. Rows of data-pipeline.md 2.2 and 2.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busRecord, testAnnouncement, testIdentity, testOrg } from '../../../../test/support/announcements.ts';
import { encodeIdentity } from '../../../contracts/identity.ts';
import type { BusRecord } from '../../../platform/bus/bus.ts';
import { checkAnnouncement } from './identify-upload.ts';

const now = new Date('2026-11-21T16:00:00Z');
const policy = { platformService: 'openshift', recordAgeMsMax: 7_200_000 };
const check = (value: string | Buffer | null, change: Partial<BusRecord> = {}) =>
  checkAnnouncement(busRecord(value, change), policy, now);
const json = (change: Readonly<Record<string, unknown>>) => JSON.stringify(testAnnouncement(change));
const header = (value: string) => ({ name: 'service', value: Buffer.from(value) });

test('an announcement of ours is read', () => {
  const outcome = check(json({}));
  assert.equal(outcome.kind, 'done');
  assert.equal(outcome.kind === 'done' && outcome.value.identity.identity.internal.org_id, String(testOrg));
});

test('of duplicate headers the last one counts', () => {
  assert.equal(check(json({}), { headers: [header('advisor'), header('openshift')] }).kind, 'done');
  assert.deepEqual(check(json({}), { headers: [header('openshift'), header('advisor')] }), {
    kind: 'drop',
    reason: 'other-service',
  });
});

test('what does not concern us is dropped before it is read', () => {
  const garbage = 'not json';
  assert.deepEqual(check(garbage, { headers: [] }), { kind: 'drop', reason: 'no-headers' });
  assert.deepEqual(check(garbage, { headers: [header('advisor')] }), { kind: 'drop', reason: 'other-service' });
  assert.deepEqual(check(garbage, { timestampMs: now.getTime() - 7_200_001 }), { kind: 'drop', reason: 'too-old' });
});

const identityWithout = encodeIdentity({ identity: { type: 'System' } });
const base64 = (text: string) => Buffer.from(text).toString('base64');
const unreadable: readonly [string, string | Buffer | null, string, string][] = [
  ['a tombstone', null, 'ANNOUNCEMENT_MISSING', 'No incoming message'],
  ['an empty value', '', 'ANNOUNCEMENT_EMPTY', 'Unable to read incoming message'],
  ['no JSON', '{"url":', 'ANNOUNCEMENT_NOT_JSON', 'Unable to decode received message'],
  ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'ANNOUNCEMENT_NOT_JSON', 'Unable to decode received message'],
  ['a list', '[]', 'ANNOUNCEMENT_SCHEMA', 'Invalid input message JSON schema'],
  ['no url', json({ url: undefined }), 'ANNOUNCEMENT_SCHEMA', 'Invalid input message JSON schema'],
  ['a url that is no text', json({ url: 1 }), 'ANNOUNCEMENT_SCHEMA', 'Invalid input message JSON schema'],
  ['no timestamp', json({ timestamp: undefined }), 'ANNOUNCEMENT_SCHEMA', 'Invalid input message JSON schema'],
  ['no identity', json({ b64_identity: undefined }), 'ANNOUNCEMENT_SCHEMA', 'Invalid input message JSON schema'],
  [
    'an identity that is no base64',
    json({ b64_identity: 'abc' }),
    'IDENTITY_NOT_BASE64',
    'Base64 encoded identity could not be parsed',
  ],
  [
    'an identity that is no JSON',
    json({ b64_identity: base64('{') }),
    'IDENTITY_NOT_JSON',
    'Unable to decode received message',
  ],
  [
    'an identity without organization',
    json({ b64_identity: identityWithout }),
    'IDENTITY_SCHEMA',
    'Invalid input message JSON schema',
  ],
  [
    'an organization that is a number',
    json({ b64_identity: base64('{"identity":{"internal":{"org_id":1}}}') }),
    'IDENTITY_SCHEMA',
    'Invalid input message JSON schema',
  ],
];
for (const [what, value, code, text] of unreadable) {
  test(`${what} is dead-lettered as ${code}`, () => {
    const outcome = check(value);
    assert.equal(outcome.kind, 'dead-letter');
    assert.deepEqual(outcome.kind === 'dead-letter' && [outcome.error.code, outcome.error.message], [code, text]);
  });
}

test('an identity that is complete is read whatever else it holds', () => {
  const rich = encodeIdentity({ ...testIdentity(), entitlements: { insights: { is_entitled: true } } });
  assert.equal(check(json({ b64_identity: rich })).kind, 'done');
});
