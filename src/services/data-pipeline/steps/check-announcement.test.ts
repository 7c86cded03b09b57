/**
 * Records of others are dropped, unreadable ones are dead-lettered as their contract says (`contracts/upload-announcement.test.ts`, and
 * `identity.test.ts` for the schema of data-pipeline.md 2.3). Every row of 2.2: `pipeline.test.ts`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busRecord, testAnnouncement, testIdentity, testOrg } from '../../../../test/support/announcements.ts';
import { encodeIdentity } from '../../../contracts/identity.ts';
import { uploadAnnouncementExamples } from '../../../contracts/wire-examples.ts';
import type { BusRecord } from '../../../platform/bus/bus.ts';
import { checkAnnouncement } from './identify-upload.ts';

const now = new Date('2026-11-21T16:00:00Z');
const policy = { platformService: 'openshift', recordAgeMsMax: 7_200_000 };
const check = (value: string, change: Partial<BusRecord> = {}) =>
  checkAnnouncement(busRecord(value, change), policy, now);
const json = (change: Readonly<Record<string, unknown>>) => JSON.stringify(testAnnouncement(change));
const header = (value: string) => ({ name: 'service', value: Buffer.from(value) });

test('an announcement of ours is read', () => {
  const outcome = check(json({}));
  assert.equal(outcome.kind, 'done');
  assert.equal(outcome.kind === 'done' && outcome.value.identity.identity.internal.org_id, String(testOrg));
});

test('row 4: of duplicate headers the last one counts', () => {
  assert.equal(check(json({}), { headers: [header('advisor'), header('openshift')] }).kind, 'done');
  assert.deepEqual(check(json({}), { headers: [header('openshift'), header('advisor')] }), {
    kind: 'drop',
    reason: 'other-service',
  });
});

for (const { why, code, value } of uploadAnnouncementExamples.invalid) {
  test(`what its contract refuses is dead-lettered as it says: ${why}`, () => {
    const outcome = check(value);
    assert.ok(outcome.kind === 'dead-letter');
    assert.equal(outcome.error.code, code);
  });
}

test('an identity that is complete is read whatever else it holds', () => {
  const rich = encodeIdentity({ ...testIdentity(), entitlements: { insights: { is_entitled: true } } });
  assert.equal(check(json({ b64_identity: rich })).kind, 'done');
});
