/** The report's own data, taken from the announcement before anything is fetched. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testAnnouncement, testCluster, testIdentity, testOrg } from '../../../../test/support/announcements.ts';
import { encodeIdentity, type Identity } from '../../../contracts/identity.ts';
import { parseUploadAnnouncement } from '../../../contracts/upload-announcement.ts';
import { identifyUpload } from './identify-upload.ts';

const now = new Date('2026-11-21T16:00:00Z');
const other = '00000000-0000-4000-8000-00000000000a';

function identify(change: Readonly<Record<string, unknown>> = {}, identity: Identity['identity'] = {}) {
  const value = testAnnouncement({ b64_identity: encodeIdentity(testIdentity(identity)), ...change });
  const parse = parseUploadAnnouncement(Buffer.from(JSON.stringify(value)));
  assert.ok(parse.kind === 'received');
  return identifyUpload(parse.announcement, now);
}

function identified(change: Readonly<Record<string, unknown>> = {}, identity: Identity['identity'] = {}) {
  const outcome = identify(change, identity);
  assert.ok(outcome.kind === 'done', JSON.stringify(outcome));
  return outcome.value;
}

test('everything that the report needs is taken over', () => {
  assert.deepEqual(identified(), {
    url: 'http://127.0.0.1:1/archive',
    announcedBytes: 1000,
    requestId: 'req-1',
    orgId: testOrg,
    accountNumber: 10,
    clusterId: testCluster,
    lastChecked: '2026-01-30T10:09:11.611Z',
    gatheredAt: new Date('2026-01-30T10:08:55Z'),
  });
});

test('what may be missing has its value for that', () => {
  const upload = identified(
    { request_id: undefined, size: undefined, metadata: undefined },
    { account_number: undefined },
  );
  const { requestId, announcedBytes, accountNumber, gatheredAt } = upload;
  assert.deepEqual([requestId, announcedBytes, accountNumber, gatheredAt], [null, undefined, 0, now]);
});

test('the first valid cluster id of announcement and identity counts; else the archive has to tell', () => {
  assert.equal(identified({ cluster_name: other }).clusterId, other);
  assert.equal(identified({ cluster_name: '' }).clusterId, testCluster);
  assert.equal(identified({ cluster_name: 'my-cluster' }).clusterId, testCluster);
  assert.equal(identified({}, { system: {} }).clusterId, undefined);
  assert.equal(identified({}, { system: { cluster_id: 'my-cluster' } }).clusterId, undefined);
});

test("an organization that is no number is dead-lettered with the reference's text", () => {
  const outcome = identify({}, { internal: { org_id: 'org' } });
  assert.ok(outcome.kind === 'dead-letter');
  assert.deepEqual([outcome.error.code, outcome.error.message], ['ANNOUNCEMENT_ORG_ID', 'Error extracting the OrgID']);
});

test('a timestamp that readers of the report would refuse is dead-lettered', () => {
  for (const timestamp of ['', 'now', '2026-01-30T10:09:11', '2026-02-30T10:09:11Z']) {
    const outcome = identify({ timestamp });
    assert.ok(outcome.kind === 'dead-letter', timestamp);
    assert.equal(outcome.error.code, 'ANNOUNCEMENT_TIMESTAMP');
  }
  assert.equal(
    identified({ timestamp: '2020-12-09T16:17:42.822020204Z' }).lastChecked,
    '2020-12-09T16:17:42.822020204Z',
  );
});
