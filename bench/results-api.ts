/**
 * What readers wait for, over 100,000 clusters with five issues each: a cluster its report, a hub a page of each list. And what the reads
 * cost the flow: a writer that works through a backlog, with as many reads beside it as so many clusters make, against the same without.
 * Goals: a report within 20 ms, a page within 200 ms (95th percentile), the writer slower by less than 5 %.
 */
import { TABLE_CLUSTERS, TABLE_ISSUES, TABLE_NEW_REPORTS, TABLE_REPORT_FACTS } from '../src/contracts/tables.ts';
import { loadConfig } from '../src/platform/config/load-config.ts';
import { migrateCcx } from '../src/platform/database/ccx-migrations.ts';
import { connectDatabase } from '../src/platform/database/connect-database.ts';
import type { Database } from '../src/platform/database/database.ts';
import { createSilentTelemetry } from '../src/platform/telemetry/telemetry.ts';
import { CATALOG_CONTENT_ROOT } from '../src/rules/catalog/content-root.ts';
import { loadContent } from '../src/rules/content/load-content.ts';
import { resultsOptions, resultsSettings } from '../src/services/results-api/config.ts';
import { startResultsApi } from '../src/services/results-api/service.ts';
import type { BenchContext, Benchmark, Contender, Figure } from './support/benchmark.ts';
import { reportMessages } from './support/report-messages.ts';
import { startWriter } from './support/start-writer.ts';

const api = '/api/insights-results-aggregator/v2';
const issuesPerCluster = 5;
/** A user of organization 1, whose gateway is believed. */
const identity = Buffer.from(
  JSON.stringify({ identity: { org_id: '1', internal: { org_id: '1' }, account_number: '1', type: 'User' } }),
).toString('base64');
/** 100,000 clusters, each once an hour. */
const readsPerSecond = 28;

export const benchmark: Benchmark = {
  description: 'answers of the results API over many clusters, and what reads cost a writer under full load',
  async run(context) {
    const bench = await context.createDatabase();
    await migrateCcx(bench.database, 'notifier');
    await migrateCcx(bench.database, 'records');
    await migrateCcx(bench.database, 'trace');
    const clusters = context.size(100_000, 50);
    const rules = await firstRules(context.size(40, 10));
    await fill(bench.database, clusters, rules);
    const url = await startService(context, bench.url);
    const figures = await timeAnswers(context, url, { clusters, selector: encodeURIComponent(rules[0]!.selector) });
    const comparison = await compareWriters(context, {
      url,
      databaseUrl: bench.url,
      clusters,
      database: bench.database,
    });
    return { comparisons: [comparison], figures };
  },
};

interface BenchRule {
  readonly component: string;
  readonly errorKey: string;
  readonly selector: string;
}

async function firstRules(count: number): Promise<readonly BenchRule[]> {
  const { directory } = await loadContent(CATALOG_CONTENT_ROOT);
  return Object.values(directory.rules)
    .flatMap(({ plugin: { python_module: module }, error_keys }) =>
      Object.keys(error_keys).map((errorKey) => ({
        ...{ component: `${module}.report`, errorKey },
        selector: `${module}|${errorKey}`,
      })),
    )
    .slice(0, count);
}

/** Ids that are found again by their number. */
const clusterOf = (number: string) => `lpad(to_hex(${number}), 8, '0') || '-0000-4000-8000-000000000000'`;
const clusterAt = (number: number) => `${number.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;

/** As writer and notification service leave them: cluster n has five rules in a row, from its n-th on. */
async function fill(database: Database, clusters: number, rules: readonly BenchRule[]): Promise<void> {
  const items = rules.map(({ component, errorKey }) => ({
    ...{ component, key: errorKey, type: 'rule', links: {}, tags: [] },
    details: {
      type: 'rule',
      error_key: errorKey,
      nodes: Array.from({ length: 12 }, (_, node) => `worker-${node}.example`),
    },
  }));
  const texts = items.map((_, at) =>
    JSON.stringify({
      reports: Array.from({ length: issuesPerCluster }, (__, next) => items[(at + next) % items.length]),
    }),
  );
  const numbers = 'generate_series(1, $1::int) AS n';
  const at = `timestamp '2026-11-01' + n * interval '10 milliseconds'`;
  await database.query(
    `INSERT INTO ${TABLE_NEW_REPORTS} (org_id, account_number, cluster, report, updated_at, kafka_offset)
     SELECT 1, 0, ${clusterOf('n')}, ($2::text[])[1 + n % $3], ${at}, n FROM ${numbers}`,
    [clusters, texts, rules.length],
  );
  await database.query(
    `INSERT INTO ${TABLE_REPORT_FACTS} (org_id, cluster, updated_at, request_id, last_checked, gathered_at, cluster_version)
     SELECT 1, ${clusterOf('n')}, ${at}, 'request-' || n, ${at}, ${at}, '4.19.1' FROM ${numbers}`,
    [clusters],
  );
  await database.query(
    `INSERT INTO ${TABLE_CLUSTERS} (org_id, cluster, version, last_report_at, issues_report_at, state_since, moderate)
     SELECT 1, ${clusterOf('n')}, '4.19.1', ${at}, ${at}, ${at}, ${issuesPerCluster} FROM ${numbers}`,
    [clusters],
  );
  await database.query(
    `INSERT INTO ${TABLE_ISSUES} (org_id, cluster, type, component, error_key, state, total_risk, first_seen_at, appeared_at, changed_at)
     SELECT 1, ${clusterOf('n')}, 'rule', rule.component, rule.key, 'open', 2, ${at}, ${at}, ${at}
       FROM ${numbers} CROSS JOIN generate_series(0, ${issuesPerCluster - 1}) AS next
       JOIN unnest($2::text[], $3::text[]) WITH ORDINALITY AS rule (component, key, number) ON rule.number = 1 + (n + next) % $4`,
    [clusters, rules.map(({ component }) => component), rules.map(({ errorKey }) => errorKey), rules.length],
  );
  await database.query('VACUUM ANALYZE');
}

async function startService(context: BenchContext, databaseUrl: string): Promise<string> {
  const { clock, lifecycle } = context;
  const database = connectDatabase({ url: databaseUrl, applicationName: 'bench results', connectionsMax: 4, clock });
  lifecycle.defer('database of the results API', () => database.close());
  const flags = { 'http.host': '127.0.0.1', 'http.port': '0' };
  const settings = resultsSettings(loadConfig(resultsOptions, { env: {}, flags }).config);
  const telemetry = createSilentTelemetry('results');
  const service = await startResultsApi(settings, { database, clock, telemetry, version: 'bench' });
  lifecycle.defer('results API', () => service.stop());
  return service.url;
}

async function read(url: string, path: string): Promise<void> {
  const answer = await fetch(`${url}${path}`, { headers: { 'x-rh-identity': identity } });
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`${answer.status} to ${path}`);
}

/** One after the other, so that what is timed is an answer and no queue. */
async function timeAnswers(
  context: BenchContext,
  url: string,
  { clusters, selector }: { readonly clusters: number; readonly selector: string },
): Promise<Figure[]> {
  const anyCluster = (round: number) => clusterAt(1 + ((round * 7_919) % clusters));
  const requestOf = (round: number) => 1 + ((round * 7_919) % clusters);
  const paths: Readonly<Record<string, (round: number) => string>> = {
    "a cluster's report": (round) => `${api}/cluster/${anyCluster(round)}/reports`,
    'the status of a request': (round) =>
      `${api}/cluster/${anyCluster(round)}/request/request-${requestOf(round)}/status`,
    '100 clusters': (round) => `${api}/clusters?after=${anyCluster(round)}`,
    '1,000 clusters': (round) => `${api}/clusters?limit=1000&after=${anyCluster(round)}`,
    'rules with their clusters': () => `${api}/rule?impacting=true`,
    '1,000 clusters of a rule': (round) =>
      `${api}/rule/${selector}/clusters_detail?limit=1000&after=${anyCluster(round)}`,
    acknowledgements: () => `${api}/ack`,
    'the overview': () => '/api/insights-results-aggregator/v1/org_overview',
  };
  const figures: Figure[] = [];
  for (const [name, pathOf] of Object.entries(paths)) {
    const rounds = context.size(200, 3);
    let firstMs = 0;
    const ms: number[] = [];
    for (let round = -3; round < rounds; round += 1) {
      const startedMs = context.clock.monotonicMs();
      await read(url, pathOf(round + 3));
      const tookMs = context.clock.monotonicMs() - startedMs;
      if (round === -3) firstMs = tookMs;
      if (round >= 0) ms.push(tookMs);
    }
    const sorted = ms.toSorted((left, right) => left - right);
    // What is kept from then on.
    if (name === 'the overview') figures.push({ name: `${name}, first answer`, value: firstMs, unit: 'ms' });
    figures.push(
      { name: `${name}, median`, value: sorted[Math.floor(rounds / 2)]!, unit: 'ms' },
      { name: `${name}, 95th percentile`, value: sorted[Math.floor(rounds * 0.95)]!, unit: 'ms' },
    );
  }
  return figures;
}

interface WriterBench {
  readonly url: string;
  readonly databaseUrl: string;
  readonly database: Database;
  readonly clusters: number;
}

async function compareWriters(context: BenchContext, { url, databaseUrl, database, clusters }: WriterBench) {
  const { clock } = context;
  const bus = await context.engines.openBus('embedded', database);
  context.lifecycle.defer('bus', () => bus.close());
  const writer = await startWriter(context, { databaseUrl, bus, brokers: [] });
  await writer.send(reportMessages(clock, 1));
  await writer.untilStored();
  const messages = context.size(12_000, 20);
  const storing = (name: string, beside: (done: AbortSignal) => Promise<void>): Contender => ({
    name,
    async prepare() {
      writer.pause();
      await writer.send(reportMessages(clock, messages));
    },
    async run() {
      const done = new AbortController();
      const reads = beside(done.signal);
      writer.goOn();
      await writer.untilStored();
      done.abort();
      await reads;
      return messages;
    },
  });
  let number = 0;
  const reading = async (done: AbortSignal) => {
    while (!done.aborted) {
      number += 1;
      await read(url, `${api}/cluster/${clusterAt(1 + (number % clusters))}/reports`);
      await clock.sleep(1_000 / readsPerSecond, done).catch(() => undefined);
    }
  };
  const comparison = await context.compare({
    title: `a writer with ${readsPerSecond} reads a second beside it`,
    unit: 'reports',
    rounds: 7,
    budgetMs: 60_000,
    subject: storing('ccx writer, and clusters read', reading),
    baselines: [storing('ccx writer alone', async () => undefined)],
  });
  await writer.stop();
  return comparison;
}
