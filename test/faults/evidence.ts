/**
 * What an installation has left behind, as plain data: topics, tables, what the two stand-ins received, files. Read from its folder and
 * its database alone, never from the processes that made it; judged by `check-promises.ts`.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDeadLetterHeaders } from '../../src/contracts/dead-letter.ts';
import {
  DEAD_LETTER_TOPICS,
  GROUP_DATA_PIPELINE,
  GROUP_TRACKER,
  GROUP_WRITER,
  TOPIC_OCP_RESULTS,
  TOPIC_PAYLOAD_STATUS,
  TOPIC_UPLOAD_ANNOUNCE,
} from '../../src/contracts/topics.ts';
import { parseRfc3339 } from '../../src/encoding/rfc3339.ts';
import { type Bus, type BusRecord, headerText } from '../../src/platform/bus/bus.ts';
import { createPostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { auditOnce } from '../../src/services/notification-service/auditor.ts';
import { invariantOf } from '../../src/services/notification-service/decide/find-faults.ts';
import { type Received, readReceived } from './received-messages.ts';

/** Only a database that does not answer takes so long. */
const auditMsMax = 60_000;

export interface Evidence extends Received {
  /** Every announcement that the bus holds. `at` is its time, canonical. */
  readonly announcements: readonly { readonly requestId: string; readonly at: string }[];
  /** Every row of `new_reports`; without a request where the writer has no record of it. */
  readonly reports: readonly {
    readonly cluster: string;
    readonly requestId: string | null;
    readonly lastChecked: string | null;
  }[];
  /** Records of stored messages whose row is not there. */
  readonly recordsWithoutReport: number;
  /** Request ids whose way to the table is in the trace. */
  readonly traced: readonly string[];
  readonly deadLetters: readonly { readonly code: string; readonly requestId: string; readonly topic: string }[];
  readonly outbox: readonly {
    readonly id: string;
    readonly target: number;
    readonly cluster: string;
    readonly state: string;
    readonly waits: boolean;
    readonly issues: readonly string[];
    readonly reportedAt: string | null;
  }[];
  readonly ledger: readonly {
    readonly target: number;
    readonly cluster: string;
    readonly issue: string;
    readonly state: string;
    readonly id: string | null;
    readonly reportedAt: string | null;
  }[];
  readonly reported: readonly {
    readonly target: number;
    readonly cluster: string;
    readonly state: number;
    readonly notifiedAt: string;
  }[];
  /** What happened to issues: that they appeared, and were notified by which message. */
  readonly happened: readonly string[];
  /** What the auditor of the notification service finds in its tables. */
  readonly audited: readonly string[];
  /** Partitions that a group has not read to their end. */
  readonly lags: readonly string[];
  /** Files that belong to something unfinished; those that go by themselves after a while are meant only where that while has passed. */
  readonly leftovers: readonly string[];
}

/** `folder`: the installation's data folder. `kafka`: where its topics are, if they are no tables; stays the caller's. */
export async function collectEvidence(database: Database, folder: string, kafka?: Bus): Promise<Evidence> {
  const bus = kafka ?? (await createPostgresBus({ database, clock: createSystemClock(), retentionEveryMs: 0 }));
  try {
    return {
      announcements: await readAnnouncements(bus),
      ...(await readReports(database)),
      deadLetters: await readDeadLetters(bus),
      ...(await readNotifierTables(database)),
      lags: kafka === undefined ? await readLags(database) : await readLagsOn(kafka),
      ...(await readReceived(folder)),
      leftovers: await findLeftovers(folder),
    };
  } finally {
    if (kafka === undefined) await bus.close();
  }
}

const recordsMax = 10_000;

export async function readTopic(bus: Bus, topic: string): Promise<BusRecord[]> {
  const records: BusRecord[] = [];
  for (const { partition, start } of await bus.admin.lag('nobody', [topic]))
    records.push(...(await bus.admin.read({ topic, partition, offset: start }, recordsMax)));
  return records;
}

async function readAnnouncements(bus: Bus): Promise<Evidence['announcements']> {
  return (await readTopic(bus, TOPIC_UPLOAD_ANNOUNCE)).flatMap(({ value }) => {
    try {
      const { request_id, timestamp } = JSON.parse(String(value)) as { request_id: string; timestamp: string };
      return [{ requestId: request_id, at: parseRfc3339(timestamp)!.canonical }];
    } catch {
      // Garbage that a test has put there.
      return [];
    }
  });
}

async function readReports(database: Database): Promise<Pick<Evidence, 'reports' | 'recordsWithoutReport' | 'traced'>> {
  const { rows: reports } = await database.query<Evidence['reports'][number]>(
    `SELECT rtrim(r.cluster) AS cluster, f.request_id AS "requestId",
            to_char(f.last_checked, 'YYYY-MM-DD"T"HH24:MI:SS.US"000Z"') AS "lastChecked"
       FROM new_reports AS r LEFT JOIN ccx.report_facts AS f USING (org_id, cluster, updated_at)`,
  );
  const { rows: lonely } = await database.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM ccx.report_facts AS s LEFT JOIN new_reports AS r USING (org_id, cluster, updated_at)
      WHERE r.cluster IS NULL`,
  );
  const { rows: traced } = await database.query<{ id: string }>(
    'SELECT DISTINCT request_id AS id FROM ccx.report_facts WHERE stored_at IS NOT NULL',
  );
  return { reports, recordsWithoutReport: lonely[0]!.count, traced: traced.map(({ id }) => id) };
}

async function readDeadLetters(bus: Bus): Promise<Evidence['deadLetters']> {
  const letters = [];
  for (const topic of DEAD_LETTER_TOPICS) {
    for (const record of await readTopic(bus, topic)) {
      const info = parseDeadLetterHeaders((name) => headerText(record, name));
      letters.push({ topic, code: info?.code ?? 'without headers', requestId: info?.requestId ?? '' });
    }
  }
  return letters;
}

export async function readNotifierTables(
  database: Database,
): Promise<Pick<Evidence, 'outbox' | 'ledger' | 'reported' | 'happened' | 'audited'>> {
  const { rows: outbox } = await database.query<
    Omit<Evidence['outbox'][number], 'issues'> & { readonly issues: readonly { readonly errorKey: string }[] }
  >(
    `SELECT id, event_type_id AS target, rtrim(cluster) AS cluster, state, issues, reported_at AS "reportedAt",
            next_attempt_at IS NOT NULL AS waits FROM ccx.notification_outbox`,
  );
  const { rows: happened } = await database.query<{ readonly text: string }>(
    `SELECT concat_ws(' ', rtrim(cluster), error_key, event, event_type_id, notification_id) AS text FROM ccx.issue_events
      WHERE event IN ('appeared', 'notified')`,
  );
  const { rows: ledger } = await database.query<Evidence['ledger'][number]>(
    `SELECT event_type_id AS target, rtrim(cluster) AS cluster, error_key AS issue, state, notification_id AS id,
            reported_at AS "reportedAt" FROM ccx.notification_ledger`,
  );
  const { rows: reported } = await database.query<Evidence['reported'][number]>(
    `SELECT event_type_id AS target, rtrim(cluster) AS cluster, state, notified_at AS "notifiedAt" FROM reported`,
  );
  return {
    outbox: outbox.map((row) => ({ ...row, issues: row.issues.map(({ errorKey }) => errorKey) })),
    ledger,
    happened: happened.map(({ text }) => text),
    reported,
    audited: await readFindings(database),
  };
}

/** Something may wait on purpose, for a restart that comes next; it has not waited for long. */
async function readFindings(database: Database): Promise<string[]> {
  const clock = createSystemClock();
  const { findings, lookedThrough } = await auditOnce(database, {
    ...{ clock, nowMicros: clock.nowMicros(), msMax: auditMsMax, findingsMax: 100 },
    ...{ overdueMs: 60_000, retryWindowMs: 24 * 3_600_000 },
  });
  return [
    ...findings.map(({ kind, subject, detail }) => `${invariantOf(kind)} ${kind}: ${subject}, ${detail}`),
    ...lookedThrough.flatMap(({ name, complete }) => (complete ? [] : [`not looked through: ${name}`])),
  ];
}

async function readLags(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ text: string }>(
    `SELECT g.group_id || ' ' || t.name || '/' || g.partition || ': ' || coalesce(g.committed::text, 'nothing') || ' of ' || p.next_offset AS text
       FROM ccx.bus_positions AS g
       JOIN ccx.bus_topics AS t USING (topic_id)
       JOIN ccx.bus_partitions AS p USING (topic_id, partition)
      WHERE coalesce(g.committed, p.start_offset) < p.next_offset`,
  );
  return rows.map(({ text }) => text);
}

/** The groups of our services, as brokers know them. */
async function readLagsOn(kafka: Bus): Promise<string[]> {
  const groups = [
    [GROUP_DATA_PIPELINE, TOPIC_UPLOAD_ANNOUNCE],
    [GROUP_WRITER, TOPIC_OCP_RESULTS],
    [GROUP_TRACKER, TOPIC_PAYLOAD_STATUS],
  ] as const;
  const lags: string[] = [];
  for (const [group, topic] of groups) {
    for (const { partition, committed, start, end } of await kafka.admin.lag(group, [topic]))
      if ((committed ?? start) < end) lags.push(`${group} ${topic}/${partition}: ${committed ?? 'nothing'} of ${end}`);
  }
  return lags;
}

/** What waits for the bus, what was kept as unsendable, files and folders of writes that did not end. */
async function findLeftovers(folder: string): Promise<string[]> {
  const names = async (...parts: string[]) =>
    (await readdir(join(folder, ...parts)).catch(() => [])).map((name) => join(...parts, name));
  const objects = new Set(await names('objects'));
  return [
    ...(await names('objects', '.unfinished')),
    ...(await names('objects', 'outbox')),
    ...(await names('objects', 'ingress')).filter((name) => !name.includes('signingkey')),
    ...[...objects].filter((name) => name.endsWith('.meta') && !objects.has(name.slice(0, -'.meta'.length))),
    ...(await names('receivers')).filter((name) => !name.endsWith('.jsonl')),
    ...(await names('postgres')).filter((name) => !/^postgres\/(cluster|server\.log(\.1)?)$/.test(name)),
  ];
}
