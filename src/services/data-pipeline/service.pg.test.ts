/** The service as a whole, on the embedded bus: announcements and archives go in, reports and dead letters come out. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import {
  announcementRecord,
  fromCluster,
  testArchive,
  testCluster,
  testIdentity,
  testOrg,
} from '../../../test/support/announcements.ts';
import { type ArchiveServer, startArchiveServer } from '../../../test/support/archive-server.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { startTcpProxy, type TcpProxy } from '../../../test/support/tcp-proxy.ts';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { until } from '../../../test/support/until.ts';
import { type DeadLetterInfo, parseDeadLetterHeaders } from '../../contracts/dead-letter.ts';
import { encodeIdentity } from '../../contracts/identity.ts';
import { parseOcpResults } from '../../contracts/parse-ocp-results.ts';
import type { PayloadStatusMessage } from '../../contracts/payload-status.ts';
import type { OcpResultsMessage } from '../../contracts/serialize-ocp-results.ts';
import { packArchive, packTar } from '../../platform/archive/pack-archive.ts';
import { type BusRecord, headerText, type OutgoingRecord } from '../../platform/bus/bus.ts';
import { createPostgresBus, type PostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import type { RunningService } from '../../platform/lifecycle/lifecycle.ts';
import {
  BUSINESS_EVENT_CHANNEL,
  type BusinessEvent,
  createSilentTelemetry,
  type Telemetry,
} from '../../platform/telemetry/telemetry.ts';
import { jsonFileValuesMax } from '../../rules/engine/archive-view.ts';
import { type DataPipelineSettings, dataPipelineOptions, dataPipelineSettings } from './config.ts';
import { startDataPipeline } from './service.ts';

const clock = createSystemClock();
const runnerModule = new URL('../../../test/support/misbehaving-rules.ts', import.meta.url);
const realArchive = fileURLToPath(
  new URL('../../../../shared/data/archives/rapid-recommendations.tar.gz', import.meta.url),
);
const realAnnouncement = fileURLToPath(
  new URL('../../../../shared/data/messages/platform-upload-announce.json', import.meta.url),
);

const shared: { base?: TestDatabase; server?: ArchiveServer; proxy?: TcpProxy } = {};
/** What each test has of its own: topics, a bus through a breakable way, the service. */
interface Bench {
  readonly topics: { readonly in: string; readonly out: string; readonly dead: string; readonly status: string };
  readonly database: Database;
  readonly bus: PostgresBus;
  readonly events: BusinessEvent[];
  readonly services: RunningService[];
  telemetry: Telemetry;
}
let bench: Bench;
let tests = 0;

before(async () => {
  shared.base = await createTestDatabase();
  shared.server = await startArchiveServer();
  const { hostname, port } = new URL(shared.base.url);
  shared.proxy = await startTcpProxy({ host: hostname, port: Number(port) });
});
after(async () => {
  await shared.proxy?.close();
  await shared.server?.close();
  await shared.base?.drop();
});

beforeEach(async () => {
  tests += 1;
  const topics = { in: `in-${tests}`, out: `out-${tests}`, dead: `dead-${tests}`, status: `status-${tests}` };
  const url = new URL(shared.base!.url);
  url.port = String(shared.proxy!.port);
  const database = connectDatabase({ url: url.toString(), applicationName: 'pipeline test' });
  const bus = await createPostgresBus({ database, clock, pollEveryMs: 50, leaseMs: 5_000 });
  await bus.admin.ensureTopics(Object.values(topics).map((name) => ({ name, partitions: 1 })));
  bench = { topics, database, bus, events: [], services: [], telemetry: createSilentTelemetry('data-pipeline') };
  subscribe(BUSINESS_EVENT_CHANNEL, onEvent);
});
afterEach(async () => {
  unsubscribe(BUSINESS_EVENT_CHANNEL, onEvent);
  shared.proxy!.restore();
  await Promise.all(bench.services.map((service) => service.stop()));
  await bench.bus.close();
  await bench.database.close();
});

function onEvent(message: unknown): void {
  bench.events.push(message as BusinessEvent);
}

function settings(change: Partial<DataPipelineSettings> = {}): DataPipelineSettings {
  const loaded = dataPipelineSettings(loadConfig(dataPipelineOptions, { env: {} }).config);
  return {
    ...loaded,
    incoming: { ...loaded.incoming, topic: bench.topics.in },
    resultsTopic: bench.topics.out,
    deadLettersTopic: bench.topics.dead,
    statusesTopic: bench.topics.status,
    download: { ...loaded.download, allowedHosts: [shared.server!.host], retryMsMax: 60_000 },
    // A second runner takes as long to start as the rest of a test; those that need two say so.
    rules: { ...loaded.rules, runners: 1, runnerBytesMax: 256 * 1024 * 1024 },
    ...change,
  };
}

async function start(
  change: Partial<DataPipelineSettings> = {},
  module: URL | undefined = runnerModule,
  around: Pick<Parameters<typeof startDataPipeline>[1], 'bucket' | 'openArchive'> = {},
) {
  bench.telemetry = createSilentTelemetry('data-pipeline');
  const service = await startDataPipeline(settings(change), {
    bus: bench.bus,
    telemetry: bench.telemetry,
    clock,
    ...(module === undefined ? {} : { runnerModule: module }),
    ...around,
  });
  bench.services.push(service);
  return service;
}

async function announce(...records: readonly OutgoingRecord[]): Promise<void> {
  const producer = await bench.bus.createProducer();
  await producer.send(records.map((record) => ({ ...record, topic: bench.topics.in })));
  await producer.close();
}

async function untilIdle(service: RunningService): Promise<void> {
  await until(() => service.idle());
}

/** As the service's page shows them. */
async function runnersOf(service: RunningService) {
  const { runners } = (await service.state!()) as {
    runners: { readonly idle: number; readonly busy: number; readonly pids: readonly number[] };
  };
  return runners;
}

function read(topic: string): Promise<readonly BusRecord[]> {
  return bench.bus.admin.read({ topic, partition: 0, offset: 0n }, 1_000);
}

async function reports(): Promise<OcpResultsMessage[]> {
  return (await read(bench.topics.out)).map((record) => JSON.parse(String(record.value)) as OcpResultsMessage);
}

async function deadLetters(): Promise<DeadLetterInfo[]> {
  const records = await read(bench.topics.dead);
  return records.map((record) => {
    const info = parseDeadLetterHeaders((name) => headerText(record, name));
    assert.ok(info);
    return info;
  });
}

async function committed(): Promise<bigint | null> {
  const lags = await bench.bus.admin.lag('ccx_data_pipeline_app', [bench.topics.in]);
  return lags[0]!.committed;
}

function eventsOf(requestId: string): string[] {
  return bench.events.filter(({ fields }) => fields['requestId'] === requestId).map(({ event }) => event);
}

async function metric(name: string): Promise<unknown> {
  const metrics = await bench.telemetry.registry.getMetricsAsJSON();
  return metrics.find((one) => one.name === name)?.values;
}

/** An announcement of an archive that lies on the server under the request's id. */
function upload(requestId: string, archive: Buffer, change: Readonly<Record<string, unknown>> = {}): OutgoingRecord {
  return announcementRecord({
    request_id: requestId,
    url: shared.server!.serve(`/${bench.topics.in}/${requestId}`, archive),
    size: archive.length,
    ...change,
  });
}

function twoRunners(): Pick<DataPipelineSettings, 'rules'> {
  return { rules: { ...settings().rules, runners: 2 } };
}

/** For rules that loop: short, but long enough for every other rule on a busy machine. */
function impatient(): Partial<DataPipelineSettings> {
  return { rules: { ...twoRunners().rules, ruleMsMax: 1_500 } };
}

function archiveThat(deed: string): Buffer {
  return testArchive({ 'config/proxy.json': JSON.stringify({ spec: { httpProxy: `http://does-${deed}` } }) });
}

const withoutClusterId = encodeIdentity(testIdentity({ system: {} }));

describe('an announced archive', () => {
  test('becomes one report with the members of the announcement, told hop by hop and status by status', async () => {
    const service = await start();
    await announce(upload('req-1', testArchive(), { b64_identity: withoutClusterId }));
    await untilIdle(service);

    const records = await read(bench.topics.out);
    assert.equal(records.length, 1);
    assert.equal(String(records[0]?.key), testCluster);
    assert.deepEqual(
      records[0]?.headers.map(({ name }) => name),
      ['ccx-catalogue-version', 'ccx-catalogue-rules'],
    );
    const rules: string[] = JSON.parse(String(records[0]?.headers[1]?.value));
    assert.ok(rules.includes('test.rules.witness') && rules.includes('ccx_rules_processing.version_info'));
    assert.equal(parseOcpResults(records[0]!.value).kind, 'received');
    const [report] = await reports();
    assert.deepEqual(
      { ...report, Report: Object.keys(report!.Report) },
      {
        OrgID: testOrg,
        ClusterName: testCluster,
        Report: ['system', 'reports', 'fingerprints', 'skips', 'info', 'pass', 'analysis_metadata'],
        LastChecked: '2026-01-30T10:09:11.611Z',
        Version: 2,
        RequestId: 'req-1',
        Metadata: { gathering_time: '2026-01-30T10:08:55Z' },
        AccountNumber: 10,
      },
    );
    assert.ok(report?.Report.reports.some((hit) => hit.rule_id === 'witness|SEEN'));
    assert.deepEqual(report?.Report.info[0]?.details['version'], '4.17.3');

    assert.deepEqual(eventsOf('req-1'), [
      'announcement-accepted',
      'archive-opened',
      'rules-evaluated',
      'report-published',
    ]);
    assert.equal(await committed(), 1n);
    const statuses = (await read(bench.topics.status)).map(
      (one) => JSON.parse(String(one.value)) as PayloadStatusMessage,
    );
    assert.deepEqual(
      statuses.map(({ service: name, request_id, org_id, status }) => [name, request_id, org_id, status]),
      ['received', 'processing', 'success'].map((status) => ['ccx-data-pipeline', 'req-1', String(testOrg), status]),
    );
    assert.deepEqual(await metric('ccx_published_total'), [
      { value: 1, labels: { archive: 'ocp' } },
      { value: 0, labels: { archive: 'hypershift' } },
    ]);
    assert.deepEqual((await service.readiness()).ready, true);
  });

  test('that is a file of this machine is read by the runner, and any other link is followed', async () => {
    const path = join(temporaryFolder(), 'archive');
    writeFileSync(path, testArchive());
    const handles: FileHandle[] = [];
    const openArchive = async (link: string) => {
      if (!link.endsWith('/here')) return undefined;
      const handle = await open(path);
      handles.push(handle);
      return handle;
    };
    const service = await start({}, runnerModule, { openArchive });
    await until(async () => (await service.readiness()).ready);
    const here = shared.server!.serve(`/${bench.topics.in}/here`, testArchive());
    await announce(announcementRecord({ request_id: 'req-1', url: here }), upload('req-2', testArchive()));
    await untilIdle(service);
    assert.equal((await reports()).length, 2);
    const requests = (name: string) => shared.server!.requests.get(`/${bench.topics.in}/${name}`) ?? 0;
    assert.deepEqual([requests('here'), requests('req-2')], [process.platform === 'linux' ? 0 : 1, 1]);
    assert.deepEqual(
      handles.map(({ fd }) => fd),
      [-1],
      'closed',
    );
  });

  test('from a real operator becomes a report of the real rules', { skip: !existsSync(realArchive) }, async () => {
    const announcement = JSON.parse(readFileSync(realAnnouncement, 'utf8'));
    const service = await start({}, undefined);
    const url = shared.server!.serve('/real', readFileSync(realArchive));
    await announce(announcementRecord({ ...announcement, url, size: undefined }));
    await untilIdle(service);
    const [report] = await reports();
    assert.deepEqual(
      [report?.OrgID, report?.AccountNumber, report?.RequestId],
      [123456, 789000, announcement.request_id],
    );
    assert.equal(report?.LastChecked, '2020-12-09T16:17:42.822020204Z');
    assert.ok((report?.Report.reports.length ?? 0) + (report?.Report.skips.length ?? 0) > 0);
    assert.equal(report?.Report.info[0]?.info_id, 'version_info|CLUSTER_VERSION_INFO');
  });

  test('is looked at by the tutorial and by provisional rules only where the settings say so', async () => {
    const { rules } = settings();
    for (const [index, asked] of [false, true].entries()) {
      const service = await start({ rules: { ...rules, provisional: asked, tutorial: asked } }, undefined);
      await announce(upload(`req-${index}`, testArchive({ 'config/version.json': '{' })));
      await untilIdle(service);
      const { Report: report } = (await reports()).find(({ RequestId }) => RequestId === `req-${index}`)!;
      assert.equal(
        report.reports.some(({ key }) => key === 'TUTORIAL_ERROR'),
        asked,
      );
      assert.equal(
        report.skips.some(({ rule_fqdn }) => rule_fqdn.includes('.bug_1766907.')),
        asked,
        'its input is broken, which is told where it runs',
      );
      await service.stop();
    }
  });

  test('of another service, without headers or too old is dropped and counted', async () => {
    const service = await start({
      incoming: { ...settings().incoming, recordAgeMsMax: 1_000 },
    });
    const ours = upload('req-1', testArchive());
    await announce({ ...ours, headers: { service: 'advisor' } }, { topic: ours.topic, value: ours.value });
    await untilIdle(service);
    assert.deepEqual([(await reports()).length, (await deadLetters()).length, await committed()], [0, 0, 2n]);
    assert.deepEqual(await metric('ccx_consumer_filtered_total'), [{ value: 1, labels: {} }]);
    assert.deepEqual(
      bench.events.filter(({ event }) => event === 'announcement-dropped').map(({ fields }) => fields['reason']),
      ['other-service', 'no-headers'],
    );
  });

  test('on the legacy topic needs no header', async () => {
    const service = await start({ incoming: { ...settings().incoming, platformService: '' } });
    const { topic, value } = upload('req-1', testArchive());
    await announce({ topic, value });
    await untilIdle(service);
    assert.equal((await reports()).length, 1);
  });
});

describe('what cannot be processed', () => {
  test('G15, G18, G19: goes to the dead-letter topic with its reason, and what comes behind it is published', async () => {
    const service = await start({ archiveLimits: { ...settings().archiveLimits, packedBytesMax: 1024 * 1024 } });
    const whole = testArchive();
    const nested = packArchive([{ path: 'inner.tar.gz', body: whole }]);
    const bomb = packArchive([
      { path: 'config/id', body: testCluster },
      { path: 'logs/zeros', body: Buffer.alloc(60 * 1024 * 1024) },
    ]);
    const nobody = packArchive([{ path: 'config/version.json', body: '{}' }]);
    const moved = shared.server!.serve('/moved', (_, response) => response.writeHead(302, { location: '/x' }).end());
    const forbidden = shared.server!.serve('/forbidden', (_, response) => response.writeHead(403).end('<Error/>'));
    const cases: readonly [OutgoingRecord, string, string, string?][] = [
      [{ ...announcementRecord(), value: 'not json' }, 'check-announcement', 'ANNOUNCEMENT_NOT_JSON'],
      [{ ...announcementRecord(), value: null }, 'check-announcement', 'ANNOUNCEMENT_MISSING'],
      [
        announcementRecord({ b64_identity: encodeIdentity(testIdentity({ internal: { org_id: 'x' } })) }),
        'identify-upload',
        'ANNOUNCEMENT_ORG_ID',
      ],
      [announcementRecord({ url: 'http://elsewhere.example/a' }), 'fetch-archive', 'DOWNLOAD_LINK_REFUSED'],
      [announcementRecord({ url: `http://${shared.server!.host}/absent` }), 'fetch-archive', 'DOWNLOAD_STATUS'],
      [announcementRecord({ url: forbidden }), 'fetch-archive', 'DOWNLOAD_FORBIDDEN'],
      [announcementRecord({ url: moved }), 'fetch-archive', 'DOWNLOAD_REDIRECTED'],
      [upload('empty', Buffer.alloc(0)), 'fetch-archive', 'ARCHIVE_EMPTY'],
      [upload('large', Buffer.alloc(1024 * 1024 + 1)), 'fetch-archive', 'ARCHIVE_TOO_BIG'],
      [upload('text', Buffer.from('<Error>Expired</Error>')), 'run-rules', 'ARCHIVE_FORMAT_UNSUPPORTED'],
      [upload('cut', whole.subarray(0, whole.length - 30)), 'run-rules', 'ARCHIVE_TRUNCATED'],
      [upload('nested', nested), 'run-rules', 'ARCHIVE_NESTED'],
      [upload('bomb', bomb), 'run-rules', 'ARCHIVE_ENTRY_TOO_LARGE', 'ARCHIVE_RATIO'],
      [upload('other', packTar([{ path: 'readme', body: 'x' }])), 'run-rules', 'ARCHIVE_NOT_INSIGHTS'],
      [upload('nobody', nobody, { b64_identity: withoutClusterId }), 'run-rules', 'CLUSTER_ID_MISSING'],
    ];
    await announce(...cases.map(([record]) => record), upload('good', whole));
    await untilIdle(service);

    const letters = (await deadLetters()).sort((a, b) => Number(a.sourceOffset - b.sourceOffset));
    assert.equal(letters.length, cases.length);
    for (const [index, [, step, ...codes]] of cases.entries()) {
      const letter = letters[index]!;
      assert.deepEqual(
        [letter.sourceOffset, letter.step, codes.includes(letter.code)],
        [BigInt(index), step, true],
        letter.code,
      );
    }
    const kept = await read(bench.topics.dead);
    const byOffset = (offset: number) =>
      kept.find((record) => headerText(record, 'x-ccx-source-offset') === String(offset));
    assert.equal(String(byOffset(0)?.value), 'not json');
    assert.equal(byOffset(1)?.value, null);
    assert.deepEqual(
      (await reports()).map((report) => report.RequestId),
      ['good'],
    );
    assert.equal(await committed(), BigInt(cases.length + 1));
    const errors = (await read(bench.topics.status)).map(
      (one) => JSON.parse(String(one.value)) as PayloadStatusMessage,
    );
    assert.match(
      errors.find(({ request_id, status }) => request_id === 'large' && status === 'error')?.status_msg ?? '',
      /too big/,
    );
  });

  test('broken JSON inside an archive costs what depends on it, not the archive', async () => {
    const service = await start();
    await announce(
      upload('req-1', testArchive({ 'config/infrastructure.json': '{"status":', 'config/proxy.json': '[' })),
    );
    await untilIdle(service);
    const [report] = await reports();
    assert.ok(report?.Report.reports.some((hit) => hit.rule_id === 'witness|SEEN'));
    assert.ok(report?.Report.skips.some((skip) => skip.rule_fqdn === 'test.rules.loops.report'));
  });
});

test('an archive with more JSON than is parsed of one is reported without the rules that need it, and its sender is named', async () => {
  const service = await start({}, undefined);
  const large = testArchive({ 'config/node/1.json': `[${'{},'.repeat(jsonFileValuesMax)}{}]` });
  await announce(upload('large', large, fromCluster(666, 1)));
  await untilIdle(service);
  const [report] = await reports();
  const skip = report?.Report.skips.find(({ rule_fqdn }) => rule_fqdn.includes('nodes_requirements_check'));
  assert.equal(skip?.reason, 'INPUT_BROKEN');
  const named = bench.events.find(({ event }) => event === 'archive-over-budget');
  assert.deepEqual([named?.fields['orgId'], named?.fields['oversizedFiles']], ['666', 1]);
  assert.deepEqual(((await metric('ccx_data_pipeline_oversized_files_total')) as { value: number }[])[0]?.value, 1);
  const skips = (await metric('ccx_data_pipeline_rule_skips_total')) as { value: number; labels: object }[];
  const broken = { rule: 'ccx_rules_ocp.external.rules.nodes_requirements_check', reason: 'INPUT_BROKEN' };
  assert.equal(skips.find(({ labels }) => isDeepStrictEqual(labels, broken))?.value, 1);
});

describe('a rule that misbehaves', () => {
  for (const [deed, code] of [
    ['throws', 'RULE_THREW'],
    ['loops', 'RUNNER_TIMEOUT'],
    ['eats', 'RUNNER_MEMORY'],
    ['exits', 'RUNNER_CRASHED'],
  ] as const) {
    test(`and ${deed} costs itself: the other rules' results and the other archives arrive`, async () => {
      const service = await start(deed === 'loops' ? impatient() : twoRunners());
      await announce(
        upload('bad', archiveThat(deed)),
        upload('good-1', testArchive()),
        upload('good-2', testArchive()),
      );
      await untilIdle(service);
      const published = await reports();
      assert.deepEqual(published.map((report) => report.RequestId).sort(), ['bad', 'good-1', 'good-2']);
      for (const report of published) assert.ok(report.Report.reports.some((hit) => hit.rule_id === 'witness|SEEN'));
      assert.equal((await deadLetters()).length, 0);
      const failed = bench.events.filter(({ event }) => event === 'rule-failed').map(({ fields }) => fields);
      assert.deepEqual(failed, [{ requestId: 'bad', rule: `test.rules.${deed}`, code }]);
      assert.equal(await committed(), 3n);
    });
  }

  test('is left out of the next archive of its cluster', async () => {
    const service = await start(impatient());
    await announce(upload('first', archiveThat('loops')));
    await untilIdle(service);
    await announce(upload('second', archiveThat('loops')));
    await untilIdle(service);
    assert.equal((await reports()).length, 2);
    assert.equal(bench.events.filter(({ event }) => event === 'rule-failed').length, 1);
  });
});

describe('what is away for a while', () => {
  test('an object store that answers 503 is asked again; nothing is acknowledged before', async () => {
    const service = await start();
    const archive = testArchive();
    let isAway = true;
    const url = shared.server!.serve('/comes-back', (_, response) => {
      if (isAway) response.writeHead(503).end();
      else response.end(archive);
    });
    await announce(
      announcementRecord({ request_id: 'waits', url }),
      upload('passes', archive, fromCluster(testOrg, 1)),
    );
    await until(async () => (await reports()).length === 1 && (shared.server!.requests.get('/comes-back') ?? 0) >= 2);
    assert.equal(await committed(), null);
    isAway = false;
    await untilIdle(service);
    assert.deepEqual(
      (await reports()).map((report) => report.RequestId),
      ['passes', 'waits'],
    );
    assert.equal(await committed(), 2n);
  });

  test('G19: an object store that fails, keeps silent and breaks off gets each attempt, and in the end one report', async () => {
    const service = await start({ download: { ...settings().download, answerMsMax: 500, stallMsMax: 500 } });
    const archive = testArchive();
    const head = { 'content-length': String(archive.length) };
    const troubles: ((response: ServerResponse) => void)[] = [
      (response) => response.writeHead(500).end('<Error>InternalError</Error>'),
      () => undefined,
      (response) => response.writeHead(200, head).write(archive.subarray(0, 10)),
    ];
    const seen: (bigint | null)[] = [];
    const url = shared.server!.serve('/troubled', async (_, response) => {
      seen.push(await committed());
      const trouble = troubles.shift();
      if (trouble === undefined) response.writeHead(200, head).end(archive);
      else trouble(response);
    });
    await announce(announcementRecord({ request_id: 'waits', url }));
    await untilIdle(service);
    assert.deepEqual(
      bench.events.filter(({ event }) => event === 'step-retried').map(({ fields }) => fields['code']),
      ['DOWNLOAD_STATUS', 'DOWNLOAD_TIMEOUT', 'DOWNLOAD_TIMEOUT'],
    );
    assert.deepEqual(seen, [null, null, null, null]);
    assert.deepEqual(
      (await reports()).map(({ RequestId }) => RequestId),
      ['waits'],
    );
    assert.deepEqual([(await deadLetters()).length, await committed()], [0, 1n]);
  });

  test('G19: a link that has ended is final for a foreign store, and costs nothing where the archive is in our own bucket', async () => {
    const archive = testArchive();
    const inBucket = new Map([['kept', archive]]);
    const get = async (key: string) => {
      const body = inBucket.get(key);
      const object = { key, sizeBytes: body?.length ?? 0, storedAt: new Date(0) };
      return body && { object, body: Readable.from([body]) };
    };
    const service = await start({}, runnerModule, { bucket: { name: 'archives', objects: { get } } });
    const ended = shared.server!.serve('/ended', (_, response) => response.writeHead(403).end('<Error/>'));
    const gone = `http://${shared.server!.host}/archives/gone`;
    await announce(
      announcementRecord({ request_id: 'kept', url: ended }),
      announcementRecord({ request_id: 'foreign', url: ended, ...fromCluster(testOrg, 1) }),
      announcementRecord({ request_id: 'gone', url: gone, ...fromCluster(testOrg, 2) }),
    );
    await untilIdle(service);
    const letters = (await deadLetters()).map(({ requestId, code }) => `${requestId}: ${code}`);
    assert.deepEqual(letters.sort(), ['foreign: DOWNLOAD_FORBIDDEN', 'gone: DOWNLOAD_STATUS']);
    assert.deepEqual(
      (await reports()).map(({ RequestId }) => RequestId),
      ['kept'],
    );
    assert.deepEqual([await committed(), bench.events.some(({ event }) => event === 'step-retried')], [3n, false]);
  });

  test('G20: a bus without space keeps reports and dead letters waiting, and has each of them once when there is room', async () => {
    const service = await start();
    // Nothing of its own is written on a disk: what may run out of space is where the bus keeps its records.
    const tables = (
      await shared.base!.database.query<{ name: string }>(
        `SELECT format('ccx.bus_records_%s_%s', topic_id, segment) AS name
       FROM ccx.bus_topics JOIN ccx.bus_segments USING (topic_id) WHERE bus_topics.name = ANY($1::text[])`,
        [[bench.topics.out, bench.topics.dead]],
      )
    ).rows;
    assert.equal(tables.length, 2);
    await shared.base!.database.query(
      `CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$`,
    );
    for (const { name } of tables)
      await shared.base!.database.query(
        `CREATE TRIGGER no_room BEFORE INSERT ON ${name} FOR EACH ROW EXECUTE FUNCTION no_room()`,
      );
    const archive = testArchive();
    await announce(
      upload('one', archive),
      upload('two', archive, fromCluster(testOrg, 1)),
      upload('bad', Buffer.from('no archive'), fromCluster(testOrg, 2)),
    );
    const retried = () =>
      bench.events
        .filter(({ event, fields }) => event === 'step-retried' && fields['code'] === 'DATABASE_DISK_FULL')
        .map(({ fields }) => `${fields['requestId']} ${fields['step']}`);
    const waiting = ['bad dead-letter-record', 'one publish-report', 'two publish-report'];
    await until(() => new Set(retried()).size === waiting.length);
    assert.deepEqual([...new Set(retried())].sort(), waiting);
    assert.deepEqual([await committed(), (await reports()).length, (await deadLetters()).length], [null, 0, 0]);

    await shared.base!.database.query('DROP FUNCTION no_room CASCADE');
    await untilIdle(service);
    assert.deepEqual((await reports()).map(({ RequestId }) => RequestId).sort(), ['one', 'two']);
    assert.deepEqual(
      (await deadLetters()).map(({ requestId }) => requestId),
      ['bad'],
    );
    assert.equal(await committed(), 3n);
  });

  test('a runner that is killed from outside with an archive in it costs the archive an attempt, and no rule', async () => {
    const service = await start();
    await until(() => runnersOf(service).then(({ idle }) => idle === 1));
    const [victim] = (await runnersOf(service)).pids;
    // It stands still before it has looked at the archive, so that it dies in the middle of it and not behind it.
    process.kill(victim!, 'SIGSTOP');
    await announce(upload('struck', testArchive()), upload('behind', testArchive(), fromCluster(testOrg, 1)));
    await until(() => runnersOf(service).then(({ busy }) => busy === 1));
    assert.equal(await committed(), null);
    process.kill(victim!, 'SIGKILL');
    await untilIdle(service);
    const published = await reports();
    assert.deepEqual(published.map(({ RequestId }) => RequestId).sort(), ['behind', 'struck']);
    for (const { Report: report } of published) {
      assert.ok(report.reports.some((hit) => hit.rule_id === 'witness|SEEN'));
      assert.ok(!report.skips.some(({ reason }) => reason === 'RULE_LEFT_OUT'));
    }
    assert.deepEqual([(await deadLetters()).length, await committed()], [0, 2n]);
    assert.ok(!bench.events.some(({ event }) => event === 'rule-failed'));
    assert.deepEqual(await metric('ccx_runner_replaced_total'), [
      { value: 1, labels: { pool: 'rules', code: 'RUNNER_CRASHED' } },
    ]);
  });

  test('G2: reports of one cluster are published in the order of its announcements, whatever is tried again', async () => {
    const service = await start(twoRunners());
    const archive = testArchive();
    let isAway = true;
    const url = shared.server!.serve('/first-of-cluster', (_, response) => {
      if (isAway) response.writeHead(503).end();
      else response.end(archive);
    });
    const first = announcementRecord({ request_id: 'first', url, ...fromCluster(testOrg, 1) });
    await announce(
      first,
      upload('second', archive, fromCluster(testOrg, 1)),
      upload('other', archive, fromCluster(testOrg, 2)),
    );
    await until(async () => (await reports()).length === 1);
    isAway = false;
    await untilIdle(service);
    assert.deepEqual(
      (await reports()).map((report) => report.RequestId),
      ['other', 'first', 'second'],
    );
  });

  test('a bus that dies with reports in flight gets each of them when it is back', async () => {
    const service = await start(twoRunners());
    const requests = Array.from({ length: 20 }, (_, index) => `req-${index}`);
    await announce(...requests.map((request) => upload(request, testArchive())));
    await until(() => bench.events.some(({ event }) => event === 'rules-evaluated'));
    shared.proxy!.cut();
    await until(() => bench.events.some(({ event }) => event === 'step-retried' || event === 'bus-unavailable'));
    shared.proxy!.restore();
    await untilIdle(service);
    const published = new Set((await reports()).map((report) => report.RequestId));
    assert.deepEqual([...published].sort(), [...requests].sort());
    assert.equal(await committed(), 20n);
    assert.equal((await deadLetters()).length, 0);
  });

  test('work that a stop interrupts is done after the next start', async () => {
    const archive = testArchive();
    let answers = 0;
    const url = shared.server!.serve('/slow', (_, response) => {
      answers += 1;
      if (answers > 1) response.end(archive);
    });
    const first = await start({ download: { ...settings().download, answerMsMax: 60_000 } });
    await announce(announcementRecord({ request_id: 'slow', url }), upload('quick', archive, fromCluster(testOrg, 1)));
    await until(async () => (await reports()).length === 1 && answers === 1);
    await first.stop();
    assert.equal(await committed(), null);
    const second = await start();
    await untilIdle(second);
    const published = (await reports()).map((report) => report.RequestId);
    assert.deepEqual([...new Set(published)].sort(), ['quick', 'slow']);
    assert.equal(await committed(), 2n);
  });
});

describe('many archives at once', () => {
  test('are bounded by count and bytes, and all arrive', async () => {
    const archive = testArchive({ 'config/padding': 'x'.repeat(10_000) });
    const most = { count: 0, bytes: 0 };
    const service = await start({
      ...twoRunners(),
      inFlightArchivesMax: 4,
      inFlightBytesMax: archive.length * 2,
      archiveLimits: { ...settings().archiveLimits, packedBytesMax: archive.length * 2 },
    });
    const requests = Array.from({ length: 60 }, (_, index) => `req-${index}`);
    await announce(...requests.map((request) => upload(request, archive)));
    await until(async () => {
      const [inFlight] = (await metric('ccx_data_pipeline_in_flight')) as { value: number }[];
      const [bytes] = (await metric('ccx_data_pipeline_in_flight_bytes')) as { value: number }[];
      most.count = Math.max(most.count, inFlight!.value);
      most.bytes = Math.max(most.bytes, bytes!.value);
      return await service.idle();
    });
    assert.ok(most.count <= 4 && most.bytes <= archive.length * 2, JSON.stringify(most));
    assert.equal(new Set((await reports()).map((report) => report.RequestId)).size, 60);
    assert.equal(await committed(), 60n);
  });
});
