/**
 * One valid message and the ways in which it goes wrong, for every topic whose contract has no examples of its own beside it: what
 * producers write and what readers answer. Tests of both sides take them from here, so that an example is never copied.
 */
import { encodeIdentity } from './identity.ts';
import type { PayloadStatusMessage } from './payload-status.ts';
import type { OcpResultsMessage } from './serialize-ocp-results.ts';
import type { UploadAnnouncement } from './upload-announcement.ts';

/** A value as it lies on the topic, and the code that its reader refuses it with. */
export interface InvalidExample {
  readonly why: string;
  readonly code: string;
  readonly value: string;
}

const clusterId = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';
const requestId = '766bd49580ce4ed489ec04e35fc7edac';
const identity = encodeIdentity({
  identity: {
    account_number: '10',
    org_id: '11789772',
    type: 'System',
    internal: { org_id: '11789772' },
    system: { cluster_id: clusterId },
  },
});

const announcement: UploadAnnouncement = {
  account: '10',
  category: 'periodic',
  content_type: 'application/vnd.redhat.openshift.periodic',
  metadata: {
    custom_metadata: { gathering_time: '2026-01-30T10:08:55Z' },
    reporter: 'ingress',
    stale_timestamp: '2026-03-01T10:09:11.6Z',
  },
  request_id: requestId,
  principal: '11789772',
  org_id: '11789772',
  service: 'openshift',
  size: 92904,
  url: `http://127.0.0.1:3000/download/${requestId}`,
  b64_identity: identity,
  timestamp: '2026-01-30T10:09:11.611Z',
};

export const uploadAnnouncementExamples: {
  readonly valid: readonly UploadAnnouncement[];
  readonly invalid: readonly InvalidExample[];
} = {
  valid: [
    announcement,
    { ...announcement, account: '', metadata: { reporter: '', stale_timestamp: '0001-01-01T00:00:00Z' } },
  ],
  invalid: [
    { why: 'nothing was sent', code: 'ANNOUNCEMENT_EMPTY', value: '' },
    { why: 'cut off', code: 'ANNOUNCEMENT_NOT_JSON', value: JSON.stringify(announcement).slice(0, -1) },
    { why: 'a list', code: 'ANNOUNCEMENT_SCHEMA', value: JSON.stringify([announcement]) },
    { why: 'no link', code: 'ANNOUNCEMENT_SCHEMA', value: JSON.stringify({ ...announcement, url: undefined }) },
    {
      why: 'a number for a time',
      code: 'ANNOUNCEMENT_SCHEMA',
      value: JSON.stringify({ ...announcement, timestamp: 1 }),
    },
    { why: 'no base64', code: 'IDENTITY_NOT_BASE64', value: JSON.stringify({ ...announcement, b64_identity: 'e30' }) },
    {
      why: 'an organization that is a number',
      code: 'IDENTITY_SCHEMA',
      value: JSON.stringify({
        ...announcement,
        b64_identity: Buffer.from('{"identity":{"internal":{"org_id":1}}}').toString('base64'),
      }),
    },
  ],
};

const results: OcpResultsMessage = {
  OrgID: 11789772,
  ClusterName: clusterId,
  Report: {
    system: { metadata: {}, hostname: null },
    reports: [
      {
        rule_id: 'operator_unmanaged|OPERATOR_UNMANAGED',
        component: 'ccx_rules_ocp.external.rules.operator_unmanaged.report',
        type: 'rule',
        key: 'OPERATOR_UNMANAGED',
        details: { unmanaged_operators: ['authentication'], type: 'rule', error_key: 'OPERATOR_UNMANAGED' },
        tags: [],
        links: {},
      },
    ],
    fingerprints: [],
    skips: [],
    info: [],
    pass: [],
    analysis_metadata: {
      start: '2026-01-30T10:09:12.895120+00:00',
      finish: '2026-01-30T10:09:12.899495+00:00',
      execution_context: 'ccx_ocp_core.context.InsightsOperatorContext',
      plugin_sets: {},
    },
  },
  LastChecked: '2026-01-30T10:09:11.611Z',
  Version: 2,
  RequestId: requestId,
  Metadata: { gathering_time: '2026-01-30T10:08:55Z' },
  AccountNumber: 10,
};

export const ocpResultsExamples: {
  readonly valid: readonly OcpResultsMessage[];
  readonly invalid: readonly InvalidExample[];
} = {
  valid: [results, { ...results, AccountNumber: 0, RequestId: null, Report: { ...results.Report, reports: [] } }],
  invalid: [
    { why: 'a tombstone', code: 'REPORT_NOT_JSON', value: '' },
    { why: 'something behind it', code: 'REPORT_NOT_JSON', value: `${JSON.stringify(results)} {}` },
    { why: 'an organization in quotes', code: 'REPORT_WRONG_TYPE', value: JSON.stringify({ ...results, OrgID: '1' }) },
    {
      why: 'no account number, as the reference sends it for some',
      code: 'REPORT_MISSING_ATTRIBUTE',
      value: JSON.stringify({ ...results, AccountNumber: undefined }),
    },
    { why: 'no cluster', code: 'REPORT_CLUSTER_NOT_UUID', value: JSON.stringify({ ...results, ClusterName: 'x' }) },
    { why: 'an empty report', code: 'REPORT_STRUCTURE', value: JSON.stringify({ ...results, Report: {} }) },
  ],
};

const status: PayloadStatusMessage = {
  service: 'ingress',
  account: '10',
  org_id: '11789772',
  request_id: requestId,
  status: 'received',
  status_msg: 'Payload received by ingress',
  date: '2026-01-30T10:09:11.611Z',
};

export const payloadStatusExamples: {
  readonly valid: readonly PayloadStatusMessage[];
  readonly invalid: readonly InvalidExample[];
} = {
  valid: [status, { service: 'ccx-notification-writer', request_id: requestId, status: 'success', date: status.date }],
  invalid: [
    { why: 'no JSON', code: 'STATUS_NOT_JSON', value: 'received' },
    { why: 'a list', code: 'STATUS_NOT_JSON', value: JSON.stringify([status]) },
    {
      why: 'of no request',
      code: 'STATUS_MISSING_MEMBER',
      value: JSON.stringify({ ...status, request_id: undefined }),
    },
    { why: 'at no time', code: 'STATUS_DATE', value: JSON.stringify({ ...status, date: 'yesterday' }) },
  ],
};
