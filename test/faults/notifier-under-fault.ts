/**
 * A notification service of separate processes that meets a fault: `ccx notifier` on a real Kafka and PostgreSQL with a Service Log that
 * misbehaves when told to, reports that a test stores as the writer would, and at the end every invariant. For the `notifier-*.test.ts`.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import {
  type FakeServiceLog,
  startFakeServiceLog,
} from '../../src/all-in-one/stand-ins/service-log/fake-service-log.ts';
import {
  clientId,
  type FakeTokenEndpoint,
  startFakeTokenEndpoint,
} from '../../src/all-in-one/stand-ins/token-endpoint/fake-token-endpoint.ts';
import { encodeRuleContent } from '../../src/contracts/rule-content-gob.ts';
import { TARGET_NOTIFICATIONS_BACKEND, TARGET_SERVICE_LOG } from '../../src/contracts/tables.ts';
import { TOPIC_NOTIFICATIONS } from '../../src/contracts/topics.ts';
import type { Bus } from '../../src/platform/bus/bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { type CcxProcess, type CcxRun, startCcx } from '../support/ccx-process.ts';
import { createTestFolder } from '../support/data-folder.ts';
import { contentOf, type Risks } from '../support/notification-content.ts';
import { reportOf } from '../support/notification-timeline.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { listening } from '../support/test-server.ts';
import { complaintsAboutNotifications, type NotificationExpectation } from './check-promises.ts';
import { type Evidence, readNotifierTables, readTopic } from './evidence.ts';
import { type Received, readNotifications, readServiceLog, type WireMessage } from './received-messages.ts';

const clock = createSystemClock();

/** Only a failing test waits so long. */
const runMsMax = 300_000;

export const onKafka = TARGET_NOTIFICATIONS_BACKEND;
export const onServiceLog = TARGET_SERVICE_LOG;

export interface NotifierRun extends Pick<CcxRun, 'killAt' | 'stopAt'> {
  /** Instead of one run: follows new reports until it is stopped. */
  readonly follows?: boolean;
  /** Targets that are enabled; both by default. */
  readonly targets?: readonly number[];
  readonly env?: Readonly<Record<string, string>>;
  /** The most that its JavaScript heap may take; by default as much as Node gives. */
  readonly heapMibMax?: number;
  /** Instead of its own database. */
  readonly databaseUrl?: string;
}

export interface FinishedRun {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

export interface NotifierUnderFault {
  readonly database: Database;
  readonly databaseUrl: string;
  readonly topic: string;
  readonly serviceLog: FakeServiceLog;
  readonly tokens: FakeTokenEndpoint;
  /** A report of the cluster, newer than those before it, as the writer stores it. */
  store(cluster: string, ...errorKeys: string[]): Promise<void>;
  /** One report of each of so many clusters. */
  storeMany(clusters: number, ...errorKeys: string[]): Promise<void>;
  start(how?: NotifierRun): CcxProcess;
  /** One run, until its process has ended by itself or by the signal that is meant for it. */
  run(how?: NotifierRun): Promise<FinishedRun>;
  /** Calls that tried to make an entry. */
  posts(): number;
  /** What has arrived, repeats included, in order. */
  arrived(target: number): Promise<readonly WireMessage[]>;
  outbox(): Promise<Evidence['outbox']>;
  /** Claims of dead processes end now, as they would by themselves after `delivery.lease`. */
  endLeases(): Promise<void>;
  /** Waits of messages and of targets end now, as they would by themselves. */
  endWaits(): Promise<void>;
  /** I1 to I8. */
  complaints(expected: NotificationExpectation): Promise<readonly string[]>;
  /** Ends everything and removes it. */
  remove(): Promise<void>;
}

export interface NotifierUnderFaultOptions {
  /** Absent: nothing is sent on Kafka, and only Service Log is a target. */
  readonly kafka?: {
    /** Brokers that the notifier is given, which may be behind a proxy. */
    readonly brokers: readonly string[];
    /** A client that goes around it, for what has arrived. */
    readonly bus: Bus;
  };
  /** False: nobody makes the topic beforehand. */
  readonly hasTopic?: boolean;
  readonly partitions?: number;
  readonly risks?: Risks;
}

const defaultRisks: Risks = { CRITICAL: { risk: 4 }, IMPORTANT: { risk: 3 }, LOW: { risk: 1 } };

export async function withNotifier(
  options: NotifierUnderFaultOptions,
  check: (notifier: NotifierUnderFault) => Promise<void>,
): Promise<void> {
  const notifier = await createNotifierUnderFault(options);
  try {
    await check(notifier);
  } finally {
    await notifier.remove();
  }
}

async function createNotifierUnderFault(options: NotifierUnderFaultOptions): Promise<NotifierUnderFault> {
  const { kafka, hasTopic = true, partitions = 1, risks = defaultRisks } = options;
  const folder = await createTestFolder();
  const elsewhere = join(folder.path, 'elsewhere');
  await mkdir(elsewhere);
  const context = await createTestDatabase({ migrated: true, sets: ['notifier', 'records', 'trace'] });
  const topic = `${TOPIC_NOTIFICATIONS}-${clock.uuid()}`;
  if (hasTopic) await kafka?.bus.admin.ensureTopics([{ name: topic, partitions }]);
  const clientSecret = `secret-${clock.uuid()}`;
  const tokens = await startFakeTokenEndpoint(clock, clientSecret);
  const serviceLog = await startFakeServiceLog({ clock });
  const content = createServer((_request, response) => response.end(encodeRuleContent(contentOf(risks))));
  const { port, close: closeContent } = await listening(content);
  const processes: CcxProcess[] = [];
  const secrets = () => [clientSecret, decodeURIComponent(new URL(context.url).password), ...tokens.tokens()];
  const settings: Readonly<Record<string, string>> = {
    KAFKA_BROKER__TOPIC: topic,
    SERVICE_LOG__URL: serviceLog.postUrl,
    SERVICE_LOG__TOKEN_URL: tokens.tokenUrl,
    SERVICE_LOG__CLIENT_ID: clientId,
    SERVICE_LOG__CLIENT_SECRET: clientSecret,
    SERVICE_LOG__TOTAL_RISK_THRESHOLD: '2',
    SERVICE_LOG__TAG_FILTER_ENABLED: 'false',
    DEPENDENCIES__CONTENT_SERVER: `http://127.0.0.1:${port}/`,
    OPERATIONS__HOST: '127.0.0.1',
    OPERATIONS__PORT: '0',
    FOLLOW__POLL: '100ms',
    DELIVERY__BACKOFF_MIN: '10ms',
    DELIVERY__BACKOFF_MAX: '200ms',
    DELIVERY__DEADLINE: '5s',
  };

  const enabled = kafka === undefined ? [onServiceLog] : [onKafka, onServiceLog];
  const bus = kafka === undefined ? [] : ['--bus', 'kafka', '--brokers', kafka.brokers.join(',')];

  const start = (how: NotifierRun = {}) => {
    const { follows = false, targets = enabled, env = {}, databaseUrl = context.url, ...other } = how;
    const { heapMibMax, ...at } = other;
    const all = {
      ...settings,
      KAFKA_BROKER__ENABLED: String(targets.includes(onKafka)),
      SERVICE_LOG__ENABLED: String(targets.includes(onServiceLog)),
      ...env,
    };
    const process = startCcx({
      args: ['notifier', ...bus, ...(follows ? [] : ['--once'])],
      env: {
        ...{ HOME: elsewhere, TMPDIR: elsewhere, CCX_DATABASE_URL: databaseUrl },
        ...(heapMibMax === undefined ? {} : { NODE_OPTIONS: `--max-old-space-size=${heapMibMax}` }),
        ...Object.fromEntries(Object.entries(all).map(([key, value]) => [`CCX_NOTIFICATION_SERVICE__${key}`, value])),
      },
      ...at,
    });
    processes.push(process);
    return process;
  };
  const received = async (): Promise<Record<number, Received>> => {
    const hasRecords = kafka !== undefined && (hasTopic || (await kafka.bus.admin.listTopics()).includes(topic));
    return {
      [onKafka]: readNotifications(hasRecords ? await readTopic(kafka.bus, topic) : []),
      [onServiceLog]: readServiceLog(serviceLog.entries()),
    };
  };
  return {
    ...{ database: context.database, databaseUrl: context.url, topic, serviceLog, tokens, start },
    async store(cluster, ...errorKeys) {
      await context.database.query(
        `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at)
         VALUES (1, 7, $1, $2, clock_timestamp() AT TIME ZONE 'UTC')`,
        [cluster, reportOf(...errorKeys)],
      );
    },
    async storeMany(clusters, ...errorKeys) {
      await context.database.query(
        `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at)
         SELECT 1, 7, 'fa11ed00-0000-4000-8000-' || lpad(n::text, 12, '0'), $2, clock_timestamp() AT TIME ZONE 'UTC'
           FROM generate_series(1, $1::int) AS n`,
        [clusters, reportOf(...errorKeys)],
      );
    },
    async run(how) {
      const process = start(how);
      const { code, signal } = await process.exited(runMsMax);
      return { code, signal, output: process.stdout() + process.stderr() };
    },
    posts: () => serviceLog.requests().filter((request) => request.startsWith('POST ')).length,
    arrived: async (target) => (await received())[target]!.wire,
    outbox: async () => (await readNotifierTables(context.database)).outbox,
    async endLeases() {
      await context.database.query(
        `UPDATE ccx.notification_outbox SET next_attempt_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE state = 'claimed'`,
      );
    },
    async endWaits() {
      await context.database.query(
        `UPDATE ccx.notification_outbox SET next_attempt_at = clock_timestamp() AT TIME ZONE 'UTC'
          WHERE next_attempt_at IS NOT NULL AND state <> 'claimed'`,
      );
      await context.database.query('UPDATE ccx.notification_targets SET paused_until = NULL');
    },
    async complaints(expected) {
      const all = Object.values(await received());
      const evidence = {
        ...(await readNotifierTables(context.database)),
        wire: all.flatMap(({ wire }) => wire),
        refused: all.flatMap(({ refused }) => refused),
        leaks: processes.flatMap((process) => findLeaks(process, secrets())),
        strays: await readdir(elsewhere, { recursive: true }),
      };
      return complaintsAboutNotifications(evidence, expected);
    },
    async remove() {
      for (const process of processes) {
        process.kill('SIGKILL');
        await process.exited(runMsMax);
      }
      closeContent();
      await serviceLog.stop();
      await tokens.stop();
      await context.drop();
      await folder.remove();
    },
  };
}

/** Lines of a process's output that hold a secret, told without it. */
function findLeaks(process: CcxProcess, secrets: readonly string[]): string[] {
  const lines = `${process.stdout()}\n${process.stderr()}`.split('\n');
  return lines
    .filter((line) => secrets.some((secret) => secret !== '' && line.includes(secret)))
    .map((line) => `${process.child.spawnargs.join(' ')}: ${line.slice(0, 200)}`);
}
