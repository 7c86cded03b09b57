/** What is sent as a report, and what a failing bus means for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testCluster } from '../../../../test/support/announcements.ts';
import type { Report } from '../../../contracts/report.ts';
import { TOPIC_OCP_RESULTS } from '../../../contracts/topics.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { OutgoingRecord } from '../../../platform/bus/bus.ts';
import type { StepAttempt } from '../../../platform/bus/intake/step.ts';
import type { RuleRunResult } from '../runner/rule-run.ts';
import type { Upload } from '../upload.ts';
import { publishReport } from './publish-report.ts';

const upload: Upload = {
  url: 'http://store/archive',
  announcedBytes: 100,
  requestId: 'req-1',
  orgId: 11789772,
  accountNumber: 0,
  clusterId: undefined,
  lastChecked: '2026-01-30T10:09:11.611Z',
  gatheredAt: new Date('2026-01-30T10:08:55Z'),
};
const report: Report = {
  system: { metadata: {}, hostname: null },
  reports: [],
  fingerprints: [],
  skips: [],
  info: [],
  pass: [],
  analysis_metadata: { start: '', finish: '', execution_context: '', plugin_sets: {} },
};
const catalogue = { version: 'ccx-notifications-0.1.0+0123456789ab', rules: ['a.one', 'b.two'] };
const result = { clusterId: testCluster, reportText: JSON.stringify(report), catalogue } as unknown as RuleRunResult;
const second: StepAttempt = { number: 2, retryMs: 750, elapsedMs: 500, signal: new AbortController().signal };

async function publish(answer: () => Promise<unknown>, evaluated = result) {
  const sent: OutgoingRecord[] = [];
  const sender = {
    send: (records: readonly OutgoingRecord[]) => {
      sent.push(...records);
      return answer();
    },
  };
  const dependencies = { sender, topic: TOPIC_OCP_RESULTS };
  return { outcome: await publishReport(upload, evaluated, dependencies, second), sent };
}

test('the message holds the report and the announcement, on one line, keyed by the cluster', async () => {
  const { outcome, sent } = await publish(async () => undefined);
  assert.equal(outcome.kind, 'done');
  assert.equal(sent.length, 1);
  const { topic, key, value, headers } = sent[0]!;
  assert.deepEqual([topic, key], [TOPIC_OCP_RESULTS, testCluster]);
  assert.deepEqual(headers, {
    'ccx-catalogue-version': 'ccx-notifications-0.1.0+0123456789ab',
    'ccx-catalogue-rules': '["a.one","b.two"]',
  });
  assert.ok(typeof value === 'string' && value.endsWith('}\n'));
  assert.deepEqual(JSON.parse(value), {
    OrgID: 11789772,
    ClusterName: testCluster,
    Report: report,
    LastChecked: '2026-01-30T10:09:11.611Z',
    Version: 2,
    RequestId: 'req-1',
    Metadata: { gathering_time: '2026-01-30T10:08:55Z' },
    AccountNumber: 0,
  });
});

for (const [what, error] of [
  ['an unreachable bus', new CcxError('away', { code: 'BUS_UNREACHABLE', category: 'connection', retryable: true })],
  ['a missing topic', new CcxError('no topic', { code: 'BUS_TOPIC_UNKNOWN', category: 'configuration' })],
  ['a failure nobody expected', new Error('socket hang up')],
] as const) {
  test(`${what} means another try, never a dead letter`, async () => {
    const { outcome } = await publish(() => Promise.reject(error));
    assert.ok(outcome.kind === 'retry');
    assert.equal(outcome.afterMs, 750);
  });
}

test('a report that no bus would take is dead-lettered', async () => {
  const tooLarge = new CcxError('too large', { code: 'BUS_RECORD_TOO_LARGE', category: 'limit' });
  const { outcome } = await publish(() => Promise.reject(tooLarge));
  assert.ok(outcome.kind === 'dead-letter');
  assert.equal(outcome.error.code, 'BUS_RECORD_TOO_LARGE');
});

test('a message that readers would refuse is dead-lettered and not sent', async () => {
  const { outcome, sent } = await publish(async () => undefined, { ...result, clusterId: 'no UUID' });
  assert.ok(outcome.kind === 'dead-letter');
  assert.deepEqual([outcome.error.code, sent.length], ['REPORT_INVALID', 0]);
});
