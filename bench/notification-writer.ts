/**
 * What the notification writer costs: reading a message against `JSON.parse` and `JSON.stringify`, and storing reports in batches against
 * one by one and against a plain `COPY` of the same rows. Run with `node bench/notification-writer.ts`; the last figures stand below.
 *
 * Machine: two cores, Debian 12, Node 24, embedded PostgreSQL 17 with `fsync` and `synchronous_commit` on. Best of the rounds.
 *
 * reading one message, µs:          writer   JSON.parse + stringify
 *   5.6 kB, compact, 3 hits           10.2     14.8
 *   5.9 kB, as Python writes it       12.6     15.1
 *   10.7 kB, indented                 19.7     16.5
 *   12.5 kB, compact, 12 hits         18.4     39.6
 *   3.3 kB, compact, no hits           7.1      6.4
 *
 * storing, rows per second: COPY of the report rows alone in portions of 500: 18 600; store-reports (reports, records, trace) in batches of
 * 500: 11 000, of 50: 10 700, one by one: 1 000. Whole service on the embedded bus with three statuses per message, all in one database:
 * batches of 500: 4 000 to 4 300, one by one: 90 to 180.
 */
import { hash, randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { parseOcpResults } from '../src/contracts/parse-ocp-results.ts';
import { DROPPED_REPORT_KEYS, shrinkReportText } from '../src/contracts/shrunk-report.ts';
import { createPostgresBus } from '../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../src/platform/clock/clock.ts';
import { loadConfig } from '../src/platform/config/load-config.ts';
import { migrateCcx } from '../src/platform/database/ccx-migrations.ts';
import { connectDatabase } from '../src/platform/database/connect-database.ts';
import type { Database } from '../src/platform/database/database.ts';
import { createDatabaseIfMissing } from '../src/platform/database/embedded/create-database.ts';
import { startEmbeddedPostgres } from '../src/platform/database/embedded/start-embedded-postgres.ts';
import { ensureNotificationSchema } from '../src/platform/database/notification-schema/ensure-notification-schema.ts';
import { createSilentTelemetry } from '../src/platform/telemetry/telemetry.ts';
import { notificationWriterOptions, notificationWriterSettings } from '../src/services/notification-writer/config.ts';
import type { ReportRow } from '../src/services/notification-writer/report.ts';
import { startNotificationWriter } from '../src/services/notification-writer/service.ts';
import { storeReports } from '../src/services/notification-writer/steps/store-reports.ts';

const clock = createSystemClock();
const rounds = 3;
const storedRows = 4_000;
const singleRows = 500;
const busMessages = 10_000;

function hit(number: number) {
  return {
    rule_id: `some_rule_${number}|SOME_RULE_${number}`,
    component: `ccx_rules_ocp.external.rules.some_rule_${number}.report`,
    type: 'rule',
    key: `SOME_RULE_${number}`,
    details: {
      type: 'rule',
      error_key: `SOME_RULE_${number}`,
      nodes: Array.from({ length: 4 }, (_, n) => ({ name: `node-${n}`, role: 'worker', message: 'x'.repeat(60) })),
    },
    tags: ['security', 'service_availability'],
    links: { kcs: ['https://access.redhat.com/solutions/4849711'], docs: ['https://docs.openshift.com/'] },
  };
}

/** A message as the data pipeline sends it: `hits` issues that are kept, and about twice as much that is dropped. */
function message(hits: number, requestId: string) {
  const skips = Array.from({ length: 18 }, (_, n) => ({
    rule_fqdn: `ccx_rules_ocp.external.rules.other_${n}.report`,
    reason: 'MISSING_REQUIREMENTS',
    details: `All: ['ccx_ocp_core.models.thing_${n}'] Any: `,
    type: 'skip',
  }));
  return {
    OrgID: 1,
    ClusterName: randomUUID(),
    Report: {
      system: { metadata: {}, hostname: null },
      reports: Array.from({ length: hits }, (_, n) => hit(n)),
      fingerprints: [],
      skips,
      info: [],
      pass: [],
      analysis_metadata: { start: '2026-11-21T16:00:00+00:00' },
    },
    LastChecked: '2026-11-21T16:00:03.512345678Z',
    Version: 2,
    RequestId: requestId,
    Metadata: { gathering_time: '2026-11-21T16:00:00Z' },
    AccountNumber: 0,
  };
}

/** Compact, with the separators of Python's `json.dumps`, indented. */
const spellings: Readonly<Record<string, (value: unknown) => string>> = {
  compact: (value) => JSON.stringify(value),
  'as Python writes it': (value) =>
    JSON.stringify(value, null, 1)
      .replace(/\n\s*/g, ' ')
      .replace(/([{[]) /g, '$1')
      .replace(/ ([}\]])/g, '$1'),
  indented: (value) => JSON.stringify(value, null, 4),
};

function readWithWriter(value: Buffer): Buffer {
  const parsed = parseOcpResults(value);
  if (parsed.kind === 'refused') throw parsed.refused.error;
  return shrinkReportText(parsed.report.report).text;
}

function readWithJson(value: Buffer): Buffer {
  const parsed = JSON.parse(value.toString('utf8')) as { Report: Record<string, unknown> };
  for (const key of DROPPED_REPORT_KEYS) delete parsed.Report[key];
  return Buffer.from(JSON.stringify(parsed.Report));
}

function bestMicros(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 12; round += 1) {
    const startedMs = clock.monotonicMs();
    for (let turn = 0; turn < 2_000; turn += 1) work();
    best = Math.min(best, (clock.monotonicMs() - startedMs) / 2);
  }
  return best;
}

function benchReading(): void {
  for (const hits of [0, 3, 12]) {
    for (const [name, spell] of Object.entries(spellings)) {
      const value = Buffer.from(spell(message(hits, 'r')));
      if (!readWithWriter(value).equals(readWithJson(value))) throw new Error('the two ways differ');
      const [writer, json] = [bestMicros(() => readWithWriter(value)), bestMicros(() => readWithJson(value))];
      print(
        `read ${hits} hits, ${(value.length / 1000).toFixed(1)} kB, ${name}`,
        `${writer.toFixed(1)} µs`,
        `JSON ${json.toFixed(1)} µs`,
      );
    }
  }
}

function reportRows(count: number): ReportRow[] {
  return Array.from({ length: count }, (_, index) => {
    const requestId = randomUUID().replaceAll('-', '');
    const value = Buffer.from(JSON.stringify(message(3, requestId)));
    return {
      record: { topic: 'ccx.ocp.results', partition: 0, offset: BigInt(index) },
      sha256: hash('sha256', value, 'buffer'),
      requestId,
      orgId: index % 1000,
      accountNumber: index,
      cluster: randomUUID(),
      lastChecked: '2026-11-21T16:00:03.512345678Z',
      processedAt: clock.nowMicros(),
      text: readWithWriter(value),
    };
  });
}

async function copyRows(database: Database, rows: readonly ReportRow[]): Promise<void> {
  const lines = rows.map(({ orgId, accountNumber, cluster, text, processedAt, record }) => {
    const at = new Date(Number(processedAt / 1000n))
      .toISOString()
      .replace('T', ' ')
      .replace('Z', String(processedAt % 1000n).padStart(3, '0'));
    return `${[orgId, accountNumber, cluster, text.toString('utf8').replaceAll('\\', '\\\\'), at, record.offset].join('\t')}\n`;
  });
  await database.withConnection(async ({ client }) => {
    const columns = 'org_id, account_number, cluster, report, updated_at, kafka_offset';
    await pipeline(Readable.from(lines), client.query(copyFrom(`COPY new_reports (${columns}) FROM STDIN`)));
  });
}

async function storeInBatches(database: Database, rows: readonly ReportRow[], size: number): Promise<void> {
  for (let start = 0; start < rows.length; start += size) {
    const batch = rows.slice(start, start + size);
    const at = new Date().toISOString();
    const traceOf = (index: number) =>
      ['report-parsed', 'report-stored'].map((status, hop) => ({
        requestId: batch[index]!.requestId,
        service: 'writer',
        status,
        hop: 7 + hop,
        at,
      }));
    const outcome = await storeReports(batch, { database, traceOf }, { number: 1, retryMs: 0 });
    if (outcome.kind !== 'done') throw new Error(`storing answered ${outcome.kind}`);
  }
}

async function benchStoring(database: Database): Promise<void> {
  const ways: Readonly<Record<string, { rows: number; run: (rows: readonly ReportRow[]) => Promise<void> }>> = {
    'COPY of the rows alone, in portions of 500': {
      rows: storedRows,
      run: async (rows) => {
        for (let start = 0; start < rows.length; start += 500) await copyRows(database, rows.slice(start, start + 500));
      },
    },
    'store-reports, batches of 500': { rows: storedRows, run: (rows) => storeInBatches(database, rows, 500) },
    'store-reports, batches of 50': { rows: storedRows, run: (rows) => storeInBatches(database, rows, 50) },
    'store-reports, one by one': { rows: singleRows, run: (rows) => storeInBatches(database, rows, 1) },
  };
  for (const [name, { rows: count, run }] of Object.entries(ways)) {
    let best = 0;
    for (let round = 0; round < rounds; round += 1) {
      await database.query('TRUNCATE new_reports, read_errors, ccx.stored_message, ccx.trace');
      await database.query('CHECKPOINT');
      const rows = reportRows(count);
      const startedMs = clock.monotonicMs();
      await run(rows);
      best = Math.max(best, (count * 1000) / (clock.monotonicMs() - startedMs));
    }
    print(`store: ${name}`, `${Math.round(best)} rows/s`);
  }
}

/** Messages that already lie in the topic, through the whole service: bus, parsing, storing, statuses, commits. */
async function benchService(url: string, recordsMax: number, count: number): Promise<void> {
  const database = connectDatabase({ url, applicationName: 'bench' });
  await database.query('TRUNCATE new_reports, read_errors, ccx.stored_message, ccx.trace');
  const bus = await createPostgresBus({ database, clock });
  const topic = `bench-${recordsMax}`;
  await bus.admin.ensureTopics([{ name: topic, partitions: 1 }]);
  const producer = await bus.createProducer();
  const values = Array.from({ length: count }, () => JSON.stringify(message(3, randomUUID())));
  await producer.send(values.map((value) => ({ topic, value })));
  const settings = notificationWriterSettings(loadConfig(notificationWriterOptions, { env: {} }).config);
  const startedMs = clock.monotonicMs();
  const writer = await startNotificationWriter(
    { ...settings, topic, groupId: topic, batch: { ...settings.batch, recordsMax } },
    { bus, database, telemetry: createSilentTelemetry('writer'), clock },
  );
  const stored = async () => (await bus.admin.lag(topic, [topic])).every(({ committed, end }) => committed === end);
  while (!(await stored())) await clock.sleep(20);
  print(
    `whole service on the embedded bus, batches of ${recordsMax}`,
    `${Math.round((count * 1000) / (clock.monotonicMs() - startedMs))} messages/s`,
  );
  await writer.stop();
  await bus.close();
  await database.close();
}

function print(...cells: readonly string[]): void {
  process.stdout.write(
    `${cells[0]!.padEnd(60)}${cells
      .slice(1)
      .map((cell) => cell.padStart(16))
      .join('')}\n`,
  );
}

benchReading();
const dataDir = await mkdtemp(join(tmpdir(), 'ccx-bench-'));
// As root the server runs as another account, which has to get in.
await chmod(dataDir, 0o711);
const server = await startEmbeddedPostgres({ dataDir: join(dataDir, 'postgres'), clock });
try {
  const url = await createDatabaseIfMissing(server.url, 'bench');
  const database = connectDatabase({ url, applicationName: 'bench' });
  await ensureNotificationSchema(database);
  await migrateCcx(database, 'writer');
  await migrateCcx(database, 'trace');
  await benchStoring(database);
  await database.close();
  await benchService(url, 500, busMessages);
  await benchService(url, 1, singleRows);
} finally {
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
}
