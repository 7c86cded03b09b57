/**
 * Archives by chance through the whole data pipeline, with runners of their own processes under the limits of production: each ends in one report
 * or in one dead letter with a reason, none takes a runner down, and none costs a rule. `CCX_TEST_SEED` and `CCX_TEST_FUZZED` as in
 * `runner/fuzzed-archives.test.ts`; `npm run soak` sends ten thousand.
 */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type TestContext, test } from 'node:test';
import { fuzzedArchive } from '../../../test/faults/fuzz/fuzzed-archive.ts';
import { announcementRecord, fromCluster } from '../../../test/support/announcements.ts';
import { type ArchiveServer, startArchiveServer } from '../../../test/support/archive-server.ts';
import { createTestDatabase } from '../../../test/support/postgres.ts';
import { until } from '../../../test/support/until.ts';
import { parseDeadLetterHeaders } from '../../contracts/dead-letter.ts';
import { parseOcpResults } from '../../contracts/parse-ocp-results.ts';
import { type BusRecord, headerText, type OutgoingRecord } from '../../platform/bus/bus.ts';
import { createPostgresBus, type PostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { readProcessInput } from '../../platform/config/process-input.ts';
import { residentBytes } from '../../platform/runner-pool/runner-child.ts';
import {
  BUSINESS_EVENT_CHANNEL,
  type BusinessEvent,
  createSilentTelemetry,
} from '../../platform/telemetry/telemetry.ts';
import { archiveMsDefault, dataPipelineOptions, dataPipelineSettings, runnerBytesDefault } from './config.ts';
import { startDataPipeline } from './service.ts';

const { env } = readProcessInput();
const seed = env['CCX_TEST_SEED'] ?? 'f0221e5a';
const count = Number(env['CCX_TEST_FUZZED'] ?? 60);
/** Announced together. */
const batchSize = 250;
const organizations = 20;
const watchMs = 100;
const topics = { in: 'fuzz-in', out: 'fuzz-out', dead: 'fuzz-dead' };

const clock = createSystemClock();

test(`${count} archives by chance end in one report or one dead letter each (CCX_TEST_SEED=${seed})`, async (context) => {
  const watched = await startWatched(context);
  for (let first = 1; first <= count; first += batchSize) {
    const ids = Array.from({ length: Math.min(batchSize, count - first + 1) }, (_, index) =>
      // The first one is the seed itself, so that what failed is run alone.
      first + index === 1 ? seed : `${seed}-${first + index}`,
    );
    await watched.announce(ids);
    await watched.untilIdle();
    watched.forget(ids);
  }
  const { bus, bytesMost, msMost, troubles } = watched;
  const codes = new Map<string, number>();
  const ends = new Map<string, number>();
  for await (const { value } of recordsOf(bus, topics.out)) {
    const parsed = parseOcpResults(value!);
    assert.ok(parsed.kind === 'received', 'a report that our own writer refuses');
    const { RequestId } = JSON.parse(String(value)) as { RequestId: string };
    ends.set(RequestId, (ends.get(RequestId) ?? 0) + 1);
  }
  const reports = ends.size;
  for await (const record of recordsOf(bus, topics.dead)) {
    const info = parseDeadLetterHeaders((name) => headerText(record, name));
    assert.ok(info?.requestId !== undefined && info.reason !== '');
    // Nothing else is wrong with them than that they are no archives.
    assert.match(info.code, /^ARCHIVE_[A-Z_]+$/, `CCX_TEST_SEED=${info.requestId}`);
    codes.set(info.code, (codes.get(info.code) ?? 0) + 1);
    ends.set(info.requestId, (ends.get(info.requestId) ?? 0) + 1);
  }
  context.diagnostic(
    `${reports} reports, ${ends.size - reports} dead letters: ${[...codes.keys()]
      .sort()
      .map((code) => `${code} ${codes.get(code)}`)
      .join(', ')}`,
  );
  context.diagnostic(
    `the largest runner had ${Math.round(bytesMost() / 2 ** 20)} MiB, the slowest archive took ${Math.round(msMost())} ms`,
  );
  assert.deepEqual(await troubles(), []);
  assert.equal(ends.size, count);
  assert.deepEqual(
    [...ends].filter(([, times]) => times !== 1),
    [],
  );
  assert.ok(bytesMost() < runnerBytesDefault && msMost() < archiveMsDefault);
});

/** The pipeline as it runs in production, a store that makes archives when they are asked for, and what is seen of them. */
async function startWatched(context: TestContext) {
  const { database, drop } = await createTestDatabase();
  context.after(() => drop());
  const bus = await createPostgresBus({ database, clock, pollEveryMs: 50 });
  context.after(() => bus.close());
  await bus.admin.ensureTopics(Object.values(topics).map((name) => ({ name, partitions: 1 })));
  const server = await startArchiveServer();
  context.after(() => server.close());
  const quiet = { CCX_DATA_PIPELINE__STATUSES__TOPIC: 'none' };
  const loaded = dataPipelineSettings(loadConfig(dataPipelineOptions, { env: quiet }).config);
  const telemetry = createSilentTelemetry('data-pipeline');
  const service = await startDataPipeline(
    {
      ...loaded,
      incoming: { ...loaded.incoming, topic: topics.in },
      ...{ resultsTopic: topics.out, deadLettersTopic: topics.dead },
      download: { ...loaded.download, allowedHosts: [server.host] },
      rules: { ...loaded.rules, provisional: true, tutorial: true },
    },
    { bus, telemetry, clock },
  );
  context.after(() => service.stop());

  let msMost = 0;
  const failed: string[] = [];
  const onEvent = (message: unknown) => {
    const { event, fields } = message as BusinessEvent;
    if (event === 'archive-opened') msMost = Math.max(msMost, Number(fields['openMs']) + Number(fields['endedMsAgo']));
    if (event === 'rule-failed')
      failed.push(`${fields['rule']} ${fields['code']} (CCX_TEST_SEED=${fields['requestId']})`);
  };
  subscribe(BUSINESS_EVENT_CHANNEL, onEvent);
  context.after(() => unsubscribe(BUSINESS_EVENT_CHANNEL, onEvent));
  let bytesMost = 0;
  const stopWatching = clock.every(watchMs, async () => {
    const { runners } = (await service.state!()) as { runners: { pids: readonly number[] } };
    for (const pid of runners.pids) bytesMost = Math.max(bytesMost, (await residentBytes(pid)) ?? 0);
  });
  context.after(() => stopWatching());

  const producer = await bus.createProducer();
  context.after(() => producer.close());
  return {
    bus,
    bytesMost: () => bytesMost,
    msMost: () => msMost,
    announce: (ids: readonly string[]) => producer.send(ids.map((id, index) => announced(server, id, index))),
    untilIdle: () => until(() => service.idle()),
    forget: (ids: readonly string[]) => {
      for (const id of ids) server.serve(`/${id}`, (_, response) => response.writeHead(404).end());
    },
    /** Rules and runners that somebody had to stop, or that threw. */
    async troubles(): Promise<readonly string[]> {
      const metrics = await telemetry.registry.getMetricsAsJSON();
      const replaced = metrics.find(({ name }) => name === 'ccx_runner_replaced_total')?.values ?? [];
      return [...failed, ...replaced.filter(({ value }) => value > 0).map((one) => JSON.stringify(one))];
    },
  };
}

function announced(server: ArchiveServer, id: string, index: number): OutgoingRecord {
  const url = server.serve(`/${id}`, (_, response) => response.writeHead(200).end(fuzzedArchive(id).archive));
  const { gatheredAt } = fuzzedArchive(id);
  const record = announcementRecord({
    ...fromCluster(1 + (index % organizations), index),
    ...{ request_id: id, url, metadata: { reporter: 'ingress', custom_metadata: { gathering_time: gatheredAt } } },
  });
  return { ...record, topic: topics.in };
}

async function* recordsOf({ admin }: PostgresBus, topic: string): AsyncGenerator<BusRecord> {
  for (let offset = 0n; ; ) {
    const page = await admin.read({ topic, partition: 0, offset }, 500);
    yield* page;
    if (page.length === 0) return;
    offset = page.at(-1)!.offset + 1n;
  }
}
