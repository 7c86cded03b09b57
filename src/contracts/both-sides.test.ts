/** What one side writes the other reads, and what breaks a contract is refused with its code: the shared examples, both ways. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CcxError } from '../encoding/ccx-error.ts';
import { parseOcpResults } from './parse-ocp-results.ts';
import { parsePayloadStatus, serializePayloadStatus } from './payload-status.ts';
import { serializeOcpResults, serializeReport } from './serialize-ocp-results.ts';
import { parseUploadAnnouncement, serializeUploadAnnouncement } from './upload-announcement.ts';
import {
  type InvalidExample,
  ocpResultsExamples,
  payloadStatusExamples,
  uploadAnnouncementExamples,
} from './wire-examples.ts';

test('announcements that ingress writes are read by the data pipeline', () => {
  for (const example of uploadAnnouncementExamples.valid) {
    const parsed = parseUploadAnnouncement(Buffer.from(serializeUploadAnnouncement(example)));
    assert.ok(parsed.kind === 'received');
    const { url, timestamp, request_id, size, cluster_name } = parsed.announcement;
    assert.deepEqual(
      { url, timestamp, request_id, size },
      { url: example.url, timestamp: example.timestamp, request_id: example.request_id, size: example.size },
    );
    assert.equal(cluster_name, '5d5892d3-1f74-4ccf-91af-548dfc9767aa');
  }
});

test('reports that the data pipeline writes are read by the notification writer', () => {
  for (const example of ocpResultsExamples.valid) {
    const { Report, ...envelope } = example;
    const parsed = parseOcpResults(Buffer.from(serializeOcpResults(envelope, serializeReport(Report))));
    assert.ok(parsed.kind === 'received');
    const { orgId, accountNumber, clusterName, lastChecked, requestId } = parsed.report;
    assert.deepEqual(
      [orgId, accountNumber, clusterName, lastChecked, requestId],
      [example.OrgID, example.AccountNumber, example.ClusterName, example.LastChecked, example.RequestId ?? ''],
    );
  }
});

test('statuses that services write are read by the payload tracker', () => {
  for (const example of payloadStatusExamples.valid) {
    const parsed = parsePayloadStatus(Buffer.from(serializePayloadStatus(example)));
    assert.ok(parsed.kind === 'received');
    const { service, requestId, status, orgId } = parsed.status;
    assert.deepEqual(
      [service, requestId, status, orgId],
      [example.service, example.request_id, example.status, example.org_id],
    );
  }
});

const readers: Readonly<Record<string, [readonly InvalidExample[], (value: Buffer) => CcxError | undefined]>> = {
  announcement: [
    uploadAnnouncementExamples.invalid,
    (value) => {
      const parsed = parseUploadAnnouncement(value);
      return parsed.kind === 'refused' ? parsed.error : undefined;
    },
  ],
  report: [
    ocpResultsExamples.invalid,
    (value) => {
      const parsed = parseOcpResults(value);
      return parsed.kind === 'refused' ? parsed.refused.error : undefined;
    },
  ],
  status: [
    payloadStatusExamples.invalid,
    (value) => {
      const parsed = parsePayloadStatus(value);
      return parsed.kind === 'refused' ? parsed.error : undefined;
    },
  ],
};

for (const [name, [examples, refusal]] of Object.entries(readers)) {
  for (const { why, code, value } of examples) {
    test(`an invalid ${name} is refused: ${why}`, () => {
      assert.equal(refusal(Buffer.from(value))?.code, code);
    });
  }
}
