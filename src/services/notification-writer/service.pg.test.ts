/** The writer as a whole on the embedded bus: what becomes of each kind of message, of repeats, and of a database that goes away. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import {
  asEarlierRelease,
  createTestDatabase,
  emptyTables,
  type TestDatabase,
} from '../../../test/support/postgres.ts';
import { type ReportAttributes, reportCluster, reportMessage } from '../../../test/support/report-messages.ts';
import { startTcpProxy, type TcpProxy } from '../../../test/support/tcp-proxy.ts';
import { until } from '../../../test/support/until.ts';
import { parseDeadLetterHeaders } from '../../contracts/dead-letter.ts';
import { parseOcpResults } from '../../contracts/parse-ocp-results.ts';
import type { PayloadStatusMessage } from '../../contracts/payload-status.ts';
import { CHANNEL_REPORT_STORED } from '../../contracts/tables.ts';
import { HEADER_CATALOGUE_RULES, HEADER_CATALOGUE_VERSION } from '../../contracts/topics.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { formatRfc3339 } from '../../encoding/rfc3339.ts';
import { type Bus, type BusRecord, headerText } from '../../platform/bus/bus.ts';
import { createPostgresBus, type PostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { sqlState } from '../../platform/database/database-error.ts';
import { isFaultOfARow } from '../../platform/database/store-rows.ts';
import type { RunningService } from '../../platform/lifecycle/lifecycle.ts';
import { readTrace } from '../../platform/records/trace-log.ts';
import {
  BUSINESS_EVENT_CHANNEL,
  type BusinessEvent,
  createSilentTelemetry,
  type Telemetry,
} from '../../platform/telemetry/telemetry.ts';
import { type NotificationWriterSettings, notificationWriterOptions, notificationWriterSettings } from './config.ts';
import { checkReport, shrinkReport } from './pipeline.ts';
import { startNotificationWriter } from './service.ts';
import { prepareRow } from './steps/prepare-row.ts';
import { createFactsMemory, readFacts } from './steps/read-facts.ts';
import { insertReportBatch } from './store.ts';

const clock = createSystemClock();
const requestId = '3nl2vda87ld6e3s25jlk7n2dna';
const shared: { base?: TestDatabase; proxy?: TcpProxy } = {};

/** What each test has of its own. */
interface Bench {
  readonly topics: { readonly in: string; readonly dead: string; readonly status: string };
  /** Through a way that can be broken. */
  readonly database: Database;
  readonly bus: PostgresBus;
  readonly services: RunningService[];
  readonly events: BusinessEvent[];
  telemetry: Telemetry;
}
let bench: Bench;
let tests = 0;

before(async () => {
  shared.base = await createTestDatabase({ migrated: true });
  const { hostname, port } = new URL(shared.base.url);
  shared.proxy = await startTcpProxy({ host: hostname, port: Number(port) });
});
after(async () => {
  await shared.proxy?.close();
  await shared.base?.drop();
});

beforeEach(async () => {
  tests += 1;
  const topics = { in: `in-${tests}`, dead: `dead-${tests}`, status: `status-${tests}` };
  const url = new URL(shared.base!.url);
  url.port = String(shared.proxy!.port);
  const database = connectDatabase({ url: url.toString(), applicationName: 'writer test' });
  const bus = await createPostgresBus({ database: shared.base!.database, clock, pollEveryMs: 50, leaseMs: 3_000 });
  await bus.admin.ensureTopics([
    { name: topics.in, partitions: 1 },
    { name: topics.dead, partitions: 1 },
    { name: topics.status, partitions: 1 },
  ]);
  bench = { topics, database, bus, services: [], events: [], telemetry: createSilentTelemetry('writer') };
  subscribe(BUSINESS_EVENT_CHANNEL, onEvent);
});
afterEach(async () => {
  unsubscribe(BUSINESS_EVENT_CHANNEL, onEvent);
  shared.proxy!.restore();
  await Promise.all(bench.services.map((service) => service.stop()));
  await bench.bus.close();
  await bench.database.close();
  const { database } = shared.base!;
  await database.query('DROP TRIGGER IF EXISTS refuse ON new_reports');
  await emptyTables(
    database,
    ...[
      'read_errors',
      'new_reports',
      'ccx.stored_message',
      'ccx.stored_positions',
      'ccx.skipped_rules',
      'ccx.trace',
      'ccx.report_facts',
      'ccx.catalogues',
      'ccx.clusters',
    ],
  );
});

function onEvent(message: unknown): void {
  bench.events.push(message as BusinessEvent);
}

async function start(change: Partial<NotificationWriterSettings> = {}, bus: Bus = bench.bus): Promise<RunningService> {
  bench.telemetry = createSilentTelemetry('writer');
  const settings = notificationWriterSettings(loadConfig(notificationWriterOptions, { env: {} }).config);
  const service = await startNotificationWriter(
    {
      ...settings,
      topic: bench.topics.in,
      deadLettersTopic: bench.topics.dead,
      statusesTopic: bench.topics.status,
      ...change,
    },
    { bus, database: bench.database, telemetry: bench.telemetry, clock },
  );
  bench.services.push(service);
  return service;
}

async function send(...values: (string | Buffer | null)[]): Promise<void> {
  const producer = await bench.bus.createProducer();
  await producer.send(values.map((value) => ({ topic: bench.topics.in, value })));
  await producer.close();
}

async function process(...values: (string | Buffer | null)[]): Promise<void> {
  await send(...values);
  const service = bench.services.at(-1) ?? (await start());
  await until(() => service.idle());
}

interface Row {
  readonly org_id: number;
  readonly account_number: number;
  readonly cluster: string;
  readonly report: string;
  readonly updated_at: string;
  readonly kafka_offset: bigint;
}

async function rows(): Promise<Row[]> {
  const answer = await shared.base!.database.query<Row>('SELECT * FROM new_reports ORDER BY kafka_offset, updated_at');
  return answer.rows;
}

function read(topic: string): Promise<readonly BusRecord[]> {
  return bench.bus.admin.read({ topic, partition: 0, offset: 0n }, 10_000);
}

async function statuses(): Promise<string[]> {
  return (await read(bench.topics.status)).map(
    (record) => (JSON.parse(String(record.value)) as PayloadStatusMessage).status,
  );
}

async function deadLetters() {
  return (await read(bench.topics.dead)).map((record) => parseDeadLetterHeaders((name) => headerText(record, name)));
}

/** Names of the reference's metrics, without the namespace, that are not zero; `consumed_messages` is always one per message. */
async function metricsTouched(): Promise<Readonly<Record<string, number>>> {
  const values: Record<string, number> = {};
  for (const metric of await bench.telemetry.registry.getMetricsAsJSON()) {
    const name = /^notification_writer_(.*)$/.exec(metric.name)?.[1];
    const value = metric.values[0]?.value ?? 0;
    if (name !== undefined && value !== 0) values[name] = value;
  }
  return values;
}

async function committed(): Promise<bigint | null | undefined> {
  return (await bench.bus.admin.lag('ccx_notification_app', [bench.topics.in]))[0]?.committed;
}

const parsed = { parse_incoming_message: 1, check_schema_version: 1, marshal_report: 1, shrink_report: 1 };
const checked = { ...parsed, check_last_checked_timestamp: 1 };
const storedText = '{"reports":[]}';
const storedMetrics = { ...checked, stored_messages: 1, stored_bytes: storedText.length };

interface Case {
  readonly value: string | null;
  readonly stored: boolean;
  readonly statuses: readonly string[];
  readonly metrics: Readonly<Record<string, number>>;
  readonly code?: string;
  readonly step?: string;
}

const success = ['received', 'processed', 'success'];
const future = JSON.stringify(formatRfc3339(clock.nowMicros() + 120_000_000n));
const stored = (changes: ReportAttributes, told: readonly string[] = success): Case => ({
  value: reportMessage(changes),
  stored: true,
  statuses: told,
  metrics: storedMetrics,
});
const invalid = (value: string | null, code: string, told: readonly string[] = []): Case => ({
  value,
  stored: false,
  statuses: told,
  metrics: { consuming_errors: 1 },
  code,
  step: 'parse-report',
});
const wrong = (changes: ReportAttributes, code: string): Case =>
  invalid(reportMessage(changes), code, ['processed', 'error']);
const late = (changes: ReportAttributes, code: string, metrics = parsed, step = 'check-report'): Case => ({
  value: reportMessage(changes),
  stored: false,
  statuses: ['received', 'processed', 'error'],
  metrics: { ...metrics, consuming_errors: 1 },
  code,
  step,
});

/** notification-writer.md 4.7, row by row. */
const matrix: Readonly<Record<string, Case>> = {
  'version 2': stored({}),
  'version 1': stored({ Version: '1' }),
  'no version': stored({ Version: undefined }),
  'version null': stored({ Version: 'null' }),
  'no request id': stored({ RequestId: undefined }, []),
  'an empty request id': stored({ RequestId: '""' }, []),
  'request id null': stored({ RequestId: 'null' }, []),
  'a cluster name without hyphens': stored({ ClusterName: `"${reportCluster.replaceAll('-', '')}"` }),
  'a time long ago': stored({ LastChecked: '"0001-01-01T00:00:00Z"' }),
  'the largest organization that the table holds': stored({ OrgID: '2147483647' }),
  'an empty value': invalid('', 'REPORT_NOT_JSON'),
  'a tombstone': invalid(null, 'REPORT_NOT_JSON'),
  'no JSON': invalid('hello', 'REPORT_NOT_JSON'),
  'trailing garbage': invalid(`${reportMessage()}!`, 'REPORT_NOT_JSON'),
  'an array': invalid(`[${reportMessage()}]`, 'REPORT_WRONG_TYPE'),
  'a string': invalid('"x"', 'REPORT_WRONG_TYPE'),
  null: invalid('null', 'REPORT_MISSING_ATTRIBUTE'),
  'no organization': wrong({ OrgID: undefined }, 'REPORT_MISSING_ATTRIBUTE'),
  'account number null': wrong({ AccountNumber: 'null' }, 'REPORT_MISSING_ATTRIBUTE'),
  'no cluster': wrong({ ClusterName: undefined }, 'REPORT_MISSING_ATTRIBUTE'),
  'report null': wrong({ Report: 'null' }, 'REPORT_MISSING_ATTRIBUTE'),
  'an organization as text': wrong({ OrgID: '"1"' }, 'REPORT_WRONG_TYPE'),
  'a report as array': wrong({ Report: '[]' }, 'REPORT_WRONG_TYPE'),
  'a bad cluster name': wrong({ ClusterName: '"not-a-uuid"' }, 'REPORT_CLUSTER_NOT_UUID'),
  'a report that lacks a key': wrong({ Report: '{"fingerprints":[],"system":{}}' }, 'REPORT_STRUCTURE'),
  'no time': late({ LastChecked: undefined }, 'REPORT_LAST_CHECKED'),
  'a malformed time': late({ LastChecked: '"yesterday"' }, 'REPORT_LAST_CHECKED'),
  'a time in the future': late({ LastChecked: future }, 'REPORT_FROM_THE_FUTURE'),
  'writer Q22, an organization beyond the table': late(
    { OrgID: '2147483648' },
    'REPORT_NUMBER_TOO_LARGE',
    checked,
    'prepare-row',
  ),
  'an account beyond the table': late(
    { AccountNumber: '4294967295' },
    'REPORT_NUMBER_TOO_LARGE',
    checked,
    'prepare-row',
  ),
  'a cluster in urn form': late(
    { ClusterName: `"urn:uuid:${reportCluster}"` },
    'REPORT_CLUSTER_TOO_LONG',
    checked,
    'prepare-row',
  ),
  'a cluster in braces': late(
    { ClusterName: `"{${reportCluster}}"` },
    'REPORT_CLUSTER_TOO_LONG',
    checked,
    'prepare-row',
  ),
};

describe('what becomes of a message with', () => {
  for (const [what, expected] of Object.entries(matrix)) {
    test(what, async () => {
      await process(expected.value);
      assert.deepEqual(
        (await rows()).map(({ report, kafka_offset }) => ({ report, kafka_offset })),
        expected.stored ? [{ report: storedText, kafka_offset: 0n }] : [],
      );
      assert.deepEqual(await statuses(), expected.statuses);
      assert.deepEqual(await metricsTouched(), { consumed_messages: 1, ...expected.metrics });
      const letters = await deadLetters();
      assert.deepEqual(
        letters.map((letter) => [letter?.code, letter?.step]),
        expected.stored ? [] : [[expected.code, expected.step]],
      );
      assert.equal(await committed(), 1n, 'the offset moved on');
    });
  }
});

describe('a stored report', () => {
  test('is the row that others expect, at the time of processing, and its request is found from it', async () => {
    const before = clock.nowMicros();
    await process(reportMessage({ Report: '{"reports":[ {"a":"<"} ],"system":1,"fingerprints":2,"zeta":1.0e+5}' }));
    const [row] = await rows();
    assert.deepEqual(
      { ...row, updated_at: undefined },
      {
        org_id: 1,
        account_number: 2,
        cluster: reportCluster,
        report: '{"reports":[{"a":"\\u003c"}],"zeta":1.0e+5}',
        updated_at: undefined,
        kafka_offset: 0n,
      },
    );
    const at = `${row!.updated_at.replace(' ', 'T')}Z`;
    assert.ok(at >= formatRfc3339(before).slice(0, 19) && at <= formatRfc3339(clock.nowMicros()));
    const found = await shared.base!.database.query(
      'SELECT request_id, last_checked FROM ccx.report_facts WHERE org_id = $1 AND cluster = $2 AND updated_at = $3::timestamp',
      [1, reportCluster, row!.updated_at],
    );
    assert.deepEqual(found.rows, [{ request_id: requestId, last_checked: '2020-01-23 16:15:59.478901' }]);
    const positions = await shared.base!.database.query(
      'SELECT topic, topic_id::bigint = (SELECT topic_id FROM ccx.bus_topics WHERE name = topic) AS known, partition, next_offset FROM ccx.stored_positions',
    );
    assert.deepEqual(positions.rows, [{ topic: bench.topics.in, known: true, partition: 0, next_offset: 1n }]);
  });

  test('is told to the tracker with the same time in the last two statuses, to the trace as two hops, and as events', async () => {
    await process(reportMessage());
    const told = (await read(bench.topics.status)).map((record) => {
      assert.deepEqual([record.key, record.headers], [null, []]);
      return JSON.parse(String(record.value)) as PayloadStatusMessage;
    });
    assert.deepEqual(Object.keys(told[0]!), ['service', 'request_id', 'status', 'date']);
    assert.equal(told[0]!.service, 'ccx-notification-writer');
    assert.equal(told[1]!.date, told[2]!.date);
    assert.match(told[0]!.date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/);

    const trace = await readTrace(shared.base!.database, requestId);
    assert.deepEqual(
      trace.map(({ service, status, hop, orgId, cluster }) => ({ service, status, hop, orgId, cluster })),
      [
        { service: 'ccx-notification-writer', status: 'report-parsed', hop: 7, orgId: '1', cluster: reportCluster },
        { service: 'ccx-notification-writer', status: 'report-stored', hop: 8, orgId: '1', cluster: reportCluster },
      ],
    );
    assert.deepEqual(
      bench.events.map(({ event, fields }) => [event, fields['hop'], fields['requestId']]),
      [
        ['report-parsed', 7, requestId],
        ['report-stored', 8, requestId],
        ['offsets-committed', undefined, undefined],
      ],
    );
  });

  test('leaves no trace where tracing is switched off, and nothing on the topic of statuses where that is', async () => {
    await start({ traced: false, statusesTopic: '' });
    await process(reportMessage(), 'bad');
    assert.equal((await rows()).length, 1);
    assert.deepEqual(await readTrace(shared.base!.database, requestId), []);
    assert.deepEqual(await statuses(), []);
  });

  test('is announced on the database, once per batch', async () => {
    const heard: string[] = [];
    const stop = await shared.base!.database.listen(CHANNEL_REPORT_STORED, (payload) => heard.push(payload));
    await process(reportMessage(), reportMessage({ RequestId: '"other"' }));
    await until(() => heard.length > 0);
    await stop();
    assert.deepEqual(heard, ['']);
  });

  test('may come from a clock that is a little ahead, unless the tolerance is zero', async () => {
    const ahead = JSON.stringify(formatRfc3339(clock.nowMicros() + 30_000_000n));
    await process(reportMessage({ LastChecked: ahead }));
    assert.equal((await rows()).length, 1);
    await bench.services.pop()!.stop();
    await start({ futureToleranceMs: 0 });
    await process(reportMessage({ LastChecked: ahead, RequestId: '"strict"' }));
    assert.deepEqual(
      (await deadLetters()).map((letter) => [letter?.code, letter?.requestId]),
      [['REPORT_FROM_THE_FUTURE', 'strict']],
    );
  });
});

describe('a repeat', () => {
  test('G1: by request, cluster and time makes no second row, whatever the spelling of the time and of the rest', async () => {
    await process(
      reportMessage(),
      reportMessage({ LastChecked: '"2020-01-23T18:15:59,478901889+02:00"', OrgID: ' 1' }),
      reportMessage({ Report: '{"fingerprints":[],"reports":[1],"system":{}}' }),
    );
    assert.deepEqual(
      (await rows()).map(({ kafka_offset }) => kafka_offset),
      [0n],
    );
    assert.deepEqual(await statuses(), [
      'received',
      'received',
      'received',
      ...Array(3).fill(['processed', 'success']).flat(),
    ]);
    assert.equal((await metricsTouched())['stored_messages'], 1);
    assert.equal(bench.events.filter(({ event }) => event === 'report-repeated').length, 2);
    const text = await bench.telemetry.registry.metrics();
    const observed = (name: string) => Number(new RegExp(`^ccx_writer_${name}_count (\\d+)$`, 'm').exec(text)?.[1]);
    assert.equal(observed('report_delay_seconds'), 1, 'of what was stored now');
    assert.ok(observed('store_seconds') >= 1);
    assert.equal(observed('store_seconds'), observed('batch_seconds'));
  });

  test('is nothing else: another request, cluster or time, or no request at all, is a new report', async () => {
    await process(
      reportMessage(),
      reportMessage({ RequestId: '"another"' }),
      reportMessage({ ClusterName: '"00000000-0000-0000-0000-000000000001"' }),
      reportMessage({ LastChecked: '"2020-01-23T16:15:59.478901888Z"' }),
      reportMessage({ RequestId: '""' }),
      reportMessage({ RequestId: 'null' }),
      reportMessage({ RequestId: undefined }),
    );
    assert.equal((await rows()).length, 7);
  });

  test('writer Q9, G1: of the same position makes no second row when the offsets are read again', async () => {
    const anonymous = reportMessage({ RequestId: '""' });
    await process(anonymous, anonymous, reportMessage());
    const first = await rows();
    assert.equal(first.length, 3);
    await bench.services.pop()!.stop();
    await start({ groupId: 'reads-again' });
    await until(async () => (await bench.bus.admin.lag('reads-again', [bench.topics.in]))[0]?.committed === 3n);
    assert.deepEqual(await rows(), first);
  });

  test('is not one when other bytes have that position, as after a topic was made anew', async () => {
    await process(reportMessage({ RequestId: '""' }));
    await bench.services.pop()!.stop();
    await bench.bus.admin.deleteTopic(bench.topics.in);
    await bench.bus.admin.ensureTopics([{ name: bench.topics.in, partitions: 1 }]);
    await process(reportMessage({ RequestId: '""', AccountNumber: '3' }));
    assert.deepEqual(
      (await rows()).map(({ account_number }) => account_number),
      [2, 3],
    );
  });

  test('is nothing that has the same bytes at the same place of a topic that was made anew', async () => {
    const anonymous = reportMessage({ RequestId: '""' });
    await process(anonymous, anonymous, reportMessage());
    await bench.services.pop()!.stop();
    await bench.bus.admin.deleteTopic(bench.topics.in);
    await bench.bus.admin.ensureTopics([{ name: bench.topics.in, partitions: 1 }]);
    await process(anonymous, anonymous, reportMessage({ RequestId: '"another"' }));
    assert.deepEqual(
      (await rows()).map(({ kafka_offset }) => kafka_offset),
      [0n, 0n, 1n, 1n, 2n, 2n],
    );
  });

  test('is not one that only lies before the position: it is looked up', async () => {
    await process(reportMessage({ RequestId: '""' }));
    await shared.base!.database.query('UPDATE ccx.stored_positions SET next_offset = 1000');
    await process(reportMessage({ RequestId: '""' }), reportMessage({ RequestId: '""' }));
    assert.deepEqual(
      (await rows()).map(({ kafka_offset }) => kafka_offset),
      [0n, 1n, 2n],
    );
  });

  test('is what an earlier release stored, by its place and bytes or by its request, and nothing else of its topic', async () => {
    const anonymous = reportMessage({ RequestId: '""' });
    const remember = async (offset: number, request: string, message: string) => {
      const at = `2020-01-0${offset + 1}`;
      await shared.base!.database.query(`INSERT INTO new_reports VALUES (1, 2, $1, 'old', $2::timestamp, $3)`, [
        ...[reportCluster, at, offset],
      ]);
      await asEarlierRelease(
        shared.base!.database,
        `INSERT INTO ccx.stored_message VALUES ($1, 0, $2, sha256($3), $4, 1, $5, '2020-01-23T16:15:59.478901889Z', $6::timestamp)`,
        [bench.topics.in, offset, Buffer.from(message), request, reportCluster, at],
      );
    };
    await start();
    await bench.services.pop()!.stop();
    await remember(0, '', anonymous);
    await remember(1, '', 'other bytes');
    await remember(7, requestId, 'x');
    await process(anonymous, anonymous, reportMessage(), anonymous);
    assert.deepEqual(
      (await rows()).filter(({ report }) => report !== 'old').map(({ kafka_offset }) => kafka_offset),
      [1n, 3n],
    );
    assert.deepEqual(
      bench.events.filter(({ event }) => event === 'report-repeated').map(({ fields }) => fields['by']),
      ['position', 'request'],
    );
  });

  test('an earlier release that is still running is told so, with the class of error that it waits for', async () => {
    await start();
    await assert.rejects(
      shared.base!.database.query(
        `INSERT INTO ccx.stored_message SELECT 't', 0, 0, '', '', 1, '', '', now() WHERE false`,
      ),
      (error: { cause?: { code?: string } } & Error) => {
        assert.match(
          error.message,
          /belongs to a newer release of the notification writer: stop this one, or update it/,
        );
        assert.equal(sqlState(error), '55000');
        assert.equal(isFaultOfARow(error, 1), false);
        return true;
      },
    );
  });

  test('is not one when the report was cleaned away since', async () => {
    await process(reportMessage(), reportMessage({ RequestId: '""' }));
    await bench.services.pop()!.stop();
    await shared.base!.database.query('DELETE FROM new_reports');
    await start({ groupId: 'after-cleaning' });
    await until(async () => (await bench.bus.admin.lag('after-cleaning', [bench.topics.in]))[0]?.committed === 2n);
    assert.equal((await rows()).length, 2);
    const facts = await shared.base!.database.query('SELECT FROM ccx.report_facts WHERE request_key IS NOT NULL');
    assert.equal(facts.rowCount, 1, 'the facts of the row that is gone were replaced');
  });
});

test('two writers that get the same messages at the same time store each of them once', async () => {
  const messages = Array.from({ length: 300 }, (_, index) =>
    reportMessage({ RequestId: index % 3 === 0 ? '""' : `"r${index % 100}"`, OrgID: String(index % 7) }),
  );
  await send(...messages);
  const batch = { recordsMax: 16, bytesMax: 1_000_000, waitMs: 0 };
  const both = [await start({ groupId: 'one', batch }), await start({ groupId: 'two', batch })];
  for (const service of both) await until(() => service.idle());
  const anonymous = messages.filter((text) => text.includes('"RequestId":""')).length;
  const named = new Set(messages.flatMap((text) => /"RequestId":"(r\d+)"/.exec(text)?.slice(1) ?? [])).size;
  const found = await rows();
  assert.equal(found.length, anonymous + named);
  assert.equal(new Set(found.map(({ org_id, updated_at }) => `${org_id} ${updated_at}`)).size, found.length);
  assert.equal((await deadLetters()).length, 0);
});

describe('clusters', () => {
  const clusters = async () => {
    const { rows: found } = await shared.base!.database.query<Record<string, unknown>>(
      `SELECT org_id AS org, version, state, state_since = last_report_at AS new,
              last_report_at = (SELECT max(updated_at) FROM new_reports AS n WHERE n.org_id = c.org_id AND n.cluster = c.cluster) AS newest
         FROM ccx.clusters AS c ORDER BY org_id`,
    );
    return found;
  };
  const versioned = (version: string | undefined, RequestId: string, OrgID = '1') => {
    const report = {
      fingerprints: [],
      reports: [],
      system: {},
      info: version === undefined ? [] : [versionOf(version)],
    };
    return reportMessage({ RequestId: `"${RequestId}"`, OrgID, Report: JSON.stringify(report) });
  };
  const versionOf = (version: string) => ({ info_id: 'version_info|CLUSTER_VERSION_INFO', details: { version } });

  test('have their newest report and the newest version that one named, whatever comes in one batch', async () => {
    await start();
    await send(
      versioned('4.17.1', 'a'),
      versioned('4.17.2', 'b'),
      versioned(undefined, 'c'),
      versioned('4.16.9', 'd', '2'),
    );
    await until(() => bench.services[0]!.idle());
    const first = { state: 'reporting', new: true, newest: true };
    assert.deepEqual(await clusters(), [
      { org: 1, version: '4.17.2', ...first },
      { org: 2, version: '4.16.9', ...first },
    ]);
    await send(versioned(undefined, 'e'));
    await until(() => bench.services[0]!.idle());
    assert.deepEqual(await clusters(), [
      { org: 1, version: '4.17.2', ...first, new: false },
      { org: 2, version: '4.16.9', ...first },
    ]);
  });

  test('that were stale or retired report again with their next report, and a repeat is none', async () => {
    await start();
    await send(versioned('4.17.1', 'a'), versioned('4.17.1', 'b', '2'));
    await until(() => bench.services[0]!.idle());
    await shared.base!.database.query(
      `UPDATE ccx.clusters SET state = CASE org_id WHEN 1 THEN 'stale' ELSE 'retired' END, name = 'one'`,
    );
    const states = async () => (await clusters()).map(({ state, new: isNew }) => `${state} ${isNew}`);
    await send(versioned('4.17.1', 'a'));
    await until(() => bench.services[0]!.idle());
    assert.deepEqual(await states(), ['stale true', 'retired true']);
    await send(versioned('4.17.1', 'c'), versioned('4.17.1', 'd', '2'));
    await until(() => bench.services[0]!.idle());
    assert.deepEqual(await states(), ['reporting true', 'reporting true']);
    const { rows: named } = await shared.base!.database.query(`SELECT FROM ccx.clusters WHERE name = 'one'`);
    assert.equal(named.length, 2);
  });

  test('are written in one order by all writers: none waits for another in a circle', async () => {
    const names = Array.from({ length: 9 }, (_, index) => `00000000-0000-4000-8000-00000000000${index}`);
    const messages = names.map((name) => reportMessage({ RequestId: '""', ClusterName: JSON.stringify(name) }));
    const other = `${bench.topics.in}-other`;
    await bench.bus.admin.ensureTopics([{ name: other, partitions: 1 }]);
    await start();
    await start({ topic: other, groupId: 'other' });
    const idle = async () => {
      for (const service of bench.services) await until(() => service.idle());
    };
    await send(...messages);
    await idle();
    const { database } = shared.base!;
    await database.transaction(async (tx) => {
      await tx.query('SELECT FROM ccx.clusters WHERE cluster = $1 FOR UPDATE', [names[4]]);
      const producer = await bench.bus.createProducer();
      const there = messages.toReversed().map((value) => ({ topic: other, value }));
      await producer.send([...messages.map((value) => ({ topic: bench.topics.in, value })), ...there]);
      await producer.close();
      await until(async () => {
        const waiting = await database.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return waiting.rowCount === 2;
      });
    });
    await idle();
    assert.equal((await rows()).length, 3 * names.length);
    assert.deepEqual(
      bench.events.filter(({ event }) => event === 'step-retried'),
      [],
    );
  });
});

describe('rows of one cluster', () => {
  const anonymous = { RequestId: '""' };

  test('have strictly increasing times within a batch', async () => {
    await process(...Array<string>(50).fill(reportMessage(anonymous)));
    const times = (await rows()).map(({ updated_at }) => updated_at);
    assert.equal(new Set(times).size, 50);
    assert.deepEqual(times, [...times].sort());
  });

  test('G2: come after rows that are already there, even those of a clock that is ahead', async () => {
    const { database } = shared.base!;
    await database.query(
      `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at)
       VALUES (1, 2, $1, 'old', '2099-01-01 00:00:00.000007'), (1, 2, $1, 'never', 'infinity')`,
      [reportCluster],
    );
    await process(reportMessage(anonymous), reportMessage(anonymous), reportMessage({ ...anonymous, OrgID: '9' }));
    const { rows: found } = await database.query<{ org_id: number; updated_at: string }>(
      `SELECT org_id, updated_at FROM new_reports WHERE report = $1 ORDER BY kafka_offset`,
      [storedText],
    );
    assert.deepEqual(found.slice(0, 2), [
      { org_id: 1, updated_at: '2099-01-01 00:00:00.000008' },
      { org_id: 1, updated_at: '2099-01-01 00:00:00.000009' },
    ]);
    assert.ok(found[2]!.updated_at < '2099', 'other organizations are not affected');
  });
});

describe('bad messages among good ones', () => {
  test('G3: are dead-lettered with their reasons, the good ones are stored in order, and the offset ends behind both', async () => {
    const good = (number: number) => reportMessage({ RequestId: `"good-${number}"`, OrgID: String(number) });
    const bad = Object.values(matrix)
      .filter((one) => !one.stored)
      .slice(0, 19)
      .map(({ value }) => value);
    assert.equal(bad.length, 19);
    await process(...bad.flatMap((value, index) => [good(index + 1), value]));
    assert.deepEqual(
      (await rows()).map(({ org_id }) => org_id),
      bad.map((_, index) => index + 1),
    );
    const letters = await read(bench.topics.dead);
    assert.deepEqual(
      letters.map(({ value }) => value?.toString() ?? null),
      bad,
    );
    assert.equal(await committed(), 38n);
    const first = (await deadLetters())[0];
    assert.equal(first?.service, 'ccx-notification-writer');
    assert.deepEqual([first?.sourceTopic, first?.sourcePartition, first?.sourceOffset], [bench.topics.in, 0, 1n]);
  });

  test('keep key and headers, and their requests are traced', async () => {
    const producer = await bench.bus.createProducer();
    const value = reportMessage({ OrgID: undefined });
    await producer.send([{ topic: bench.topics.in, key: 'k', value, headers: { mine: 'yes' } }]);
    await producer.close();
    await process();
    const [letter] = await read(bench.topics.dead);
    assert.equal(String(letter?.key), 'k');
    assert.equal(headerText(letter!, 'mine'), 'yes');
    const [trace] = await readTrace(shared.base!.database, requestId);
    assert.equal(trace?.status, 'message-dead-lettered');
    assert.match(trace?.detail ?? '', /^REPORT_MISSING_ATTRIBUTE: missing required attribute 'OrgID'$/);
  });

  test('G11: bytes that are no UTF-8 are found before the database finds them', async () => {
    const value = Buffer.from(reportMessage({ Report: '{"fingerprints":[],"reports":"?","system":{}}' }));
    value[value.indexOf('?')] = 0xff;
    await process(value, reportMessage({ RequestId: '"good"' }));
    assert.equal((await rows()).length, 1);
    assert.equal((await deadLetters())[0]?.code, 'REPORT_NOT_UTF8');
  });

  test('a row that only the database refuses is found among many, and the others are stored', async () => {
    const { database } = shared.base!;
    await database.query(`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF new.org_id IN (13, 57) THEN RAISE check_violation USING message = 'not this one'; END IF; RETURN new; END $$`);
    await database.query('CREATE TRIGGER refuse BEFORE INSERT ON new_reports FOR EACH ROW EXECUTE FUNCTION refuse()');
    const messages = Array.from({ length: 64 }, (_, index) =>
      reportMessage({ OrgID: String(index), RequestId: `"r${index}"` }),
    );
    await process(...messages);
    const kept = (await rows()).map(({ org_id }) => org_id);
    assert.deepEqual(
      kept,
      [...Array(64).keys()].filter((org) => org !== 13 && org !== 57),
    );
    assert.deepEqual(
      (await deadLetters()).map((letter) => [letter?.code, letter?.step, letter?.sourceOffset]),
      [
        ['REPORT_NOT_STORABLE', 'store-reports', 13n],
        ['REPORT_NOT_STORABLE', 'store-reports', 57n],
      ],
    );
    assert.match((await deadLetters())[0]?.reason ?? '', /not this one/);
    assert.equal(await committed(), 64n);
  });

  test('hostile request ids are stored, told and recognised', async () => {
    const hostile = JSON.stringify(`\u0000${'x'.repeat(20_000)}`);
    await process(reportMessage({ RequestId: hostile }), reportMessage({ RequestId: hostile }));
    assert.equal((await rows()).length, 1);
    assert.deepEqual((await statuses()).length, 6);
  });
});

describe('facts', () => {
  const silent = (rule: string, reason: string) => ({
    rule_fqdn: `${rule}.report`,
    reason,
    details: 'd',
    type: 'skip',
  });
  const withSkips = (...skips: unknown[]) => JSON.stringify({ fingerprints: [], reports: [], system: {}, skips });
  const catalogue = (version: string, rules: string) => ({
    [HEADER_CATALOGUE_VERSION]: version,
    [HEADER_CATALOGUE_RULES]: rules,
  });
  const sendWith = async (headers: Readonly<Record<string, string>>, ...values: string[]) => {
    const producer = await bench.bus.createProducer();
    await producer.send(values.map((value) => ({ topic: bench.topics.in, value, headers })));
    await producer.close();
    const service = bench.services.at(-1) ?? (await start());
    await until(() => service.idle());
  };
  const query = async <T extends object>(text: string) => (await shared.base!.database.query<T>(text)).rows;

  test('are stored with the row, found from the report and from the request', async () => {
    const report = withSkips(silent('a.rule', 'RULE_FAILED'), silent('b.rule', 'MISSING_REQUIREMENTS'));
    const metadata = '{"gathering_time":"2026-01-30T10:08:55Z"}';
    await sendWith(catalogue('v1', '["b.rule","a.rule"]'), reportMessage({ Report: report, Metadata: metadata }));
    const [facts] = await query<Record<string, unknown>>(
      `SELECT f.* FROM ccx.report_facts AS f JOIN new_reports USING (org_id, cluster, updated_at)
        WHERE f.request_id = '${requestId}'`,
    );
    assert.equal(typeof facts?.['request_key'], 'string');
    assert.deepEqual(
      { ...facts, updated_at: '', catalogue_rules_sha256: '', request_key: '', stored_at: '', skipped_sha256: '' },
      {
        ...{ request_key: '', stored_at: '', skipped_sha256: '', skipped: null },
        ...{ org_id: 1, cluster: reportCluster, updated_at: '', request_id: requestId },
        ...{ last_checked: '2020-01-23 16:15:59.478901', gathered_at: '2026-01-30 10:08:55' },
        ...{ cluster_version: null, catalogue_version: 'v1', catalogue_rules_sha256: '' },
        did_not_run: { 'a.rule': { reason: 'RULE_FAILED', details: 'd' } },
      },
    );
    const lists = await query('SELECT rules FROM ccx.skipped_rules JOIN ccx.report_facts ON sha256 = skipped_sha256');
    assert.deepEqual(lists, [{ rules: { 'b.rule': { reason: 'MISSING_REQUIREMENTS', details: 'd' } } }]);
    const joined = await query(
      `SELECT version, rules FROM ccx.catalogues JOIN ccx.report_facts ON version = catalogue_version AND rules_sha256 = catalogue_rules_sha256`,
    );
    assert.deepEqual(joined, [{ version: 'v1', rules: ['a.rule', 'b.rule'] }]);
  });

  test('of a catalogue are stored once per version, and nobody changes what another report was made with', async () => {
    const reports = Array.from({ length: 6 }, (_, at) => reportMessage({ RequestId: `"${at}"` }));
    await sendWith(catalogue('v1', '["a.rule"]'), ...reports.slice(0, 4));
    await sendWith(catalogue('v1', '["b.rule"]'), reports[4]!);
    await sendWith(catalogue('v2', '["a.rule"]'), reports[5]!);
    const counted = await query(
      `SELECT version, rules, (SELECT count(*)::int FROM ccx.report_facts
                                WHERE catalogue_version = version AND catalogue_rules_sha256 = rules_sha256) AS reports
         FROM ccx.catalogues ORDER BY version, rules`,
    );
    assert.deepEqual(counted, [
      { version: 'v1', rules: ['a.rule'], reports: 4 },
      { version: 'v1', rules: ['b.rule'], reports: 1 },
      { version: 'v2', rules: ['a.rule'], reports: 1 },
    ]);
  });

  test('that cannot be used are counted, and no report is lost for them', async () => {
    await sendWith(
      catalogue('v1', '["a.rule"'),
      reportMessage({ RequestId: '"1"', Report: withSkips(silent('a\u0000', 'RULE_FAILED'), 7) }),
      reportMessage({ RequestId: '"2"', Metadata: '{"gathering_time":7}' }),
    );
    await sendWith({}, reportMessage({ RequestId: '"3"', Metadata: '"\\u0000"' }));
    assert.equal((await rows()).length, 3);
    assert.deepEqual(await deadLetters(), []);
    const counter = bench.telemetry.registry.getSingleMetric('ccx_writer_facts_ignored_total');
    const values = (await counter!.get()).values.map(({ labels, value }) => `${labels['fact']} ${value}`).sort();
    assert.deepEqual(values, ['catalogue 2', 'gathering-time 1', 'skips 1']);
    assert.deepEqual(await query('SELECT did_not_run, catalogue_version FROM ccx.report_facts'), [
      { did_not_run: null, catalogue_version: null },
      { did_not_run: null, catalogue_version: null },
      { did_not_run: null, catalogue_version: null },
    ]);
  });

  test('of a repeat are those of the first message, and facts of a report that was cleaned away give way', async () => {
    const report = withSkips(silent('a.rule', 'RULE_FAILED'));
    await sendWith({}, reportMessage({ Report: report }), reportMessage());
    assert.deepEqual(
      (await query<{ did_not_run: object }>('SELECT did_not_run FROM ccx.report_facts')).map((row) =>
        Object.keys(row.did_not_run),
      ),
      [['a.rule']],
    );
    await query(`DELETE FROM new_reports`);
    await query(`UPDATE ccx.report_facts SET updated_at = '2990-01-01'`);
    await query(
      `INSERT INTO new_reports VALUES (1, 2, '${reportCluster}', '{}', timestamp '2990-01-01' - interval '1 microsecond', 0)`,
    );
    await sendWith({}, reportMessage({ RequestId: '"another"' }));
    const facts = await query<{ request_id: string }>('SELECT request_id, did_not_run FROM ccx.report_facts');
    assert.deepEqual(facts, [{ request_id: 'another', did_not_run: null }]);
  });

  test('cost no statement of their own', async () => {
    const headers = Object.entries(catalogue('v1', '["a.rule"]')).map(([name, value]) => ({
      name,
      value: Buffer.from(value),
    }));
    const value = Buffer.from(reportMessage());
    const received = parseOcpResults(value);
    assert.equal(received.kind, 'received');
    const record = { topic: 't', partition: 0, offset: 0n, key: null, value, headers, timestampMs: 0 };
    const checked = checkReport(shrinkReport(received.report), 0, clock.nowMicros());
    assert.equal(checked.kind, 'done');
    const row = prepareRow(record, checked.value, readFacts(record, received.report, createFactsMemory()));
    assert.equal(row.kind, 'done');
    await start();
    const statements: string[] = [];
    const counted: Database = {
      ...shared.base!.database,
      query(text, values) {
        statements.push(text);
        return shared.base!.database.query(text, values);
      },
    };
    await insertReportBatch(counted, [row.value], { nowMicros: clock.nowMicros(), traced: true, lz4: false });
    assert.equal(statements.length, 1);
    assert.equal((await query('SELECT FROM ccx.report_facts')).length, 1);
  });
});

describe('batches', () => {
  test('of one message and of many leave the same behind', async () => {
    const messages = Object.values(matrix).flatMap(({ value }, index) => [
      value,
      reportMessage({ RequestId: `"r${index % 5}"`, OrgID: String(index) }),
    ]);
    const summary = async () => ({
      rows: (await rows()).map(({ org_id, kafka_offset, report, cluster }) => [org_id, kafka_offset, report, cluster]),
      dead: (await deadLetters()).map((letter) => [letter?.code, letter?.sourceOffset]).sort(),
      statuses: (await statuses()).sort(),
      metrics: await metricsTouched(),
    });
    await start({ batch: { recordsMax: 1, bytesMax: 1, waitMs: 0 } });
    await process(...messages);
    const oneByOne = await summary();
    await bench.services.pop()!.stop();
    for (const name of Object.values(bench.topics)) {
      await bench.bus.admin.deleteTopic(name);
      await bench.bus.admin.ensureTopics([{ name, partitions: 1 }]);
    }
    await shared.base!.database.query('TRUNCATE new_reports, read_errors, ccx.report_facts, ccx.trace');
    await start({ batch: { recordsMax: 500, bytesMax: 10_000_000, waitMs: 10 } });
    await process(...messages);
    assert.deepEqual(await summary(), oneByOne);
  });

  test('are bounded in bytes, and a message larger than that is a batch of its own', async () => {
    const sizes: number[] = [];
    await start({ batch: { recordsMax: 100, bytesMax: 2_000, waitMs: 0 } });
    const large = reportMessage({ Report: `{"fingerprints":[],"reports":"${'x'.repeat(3_000)}","system":{}}` });
    await process(large, ...Array.from({ length: 30 }, (_, index) => reportMessage({ RequestId: `"r${index}"` })));
    for (const { event, fields } of bench.events) {
      if (event === 'offsets-committed') sizes.push(Number((fields['positions'] as { offset: string }[])[0]!.offset));
    }
    assert.equal((await rows()).length, 31);
    assert.equal(sizes[0], 1);
    assert.ok(sizes.length > 3, `batches ended at ${sizes}`);
  });
});

describe('a dead-letter topic that is away', () => {
  test('G4: stops consumption, readiness says so, and each bad message is put aside once it is back', async () => {
    let away = true;
    const error = new CcxError('as the test wants it', {
      code: 'BUS_UNREACHABLE',
      category: 'connection',
      retryable: true,
    });
    const { kind, admin } = bench.bus;
    const bus: Bus = {
      ...{ kind, admin, check: () => bench.bus.check(), close: async () => undefined },
      createConsumer: (options) => bench.bus.createConsumer(options),
      async createProducer() {
        const producer = await bench.bus.createProducer();
        return {
          send: (records) =>
            away && records.some(({ topic }) => topic === bench.topics.dead)
              ? Promise.reject(error)
              : producer.send(records),
          sendEach: (records, settle) => producer.sendEach(records, settle),
          close: () => producer.close(),
        };
      },
    };
    const service = await start({}, bus);
    await send(reportMessage(), 'bad', reportMessage({ RequestId: '"behind"' }));
    await until(async () => /BUS_UNREACHABLE/.test((await service.readiness()).reasons.join(' ')));
    await until(() => bench.events.filter(({ event }) => event === 'step-retried').length >= 3);
    await send(reportMessage({ RequestId: '"later"' }));
    assert.equal((await committed()) ?? 0n, 0n, 'nothing was acknowledged meanwhile');
    assert.equal((await deadLetters()).length, 0);

    away = false;
    await until(() => service.idle());
    assert.equal(await committed(), 4n);
    assert.deepEqual(
      (await rows()).map(({ kafka_offset }) => kafka_offset),
      [0n, 2n, 3n],
    );
    assert.equal((await deadLetters()).length, 1);
    assert.deepEqual(await service.readiness(), { ready: true, reasons: [] });
  });
});

describe('a database that goes away', () => {
  test('writer Q16: stops consumption and loses nothing; readiness says so, and everything is stored once it is back', async () => {
    const service = await start();
    await process(reportMessage());
    assert.deepEqual(await service.readiness(), { ready: true, reasons: [] });
    shared.proxy!.cut();
    await send(reportMessage({ RequestId: '"while-away"' }), 'bad', reportMessage({ RequestId: '"too"' }));
    await until(async () => !(await service.readiness()).ready);
    assert.match((await service.readiness()).reasons[0]!, /^database: .*\[DATABASE_\w+\]$/);
    await until(() => bench.events.filter(({ event }) => event === 'step-retried').length >= 3);
    assert.equal(await committed(), 1n, 'nothing was acknowledged meanwhile');
    assert.equal(await service.idle(), false);
    assert.equal((await deadLetters()).length, 0);

    shared.proxy!.restore();
    await until(() => service.idle());
    assert.deepEqual(
      (await rows()).map(({ kafka_offset }) => kafka_offset),
      [0n, 1n, 3n],
    );
    assert.equal((await deadLetters()).length, 1);
    assert.deepEqual(await service.readiness(), { ready: true, reasons: [] });
    const { consumed_messages, consuming_errors, stored_messages } = await metricsTouched();
    assert.deepEqual([consumed_messages, consuming_errors, stored_messages], [4, 1, 3], 'attempts are not messages');
  });

  test('does not keep the service from stopping, and the messages are due again', async () => {
    const service = await start();
    await process(reportMessage());
    shared.proxy!.cut();
    await send(reportMessage({ RequestId: '"later"' }));
    await until(async () => !(await service.readiness()).ready);
    await service.stop();
    bench.services.pop();
    shared.proxy!.restore();
    await start();
    await process();
    assert.equal((await rows()).length, 2);
  });

  test('a table that is missing holds messages back instead of putting them aside', async () => {
    const service = await start();
    await process(reportMessage());
    const { database } = shared.base!;
    await database.query('ALTER TABLE new_reports RENAME TO hidden_reports');
    await send(reportMessage({ RequestId: '"later"' }));
    await until(async () => !(await service.readiness()).ready);
    assert.match((await service.readiness()).reasons[0]!, /WRITER_NO_TABLE/);
    await database.query('ALTER TABLE hidden_reports RENAME TO new_reports');
    await until(() => service.idle());
    assert.equal((await rows()).length, 2);
    assert.equal((await deadLetters()).length, 0);
  });
});

describe('start', () => {
  test('without the notification schema says how to get it, or brings it up if asked', async () => {
    const empty = await createTestDatabase();
    const bus = await createPostgresBus({ database: empty.database, clock });
    const settings = notificationWriterSettings(loadConfig(notificationWriterOptions, { env: {} }).config);
    const telemetry = () => createSilentTelemetry('writer');
    await assert.rejects(
      startNotificationWriter(settings, { bus, database: empty.database, telemetry: telemetry(), clock }),
      { code: 'WRITER_NO_TABLE', hint: /--migrate latest/ },
    );
    const service = await startNotificationWriter(
      { ...settings, ensureSchema: true },
      { bus, database: empty.database, telemetry: telemetry(), clock },
    );
    await until(() => service.idle());
    await service.stop();
    await bus.close();
    await empty.drop();
  });

  test('a group without a position begins with the oldest message, or with the newest if asked', async () => {
    await send(reportMessage({ RequestId: '"before"' }));
    const service = await start({ startAt: 'latest', groupId: 'latest' });
    await until(() => service.idle());
    await send(reportMessage({ RequestId: '"after"' }));
    await until(async () => (await rows()).length > 0);
    assert.deepEqual(
      (await rows()).map(({ kafka_offset }) => kafka_offset),
      [1n],
    );
    await start({ groupId: 'earliest' });
    await until(async () => (await rows()).length === 2);
  });
});

const realMessages = new URL('../../../../shared/data/messages/', import.meta.url);
const absent = existsSync(realMessages) ? false : '../shared/data/messages is not there';

test('real messages are stored', { skip: absent }, async () => {
  const names = readdirSync(realMessages).filter((name) => !name.startsWith('platform-'));
  await process(...names.map((name) => readFileSync(new URL(name, realMessages))));
  const found = await rows();
  assert.equal(found.length, names.length);
  found.forEach((row, index) => {
    const model = JSON.parse(readFileSync(new URL(names[index]!, realMessages), 'utf8')) as {
      Report: { reports: unknown };
    };
    assert.deepEqual((JSON.parse(row.report) as { reports: unknown }).reports, model.Report.reports, names[index]);
  });
});

describe('a database that cannot be used at the start', () => {
  test('ends the role, and is waited for where that is asked for: nothing is lost meanwhile', async () => {
    shared.proxy!.cut();
    await assert.rejects(start(), { code: 'DATABASE_UNREACHABLE' });
    const service = await start({ waitsForDatabase: true, startAt: 'latest' });
    await until(async () => !(await service.readiness()).ready);
    const { reasons } = await service.readiness();
    assert.match(reasons.join(), /^database: cannot reach the database server at .*\[DATABASE_UNREACHABLE\]$/);
    await until(async () => /^ccx_writer_waiting_for_database 1$/m.test(await bench.telemetry.registry.metrics()));
    await send(reportMessage({ OrgID: '77', RequestId: '"while-away"' }));
    shared.proxy!.restore();
    await until(async () => (await rows()).length === 1);
    await until(async () => (await service.readiness()).ready);
    assert.match(await bench.telemetry.registry.metrics(), /^ccx_writer_waiting_for_database 0$/m);
  });

  test('is waited for also when only its tables are missing', async () => {
    const { database } = shared.base!;
    await database.query('ALTER TABLE new_reports RENAME TO elsewhere');
    try {
      const service = await start({ waitsForDatabase: true });
      await until(async () => !(await service.readiness()).ready);
      assert.match((await service.readiness()).reasons.join(), /\[WRITER_NO_TABLE\]$/);
      await send(reportMessage({ OrgID: '78', RequestId: '"no-table"' }));
    } finally {
      await database.query('ALTER TABLE elsewhere RENAME TO new_reports');
    }
    await until(async () => (await rows()).length === 1);
  });
});
