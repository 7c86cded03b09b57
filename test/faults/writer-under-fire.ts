/**
 * Writers on a real Kafka under load, killed at random moments while their PostgreSQL is restarted now and then: in the end every good
 * message is stored exactly once, with what it said, and every bad one is in the dead-letter topic. Used by `npm run soak` and, shorter,
 * by `writer-under-fire.kafka.test.ts`.
 */
import { TOPIC_OCP_RESULTS } from '../../src/contracts/topics.ts';
import type { Bus } from '../../src/platform/bus/bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { createDatabaseIfMissing } from '../../src/platform/database/embedded/start-embedded-postgres.ts';
import { type CcxProcess, startCcx } from '../support/ccx-process.ts';
import { reportMessage } from '../support/report-messages.ts';
import { until } from '../support/until.ts';
import { onDatabase } from './installation-database.ts';
import { type RestartableServer, startRestartableServer } from './restartable-server.ts';
import { type Chance, createChance } from './seeded.ts';

export interface Fire {
  /** Makes everything that is left to chance; the same seed makes the same again. */
  readonly seed: string;
  readonly kills: number;
  readonly serverRestarts: number;
  /** `host:port` of brokers, and a client of them; the topics are this fire's own. */
  readonly brokers: readonly string[];
  readonly bus: Bus;
}

export interface FireResult {
  /** None: every good message was stored exactly once, as it was. */
  readonly complaints: readonly string[];
  readonly good: number;
  readonly repeats: number;
  readonly bad: number;
  /** Kills that met a writer with messages before it. */
  readonly killedAtWork: number;
  /** Writers that ended by themselves because PostgreSQL was away at their start, and were started again. */
  readonly endedWithoutDatabase: number;
  readonly ms: number;
}

const clock = createSystemClock();
const partitions = 4;
const clusters = 50;
/** Members of the group, so that a kill is also a rebalance under load. */
const writersAtOnce = 2;
const batchMessages = 60;
const batchEveryMs = 100;
/** The longest between two kills: a writer that starts anew is sometimes killed before it has joined, and mostly at its work. */
const killEveryMsMax = 4_000;
const serverAwayMsMax = 3_000;
const startMsMax = 60_000;
const endMsMax = 30_000;
/** `ccx writer` ends with it where PostgreSQL is away at its start; whoever supervises it starts it again. */
const codeWithoutDatabase = 5;
const superviseMs = 250;

/** Rejects only where the machine fails; what the writers do wrong is a complaint. */
export async function runWriterUnderFire(fire: Fire): Promise<FireResult> {
  const startedMs = clock.monotonicMs();
  const chance = createChance(`${fire.seed} writer`);
  const topic = `${TOPIC_OCP_RESULTS}-${fire.seed}`;
  const deadLetters = `${topic}-dead`;
  await fire.bus.admin.ensureTopics([
    { name: topic, partitions },
    { name: `${topic}-status`, partitions: 1 },
  ]);
  const server = await startRestartableServer();
  const load = createLoad(createChance(`${fire.seed} messages`), topic);
  const writers = createWriters({ ...fire, topic, databaseUrl: await createDatabaseIfMissing(server.url, 'fire') });
  try {
    await writers.begin();
    const over = new AbortController();
    const sending = sendUntil(fire.bus, load, over.signal);
    const killedAtWork = await killAll(fire, { chance, writers, server, topic }).finally(() => over.abort());
    await sending;
    const unread = () => unreadMessages(fire.bus, topic);
    const complaints: string[] = [];
    await until(async () => (await unread()) === 0);
    complaints.push(...(await writers.stop()));
    complaints.push(
      ...(await onDatabase(writers.databaseUrl, async (database) =>
        load.judgeRows((await database.query<StoredRow>(rowsStatement)).rows),
      )),
    );
    complaints.push(...load.judgeDeadLetters(await readValues(fire.bus, deadLetters)));
    return {
      complaints,
      ...load.counts(),
      killedAtWork,
      endedWithoutDatabase: writers.endedWithoutDatabase(),
      ms: Math.round(clock.monotonicMs() - startedMs),
    };
  } finally {
    await writers.kill();
    await server.remove();
  }
}

/** All kills, and the restarts of PostgreSQL beside them; answers how many kills met messages that nobody had acknowledged. */
async function killAll(
  fire: Fire,
  context: {
    readonly chance: Chance;
    readonly writers: Writers;
    readonly server: RestartableServer;
    readonly topic: string;
  },
): Promise<number> {
  const { chance, writers, server, topic } = context;
  const restartsAt = new Set(
    chance.shuffle(Array.from({ length: fire.kills }, (_, index) => index)).slice(0, fire.serverRestarts),
  );
  let killedAtWork = 0;
  let restarting = Promise.resolve();
  for (let index = 0; index < fire.kills; index += 1) {
    if (restartsAt.has(index)) {
      const how = chance.pick(['killed', 'stopped'] as const);
      const awayMs = chance.below(serverAwayMsMax);
      restarting = restarting.then(() => server.restart(how, awayMs));
      restarting.catch(() => undefined);
    }
    await clock.sleep(chance.below(killEveryMsMax));
    if ((await unreadMessages(fire.bus, topic)) > 0) killedAtWork += 1;
    await writers.killOne(chance);
  }
  await restarting;
  return killedAtWork;
}

interface Writers {
  readonly databaseUrl: string;
  /** Resolves once all of them work, on tables that the first one has made. */
  begin(): Promise<void>;
  /** SIGKILL to one of them, and another one in its place. */
  killOne(chance: Chance): Promise<void>;
  /** SIGTERM; answers what did not end as it should. */
  stop(): Promise<readonly string[]>;
  kill(): Promise<void>;
  endedWithoutDatabase(): number;
}

function createWriters(how: {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly databaseUrl: string;
}): Writers {
  const { brokers, topic, databaseUrl } = how;
  const running: CcxProcess[] = [];
  const complaints: string[] = [];
  const supervision = new AbortController();
  let endedWithoutDatabase = 0;
  const start = (): CcxProcess => {
    const writer = startCcx({
      args: ['writer', '--bus', 'kafka', '--brokers', brokers.join(',')],
      env: {
        CCX_DATABASE_URL: databaseUrl,
        CCX_NOTIFICATION_WRITER__BROKER__TOPIC: topic,
        CCX_NOTIFICATION_WRITER__BROKER__GROUP: groupOf(topic),
        CCX_NOTIFICATION_WRITER__DEAD_LETTERS__TOPIC: `${topic}-dead`,
        CCX_NOTIFICATION_WRITER__TRACKER__TOPIC: `${topic}-status`,
        CCX_NOTIFICATION_WRITER__STORAGE__ENSURE_SCHEMA: 'true',
        CCX_NOTIFICATION_WRITER__METRICS__ADDRESS: '127.0.0.1:0',
        CCX_NOTIFICATION_WRITER__BUS__SESSION_TIMEOUT: '3s',
      },
    });
    running.push(writer);
    writer.child.once('exit', (code, signal) => {
      running.splice(running.indexOf(writer), 1);
      if (supervision.signal.aborted || signal === 'SIGKILL') return;
      if (code === codeWithoutDatabase) endedWithoutDatabase += 1;
      else complaints.push(`a writer ended with ${signal ?? code}:\n${writer.stdout()}\n${writer.stderr()}`);
      void clock.sleep(superviseMs, supervision.signal).then(start, () => undefined);
    });
    return writer;
  };
  const listening = (writer: CcxProcess) => writer.waitForOutput(/"url":"(http[^"]+)"/, startMsMax);
  return {
    databaseUrl,
    async begin() {
      for (let count = 0; count < writersAtOnce; count += 1) await listening(start());
    },
    async killOne(chance) {
      const victim = running[chance.below(Math.max(1, running.length))];
      victim?.kill('SIGKILL');
      await victim?.exited(endMsMax);
      start();
    },
    async stop() {
      supervision.abort();
      const ended = [...running].map(async (writer) => {
        writer.kill('SIGTERM');
        const { code, signal } = await writer.exited(endMsMax);
        if (code !== 0) complaints.push(`on SIGTERM a writer ended with ${signal ?? code}:\n${writer.stderr()}`);
      });
      await Promise.all(ended);
      return complaints;
    },
    async kill() {
      supervision.abort();
      for (const writer of [...running]) {
        writer.kill('SIGKILL');
        await writer.exited(endMsMax);
      }
    },
    endedWithoutDatabase: () => endedWithoutDatabase,
  };
}

function groupOf(topic: string): string {
  return `${topic}-writers`;
}

async function unreadMessages(bus: Bus, topic: string): Promise<number> {
  const lags = await bus.admin.lag(groupOf(topic), [topic]);
  return lags.reduce((sum, { committed, start, end }) => sum + Number(end - (committed ?? start)), 0);
}

interface StoredRow {
  readonly orgId: number;
  readonly accountNumber: number;
  readonly cluster: string;
  readonly report: string;
}

const rowsStatement = `SELECT org_id AS "orgId", account_number AS "accountNumber", rtrim(cluster) AS cluster, report FROM new_reports`;

/** What is sent, and what has to be there in the end. */
interface Load {
  nextBatch(): readonly { readonly topic: string; readonly key: string; readonly value: string }[];
  judgeRows(rows: readonly StoredRow[]): string[];
  judgeDeadLetters(values: readonly string[]): string[];
  counts(): { readonly good: number; readonly repeats: number; readonly bad: number };
}

/** Of ten messages one is bad and one comes again under its request id; of the others every third has no request id, so that only its place tells a repeat. */
function createLoad(chance: Chance, topic: string): Load {
  const ids = Array.from(
    { length: clusters },
    (_, index) => `fa11ed00-0000-4000-8000-${String(index).padStart(12, '0')}`,
  );
  /** By content, so that a row with any part of another message is told. */
  const good = new Set<string>();
  const bad = new Set<string>();
  let repeats = 0;
  let last: { readonly key: string; readonly value: string } | undefined;
  const next = () => {
    const kind = chance.below(10);
    if (kind === 0) {
      const value = `no report ${bad.size}`;
      bad.add(value);
      return { key: chance.pick(ids), value };
    }
    if (kind === 1 && last !== undefined) {
      repeats += 1;
      return last;
    }
    const number = good.size + 1;
    const cluster = chance.pick(ids);
    const reports = [
      {
        rule_id: 'r|K',
        component: 'r.report',
        type: 'rule',
        key: 'K',
        details: { number, filler: 'é'.repeat(chance.below(100)) },
      },
    ];
    good.add(contentOf({ orgId: number, accountNumber: number % 7, cluster, reports }));
    const value = reportMessage({
      OrgID: String(number),
      AccountNumber: String(number % 7),
      ClusterName: JSON.stringify(cluster),
      Report: JSON.stringify({ fingerprints: [], reports, system: {} }),
      LastChecked: JSON.stringify(clock.now().toISOString()),
      RequestId: number % 3 === 0 ? '""' : JSON.stringify(`${topic}-${number}`),
    });
    const message = { key: cluster, value };
    if (number % 3 !== 0) last = message;
    return message;
  };
  return {
    nextBatch: () => Array.from({ length: batchMessages }, () => ({ topic, ...next() })),
    judgeRows(rows) {
      const stored = Map.groupBy(rows, (row) => contentOf({ ...row, reports: reportsOf(row.report) }));
      const complaints = [...good].filter((content) => !stored.has(content)).map((content) => `not stored: ${content}`);
      for (const [content, same] of stored) {
        if (!good.has(content)) complaints.push(`stored and never sent: ${content}`);
        if (same.length > 1) complaints.push(`stored ${same.length} times: ${content}`);
      }
      return complaints;
    },
    judgeDeadLetters(values) {
      const found = new Set(values);
      return [
        ...[...bad].filter((value) => !found.has(value)).map((value) => `no dead letter: ${value}`),
        ...[...found].filter((value) => !bad.has(value)).map((value) => `a dead letter that is none: ${value}`),
      ];
    },
    counts: () => ({ good: good.size, repeats, bad: bad.size }),
  };
}

function contentOf(content: Omit<StoredRow, 'report'> & { readonly reports: unknown }): string {
  const { orgId, accountNumber, cluster, reports } = content;
  return JSON.stringify([orgId, accountNumber, cluster, reports]);
}

function reportsOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { reports?: unknown }).reports;
  } catch {
    return text;
  }
}

/** The brokers stay, so every send is acknowledged. */
async function sendUntil(bus: Bus, load: Load, over: AbortSignal): Promise<void> {
  const producer = await bus.createProducer();
  try {
    while (!over.aborted) {
      await producer.send(load.nextBatch());
      await clock.sleep(batchEveryMs, over).catch(() => undefined);
    }
  } finally {
    await producer.close();
  }
}

const readMax = 1_000;

async function readValues(bus: Bus, topic: string): Promise<string[]> {
  const values: string[] = [];
  for (const { partition, start, end } of await bus.admin.lag('nobody', [topic])) {
    for (let offset = start; offset < end; ) {
      const records = await bus.admin.read({ topic, partition, offset }, readMax);
      if (records.length === 0) break;
      values.push(...records.map(({ value }) => String(value)));
      offset = records.at(-1)!.offset + 1n;
    }
  }
  return values;
}
