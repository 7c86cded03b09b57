/**
 * The consumer's decision table, row by row (data-pipeline.md 2.2): what becomes of one record, in which order it is judged, what is counted
 * of it, and that its offset may move on in every row. Where ours differs from the reference, the row says so. Row 2, a record that is an
 * error of the bus, does not come here: the intake waits for the bus (`stream-intake.test.ts`).
 */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { busRecord, testAnnouncement, testCluster, testOrg } from '../../../test/support/announcements.ts';
import { parseDeadLetterHeaders } from '../../contracts/dead-letter.ts';
import type { PayloadStatusMessage } from '../../contracts/payload-status.ts';
import { CcxError, inputError } from '../../encoding/ccx-error.ts';
import { defaultArchiveLimits } from '../../platform/archive/archive.ts';
import type { BusRecord, OutgoingRecord } from '../../platform/bus/bus.ts';
import { createManualClock, type ManualClock } from '../../platform/clock/manual-clock.ts';
import { StatusSender } from '../../platform/records/status-sender.ts';
import { RunnerError } from '../../platform/runner-pool/runner-job.ts';
import { createSilentTelemetry, type Telemetry } from '../../platform/telemetry/telemetry.ts';
import { defaultRuleSettings } from '../../rules/engine/rule-settings.ts';
import { noPacks } from '../../rules/packs/pack-set.ts';
import { ByteBudget } from './byte-budget.ts';
import { ClusterQueues } from './cluster-queues.ts';
import { runnerFailureLimits } from './decide/answer-runner-failure.ts';
import { HostBreaker } from './host-breaker.ts';
import { createPipelineMetrics } from './metrics.ts';
import { processRecord } from './pipeline.ts';
import { Places } from './places.ts';
import { RuleQuarantine } from './rule-quarantine.ts';
import type { RuleRunResult } from './runner/rule-run.ts';
import { createPipelineEvents } from './telemetry.ts';
import { WaitingRoom } from './waiting-room.ts';

const recordAgeMsMax = 7_200_000;
const good = JSON.stringify(testAnnouncement({ url: 'http://store/archive' }));
const garbage = 'not json';
const members = { system: {}, reports: [], fingerprints: [], skips: [], info: [], pass: [], analysis_metadata: {} };
const result: RuleRunResult = {
  clusterId: testCluster,
  archiveKind: 'ocp',
  reportText: JSON.stringify(members),
  catalogue: { version: 'test', rules: [] },
  hits: 0,
  rulesRun: 0,
  failures: [],
  overLimit: [],
  skips: [],
  files: 1,
  unpackedBytes: 1,
  skippedEntries: 2,
  brokenFiles: 0,
  oversizedFiles: 0,
  openMs: 0,
  rulesMs: 0,
  remoteConfigurationVersion: undefined,
};

/** What the rest of the pipeline meets; by default nothing unusual. */
interface World {
  readonly download?: () => Promise<Buffer>;
  readonly run?: () => Promise<RuleRunResult>;
}

let clock: ManualClock;
let telemetry: Telemetry;
let sent: OutgoingRecord[];

beforeEach(() => {
  clock = createManualClock();
  telemetry = createSilentTelemetry('data-pipeline');
  sent = [];
});

/** Resolves to whether the record's offset may be committed. */
async function process(record: BusRecord, { download, run }: World): Promise<boolean> {
  const sender = { send: async (records: readonly OutgoingRecord[]) => void sent.push(...records) };
  const none = () => 0;
  const metrics = createPipelineMetrics(telemetry.registry, {
    ...{ in_flight: none, places_waiting: none, read_ahead: none, waiting: none, hosts_away: none },
    ...{ in_flight_bytes: none, rules_quarantined: none, pack_rules: none, packs_stale: none },
  });
  const statuses = new StatusSender({
    ...{
      sender,
      topic: 'statuses',
      service: 'ccx-data-pipeline',
      clock,
      gatherMs: 0,
      dropped: metrics.statusesDropped,
    },
  });
  const never = new AbortController().signal;
  const dependencies = {
    clock,
    events: createPipelineEvents({ telemetry, clock, metrics, statuses }),
    places: new Places({ placesMax: 1, perOrganizationMax: 1, furtherAttemptsMax: 1, onPassedOver: () => undefined }),
    hosts: new HostBreaker({ clock, onOpened: () => undefined, onClosed: () => undefined }),
    queues: new ClusterQueues(),
    room: new WaitingRoom(clock, 1),
    check: { platformService: 'openshift', recordAgeMsMax },
    fetch: {
      openFile: async () => undefined,
      download: download ?? (async () => Buffer.from('archive')),
      budget: new ByteBudget(10_000, 10_000),
      linkPolicy: { allowUnsafeLinks: true, presignedS3Links: false, allowedHosts: [] },
      localLink: async (link: string) => link,
      archiveBytesMax: 10_000,
      retryMsMax: 0,
    },
    rules: {
      runners: { run: run ?? (async () => result) },
      quarantine: new RuleQuarantine({ clock, quarantineMs: 1_000 }),
      archiveLimits: defaultArchiveLimits,
      selection: { provisional: false, tutorial: false },
      packs: () => noPacks.source,
      packsMsMax: 1_000,
      settings: defaultRuleSettings,
      failureLimits: runnerFailureLimits,
      onCpu: () => undefined,
      onRuleQuarantined: () => undefined,
    },
    publish: { sender, topic: 'results' },
    deadLetters: { sender, topic: 'dead', serviceName: 'data-pipeline' },
  };
  try {
    return await processRecord(record, dependencies, { abandoned: never, stopping: never });
  } finally {
    await statuses.close();
  }
}

const to = (topic: string) => sent.filter((record) => record.topic === topic);

/** What counters were added to. */
async function counted(): Promise<Record<string, number>> {
  const names = {
    ccx_consumer_received_total: 'received',
    ccx_consumer_filtered_total: 'filtered',
    ccx_data_pipeline_dropped_total: 'dropped',
    ccx_data_pipeline_dead_letters_total: 'dead letters',
    ccx_failures_total: 'failures',
    ccx_engine_processed_timeout_total: 'timeouts',
    ccx_published_total: 'published',
    ccx_not_handled_total: 'not handled',
    ccx_data_pipeline_skipped_entries_total: 'skipped entries',
  };
  const counts: Record<string, number> = {};
  for (const metric of await telemetry.registry.getMetricsAsJSON()) {
    const name = (names as Readonly<Record<string, string>>)[metric.name];
    const sum = (metric.values as readonly { readonly value: number }[]).reduce((all, { value }) => all + value, 0);
    if (name !== undefined && sum > 0) counts[name] = sum;
  }
  return counts;
}

const death = (code: string) => () =>
  Promise.reject(new RunnerError('died', { code, category: 'limit', label: 'open the archive' }));
const service = (value: string) => ({ name: 'service', value: Buffer.from(value) });

type Verdict =
  | { readonly kind: 'published' }
  /** Neither dead letter nor status; the reference counts `other-service` only. */
  | { readonly kind: 'dropped'; readonly reason: string; readonly filtered?: true }
  /** `unread`: neither received nor failed, as in the reference. */
  | {
      readonly kind: 'dead-lettered';
      readonly step: string;
      readonly code: string;
      readonly also?: 'unread' | 'timeout';
    };

const parse = { kind: 'dead-lettered', step: 'check-announcement', also: 'unread' } as const;

const rows: readonly (readonly [title: string, value: string | null, Partial<BusRecord>, Verdict, World?])[] = [
  [
    'row 1, an empty record, which the reference passes over with a debug line, is dead-lettered',
    '',
    {},
    { ...parse, code: 'ANNOUNCEMENT_EMPTY' },
  ],
  ['row 1, so is a record without a value', null, {}, { ...parse, code: 'ANNOUNCEMENT_MISSING' }],
  [
    'row 3, no headers at all: dropped before it is read, and counted, which the reference does not',
    garbage,
    { headers: [] },
    { kind: 'dropped', reason: 'no-headers' },
  ],
  [
    'row 4, headers of another service: dropped before it is read',
    garbage,
    { headers: [service('advisor')] },
    { kind: 'dropped', reason: 'other-service', filtered: true },
  ],
  [
    'row 4, headers without the service are those of another one',
    garbage,
    { headers: [{ name: 'other', value: Buffer.from('openshift') }] },
    { kind: 'dropped', reason: 'other-service', filtered: true },
  ],
  [
    'row 4 comes before row 5',
    garbage,
    { headers: [service('advisor')], timestampMs: 1 },
    { kind: 'dropped', reason: 'other-service', filtered: true },
  ],
  [
    'row 5, too old by the time of the record: dropped before it is read, and counted',
    garbage,
    { timestampMs: Date.parse('2026-11-21T16:00:00Z') - recordAgeMsMax - 1 },
    { kind: 'dropped', reason: 'too-old' },
  ],
  ['row 5, a time that the bus does not know passes', good, { timestampMs: -1 }, { kind: 'published' }],
  [
    'row 5, the time in the message does not count',
    JSON.stringify(testAnnouncement({ url: 'http://store/archive', timestamp: '2001-01-01T00:00:00Z' })),
    {},
    { kind: 'published' },
  ],
  ['row 6, no announcement', garbage, {}, { ...parse, code: 'ANNOUNCEMENT_NOT_JSON' }],
  [
    'row 6, an announcement without a link',
    JSON.stringify(testAnnouncement({ url: undefined })),
    {},
    { ...parse, code: 'ANNOUNCEMENT_SCHEMA' },
  ],
  [
    'row 7, what was fetched is no archive',
    good,
    {},
    { kind: 'dead-lettered', step: 'run-rules', code: 'ARCHIVE_FORMAT_UNSUPPORTED' },
    { run: death('ARCHIVE_FORMAT_UNSUPPORTED') },
  ],
  [
    'row 8, an error that we have a name for',
    good,
    {},
    { kind: 'dead-lettered', step: 'fetch-archive', code: 'ARCHIVE_EMPTY' },
    { download: () => Promise.reject(inputError('ARCHIVE_EMPTY', 'Empty input archive')) },
  ],
  [
    'row 8, one that may pass, once its time is over',
    good,
    {},
    { kind: 'dead-lettered', step: 'fetch-archive', code: 'DOWNLOAD_UNREACHABLE' },
    {
      download: () =>
        Promise.reject(new CcxError('away', { code: 'DOWNLOAD_UNREACHABLE', category: 'connection', retryable: true })),
    },
  ],
  [
    'row 9, a timeout while it is processed',
    good,
    {},
    { kind: 'dead-lettered', step: 'run-rules', code: 'RUNNER_TIMEOUT', also: 'timeout' },
    { run: death('RUNNER_TIMEOUT') },
  ],
  [
    'row 10, anything else, while it is fetched',
    good,
    {},
    { kind: 'dead-lettered', step: 'fetch-archive', code: 'INTERNAL_ERROR' },
    { download: () => Promise.reject(new TypeError('no such member')) },
  ],
  [
    'row 10, anything else, while it is processed',
    good,
    {},
    { kind: 'dead-lettered', step: 'run-rules', code: 'INTERNAL_ERROR' },
    { run: () => Promise.reject(new TypeError('no such member')) },
  ],
  ['no row: a good one is published', good, {}, { kind: 'published' }],
];

for (const [title, value, change, verdict, world = {}] of rows) {
  test(title, async () => {
    const record = busRecord(value, change);
    assert.equal(await process(record, world), true, 'its offset may move on');
    const statuses = to('statuses').map(({ value: text }) => JSON.parse(String(text)) as PayloadStatusMessage);
    const told = statuses.map(({ org_id, status }) => [org_id, status]);
    const ofOrg = (...names: readonly string[]) => names.map((status) => [String(testOrg), status]);
    switch (verdict.kind) {
      case 'published':
        assert.deepEqual([to('results').length, to('dead').length], [1, 0]);
        assert.deepEqual(told, ofOrg('received', 'processing', 'success'));
        assert.deepEqual(await counted(), { received: 1, published: 1, 'skipped entries': 2 });
        break;
      case 'dropped':
        assert.deepEqual(sent, []);
        assert.deepEqual(await counted(), { dropped: 1, ...(verdict.filtered === true ? { filtered: 1 } : {}) });
        break;
      case 'dead-lettered': {
        assert.deepEqual([to('results').length, to('dead').length], [0, 1]);
        const [letter] = to('dead');
        assert.deepEqual(letter!.value, record.value, 'the value as it came');
        const info = parseDeadLetterHeaders((name) => (letter!.headers as Record<string, string>)[name]);
        assert.deepEqual([info?.step, info?.code, info?.sourceOffset], [verdict.step, verdict.code, record.offset]);
        const isRead = verdict.also !== 'unread';
        assert.deepEqual(told, isRead ? ofOrg('received', 'error') : []);
        assert.deepEqual(await counted(), {
          'dead letters': 1,
          ...(isRead ? { received: 1, failures: 1 } : {}),
          ...(verdict.also === 'timeout' ? { timeouts: 1 } : {}),
        });
      }
    }
  });
}
